//! Who pushes: Google's OIDC token on a Pub/Sub push request.

use std::net::IpAddr;

use launchgate_outcome::Reason;
use launchgate_statement::Timestamp;

use crate::Jwks;

/// The one identity a route accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushIdentity {
    /// The audience the subscription mints its tokens for.
    pub audience: String,
    /// The service account that pushes.
    pub email: String,
}

/// Proof that the sender of a delivery is who the route expects. Made only by the checks below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticatedSender {
    name: String,
}

impl AuthenticatedSender {
    /// `auth: none`: any caller on this machine, nobody else.
    pub fn loopback(peer: IpAddr) -> Option<Self> {
        peer.to_canonical().is_loopback().then(|| Self { name: "loopback".to_owned() })
    }

    /// The service account's e-mail, or `loopback`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why a sender is not proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushTokenError {
    /// The key set at hand does not have the token's key: fetch it afresh (rate limited), then ask again.
    #[error("no key `{0}` in the key set")]
    UnknownKey(String),
    /// Refused for good.
    #[error("{message}")]
    Refused {
        /// The stable code, one of `rejected_auth`.
        reason: Reason,
        /// What was expected and found; never the token itself.
        message: String,
    },
}

/// Verifies Google's push token: RS256 by `keys`, `iss` https://accounts.google.com (or without scheme),
/// `aud`, `email`, `email_verified` true, `iat`/`exp` against `now` with 60 s of skew.
/// A token whose signature is `SIGNATURE_REMOVED_BY_GOOGLE` is refused with its own reason.
/// Source: cloud.google.com/pubsub/docs/authenticate-push-subscriptions.
pub fn verify_push_token(
    token: &str,
    keys: &Jwks,
    expected: &PushIdentity,
    now: Timestamp,
) -> Result<AuthenticatedSender, PushTokenError> {
    let _ = (token, keys, expected, now);
    unimplemented!("push token")
}
