//! From an envelope to a verified event.

use launchgate_outcome::{Check, Refusal};
use launchgate_statement::{Envelope, EventDigest, Timestamp};

use crate::{Signers, VerifiedEvent, VerifiedSignature};

/// Why no event came of an envelope, with the ladder up to there.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Outcome, reason, sentence.
    pub refusal: Refusal,
    /// The ladder.
    pub checks: Vec<Check>,
    /// The digest of what was claimed; names nothing that is stored as an event.
    pub digest: Option<EventDigest>,
}

/// Verifies an envelope against the configured signers.
///
/// Order: payload type, signatures (each signer once; keyid is only a hint), windows and revocation at
/// `published`, statement, what each signer may speak for. `published` is the publish time of the first
/// receipt that a signer verified: Google's clock, which neither job nor relay can set.
///
/// # Errors
/// `rejected_signature` when no signer is left, with the most telling reason (a right key that signed the
/// wrong bytes is named before an unknown one); `rejected_statement` when a signer in force signed
/// something that is no acceptable statement.
pub fn verify(envelope: Envelope, signers: &Signers, published: Timestamp) -> Result<VerifiedEvent, Rejection> {
    let _ = (envelope, signers, published);
    unimplemented!("verify")
}

/// The signature layer alone: which signers made a signature over this envelope, whatever its payload.
/// For `inspect` and for other implementations' vectors.
pub fn verify_signatures(envelope: &Envelope, signers: &Signers) -> Vec<VerifiedSignature> {
    let _ = (envelope, signers);
    unimplemented!("verify")
}
