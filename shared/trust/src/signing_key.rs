//! A private key: made by `keygen`, used by `sign` and `emit`.

use launchgate_statement::Envelope;

use crate::{PublicKey, Scheme, TrustError};

/// A private key in memory. Its `Debug` shows the scheme only.
pub struct SigningKey {
    scheme: Scheme,
}

impl SigningKey {
    /// A new key. RSA keys are imported, not made (`ring` makes none).
    pub fn generate(scheme: Scheme) -> Result<Self, TrustError> {
        let _ = scheme;
        unimplemented!("signing key")
    }

    /// From a PKCS#8 PEM. `scheme` may always be given and must be for RSA.
    pub fn from_pem(pem: &str, scheme: Option<Scheme>) -> Result<Self, TrustError> {
        let _ = (pem, scheme);
        unimplemented!("signing key")
    }

    /// The PKCS#8 PEM.
    pub fn to_pem(&self) -> String {
        unimplemented!("signing key")
    }

    /// The public half as PEM SubjectPublicKeyInfo.
    pub fn public_pem(&self) -> String {
        unimplemented!("signing key")
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, TrustError> {
        PublicKey::from_pem(&self.public_pem(), Some(self.scheme))
    }

    /// A signature over `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        let _ = message;
        unimplemented!("signing key")
    }

    /// A DSSE envelope around `payload` with this key's signature over the PAE; keyid is the
    /// fingerprint, a hint.
    pub fn envelope(&self, payload_type: &str, payload: &[u8]) -> Result<Envelope, TrustError> {
        let _ = (payload_type, payload);
        unimplemented!("signing key")
    }
}
