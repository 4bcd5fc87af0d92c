//! Who may push to a route.

use std::net::IpAddr;

use axum::http::{
    HeaderMap,
    header::{AUTHORIZATION, ORIGIN},
};
use launchgate_google::{GoogleError, KeySet};
use launchgate_outcome::{Reason, Refusal};
use launchgate_statement::Timestamp;
use launchgate_triggers::{PushAuth, Route};
use launchgate_trust::{AuthenticatedSender, PushTokenError, verify_push_token};

/// Bytes of an Authorization header that are looked at; Google's tokens have about 1 KiB.
const MAX_HEADER: usize = 8 * 1024;

/// Proves who pushes to one route.
pub(crate) struct Doorkeeper {
    route: Route,
    certs: Option<KeySet>,
}

/// Why nobody is let in.
#[derive(Debug)]
pub(crate) enum NotAdmitted {
    /// The sender is not proven: 401 or 403; counted and logged, nothing stored.
    Refused(Refusal),
    /// Google's certificates cannot be had: 503, nothing decided.
    NoCertificates,
}

impl Doorkeeper {
    pub(crate) fn new(route: Route, certs: Option<KeySet>) -> Self {
        Self { route, certs }
    }

    /// Proves the sender. `peer` is unknown where the platform hides it; `auth: none` then refuses.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<AuthenticatedSender, NotAdmitted> {
        let identity = match &self.route.auth {
            PushAuth::None => {
                // A page in a browser of this machine has a loopback address too, and says where it is from.
                let peer = peer.filter(|_| !headers.contains_key(ORIGIN));
                let sender = peer.and_then(AuthenticatedSender::loopback);
                return sender.ok_or_else(|| refused(Reason::NotLoopback, Reason::NotLoopback.meaning()));
            }
            PushAuth::Oidc(identity) => identity,
        };
        let token = bearer(headers)?;
        let certs = self.certs.as_ref().ok_or(NotAdmitted::NoCertificates)?;
        let keys = match certs.current() {
            Some(keys) => keys,
            // Nothing is held yet: any key will do to begin with.
            None => certs.refresh_for("").await.map_err(|error| no_certificates(&error))?,
        };
        match verify_push_token(token, &keys, identity, now) {
            Ok(sender) => Ok(sender),
            Err(PushTokenError::Refused { reason, message }) => Err(refused(reason, message)),
            Err(PushTokenError::UnknownKey(kid)) => {
                // A fresh key set that still lacks the key settles it; a failed fetch settles nothing.
                let keys = certs.refresh_for(&kid).await.map_err(|error| no_certificates(&error))?;
                verify_push_token(token, &keys, identity, now).map_err(|error| match error {
                    PushTokenError::Refused { reason, message } => refused(reason, message),
                    PushTokenError::UnknownKey(_) => {
                        refused(Reason::TokenSignature, "the token names a key that Google does not publish")
                    }
                })
            }
        }
    }

    /// Whether the delivery came by the one subscription of this route.
    pub(crate) fn expects(&self, subscription: Option<&str>) -> Result<(), Refusal> {
        match &self.route.subscription {
            Some(expected) if subscription != Some(expected) => Err(Refusal::new(
                Reason::WrongSubscription,
                format!("expected {expected}, the delivery names {}", subscription.unwrap_or("none")),
            )),
            _ => Ok(()),
        }
    }
}

fn no_certificates(error: &GoogleError) -> NotAdmitted {
    tracing::error!(%error, "Google's certificates could not be fetched");
    NotAdmitted::NoCertificates
}

fn refused(reason: Reason, message: impl Into<String>) -> NotAdmitted {
    NotAdmitted::Refused(Refusal::new(reason, message))
}

fn bearer(headers: &HeaderMap) -> Result<&str, NotAdmitted> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused(Reason::TokenMissing, "expected exactly one Authorization header"));
    };
    let text = value.to_str().ok().filter(|text| text.len() <= MAX_HEADER);
    let text = text.ok_or_else(|| {
        refused(Reason::TokenMalformed, "the Authorization header is too long or not ASCII")
    })?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(refused(Reason::TokenMissing, "expected `Authorization: Bearer TOKEN`"));
    }
    Ok(token)
}
