//! Buildkite's OIDC token as a DSSE signature: the signature's bytes are the compact token itself.
//!
//! Promises: a `BuildkiteToken` was signed by one of Buildkite's keys. Does not: say whether it is about
//! the event at hand; that is for the signer that it is to speak for (`buildkite_oidc`).

use launchgate_outcome::{Reason, Refusal};
use serde_json::{Map, Value};

use crate::jwt::{self, JwtError, VerifiedJwt};
use crate::{Jwk, Jwks, JwtAlgorithm};

/// A token that Buildkite's key `jwk` signed.
#[derive(Clone, Debug)]
pub(crate) struct BuildkiteToken {
    pub(crate) claims: Map<String, Value>,
    pub(crate) jwk: Jwk,
}

/// Why a signature that has a token's form is none of Buildkite's.
#[derive(Clone, Debug)]
pub(crate) enum NoToken {
    /// No key of this id is at hand; with it there, the claims could be these.
    UnknownKey { kid: String, unverified: Map<String, Value> },
    /// Whatever keys there are.
    Refused(Refusal),
}

impl BuildkiteToken {
    /// Reads a signature; `None` when it has not even the form of a token.
    pub(crate) fn read(signature: &[u8], keys: &Jwks) -> Option<Result<Self, NoToken>> {
        let token = text(signature)?;
        Some(match jwt::verify(token, JwtAlgorithm::Rs256, keys) {
            Ok(VerifiedJwt { kid, claims }) => {
                let jwk = keys.jwk(&kid).expect("the key that verified is in the set");
                Ok(Self { claims, jwk })
            }
            Err(JwtError::UnknownKey(kid)) => match jwt::unverified_claims(token) {
                Some(unverified) => Err(NoToken::UnknownKey { kid, unverified }),
                None => Err(malformed("its claims are no JSON object")),
            },
            Err(JwtError::Malformed(why)) => Err(malformed(&why)),
            Err(JwtError::Signature | JwtError::Stripped) => {
                let message = "the Buildkite key that the token names did not sign it";
                Err(NoToken::Refused(Refusal::new(Reason::BuildkiteTokenSignature, message)))
            }
        })
    }
}

/// What a signature that has the form of a token claims. Nothing of it is verified: for showing only.
pub fn unverified_token_claims(signature: &[u8]) -> Option<Map<String, Value>> {
    jwt::unverified_claims(text(signature)?)
}

/// A JWT's header is a JSON object, so its base64url begins like this; a raw signature does not, but for
/// a chance of 2⁻³².
fn text(signature: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(signature).ok()?;
    (text.starts_with("ey") && text.contains('.')).then_some(text)
}

fn malformed(why: &str) -> NoToken {
    let message = format!("the signature is not a compact RS256 token: {why}");
    NoToken::Refused(Refusal::new(Reason::BuildkiteTokenMalformed, message))
}
