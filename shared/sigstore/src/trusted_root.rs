//! Whose certificates, logs and clocks count.

use std::{fmt, sync::Arc};

use ring::digest;
use sigstore_trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot as Parsed};
use sigstore_verify::Verifier;

use crate::{TrustedRootError, ring_provider};

/// A trusted root, its keys and certificates read once. Cheap to clone; two of them are equal when they were
/// read from the same bytes.
#[derive(Clone)]
pub struct TrustedRoot(Arc<Inner>);

struct Inner {
    verifier: Verifier,
    digest: [u8; 32],
}

impl TrustedRoot {
    /// The date of the embedded public-good root: when the crate that carries it took it from Sigstore's
    /// update repository.
    pub const PUBLIC_GOOD_DATE: &str = "2026-10-23";

    /// Sigstore's public-good instance as it was on `PUBLIC_GOOD_DATE`. Its keys rotate: pin a file.
    pub fn public_good() -> Self {
        Self::from_json(SIGSTORE_PRODUCTION_TRUSTED_ROOT)
            .expect("the embedded root is read by a test of this crate")
    }

    /// Reads a `trusted_root.json` (sigstore/protobuf-specs, `sigstore_trustroot.proto`).
    ///
    /// # Errors
    /// When it is none, when a key or certificate in it cannot be used, or when it has no certificate
    /// authority, certificate log or transparency log: it could then verify nothing.
    pub fn from_json(json: &str) -> Result<Self, TrustedRootError> {
        ring_provider::install();
        let refuse = |why: String| TrustedRootError(why);
        let parsed = Parsed::from_json(json).map_err(|error| refuse(error.to_string()))?;
        for (list, is_empty) in [
            ("certificateAuthorities", parsed.certificate_authorities.is_empty()),
            ("ctlogs", parsed.ctlogs.is_empty()),
            ("tlogs", parsed.tlogs.is_empty()),
        ] {
            if is_empty {
                return Err(refuse(format!("`{list}` is empty, so that no bundle could verify")));
            }
        }
        let verifier = Verifier::new(&parsed).map_err(|error| refuse(error.to_string()))?;
        let digest = digest::digest(&digest::SHA256, json.as_bytes());
        let digest = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Ok(Self(Arc::new(Inner { verifier, digest })))
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }
}

impl PartialEq for TrustedRoot {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for TrustedRoot {}

impl fmt::Debug for TrustedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedRoot").field("digest", &self.0.digest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_embedded_root_can_be_read() {
        assert_eq!(TrustedRoot::public_good(), TrustedRoot::public_good());
    }

    #[test]
    fn a_root_that_could_verify_nothing_is_refused() {
        let mut root: serde_json::Value = serde_json::from_str(SIGSTORE_PRODUCTION_TRUSTED_ROOT).unwrap();
        assert!(TrustedRoot::from_json(&root.to_string()).is_ok());
        for list in ["certificateAuthorities", "ctlogs", "tlogs"] {
            let kept = root[list].take();
            root[list] = serde_json::json!([]);
            assert!(TrustedRoot::from_json(&root.to_string()).is_err(), "{list}");
            root[list] = kept;
        }
        assert!(TrustedRoot::from_json("{}").is_err());
    }
}
