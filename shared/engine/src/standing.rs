//! How the conditions of a decision stand in the ledger, and what follows from it.
//!
//! Promises: one rule for every ledger, with the rungs and sentences that people read. Does not: look
//! anything up; that is the ledger's part, in the commit that would make the decision an intent.

use launchgate_outcome::{Check, CheckStatus, Reason, Refusal};
use launchgate_triggers::{LaunchConditions, LaunchId};

use crate::DecisionRecord;

/// What a ledger finds of a decision's conditions. The decision itself never counts, whatever stands
/// recorded under its launch id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The decision that holds the `once` key.
    pub holder: Option<Holder>,
    /// The newest launched build of the line that is newer.
    pub newer: Option<NewerBuild>,
    /// The launches of the trigger that count against its hourly limit.
    pub launches: u64,
}

/// Who holds a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The launch.
    pub launch_id: LaunchId,
    /// The full name of its run, when it has one.
    pub run: Option<String>,
}

/// A build that was launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewerBuild {
    /// Its number.
    pub number: u64,
    /// Its launch.
    pub launch_id: LaunchId,
}

impl DecisionRecord {
    /// What its launch holds and counts for as long as it is open or has a run: nothing unless there is
    /// something to send. One that waits for its artifact holds its place already: its plan is made, and two such
    /// launches must not begin where one may.
    pub fn conditions(&self) -> Option<&LaunchConditions> {
        self.plan.as_ref().filter(|_| self.outcome.is_open()).map(launchgate_triggers::LaunchPlan::conditions)
    }

    /// What the ledger must ask before it records the decision as an intent. Nothing is asked of a forced
    /// replay.
    pub fn asked(&self) -> Option<&LaunchConditions> {
        self.conditions().filter(|conditions| self.ordinal == 0 && !conditions.is_empty())
    }

    /// The decision as its conditions let it be: as it was, or ended by the first that is not met.
    #[must_use]
    pub fn under(&self, standing: &Standing) -> Self {
        let Some(asked) = self.asked() else { return self.clone() };
        let once = asked.once.map(|_| ("oncePer", once(standing.holder.as_ref())));
        let newest = asked.newest.map(|_| ("order", newest(standing.newer.as_ref())));
        let per_hour = asked
            .per_hour
            .map(|most| ("maxLaunchesPerHour", per_hour(u64::from(most.get()), standing.launches)));
        let mut record = self.clone();
        let mut ended: Option<Refusal> = None;
        for (name, answer) in [once, newest, per_hour].into_iter().flatten() {
            if ended.is_some() {
                answered(&mut record.checks, name, CheckStatus::NotReached, None);
            } else {
                ended = record.answer(name, answer);
            }
        }
        record.ended_by(ended)
    }

    /// The decision ended because a newer build was launched while it waited for its first call.
    #[must_use]
    pub fn superseded_by(&self, newer: &NewerBuild) -> Self {
        let mut record = self.clone();
        let ended = record.answer("order", newest(Some(newer)));
        record.ended_by(ended)
    }

    fn answer(&mut self, name: &'static str, (actual, refusal): Answer) -> Option<Refusal> {
        let status = if refusal.is_some() { CheckStatus::Failed } else { CheckStatus::Passed };
        answered(&mut self.checks, name, status, Some(&actual));
        refusal
    }

    fn ended_by(mut self, refusal: Option<Refusal>) -> Self {
        if let Some(refusal) = refusal {
            self.outcome = refusal.outcome;
            self.reason = Some(refusal.reason);
            self.message = Some(refusal.message);
        }
        self
    }
}

/// What was found, and what ends the decision.
type Answer = (String, Option<Refusal>);

fn once(holder: Option<&Holder>) -> Answer {
    let Some(Holder { launch_id, run }) = holder else { return ("no other launch".to_owned(), None) };
    let run = run.as_deref().map_or_else(|| "no run yet".to_owned(), |run| format!("run {run}"));
    let found = format!("{launch_id}, {run}");
    let message = format!("`oncePer`: another launch holds it: {found}");
    (found, Some(Refusal::new(Reason::OncePer, message)))
}

fn newest(newer: Option<&NewerBuild>) -> Answer {
    let Some(NewerBuild { number, launch_id }) = newer else { return ("none".to_owned(), None) };
    let found = format!("build #{number}, {launch_id}");
    let message = format!("`order: newest`: a newer build was launched: {found}");
    (found, Some(Refusal::new(Reason::NewerBuildLaunched, message)))
}

fn per_hour(most: u64, launches: u64) -> Answer {
    let found = format!("{launches} before it");
    let refusal = (launches >= most).then(|| {
        let message = format!(
            "`maxLaunchesPerHour: {most}`: the trigger has {launches} launches, open or within the last 60 minutes"
        );
        Refusal::new(Reason::HourlyLimit, message)
    });
    (found, refusal)
}

/// Lays the ledger's answer over the rung that was left open for it.
fn answered(checks: &mut [Check], name: &str, status: CheckStatus, actual: Option<&str>) {
    for rung in checks.iter_mut().filter(|rung| rung.name == name) {
        (rung.status, rung.detail) = (status, None);
        rung.actual = actual.map(str::to_owned);
    }
}
