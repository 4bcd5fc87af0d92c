//! From an envelope to a verified event.

mod evidence;
mod ladder;

use launchgate_outcome::{Check, Reason, Refusal};
use launchgate_statement::{Envelope, EventDigest, PAYLOAD_TYPE, Sha256, Statement, Timestamp, pae};

use self::{
    evidence::{Presented, Proof, signed_by_key},
    ladder::Ladder,
};
use crate::carrier::{of_the_build, tokens_of_the_build};
use crate::{Carrier, Jwks, Signers, VerifiedEvent, VerifiedSignature};

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

/// What verification needs beside the envelope and the file.
#[derive(Clone, Copy, Debug)]
pub struct TrustInputs<'k> {
    /// The publish time of the first receipt that a signer verified: Google's clock, which neither job nor
    /// relay can set.
    pub published: Timestamp,
    /// Buildkite's keys.
    pub buildkite_keys: BuildkiteKeys<'k>,
}

/// Buildkite's keys, and how much their silence says.
#[derive(Clone, Copy, Debug)]
pub enum BuildkiteKeys<'k> {
    /// None at hand: nothing can be said about a token.
    Missing,
    /// Kept from some time ago: a key that is not in it may be newer.
    Held(&'k Jwks),
    /// Fetched just now, or given as the whole: a key that is not in it does not exist.
    Complete(&'k Jwks),
}

/// Why no event came of an envelope.
#[derive(Clone, Debug)]
pub enum Unverified {
    /// It is none, for good.
    Rejected(Rejection),
    /// Nothing can be said before Buildkite's keys are there.
    KeyWanted(KeyWanted),
}

/// A token is bound to this event but its key is not at hand: fetch the keys afresh and ask again with
/// `BuildkiteKeys::Complete`. Where they cannot be fetched nothing may be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Buildkite's key `{kid}`, which a token of this event names, is not at hand")]
pub struct KeyWanted {
    /// The id that the token gives; a stranger may have written it.
    pub kid: String,
}

impl From<Rejection> for Unverified {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Verifies an envelope against the configured signers.
///
/// Order: payload type, signatures (each signer once; keyid is only a hint), windows and revocation at
/// the publish time, statement, identity (what tokens
/// and certificates claim against what the statement says), what each
/// signer may speak for.
///
/// # Errors
/// `rejected_signature` when no signer is left, with the most telling reason (a right key that signed the
/// wrong bytes is named before an unknown one); `rejected_statement` when a signer in force signed
/// something that is no acceptable statement; `KeyWanted` when a token cannot be judged with the keys at
/// hand, even if another signer's signature holds: deciding without it would lose what it proves.
pub fn verify(
    envelope: Envelope,
    signers: &Signers,
    inputs: TrustInputs<'_>,
) -> Result<VerifiedEvent, Unverified> {
    verify_carried(envelope, signers, inputs, Carrier::Message)
}

/// As `verify`, for an envelope that came by this carrier. One out of a build's meta-data must be of that build:
/// asked first, and whoever signed, so that what another build left there is named for what it is.
///
/// # Errors
/// As `verify`; `rejected_signature / foreign_metadata` for an envelope of another build.
pub fn verify_carried(
    envelope: Envelope,
    signers: &Signers,
    inputs: TrustInputs<'_>,
    carrier: Carrier<'_>,
) -> Result<VerifiedEvent, Unverified> {
    let TrustInputs { published, buildkite_keys } = inputs;
    let pae = pae(&envelope.payload_type, &envelope.payload);
    let digest = EventDigest(Sha256::of(&pae));
    let mut ladder = Ladder::new(digest, &envelope);

    if envelope.payload_type != PAYLOAD_TYPE {
        let check = Check::failed("payloadType").expected(PAYLOAD_TYPE).actual(&*envelope.payload_type);
        let message = format!("expected the payload type {PAYLOAD_TYPE}, found `{}`", envelope.payload_type);
        let refusal = Refusal::new(Reason::PayloadType, message);
        return Err(ladder.refuse(check, refusal, &["signature", "statement", "scope"]).into());
    }
    ladder.passed(Check::passed("payloadType"));
    if let Some(build) = carrier.build()
        && let Ok(statement) = Statement::parse(&envelope.payload)
    {
        match of_the_build(&statement, build) {
            Ok(rung) => ladder.passed(rung),
            Err(foreign) => {
                let above = &["signature", "statement", "scope"];
                return Err(ladder.refuse(foreign.check(), foreign.refusal(), above).into());
            }
        }
    }

    let counts = carrier.token_time();
    let presented =
        Presented::read(&envelope, signers, digest, buildkite_keys).map_err(Unverified::KeyWanted)?;
    let (made, refused) = presented.made_by(signers, &envelope, &pae, digest, published, &carrier);
    let in_force = ladder.check_signatures(&envelope, &pae, signers, made, refused, published)?;

    let statement = match Statement::parse(&envelope.payload) {
        Ok(statement) => statement,
        Err(error) => {
            let check = Check::failed("statement").detail(&*error.message);
            return Err(ladder.refuse(check, error.into(), &["scope"]).into());
        }
    };
    ladder.passed(Check::passed("statement"));

    let identified = ladder.check_identity(&envelope, &statement, in_force, published, counts)?;
    let signatures = ladder.check_scope(&statement, identified)?;
    if let Some(build) = carrier.build() {
        tokens_of_the_build(&signatures, build)
            .map_err(|foreign| ladder.refuse(foreign.check(), foreign.refusal(), &[]))?;
    }
    Ok(VerifiedEvent { envelope, digest, statement, signatures, checks: ladder.into_checks() })
}

/// The signature layer of keys alone: which of them made a signature over this envelope, whatever its
/// payload. For other implementations' vectors.
pub fn verify_signatures(envelope: &Envelope, signers: &Signers) -> Vec<VerifiedSignature> {
    let pae = pae(&envelope.payload_type, &envelope.payload);
    signers
        .iter()
        .filter(|signer| signed_by_key(envelope, &pae, signer))
        .map(|signer| VerifiedSignature::of(signer, Proof::Key))
        .collect()
}
