//! A public key that signers are made of.

use launchgate_statement::Sha256;

use crate::{Scheme, TrustError};

/// A verifying key with its scheme and its identity (SHA-256 of the DER SubjectPublicKeyInfo).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    scheme: Scheme,
    fingerprint: Sha256,
    /// As `ring` wants it: raw point, raw Ed25519 key, or PKCS#1 RSAPublicKey.
    key: Vec<u8>,
}

impl PublicKey {
    /// From a PEM SubjectPublicKeyInfo. `scheme` may always be given and must be for RSA.
    pub fn from_pem(pem: &str, scheme: Option<Scheme>) -> Result<Self, TrustError> {
        let _ = (pem, scheme);
        unimplemented!("public key")
    }

    /// How it signs.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo: two names for one key are one signer.
    pub fn fingerprint(&self) -> Sha256 {
        self.fingerprint
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let _ = (message, signature, &self.key);
        unimplemented!("public key")
    }
}
