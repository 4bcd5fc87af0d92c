//! The signing algorithms of Cloud KMS that launchgate's verifier knows.

use launchgate_trust::Scheme;
use ring::digest::{self, digest};

/// The algorithm of a key version: one that signs a digest, with a scheme of the triggers file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Algorithm(Scheme);

impl Algorithm {
    /// By `CryptoKeyVersionAlgorithm`; `None` for one that launchgate does not verify (other curves, SHA-512,
    /// Ed25519, which signs whole messages, MACs, post-quantum ones) and for keys that do not sign.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let scheme = match name {
            "EC_SIGN_P256_SHA256" => Scheme::EcdsaP256,
            "EC_SIGN_P384_SHA384" => Scheme::EcdsaP384,
            "RSA_SIGN_PSS_2048_SHA256" | "RSA_SIGN_PSS_3072_SHA256" | "RSA_SIGN_PSS_4096_SHA256" => {
                Scheme::RsaPssSha256
            }
            "RSA_SIGN_PKCS1_2048_SHA256" | "RSA_SIGN_PKCS1_3072_SHA256" | "RSA_SIGN_PKCS1_4096_SHA256" => {
                Scheme::RsaPkcs1v15Sha256
            }
            _ => return None,
        };
        Some(Self(scheme))
    }

    pub(super) fn scheme(self) -> Scheme {
        self.0
    }

    /// The member of the API's `Digest` that holds it.
    pub(super) fn digest_field(self) -> &'static str {
        if self.0 == Scheme::EcdsaP384 { "sha384" } else { "sha256" }
    }

    pub(super) fn digest(self, message: &[u8]) -> Vec<u8> {
        let algorithm = if self.0 == Scheme::EcdsaP384 { &digest::SHA384 } else { &digest::SHA256 };
        digest(algorithm, message).as_ref().to_vec()
    }
}
