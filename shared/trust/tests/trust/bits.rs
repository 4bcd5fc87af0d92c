//! No single bit of what was signed, or of a signature, can be another one.
//!
//! Every bit is tried, not a sample: a verifier that skips a few bytes is found by no lucky guess. Of payloads
//! the slower schemes try one bit of each byte; how a payload is hashed does not depend on the scheme.

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{Envelope, PAYLOAD_TYPE};
use launchgate_trust::{Rejection, Scheme, SigningKey};

use crate::{a_signer, a_statement, judge, keyless, signers, vector};

/// Every text that differs from `bytes` in one bit.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

/// How many bits of each byte of a payload are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PayloadBits {
    All,
    OneOfEachByte,
}

/// The envelope with each bit of its type, of its payload and of its only signature flipped.
fn flipped_envelopes(envelope: &Envelope, bits: PayloadBits) -> impl Iterator<Item = Envelope> {
    let types = flipped(envelope.payload_type.as_bytes()).filter_map(|bytes| {
        // A type that is no text is none that JSON could bring.
        Some(Envelope { payload_type: String::from_utf8(bytes).ok()?, ..envelope.clone() })
    });
    // Every ninth: another bit in each byte.
    let step = if bits == PayloadBits::All { 1 } else { 9 };
    let payloads = flipped(&envelope.payload).step_by(step).map(|payload| Envelope {
        payload_text: Envelope::unsigned(PAYLOAD_TYPE, payload.clone()).payload_text,
        payload,
        ..envelope.clone()
    });
    let signatures = flipped(&envelope.signatures[0].sig).map(|sig| {
        let mut changed = envelope.clone();
        changed.signatures[0].sig = sig;
        changed
    });
    types.chain(payloads).chain(signatures)
}

/// Holds that every flipped envelope is a rejected signature, and the envelope itself is none.
fn only_itself(envelope: &Envelope, bits: PayloadBits, verify: impl Fn(Envelope) -> Result<(), Rejection>) {
    assert!(verify(envelope.clone()).is_ok());
    let mut tried = 0;
    for changed in flipped_envelopes(envelope, bits) {
        let found = verify(changed.clone()).map_err(|rejection| rejection.refusal.outcome);
        assert_eq!(found, Err(Outcome::RejectedSignature), "{changed:?}");
        tried += 1;
    }
    assert!(tried > envelope.payload_type.len() * 7 + envelope.signatures[0].sig.len() * 8);
}

fn no_bit_of(key: &SigningKey, bits: PayloadBits) {
    let signers = signers([a_signer("a", key)]);
    let envelope = key.envelope(PAYLOAD_TYPE, &a_statement()).unwrap();
    only_itself(&envelope, bits, |envelope| judge(envelope, &signers).map(drop));
}

fn rsa(scheme: Scheme) -> SigningKey {
    SigningKey::from_pem(&vector("keys/rsa.pem"), Some(scheme)).unwrap()
}

#[test]
fn no_flipped_bit_verifies_with_ed25519() {
    no_bit_of(&SigningKey::generate(Scheme::Ed25519).unwrap(), PayloadBits::All);
}

#[test]
fn no_flipped_bit_verifies_with_ecdsa_p256() {
    no_bit_of(&SigningKey::generate(Scheme::EcdsaP256).unwrap(), PayloadBits::All);
}

#[test]
fn no_flipped_bit_verifies_with_ecdsa_p384() {
    no_bit_of(&SigningKey::generate(Scheme::EcdsaP384).unwrap(), PayloadBits::OneOfEachByte);
}

#[test]
fn no_flipped_bit_verifies_with_rsa_pss() {
    no_bit_of(&rsa(Scheme::RsaPssSha256), PayloadBits::OneOfEachByte);
}

#[test]
fn no_flipped_bit_verifies_with_rsa_pkcs1() {
    no_bit_of(&rsa(Scheme::RsaPkcs1v15Sha256), PayloadBits::OneOfEachByte);
}

#[test]
fn no_flipped_bit_verifies_with_a_buildkite_token() {
    only_itself(&keyless::an_envelope(), PayloadBits::All, |envelope| {
        keyless::judge_envelope(envelope).map(drop)
    });
}

#[test]
fn a_token_is_bound_to_every_bit_of_its_statement() {
    let envelope = keyless::an_envelope();
    for payload in flipped(&envelope.payload) {
        let rejection = keyless::judge_envelope(Envelope { payload, ..envelope.clone() }).unwrap_err();
        assert_eq!(rejection.refusal.reason, Reason::BindingMismatch);
    }
}
