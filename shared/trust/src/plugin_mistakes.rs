//! The official generate-provenance-attestation plugin's two mistakes, recognised so that they can be
//! named; never accepted.
//!
//! It signs the payload's base64 text instead of the PAE, and it does so with a key that is published in
//! its own repository. Source: buildkite-plugins/generate-provenance-attestation-buildkite-plugin, v1.1.0.

use std::sync::LazyLock;

use launchgate_outcome::Reason;
use launchgate_statement::Envelope;

use crate::{PublicKey, Scheme, Signer, SignerKind, Signers};

/// The public half of the key inside the plugin (SPKI SHA-256 731e90d5…77f3b3).
const DEMO_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0xPftQLajmG3wHFb80CL
mjjZPz2vkqWHQAVX8cjvqB6V1QxAXm/0OurwPhAmP3+t4Hvx+w74IFbMQ9ba/nFP
sbwzwMSmrBmI3tFWeQ9kRP7UHqw717tm50ys9F2cyoBr19ctjFZ2akictG1Kslcm
ZUdFbnaOb7Wr69xf2eoEIApYnlti8gbYC3qeqGeEe47N2AqrHRyzZ1kyybdphItO
HwHD2W99GZa33ri2UaVfVl49VFn3nBhSVua+5zXVSL0DEGHSPly4uYFEc9j5cZ//
fusM2lFYlc7+ywV/2pzlUx00TlU275ZJXkOh2fJ/QTSwHWCTrLXJ3o/mMC8DjtKo
ZQIDAQAB
-----END PUBLIC KEY-----";

static DEMO_KEYS: LazyLock<[PublicKey; 2]> = LazyLock::new(|| {
    [Scheme::RsaPkcs1v15Sha256, Scheme::RsaPssSha256].map(|scheme| {
        PublicKey::from_pem(DEMO_KEY, Some(scheme)).expect("the constant above is a key; a test reads it")
    })
});

/// Whether `key` is the one that everybody can sign with.
pub(crate) fn is_demo_key(key: &PublicKey) -> bool {
    key.fingerprint() == DEMO_KEYS[0].fingerprint()
}

/// Why no signer verified, when it is one of the two mistakes: the reason and the sentence.
/// A right key that signed wrongly is more telling than the demo key, so it is looked for first.
pub(crate) fn recognise(envelope: &Envelope, pae: &[u8], signers: &Signers) -> Option<(Reason, String)> {
    let made = |key: &PublicKey, message: &[u8]| {
        envelope.signatures.iter().any(|signature| key.verifies(message, &signature.sig))
    };
    let wrong_bytes = [
        ("the payload's base64 text", envelope.payload_text.as_bytes()),
        ("the bare payload", &envelope.payload),
    ];
    for Signer { id, kind, .. } in signers.iter() {
        let SignerKind::PublicKey(key) = kind else { continue };
        for (name, message) in wrong_bytes {
            if made(key, message) {
                let message =
                    format!("`{id}` signed {name}; DSSE signs the PAE (`DSSEv1 …`) of type and payload");
                return Some((Reason::NotPaeEncoded, message));
            }
        }
    }
    let demo = |message: &[u8]| DEMO_KEYS.iter().any(|key| made(key, message));
    (demo(wrong_bytes[0].1) || demo(wrong_bytes[1].1) || demo(pae)).then(|| {
        let message = "signed with the demo key published inside the generate-provenance-attestation plugin: \
                       anyone can make this signature";
        (Reason::KnownDemoKey, message.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_is_the_published_key() {
        let fingerprint = "731e90d5ef6e5dfc3c7f17b341b37331bac36e648c3c1028f594ccbb1c77f3b3";
        for key in DEMO_KEYS.iter() {
            assert_eq!(key.fingerprint().to_hex(), fingerprint);
            assert!(is_demo_key(key));
        }
    }
}
