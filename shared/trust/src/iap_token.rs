//! Who looks at a page: Identity-Aware Proxy's signed header `x-goog-iap-jwt-assertion`.
//!
//! Promises: an `IapIdentity` was written by Google for this very resource, minutes ago at most, and names
//! an account of Google's. Does not: read the unsigned headers beside it (`x-goog-authenticated-user-…`),
//! which anyone who gets past the proxy can write; say what the account may do.
//! Source: cloud.google.com/iap/docs/signed-headers-howto.

use launchgate_statement::Timestamp;
use serde_json::{Map, Value};

use crate::jwt::{self, JwtError};
use crate::{Jwks, JwtAlgorithm};

/// How the proxy names itself.
const ISSUER: &str = "https://cloud.google.com/iap";

/// What `sub` begins with for an account of Google's. Other providers' users (Identity Platform tenants,
/// workforce pools) have other beginnings; their e-mail is what that provider says, so it may not pass for
/// Google's.
const GOOGLE_ACCOUNT: &str = "accounts.google.com:";

/// Seconds by which the proxy's clock and ours may differ.
const SKEW: i64 = 30;

/// Seconds that the proxy lets a token live, beside the skew at both ends.
const LONGEST_LIFETIME: i64 = 600;

/// The one resource whose tokens count: what `aud` has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IapAudience(String);

/// Who the proxy let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IapIdentity {
    /// The account's address, as Google writes it.
    pub email: String,
    /// The account's id, `accounts.google.com:…`: stays when the address changes, is never given to another.
    pub subject: String,
    /// The Workspace domain of the account, if it has one. The part of `email` after `@` proves no domain.
    pub hosted_domain: Option<String>,
}

/// Why nobody is identified. Holds no part of the token but bounded claims and its key id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IapTokenError {
    /// The key set at hand does not have the token's key: fetch it afresh (rate limited), then ask again.
    #[error("no key `{0}` in the key set of Identity-Aware Proxy")]
    UnknownKey(String),
    /// No token of the proxy's has this form.
    #[error("not a compact ES256 token: {0}; take it as it stands in x-goog-iap-jwt-assertion")]
    Malformed(String),
    /// Somebody else wrote it.
    #[error("the key that the token names did not sign it")]
    Signature,
    /// It was written for another purpose.
    #[error("expected `{claim}` {expected}, found {actual}")]
    Claim {
        /// Which one.
        claim: &'static str,
        /// What it has to be.
        expected: String,
        /// What it is.
        actual: String,
    },
    /// It is too old, too young, or lives too long.
    #[error("{0}; check the clock of this machine")]
    Time(String),
}

impl IapAudience {
    /// The audience of a Cloud Run service behind the proxy
    /// (`/projects/NUMBER/locations/REGION/services/SERVICE`), or of a load balancer's backend service
    /// (`/projects/NUMBER/global/backendServices/ID`).
    ///
    /// # Errors
    /// Anything else, with what was expected: an audience that no resource has would never match, and an
    /// empty one must not exist.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let name = |part: &str| {
            let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !part.is_empty() && part.len() <= 63 && part.bytes().all(inside)
        };
        let parts: Vec<_> = text.split('/').collect();
        let fits = match parts[..] {
            ["", "projects", project, "locations", region, "services", service] => {
                number(project) && name(region) && name(service)
            }
            ["", "projects", project, "global", "backendServices", id] => number(project) && number(id),
            _ => false,
        };
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "expected /projects/NUMBER/locations/REGION/services/SERVICE or \
             /projects/NUMBER/global/backendServices/ID with the project's number, not its name; found `{text}`"
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Verifies a token of Identity-Aware Proxy: ES256 by `keys`, `iss` `https://cloud.google.com/iap`, `aud`
/// exactly this resource, `iat`/`exp` against `now` with 30 s of skew, at most ten minutes of life, an
/// account of Google's with an e-mail address.
pub fn verify_iap_token(
    token: &str,
    keys: &Jwks,
    expected: &IapAudience,
    now: Timestamp,
) -> Result<IapIdentity, IapTokenError> {
    let claims = Claims(jwt::verify(token, JwtAlgorithm::Es256, keys)?.claims);
    claims.equal("iss", ISSUER)?;
    // One audience, equal: a list would let one token open several doors.
    claims.equal("aud", &expected.0)?;
    claims.check_time(now)?;
    let subject = claims.text("sub").filter(|text| text.len() > GOOGLE_ACCOUNT.len());
    let subject = subject.filter(|text| text.starts_with(GOOGLE_ACCOUNT));
    let subject = subject.ok_or_else(|| claims.unexpected("sub", "an account of Google's"))?;
    // The same fence for the address: another provider's has a colon before it.
    let email = claims.text("email").filter(|text| text.contains('@') && !text.contains(':'));
    let email = email.ok_or_else(|| claims.unexpected("email", "an address"))?;
    let hosted_domain = match claims.0.get("hd") {
        None => None,
        Some(Value::String(domain)) if !domain.is_empty() => Some(domain.clone()),
        Some(_) => return Err(claims.unexpected("hd", "a domain")),
    };
    Ok(IapIdentity { email: email.to_owned(), subject: subject.to_owned(), hosted_domain })
}

/// What a token that the proxy signed says.
struct Claims(Map<String, Value>);

impl Claims {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn equal(&self, claim: &'static str, expected: &str) -> Result<(), IapTokenError> {
        if self.text(claim) == Some(expected) { Ok(()) } else { Err(self.unexpected(claim, expected)) }
    }

    fn unexpected(&self, claim: &'static str, expected: &str) -> IapTokenError {
        let actual = self.0.get(claim).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let actual = actual.chars().take(200).collect();
        IapTokenError::Claim { claim, expected: expected.to_owned(), actual }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), IapTokenError> {
        let seconds = |claim| {
            let value = self.0.get(claim).and_then(Value::as_i64);
            value.ok_or_else(|| self.unexpected(claim, "whole seconds"))
        };
        let (issued, expires) = (seconds("iat")?, seconds("exp")?);
        let begins = if self.0.contains_key("nbf") { issued.max(seconds("nbf")?) } else { issued };
        let lifetime = i128::from(expires) - i128::from(issued);
        if lifetime <= 0 || lifetime > i128::from(LONGEST_LIFETIME + 2 * SKEW) {
            return Err(IapTokenError::Time(format!(
                "the token lives {lifetime} s, expected at most {LONGEST_LIFETIME} s and {SKEW} s at each end"
            )));
        }
        if now.seconds() > expires.saturating_add(SKEW) {
            let until = Timestamp::from_seconds(expires);
            return Err(IapTokenError::Time(format!("the token was valid until {until}, now is {now}")));
        }
        if now.seconds() < begins.saturating_sub(SKEW) {
            let from = Timestamp::from_seconds(begins);
            return Err(IapTokenError::Time(format!("the token is valid from {from}, now is {now}")));
        }
        Ok(())
    }
}

impl From<JwtError> for IapTokenError {
    fn from(error: JwtError) -> Self {
        match error {
            JwtError::UnknownKey(kid) => Self::UnknownKey(kid),
            JwtError::Malformed(why) => Self::Malformed(why),
            // Nothing takes signatures out of this header: a token without one was tampered with.
            JwtError::Signature | JwtError::Stripped => Self::Signature,
        }
    }
}
