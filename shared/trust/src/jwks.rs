//! A key set (RFC 7517) of RSA keys, as Google and Buildkite publish them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use launchgate_statement::parse_object;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::TrustError;
use crate::public_key::check_rsa;

/// RSA verifying keys by `kid`.
#[derive(Clone, Debug, Default)]
pub struct Jwks {
    keys: BTreeMap<String, JwtKey>,
}

/// One key, as `ring` wants it: both numbers big-endian without leading zeros.
#[derive(Clone, Debug)]
pub(crate) struct JwtKey(RsaPublicKeyComponents<Vec<u8>>);

/// One key as a ledger keeps it: enough to verify again after its issuer has rotated it away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// The key's id.
    pub kid: String,
    /// The modulus, base64url without padding.
    pub n: String,
    /// The exponent, likewise.
    pub e: String,
}

impl Jwks {
    /// Bytes a key set may have; Google's has about 1 KB for each key.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// From a JWKS document. Keys of other types or uses are left out; a document without any RSA
    /// signing key is an error.
    pub fn parse(document: &[u8]) -> Result<Self, TrustError> {
        if document.len() > Self::MAX_BYTES {
            return Err(TrustError::NotJwks(format!("{} bytes", document.len())));
        }
        let document = parse_object(document, 16).map_err(|error| TrustError::NotJwks(error.to_string()))?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(TrustError::NotJwks("expected `keys` to be a list".to_owned()));
        };
        let mut keys = BTreeMap::new();
        for entry in entries {
            let Value::Object(entry) = entry else {
                return Err(TrustError::NotJwks("expected each key to be an object".to_owned()));
            };
            if let Some((kid, key)) = JwtKey::read(entry)?
                && keys.insert(kid.clone(), key).is_some()
            {
                return Err(TrustError::NotJwks(format!("the key id `{kid}` stands twice")));
            }
        }
        if keys.is_empty() {
            return Err(TrustError::NotJwks("no RSA signing key with a key id in it".to_owned()));
        }
        Ok(Self { keys })
    }

    /// Whether a key of this id is here.
    pub fn has(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// The key of an id, to be kept.
    pub fn jwk(&self, kid: &str) -> Option<Jwk> {
        let JwtKey(RsaPublicKeyComponents { n, e }) = self.keys.get(kid)?;
        Some(Jwk { kid: kid.to_owned(), n: URL_SAFE_NO_PAD.encode(n), e: URL_SAFE_NO_PAD.encode(e) })
    }

    /// This set with kept keys added; a kept key goes before one of the same id.
    ///
    /// # Errors
    /// When a kept key is none.
    pub fn with(mut self, kept: &[Jwk]) -> Result<Self, TrustError> {
        for Jwk { kid, n, e } in kept {
            self.keys.insert(
                kid.clone(),
                JwtKey::of(kid, &number(kid, "n", Some(n))?, &number(kid, "e", Some(e))?)?,
            );
        }
        Ok(self)
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&JwtKey> {
        self.keys.get(kid)
    }
}

impl JwtKey {
    /// The key with its id; `None` for a key that is not for RS256 signatures.
    fn read(entry: &Map<String, Value>) -> Result<Option<(String, Self)>, TrustError> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let absent_or = |name: &str, expected: &str| entry.get(name).is_none_or(|value| value == expected);
        let signs = text("kty") == Some("RSA") && absent_or("use", "sig") && absent_or("alg", "RS256");
        let Some(kid) = text("kid").filter(|kid| signs && !kid.is_empty()) else { return Ok(None) };
        let (n, e) = (number(kid, "n", text("n"))?, number(kid, "e", text("e"))?);
        Ok(Some((kid.to_owned(), Self::of(kid, &n, &e)?)))
    }

    fn of(kid: &str, n: &[u8], e: &[u8]) -> Result<Self, TrustError> {
        check_rsa(n, e).map_err(|error| TrustError::NotJwks(format!("the key `{kid}`: {error}")))?;
        Ok(Self(RsaPublicKeyComponents { n: n.to_vec(), e: e.to_vec() }))
    }

    /// Whether `signature` is this key's RS256 signature over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

/// A number of the key `kid`, big-endian without leading zeros.
fn number(kid: &str, name: &str, text: Option<&str>) -> Result<Vec<u8>, TrustError> {
    let bytes = text.and_then(|number| URL_SAFE_NO_PAD.decode(number).ok());
    let bytes = bytes.ok_or_else(|| {
        TrustError::NotJwks(format!("expected `{name}` of the key `{kid}` to be base64url without padding"))
    })?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}
