//! A key set (RFC 7517), as Google, Buildkite and Identity-Aware Proxy publish them.
//!
//! Promises: keys are read and checked once, when the set is; a key belongs to the one algorithm of its
//! type, and no verifier of another algorithm ever sees it. Does not: fetch; say whose set it is.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use launchgate_statement::parse_object;
use ring::agreement::ECDH_P256;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::public_key::{check_rsa, is_point};
use crate::{JwtAlgorithm, TrustError};

/// Verifying keys by algorithm and `kid`.
#[derive(Clone, Debug, Default)]
pub struct Jwks {
    /// One map for each algorithm: RFC 7517 §4.5 lets keys of different types share an id, and a verifier
    /// must not reach a key of the wrong type however a token names it.
    rs256: BTreeMap<String, JwtKey>,
    es256: BTreeMap<String, JwtKey>,
}

/// One key, as `ring` wants it.
#[derive(Clone, Debug)]
pub(crate) enum JwtKey {
    /// Both numbers big-endian without leading zeros.
    Rs256(RsaPublicKeyComponents<Vec<u8>>),
    /// The uncompressed point.
    Es256(UnparsedPublicKey<Vec<u8>>),
}

/// One RSA key as a ledger keeps it: enough to verify again after its issuer has rotated it away.
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

    /// From a JWKS document. Keys of other types, curves or uses are left out; a document without any
    /// usable key is an error.
    pub fn parse(document: &[u8]) -> Result<Self, TrustError> {
        if document.len() > Self::MAX_BYTES {
            return Err(TrustError::NotJwks(format!("{} bytes", document.len())));
        }
        let document = parse_object(document, 16).map_err(|error| TrustError::NotJwks(error.to_string()))?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(TrustError::NotJwks("expected `keys` to be a list".to_owned()));
        };
        let mut set = Self::default();
        for entry in entries {
            let Value::Object(entry) = entry else {
                return Err(TrustError::NotJwks("expected each key to be an object".to_owned()));
            };
            if let Some((kid, key)) = JwtKey::read(entry)?
                && set.of_mut(key.algorithm()).insert(kid.clone(), key).is_some()
            {
                return Err(TrustError::NotJwks(format!("the key id `{kid}` stands twice")));
            }
        }
        if JwtAlgorithm::ALL.into_iter().all(|algorithm| set.of(algorithm).is_empty()) {
            let message = "no RSA or P-256 signing key with a key id in it";
            return Err(TrustError::NotJwks(message.to_owned()));
        }
        Ok(set)
    }

    /// This set, if it can verify tokens of this algorithm: an issuer's set that cannot is not its key set,
    /// and saying of every token that its key does not exist would be wrong.
    ///
    /// # Errors
    /// When no key of the algorithm is in it.
    pub fn able_to(self, algorithm: JwtAlgorithm) -> Result<Self, TrustError> {
        if self.of(algorithm).is_empty() {
            return Err(TrustError::NotJwks(format!("no key for {} in it", algorithm.as_str())));
        }
        Ok(self)
    }

    /// Whether a key of this id is here.
    pub fn has(&self, kid: &str) -> bool {
        JwtAlgorithm::ALL.into_iter().any(|algorithm| self.of(algorithm).contains_key(kid))
    }

    /// The RSA key of an id, to be kept.
    pub fn jwk(&self, kid: &str) -> Option<Jwk> {
        let JwtKey::Rs256(RsaPublicKeyComponents { n, e }) = self.rs256.get(kid)? else { return None };
        Some(Jwk { kid: kid.to_owned(), n: URL_SAFE_NO_PAD.encode(n), e: URL_SAFE_NO_PAD.encode(e) })
    }

    /// This set with kept keys added; a kept key goes before one of the same id.
    ///
    /// # Errors
    /// When a kept key is none.
    pub fn with(mut self, kept: &[Jwk]) -> Result<Self, TrustError> {
        for Jwk { kid, n, e } in kept {
            let key = JwtKey::rsa(kid, Some(n), Some(e))?;
            self.rs256.insert(kid.clone(), key);
        }
        Ok(self)
    }

    /// The key of an id that signs with this algorithm.
    pub(crate) fn get(&self, algorithm: JwtAlgorithm, kid: &str) -> Option<&JwtKey> {
        self.of(algorithm).get(kid)
    }

    fn of(&self, algorithm: JwtAlgorithm) -> &BTreeMap<String, JwtKey> {
        match algorithm {
            JwtAlgorithm::Rs256 => &self.rs256,
            JwtAlgorithm::Es256 => &self.es256,
        }
    }

    fn of_mut(&mut self, algorithm: JwtAlgorithm) -> &mut BTreeMap<String, JwtKey> {
        match algorithm {
            JwtAlgorithm::Rs256 => &mut self.rs256,
            JwtAlgorithm::Es256 => &mut self.es256,
        }
    }
}

impl JwtKey {
    /// The key with its id; `None` for a key that is for none of the algorithms.
    fn read(entry: &Map<String, Value>) -> Result<Option<(String, Self)>, TrustError> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let absent_or = |name: &str, expected: &str| entry.get(name).is_none_or(|value| value == expected);
        let algorithm = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => JwtAlgorithm::Rs256,
            (Some("EC"), Some("P-256")) => JwtAlgorithm::Es256,
            _ => return Ok(None),
        };
        let signs = absent_or("use", "sig") && absent_or("alg", algorithm.as_str());
        let Some(kid) = text("kid").filter(|kid| signs && !kid.is_empty()) else { return Ok(None) };
        let key = match algorithm {
            JwtAlgorithm::Rs256 => Self::rsa(kid, text("n"), text("e"))?,
            JwtAlgorithm::Es256 => Self::ec(kid, text("x"), text("y"))?,
        };
        Ok(Some((kid.to_owned(), key)))
    }

    fn rsa(kid: &str, n: Option<&str>, e: Option<&str>) -> Result<Self, TrustError> {
        let number = |name: &str, text: Option<&str>| {
            let bytes = octets(kid, name, text)?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            Ok::<_, TrustError>(bytes[zeros..].to_vec())
        };
        let (n, e) = (number("n", n)?, number("e", e)?);
        check_rsa(&n, &e).map_err(|error| TrustError::NotJwks(format!("the key `{kid}`: {error}")))?;
        Ok(Self::Rs256(RsaPublicKeyComponents { n, e }))
    }

    /// Each coordinate has exactly 32 bytes (RFC 7518 §6.2.1.2), leading zeros and all.
    fn ec(kid: &str, x: Option<&str>, y: Option<&str>) -> Result<Self, TrustError> {
        let (x, y) = (octets(kid, "x", x)?, octets(kid, "y", y)?);
        let point = [&[4][..], &x, &y].concat();
        if x.len() != 32 || y.len() != 32 || !is_point(&ECDH_P256, &point) {
            return Err(TrustError::NotJwks(format!("the key `{kid}` is no point on P-256")));
        }
        Ok(Self::Es256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)))
    }

    fn algorithm(&self) -> JwtAlgorithm {
        match self {
            Self::Rs256(_) => JwtAlgorithm::Rs256,
            Self::Es256(_) => JwtAlgorithm::Es256,
        }
    }

    /// Whether `signature` is this key's over `message`. An ES256 signature is the two numbers side by side
    /// (IEEE P1363, 64 bytes), never DER. Source: RFC 7518 §3.4.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rs256(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok(),
            Self::Es256(key) => key.verify(message, signature).is_ok(),
        }
    }
}

/// The bytes of a member of the key `kid`.
fn octets(kid: &str, name: &str, text: Option<&str>) -> Result<Vec<u8>, TrustError> {
    let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.ok_or_else(|| {
        TrustError::NotJwks(format!("expected `{name}` of the key `{kid}` to be base64url without padding"))
    })
}
