//! A public key that signers are made of.

use launchgate_statement::Sha256;
use ring::agreement;
use ring::rand::SystemRandom;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use spki::der::asn1::{AnyRef, BitStringRef, UintRef};
use spki::der::{Decode, Reader, SliceReader, Tag, Tagged, pem};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::{Scheme, TrustError};

/// RFC 8410.
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480.
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 5480.
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// RFC 5480.
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// RFC 3279.
pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A verifying key with its scheme and its identity (SHA-256 of the DER `SubjectPublicKeyInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    scheme: Scheme,
    fingerprint: Sha256,
    /// As `ring` wants it: raw point, raw Ed25519 key, or PKCS#1 `RSAPublicKey`.
    key: Vec<u8>,
    /// Bytes of an RSA signature: those of the modulus. 0 for the other kinds.
    modulus_len: usize,
}

impl PublicKey {
    /// From a PEM `SubjectPublicKeyInfo`. `scheme` may always be given and must be for RSA.
    pub fn from_pem(pem: &str, scheme: Option<Scheme>) -> Result<Self, TrustError> {
        if !pem.contains("-----BEGIN ") {
            return Err(TrustError::NotPublicKeyPem("found no BEGIN line".to_owned()));
        }
        let (label, der) = pem::decode_vec(pem.trim().as_bytes())
            .map_err(|error| TrustError::NotPublicKeyPem(error.to_string()))?;
        if label != "PUBLIC KEY" {
            return Err(TrustError::NotPublicKeyPem(format!("found `{label}`")));
        }
        let info = SubjectPublicKeyInfoRef::from_der(&der)
            .map_err(|error| TrustError::NotPublicKeyPem(error.to_string()))?;
        Self::from_info(&info, Sha256::of(&der), scheme)
    }

    /// DER has one spelling for a key only because every optional part is pinned here: parameters as
    /// their RFCs ask for, points uncompressed. Were two spellings accepted, one key could count twice.
    fn from_info(
        info: &SubjectPublicKeyInfoRef<'_>,
        fingerprint: Sha256,
        scheme: Option<Scheme>,
    ) -> Result<Self, TrustError> {
        let family = Family::of(&info.algorithm)?;
        let key = info.subject_public_key.as_bytes();
        let key =
            key.ok_or_else(|| TrustError::UnsupportedKey("a key that is not whole bytes".to_owned()))?;
        let modulus_len = match family {
            Family::Ed25519 if key.len() == 32 => 0,
            Family::P256 if key.len() == 65 && is_point(&agreement::ECDH_P256, key) => 0,
            Family::P384 if key.len() == 97 && is_point(&agreement::ECDH_P384, key) => 0,
            Family::Rsa => rsa_modulus_len(key)?,
            _ => {
                return Err(TrustError::UnsupportedKey(format!(
                    "a {} key of {} bytes",
                    family.name(),
                    key.len()
                )));
            }
        };
        Ok(Self { scheme: family.scheme(scheme)?, fingerprint, key: key.to_vec(), modulus_len })
    }

    /// How it signs.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// SHA-256 of the DER `SubjectPublicKeyInfo`: two names for one key are one signer.
    pub fn fingerprint(&self) -> Sha256 {
        self.fingerprint
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self.scheme {
            Scheme::Ed25519 => &signature::ED25519,
            Scheme::EcdsaP256 => &signature::ECDSA_P256_SHA256_ASN1,
            Scheme::EcdsaP384 => &signature::ECDSA_P384_SHA384_ASN1,
            Scheme::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
            Scheme::RsaPkcs1v15Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        self.could_have_made(signature)
            && UnparsedPublicKey::new(algorithm, &self.key).verify(message, signature).is_ok()
    }

    /// Whether `signature` has the form of this key's signatures. A cheap no for the many pairs of key
    /// and signature that an envelope of strangers makes us try.
    fn could_have_made(&self, signature: &[u8]) -> bool {
        match self.scheme {
            Scheme::Ed25519 => signature.len() == 64,
            // A DER sequence of two integers, each at most one byte longer than the order.
            Scheme::EcdsaP256 => (8..=72).contains(&signature.len()) && signature[0] == 0x30,
            Scheme::EcdsaP384 => (8..=104).contains(&signature.len()) && signature[0] == 0x30,
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1v15Sha256 => signature.len() == self.modulus_len,
        }
    }
}

/// The kinds of keys; a kind has one scheme, but RSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Ed25519,
    P256,
    P384,
    Rsa,
}

impl Family {
    pub(crate) fn of(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Self, TrustError> {
        let curve =
            || algorithm.parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
        let null =
            || algorithm.parameters.is_some_and(|parameters: AnyRef<'_>| parameters.tag() == Tag::Null);
        match algorithm.oid {
            ED25519 if algorithm.parameters.is_none() => Ok(Self::Ed25519),
            EC if curve() == Some(P256) => Ok(Self::P256),
            EC if curve() == Some(P384) => Ok(Self::P384),
            RSA if null() => Ok(Self::Rsa),
            EC => Err(TrustError::UnsupportedKey("ECDSA on another curve".to_owned())),
            oid => Err(TrustError::UnsupportedKey(format!("algorithm {oid}"))),
        }
    }

    /// The scheme of a key of this kind, given the one that the file names.
    pub(crate) fn scheme(self, given: Option<Scheme>) -> Result<Scheme, TrustError> {
        let only = match self {
            Self::Ed25519 => Scheme::Ed25519,
            Self::P256 => Scheme::EcdsaP256,
            Self::P384 => Scheme::EcdsaP384,
            Self::Rsa => match given {
                Some(scheme @ (Scheme::RsaPssSha256 | Scheme::RsaPkcs1v15Sha256)) => scheme,
                Some(_) => Scheme::RsaPssSha256,
                None => return Err(TrustError::SchemeNeeded),
            },
        };
        match given {
            Some(given) if given != only => Err(TrustError::SchemeMismatch {
                given: given.as_str().to_owned(),
                actual: self.name().to_owned(),
            }),
            _ => Ok(only),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::P256 => "ECDSA P-256",
            Self::P384 => "ECDSA P-384",
            Self::Rsa => "RSA",
        }
    }
}

/// Whether `key` is an uncompressed point on the curve. `ring` checks that only when a key is used, so it
/// is used once, for a key agreement whose result nobody takes: a key that verifies nothing has to be
/// found at load.
pub(crate) fn is_point(curve: &'static agreement::Algorithm, key: &[u8]) -> bool {
    agreement::EphemeralPrivateKey::generate(curve, &SystemRandom::new())
        .and_then(|own| {
            agreement::agree_ephemeral(own, &agreement::UnparsedPublicKey::new(curve, key), |_| ())
        })
        .is_ok()
}

/// The length in bytes of the modulus of a PKCS#1 `RSAPublicKey` that `ring` will verify with.
pub(crate) fn rsa_modulus_len(key: &[u8]) -> Result<usize, TrustError> {
    let parts = SliceReader::new(key).and_then(|mut reader| {
        let parts = reader.sequence(|inner| Ok((UintRef::decode(inner)?, UintRef::decode(inner)?)))?;
        reader.finish(parts)
    });
    let (modulus, exponent) =
        parts.map_err(|error| TrustError::UnsupportedKey(format!("an unreadable RSA key ({error})")))?;
    check_rsa(modulus.as_bytes(), exponent.as_bytes())?;
    Ok(modulus.as_bytes().len())
}

/// What `ring` would refuse only at verification, when nobody looks at the key any more. Both numbers
/// are big-endian without leading zeros.
pub(crate) fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), TrustError> {
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(TrustError::UnsupportedKey(format!("RSA of {bits} bits")));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if !odd(modulus) || !odd(exponent) || exponent.len() > 4 || exponent == [1] {
        return Err(TrustError::UnsupportedKey("RSA with an impossible modulus or exponent".to_owned()));
    }
    Ok(())
}

/// The DER of a `SubjectPublicKeyInfo` around `key`.
pub(crate) fn info_pem(family: Family, key: &[u8]) -> Result<String, TrustError> {
    use spki::der::EncodePem;
    let (oid, parameters) = match &family {
        Family::Ed25519 => (ED25519, None),
        Family::P256 => (EC, Some(AnyRef::from(&P256))),
        Family::P384 => (EC, Some(AnyRef::from(&P384))),
        Family::Rsa => (RSA, Some(AnyRef::NULL)),
    };
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    BitStringRef::from_bytes(key)
        .and_then(|key| {
            SubjectPublicKeyInfoRef { algorithm, subject_public_key: key }.to_pem(pem::LineEnding::LF)
        })
        .map_err(|error| TrustError::UnsupportedKey(error.to_string()))
}
