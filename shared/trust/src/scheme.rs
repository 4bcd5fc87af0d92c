//! Signature schemes.

use crate::TrustError;

/// How a key signs. Source: DESIGN §3, `publicKey`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum Scheme {
    Ed25519,
    /// DER-encoded signature over SHA-256.
    EcdsaP256,
    /// DER-encoded signature over SHA-384.
    EcdsaP384,
    RsaPssSha256,
    RsaPkcs1v15Sha256,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 5] =
        [Self::Ed25519, Self::EcdsaP256, Self::EcdsaP384, Self::RsaPssSha256, Self::RsaPkcs1v15Sha256];

    /// The name in the triggers file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::RsaPssSha256 => "rsa-pss-sha256",
            Self::RsaPkcs1v15Sha256 => "rsa-pkcs1v15-sha256",
        }
    }

    /// The scheme of a name.
    pub fn parse(name: &str) -> Result<Self, TrustError> {
        let found = Self::ALL.into_iter().find(|scheme| scheme.as_str() == name);
        found.ok_or_else(|| TrustError::UnknownScheme(name.to_owned()))
    }
}
