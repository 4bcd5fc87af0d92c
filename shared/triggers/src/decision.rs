//! What the file says of one event.

use launchgate_outcome::{Check, Outcome, Reason, Refusal};
use launchgate_statement::{Artifact, Sha256};
use launchgate_trust::SignerId;

use crate::{ArtifactDemand, LaunchId, LaunchPlan, NearMiss, TriggerName};

/// Event × subject × trigger × replay ordinal.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The artifact's name.
    pub subject: String,
    /// The artifact's digest.
    pub sha256: Sha256,
    /// The trigger.
    pub trigger: TriggerName,
    /// 0 first; each forced replay takes the next.
    pub ordinal: u32,
    /// The launch id, whether or not anything is launched.
    pub launch_id: LaunchId,
    /// What it comes to.
    pub verdict: Verdict,
    /// The rungs of this decision: match clauses, requirements, plan.
    pub checks: Vec<Check>,
    /// The permitted signers that it counted (`VouchedFacts::signers`); each must still be in force before
    /// every later call.
    pub signers: Vec<SignerId>,
    /// What must be found where the artifact lies before `Verdict::Launch` may be carried out.
    pub artifact: Option<ArtifactDemand>,
}

/// What a decision comes to before anything is launched.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Every requirement passed: launch exactly this.
    Launch(Box<LaunchPlan>),
    /// The same, but the trigger only observes.
    Observe(Box<LaunchPlan>),
    /// The trigger is paused.
    Paused,
    /// `waiting_build`: nothing is denied yet, and Buildkite's own word decides. To be decided again when it
    /// comes, and to end when it has not come in time.
    Wait {
        /// What is waited for.
        refusal: Refusal,
        /// For how long, from when the decision is recorded: `waitFor.build`.
        seconds: u64,
    },
    /// `denied_policy` or `invalid_parameters`.
    Refused(Refusal),
}

impl Verdict {
    /// The outcome that `explain` shows: what would happen.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Launch(_) => Outcome::Launched,
            Self::Observe(_) => Outcome::Observed,
            Self::Paused => Outcome::SkippedPaused,
            Self::Wait { refusal, .. } | Self::Refused(refusal) => refusal.outcome,
        }
    }

    /// Its reason, when it has one.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Wait { refusal, .. } | Self::Refused(refusal) => Some(refusal.reason),
            Self::Launch(_) | Self::Observe(_) | Self::Paused => None,
        }
    }

    /// The plan, when there is one.
    pub fn plan(&self) -> Option<&LaunchPlan> {
        match self {
            Self::Launch(plan) | Self::Observe(plan) => Some(plan),
            Self::Paused | Self::Wait { .. } | Self::Refused(_) => None,
        }
    }
}

/// Everything the file says of one event.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// In subject order, then in the file's order of triggers.
    pub decisions: Vec<Decision>,
    /// The subjects that no trigger matches.
    pub unmatched: Vec<Unmatched>,
    /// The triggers that matched nothing of the event and missed a subject of `unmatched` by one clause, in the
    /// file's order, at most `NearMiss::MAX`.
    pub near_misses: Vec<NearMiss>,
    /// How many decisions the event has. Above `MAX` nothing is planned and `decisions` is empty.
    pub matched: usize,
}

/// A subject that no trigger matches.
#[derive(Clone, Debug)]
pub struct Unmatched {
    /// The artifact.
    pub artifact: Artifact,
    /// The nearest misses, fewest failed clauses first, at most 3: the trigger and its match rungs. Of the
    /// triggers whose `match.pipeline` holds; where it holds for none, of those whose pipeline is called much
    /// like the event's.
    pub nearest: Vec<(TriggerName, Vec<Check>)>,
}

impl Decisions {
    /// Decisions one event may have: each may be a launch, and all are written in one commit.
    pub const MAX: usize = 256;

    /// Whether the event is `rejected_statement / too_many_decisions`.
    pub fn too_many(&self) -> bool {
        self.matched > Self::MAX
    }

    /// The event's outcome: the first of its decisions' outcomes in `Outcome`'s order, `no_match` when
    /// there is none.
    pub fn outcome(&self) -> Outcome {
        self.decisions.iter().map(|decision| decision.verdict.outcome()).min().unwrap_or(Outcome::NoMatch)
    }
}
