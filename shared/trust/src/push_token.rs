//! Who pushes: Google's OIDC token on a Pub/Sub push request.

use std::net::IpAddr;

use launchgate_outcome::Reason;
use launchgate_statement::Timestamp;
use serde_json::{Map, Value};

use crate::jwt::{self, JwtError};
use crate::{Jwks, JwtAlgorithm};

/// Seconds by which Google's clock and ours may differ.
const SKEW: i64 = 60;

/// How Google names itself. Source: developers.google.com/identity/openid-connect.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

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

/// Verifies Google's push token: RS256 by `keys`, `iss` `https://accounts.google.com` (or without scheme),
/// `aud`, `email`, `email_verified` true, `iat`/`exp` against `now` with 60 s of skew.
/// A token whose signature is `SIGNATURE_REMOVED_BY_GOOGLE` is refused with its own reason.
/// Source: cloud.google.com/pubsub/docs/authenticate-push-subscriptions.
pub fn verify_push_token(
    token: &str,
    keys: &Jwks,
    expected: &PushIdentity,
    now: Timestamp,
) -> Result<AuthenticatedSender, PushTokenError> {
    let claims = jwt::verify(token, JwtAlgorithm::Rs256, keys)?.claims;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);

    if !text("iss").is_some_and(|issuer| ISSUERS.contains(&issuer)) {
        return Err(refuse(
            Reason::TokenIssuer,
            format!("expected `iss` {}, found {}", ISSUERS[0], shown(&claims, "iss")),
        ));
    }
    // One audience, equal: a list would let one token open several doors.
    if text("aud") != Some(&expected.audience) {
        let message = format!("expected `aud` {}, found {}", expected.audience, shown(&claims, "aud"));
        return Err(refuse(Reason::TokenAudience, message));
    }
    check_time(&claims, now)?;
    if text("email") != Some(&expected.email) {
        let message = format!("expected `email` {}, found {}", expected.email, shown(&claims, "email"));
        return Err(refuse(Reason::TokenEmail, message));
    }
    if claims.get("email_verified") != Some(&Value::Bool(true)) {
        let message = format!("expected `email_verified` true, found {}", shown(&claims, "email_verified"));
        return Err(refuse(Reason::TokenEmail, message));
    }
    Ok(AuthenticatedSender { name: expected.email.clone() })
}

fn check_time(claims: &Map<String, Value>, now: Timestamp) -> Result<(), PushTokenError> {
    let seconds = |name: &str| {
        claims.get(name).and_then(Value::as_i64).ok_or_else(|| {
            let message = format!("expected `{name}` in whole seconds, found {}", shown(claims, name));
            refuse(Reason::TokenExpired, message)
        })
    };
    let (issued, expires) = (seconds("iat")?, seconds("exp")?);
    let begins = if claims.contains_key("nbf") { issued.max(seconds("nbf")?) } else { issued };
    let now_seconds = now.seconds();
    if now_seconds > expires.saturating_add(SKEW) {
        let message = format!("the token expired at {}, now is {now}", Timestamp::from_seconds(expires));
        return Err(refuse(Reason::TokenExpired, message));
    }
    if now_seconds < begins.saturating_sub(SKEW) {
        let message = format!("the token is valid from {}, now is {now}", Timestamp::from_seconds(begins));
        return Err(refuse(Reason::TokenExpired, message));
    }
    if expires <= issued {
        return Err(refuse(Reason::TokenExpired, "the token expires before it was issued".to_owned()));
    }
    Ok(())
}

fn refuse(reason: Reason, message: String) -> PushTokenError {
    PushTokenError::Refused { reason, message }
}

/// A claim for a message; its text is bounded because it is the caller's.
fn shown(claims: &Map<String, Value>, name: &str) -> String {
    claims
        .get(name)
        .map_or_else(|| "nothing".to_owned(), |value| value.to_string().chars().take(200).collect())
}

impl From<JwtError> for PushTokenError {
    fn from(error: JwtError) -> Self {
        match error {
            JwtError::UnknownKey(kid) => Self::UnknownKey(kid),
            JwtError::Malformed(why) => refuse(Reason::TokenMalformed, format!("not a compact RS256 token: {why}")),
            JwtError::Signature => {
                refuse(Reason::TokenSignature, "the key that the token names did not sign it".to_owned())
            }
            JwtError::Stripped => refuse(
                Reason::SignatureStrippedByCloudRun,
                "Cloud Run's invoker check removed the token's signature; turn that check off so that it can be \
                 verified here"
                    .to_owned(),
            ),
        }
    }
}
