//! Compact JSON Web Tokens, read as narrowly as their issuers write them: one verifier for all of them.
//!
//! Promises: the caller pins the algorithm, the token only repeats it, and only keys of that algorithm are
//! tried; `jku`, `x5u`, `x5c`, `jwk` and `crit` are refused, never
//! followed; sizes are bounded; a member that stands twice is refused; claims are read only after the
//! signature held. Does not: judge any claim.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use launchgate_statement::parse_object;
use serde_json::{Map, Value};

use crate::{Jwks, JwtAlgorithm};

/// Bytes a token may have. Google's has about 900, Buildkite's below 2,000.
pub(crate) const MAX_BYTES: usize = 8 * 1024;

/// What Cloud Run puts in a signature's place after checking it itself.
/// Source: cloud.google.com/run/docs/authenticating/service-to-service.
const STRIPPED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// Header members by which a token would choose its own key, or rules that are not understood here.
const REFUSED_HEADERS: [&str; 6] = ["crit", "jku", "x5u", "x5c", "jwk", "b64"];

/// Why a text is no token of a key set. Holds no part of the token but its key id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JwtError {
    Malformed(String),
    Stripped,
    UnknownKey(String),
    Signature,
}

/// What a token says, and by which key.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedJwt {
    pub(crate) kid: String,
    pub(crate) claims: Map<String, Value>,
}

/// The claims of `token`, whose signature some key of `keys` made with this algorithm.
pub(crate) fn verify(token: &str, algorithm: JwtAlgorithm, keys: &Jwks) -> Result<VerifiedJwt, JwtError> {
    let malformed = |why: &str| JwtError::Malformed(why.to_owned());
    if token.len() > MAX_BYTES {
        return Err(JwtError::Malformed(format!(
            "expected at most {MAX_BYTES} bytes, found {}",
            token.len()
        )));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or_else(|| malformed("expected three parts"))?;
    let (header, claims) = signed.split_once('.').ok_or_else(|| malformed("expected three parts"))?;
    if claims.contains('.') {
        return Err(malformed("expected three parts"));
    }
    let kid = key_id(&object(header, "header")?, algorithm)?;
    if signature == STRIPPED {
        return Err(JwtError::Stripped);
    }
    let signature = bytes(signature, "signature")?;
    let key = keys.get(algorithm, &kid).ok_or_else(|| JwtError::UnknownKey(kid.clone()))?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(JwtError::Signature);
    }
    Ok(VerifiedJwt { claims: object(claims, "claims")?, kid })
}

/// What `token` claims, whoever wrote it: to show it, or to see that no key could make it acceptable.
pub(crate) fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    if token.len() > MAX_BYTES {
        return None;
    }
    object(token.split('.').nth(1)?, "claims").ok()
}

fn key_id(header: &Map<String, Value>, algorithm: JwtAlgorithm) -> Result<String, JwtError> {
    if let Some(name) = REFUSED_HEADERS.iter().find(|name| header.contains_key(**name)) {
        return Err(JwtError::Malformed(format!("the header member `{name}` is not accepted")));
    }
    if header.get("alg").and_then(Value::as_str) != Some(algorithm.as_str()) {
        return Err(JwtError::Malformed(format!("expected `alg` {}", algorithm.as_str())));
    }
    let jwt = |value: &Value| value.as_str().is_some_and(|name| name.eq_ignore_ascii_case("JWT"));
    if header.get("typ").is_some_and(|value| !jwt(value)) {
        return Err(JwtError::Malformed("expected `typ` JWT".to_owned()));
    }
    match header.get("kid") {
        Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= 256 => Ok(kid.clone()),
        _ => Err(JwtError::Malformed("expected a key id `kid`".to_owned())),
    }
}

fn object(part: &str, name: &str) -> Result<Map<String, Value>, JwtError> {
    parse_object(&bytes(part, name)?, 8).map_err(|error| JwtError::Malformed(format!("{name}: {error}")))
}

fn bytes(part: &str, name: &str) -> Result<Vec<u8>, JwtError> {
    let decoded = URL_SAFE_NO_PAD.decode(part);
    decoded.map_err(|_| JwtError::Malformed(format!("{name}: expected base64url without padding")))
}
