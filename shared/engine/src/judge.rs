//! The whole decision without a ledger: what `receive` decides by and what `explain` shows.

use launchgate_outcome::{Check, Outcome, Reason, Refusal};
use launchgate_statement::{Envelope, Timestamp};
use launchgate_triggers::{Config, DecideOptions, Decision, Decisions, decide};
use launchgate_trust::{
    BuildkiteKeys, Carrier, Jwks, KeyWanted, Rejection, TrustInputs, Unverified, VerifiedEvent,
    verify_carried,
};

use crate::{EventRecord, buildkite_keys::kept_keys};

/// What a message comes to.
#[derive(Debug)]
pub enum Judgement {
    /// It is no event.
    Rejected(Rejection),
    /// It is one, and this is what the file says of it.
    Decided(Box<Decided>),
}

/// An event and what the file says of it.
#[derive(Debug)]
pub struct Decided {
    /// The event.
    pub event: VerifiedEvent,
    /// What the file says.
    pub decisions: Decisions,
}

impl Judgement {
    /// The outcome that would follow.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Rejected(rejection) => rejection.refusal.outcome,
            Self::Decided(decided) => decided.decisions.outcome(),
        }
    }

    /// Why: the rejection's reason, or that of the decision which the outcome is of.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Rejected(rejection) => Some(rejection.refusal.reason),
            Self::Decided(decided) => {
                let reason = decided.decisive().and_then(|decision| decision.verdict.reason());
                reason.or((self.outcome() == Outcome::NoMatch).then_some(Reason::NoTriggerMatches))
            }
        }
    }
}

impl Decided {
    /// The decision that the event's outcome is of; `None` when no trigger matches.
    pub fn decisive(&self) -> Option<&Decision> {
        let outcome = self.decisions.outcome();
        self.decisions.decisions.iter().find(|decision| decision.verdict.outcome() == outcome)
    }
}

/// Parses, verifies and decides message data. Pure: the same arguments give the same answer.
///
/// # Errors
/// `KeyWanted` when nothing can be said before Buildkite's keys are fetched afresh.
pub fn judge(
    config: &Config,
    data: &[u8],
    inputs: TrustInputs<'_>,
    options: DecideOptions<'_>,
) -> Result<Judgement, KeyWanted> {
    judge_carried(config, data, inputs, Carrier::Message, options)
}

/// As `judge`, of message data that came by this carrier.
pub(crate) fn judge_carried(
    config: &Config,
    data: &[u8],
    inputs: TrustInputs<'_>,
    carrier: Carrier<'_>,
    options: DecideOptions<'_>,
) -> Result<Judgement, KeyWanted> {
    match verified(config, data, inputs, carrier) {
        Ok(event) => Ok(judge_event(config, event, inputs.published, options)),
        Err(unverified) => rejected(unverified),
    }
}

/// Judges a recorded event under today's file: verified as of its first publish time, with every signer that
/// was ever verified for it and still counts.
pub(crate) fn judge_again(
    config: &Config,
    recorded: &EventRecord,
    buildkite_keys: BuildkiteKeys<'_>,
    options: DecideOptions<'_>,
) -> Result<Judgement, KeyWanted> {
    let published = recorded.first_published;
    let carrier = Carrier::recorded(&recorded.signatures, published);
    match verified(config, &recorded.data, TrustInputs { published, buildkite_keys }, carrier) {
        Ok(event) => {
            let event = event.joined(&recorded.signatures, &config.signers);
            Ok(judge_event(config, event, published, options))
        }
        Err(unverified) => rejected(unverified),
    }
}

fn verified(
    config: &Config,
    data: &[u8],
    inputs: TrustInputs<'_>,
    carrier: Carrier<'_>,
) -> Result<VerifiedEvent, Unverified> {
    match Envelope::parse(data) {
        Ok(envelope) => verify_carried(envelope, &config.signers, inputs, carrier),
        Err(error) => {
            let check = Check::failed("envelope").detail(error.to_string());
            Err(Rejection { refusal: error.into(), checks: vec![check], digest: None }.into())
        }
    }
}

fn rejected(unverified: Unverified) -> Result<Judgement, KeyWanted> {
    match unverified {
        Unverified::Rejected(rejection) => Ok(Judgement::Rejected(rejection)),
        Unverified::KeyWanted(wanted) => Err(wanted),
    }
}

/// Decides an event that is verified already.
pub(crate) fn judge_event(
    config: &Config,
    event: VerifiedEvent,
    published: Timestamp,
    options: DecideOptions<'_>,
) -> Judgement {
    let decisions = decide(config, &event, published, options);
    if decisions.too_many() {
        return Judgement::Rejected(too_many(&event, decisions.matched));
    }
    Judgement::Decided(Box::new(Decided { event, decisions }))
}

fn too_many(event: &VerifiedEvent, found: usize) -> Rejection {
    const MOST: usize = Decisions::MAX;
    let message = format!(
        "the event comes to {found} decisions; at most {MOST} are made of one event: split it or narrow `match`"
    );
    let mut checks = event.checks().to_vec();
    checks.push(Check::failed("decisions").expected(format!("at most {MOST}")).actual(found.to_string()));
    Rejection {
        refusal: Refusal::new(Reason::TooManyDecisions, message),
        checks,
        digest: Some(event.digest()),
    }
}

/// Judges a recorded event under any file: verified as of its first publish time, by the keys kept with it,
/// with every signer that was ever verified for it and counts in that file.
///
/// # Errors
/// `KeyWanted` when the event needs a key of Buildkite's that is not kept with it.
pub fn judge_recorded(config: &Config, recorded: &EventRecord) -> Result<Judgement, KeyWanted> {
    let kept = kept_keys(&recorded.signatures);
    // Keys that cannot be read verify nothing, and then one is wanted.
    let keys = Jwks::default().with(&kept).unwrap_or_default();
    judge_again(config, recorded, BuildkiteKeys::Held(&keys), DecideOptions::default())
}
