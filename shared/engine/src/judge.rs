//! The whole decision without a ledger: what `receive` decides by and what `explain` shows.

use launchgate_outcome::{Check, Outcome, Reason, Refusal};
use launchgate_statement::{Envelope, Timestamp};
use launchgate_triggers::{Config, DecideOptions, Decisions, decide};
use launchgate_trust::{KeyWanted, Rejection, TrustInputs, Unverified, VerifiedEvent, verify};

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
}

/// Parses, verifies and decides message data. Pure: the same arguments give the same answer.
///
/// # Errors
/// `KeyWanted` when nothing can be said before Buildkite's keys are fetched afresh.
pub fn judge(
    config: &Config,
    data: &[u8],
    inputs: TrustInputs<'_>,
    options: DecideOptions,
) -> Result<Judgement, KeyWanted> {
    let envelope = match Envelope::parse(data) {
        Ok(envelope) => envelope,
        Err(error) => {
            let check = Check::failed("envelope").detail(error.to_string());
            return Ok(Judgement::Rejected(Rejection {
                refusal: error.into(),
                checks: vec![check],
                digest: None,
            }));
        }
    };
    match verify(envelope, &config.signers, inputs) {
        Ok(event) => Ok(judge_event(config, event, inputs.published, options)),
        Err(Unverified::Rejected(rejection)) => Ok(Judgement::Rejected(rejection)),
        Err(Unverified::KeyWanted(wanted)) => Err(wanted),
    }
}

/// Decides an event that is verified already.
pub(crate) fn judge_event(
    config: &Config,
    event: VerifiedEvent,
    published: Timestamp,
    options: DecideOptions,
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
