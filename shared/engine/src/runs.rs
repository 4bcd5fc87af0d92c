//! Runs after their launch: which way they went, learned by hints and by looking, without polling.
//!
//! Promises: what is recorded of a run was fetched from Vertex AI, never read from a log entry; an end is recorded
//! once and stays, whatever comes later; a run whose entries never come is looked at by the sweep, ever less often.
//! Does not: change a run, or hold up a delivery for one.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use launchgate_outcome::Reason;
use launchgate_triggers::{LaunchId, LaunchKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::Instrument as _;

use crate::{
    AuthenticatedReceipt, DecisionRecord, FollowedRun, Gate, NothingDecided, Run, SweepReport,
    launch::CALLS_AT_ONCE,
    ports::{CallError, CallErrorKind, LedgerError},
    run_log::RunLogEntry,
};

/// How long one look may take before somebody else may look: longer than any call.
const LOOK_LEASE: Duration = Duration::from_mins(11);

/// Runs that one sweep looks at, few enough for the slowest answers to end within its lease and a request.
const QUIET_RUNS: usize = 32;

/// When a ledger makes a run due for its first look; later ones come after twice as long each.
pub const FIRST_LOOK: Duration = Duration::from_mins(5);

/// The longest time between two looks at a pipeline run, which tells of its end by itself.
const LONGEST: Duration = Duration::from_hours(1);

/// The longest time between two looks at a job of a kind that tells nothing.
const LONGEST_UNTOLD: Duration = Duration::from_mins(15);

/// A run that cannot be found is believed to be gone only after this: Vertex AI's reads may lag behind.
const GONE_AFTER_MICROS: i64 = 600 * 1_000_000;

/// Characters of an error's text that are kept. It may quote what the job printed.
const ERROR_KEPT: usize = 2000;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// It did what it was to do.
    Succeeded,
    /// A batch prediction that did so for some of its input.
    PartiallySucceeded,
    /// It failed.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// It ran out of its time.
    Expired,
    /// It is not there any more: somebody deleted it, or another job stands in its place.
    Vanished,
}

impl RunEnd {
    /// The stable `snake_case` code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::PartiallySucceeded => "partially_succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Vanished => "vanished",
        }
    }

    /// The end that a state of Vertex AI's is, if it is one: `PIPELINE_STATE_…` and `JOB_STATE_…` alike. A paused
    /// run may go on.
    pub fn of_state(state: &str) -> Option<Self> {
        let state = state.strip_prefix("PIPELINE_STATE_").or_else(|| state.strip_prefix("JOB_STATE_"))?;
        match state {
            "SUCCEEDED" => Some(Self::Succeeded),
            "PARTIALLY_SUCCEEDED" => Some(Self::PartiallySucceeded),
            "FAILED" => Some(Self::Failed),
            "CANCELLED" => Some(Self::Cancelled),
            "EXPIRED" => Some(Self::Expired),
            _ => None,
        }
    }
}

/// What a look at a run found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSeen {
    /// Vertex AI's own word for the state; `None` when nobody was there.
    pub state: Option<String>,
    /// How it ended, if it did.
    pub end: Option<RunEnd>,
    /// Why, in Vertex AI's words, bounded.
    pub error: Option<String>,
}

/// What came of a message on `/pubsub/runs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAnswer {
    /// The run has ended, and that is recorded.
    Ended(RunEnd),
    /// It goes on.
    Running,
    /// It could not be looked at now; the sweep does.
    Later,
    /// No run that is followed: of somebody else, or ended and recorded before.
    NotFollowed,
    /// The entry tells of no run: what it is, in a word.
    Unused(&'static str),
    /// It is no log entry.
    Unreadable,
}

impl RunAnswer {
    /// A stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended(end) => end.as_str(),
            Self::Running => "running",
            Self::Later => "later",
            Self::NotFollowed => "not_followed",
            Self::Unused(what) => what,
            Self::Unreadable => "unreadable",
        }
    }
}

impl Gate {
    /// Takes one log entry as a hint and looks at the run it names.
    ///
    /// Runs in a task of its own, as `receive` does.
    ///
    /// # Errors
    /// `NothingDecided` when the ledger could not take it; redelivery is safe.
    pub async fn receive_run(&self, receipt: AuthenticatedReceipt) -> Result<RunAnswer, NothingDecided> {
        let gate = self.clone();
        let work = tokio::spawn(async move { gate.take_in_run(&receipt).await }.in_current_span());
        work.await.unwrap_or_else(|error| Err(NothingDecided(format!("the work stopped: {error}"))))
    }

    async fn take_in_run(&self, receipt: &AuthenticatedReceipt) -> Result<RunAnswer, NothingDecided> {
        let receipt = receipt.receipt();
        let message_id = &receipt.message_id;
        let job = match RunLogEntry::read(&receipt.data) {
            RunLogEntry::Hint { job } => job,
            RunLogEntry::Unused(what) => {
                tracing::info!(message_id, what, "a log entry that tells of no run");
                return Ok(RunAnswer::Unused(what));
            }
            RunLogEntry::Unreadable(why) => {
                tracing::warn!(message_id, why, "what came on the topic of runs is no log entry");
                return Ok(RunAnswer::Unreadable);
            }
        };
        // Most pipelines of a project are not ours; their ids say so.
        let Some(launch_id) = LaunchId::parse(&job) else { return Ok(RunAnswer::NotFollowed) };
        let Some(followed) = self.ledger().follow_now(&launch_id, LOOK_LEASE).await? else {
            return Ok(RunAnswer::NotFollowed);
        };
        Ok(self.look_at(&followed).await?)
    }

    /// Looks at one run and records what was seen.
    pub(crate) async fn look_at(&self, followed: &FollowedRun) -> Result<RunAnswer, LedgerError> {
        let decision = &followed.decision;
        let (Some(plan), Some(run)) = (&decision.plan, &decision.run) else {
            // Nothing that was launched lacks them; without them there is nothing to look at, ever.
            let gone = RunSeen { state: None, end: Some(RunEnd::Vanished), error: None };
            self.ledger().run_seen(&decision.launch_id, gone, Duration::ZERO).await?;
            return Ok(RunAnswer::Ended(RunEnd::Vanished));
        };
        let launch_id = &decision.launch_id;
        let seen = match self.vertex().look(plan, run).await {
            Ok(job) => seen(&job, launch_id),
            Err(error) if is_gone(&error) => {
                if !is_old_enough_to_be_gone(followed) {
                    return Ok(RunAnswer::Later);
                }
                RunSeen { state: None, end: Some(RunEnd::Vanished), error: Some(error.message) }
            }
            Err(error) => {
                tracing::warn!(%launch_id, %error, "the run could not be looked at; the sweep does it later");
                return Ok(RunAnswer::Later);
            }
        };
        let end = seen.end;
        log(decision, run, &seen);
        self.ledger().run_seen(launch_id, seen, next_look(followed.looks, plan.kind())).await?;
        Ok(end.map_or(RunAnswer::Running, RunAnswer::Ended))
    }

    /// Looks at runs that went quiet, at most `QUIET_RUNS` of them.
    pub(crate) async fn look_at_quiet_runs(&self, report: &mut SweepReport) -> Result<(), LedgerError> {
        let quiet = self.ledger().follow_due(QUIET_RUNS, LOOK_LEASE).await?;
        report.more |= quiet.len() == QUIET_RUNS;
        let answers: Vec<_> = stream::iter(quiet)
            .map(|followed| async move { self.look_at(&followed).await })
            .buffer_unordered(CALLS_AT_ONCE)
            .collect()
            .await;
        for answer in answers {
            report.runs_ended += usize::from(matches!(answer?, RunAnswer::Ended(_)));
        }
        Ok(())
    }
}

/// What a job as the server holds it says of its run.
fn seen(job: &Value, launch_id: &LaunchId) -> RunSeen {
    if job["labels"]["launchgate-id"] != launch_id.as_str() {
        // Whoever deletes a job may make another of the same name.
        let error = Some("another job stands in its place".to_owned());
        return RunSeen { state: None, end: Some(RunEnd::Vanished), error };
    }
    let state = job["state"].as_str();
    let error = job["error"]["message"].as_str();
    RunSeen {
        state: state.map(str::to_owned),
        end: state.and_then(RunEnd::of_state),
        error: error.map(|text| text.chars().take(ERROR_KEPT).collect()),
    }
}

fn is_gone(error: &CallError) -> bool {
    error.kind == CallErrorKind::Terminal(Reason::NotFound)
}

fn is_old_enough_to_be_gone(followed: &FollowedRun) -> bool {
    followed.now.micros_since(followed.since) >= GONE_AFTER_MICROS
}

/// When to look again at a run that was looked at `looks` times before and still goes on.
fn next_look(looks: u32, kind: LaunchKind) -> Duration {
    let longest = if kind == LaunchKind::PipelineJob { LONGEST } else { LONGEST_UNTOLD };
    FIRST_LOOK.saturating_mul(1 << looks.min(10)).min(longest)
}

fn log(decision: &DecisionRecord, run: &Run, seen: &RunSeen) {
    let (event, trigger, launch_id) = (&decision.event, &decision.trigger, &decision.launch_id);
    let Some(end) = seen.end else { return };
    let (end, error) = (end.as_str(), seen.error.as_deref().unwrap_or_default());
    if seen.end == Some(RunEnd::Succeeded) {
        tracing::info!(%event, %trigger, %launch_id, run = run.name, end, "the run ended");
    } else {
        tracing::warn!(%event, %trigger, %launch_id, run = run.name, end, error, "the run ended");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    const ID: &str = "lg-retrain-00000000000000000000000000000000";

    fn job(state: &str) -> Value {
        json!({"labels": {"launchgate-id": ID}, "state": state, "error": {"code": 9, "message": "x".repeat(5000)}})
    }

    fn seen_of(job: &Value) -> RunSeen {
        seen(job, &LaunchId::parse(ID).unwrap())
    }

    #[test]
    fn the_states_that_end_a_run_are_those_of_vertex_ai_and_no_others() {
        let ends = |prefix: &str| {
            let states = [
                "QUEUED",
                "PENDING",
                "RUNNING",
                "SUCCEEDED",
                "FAILED",
                "CANCELLING",
                "CANCELLED",
                "PAUSED",
                "EXPIRED",
                "UPDATING",
                "PARTIALLY_SUCCEEDED",
                "UNSPECIFIED",
            ];
            let ended =
                states.iter().filter(|state| RunEnd::of_state(&format!("{prefix}_STATE_{state}")).is_some());
            ended.copied().collect::<Vec<_>>()
        };
        let all = ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"];
        assert_eq!((ends("PIPELINE"), ends("JOB")), (all.to_vec(), all.to_vec()));
        assert_eq!(RunEnd::of_state("SUCCEEDED"), None);
    }

    #[test]
    fn an_error_is_kept_within_bounds() {
        let seen = seen_of(&job("PIPELINE_STATE_FAILED"));
        assert_eq!((seen.end, seen.error.unwrap().len()), (Some(RunEnd::Failed), ERROR_KEPT));
    }

    #[test]
    fn a_job_that_took_the_place_of_ours_says_nothing_of_it() {
        let mut other = job("PIPELINE_STATE_SUCCEEDED");
        other["labels"]["launchgate-id"] = "lg-other-00000000000000000000000000000000".into();
        assert_eq!(seen_of(&other).end, Some(RunEnd::Vanished));
    }

    #[test]
    fn looks_come_ever_less_often_and_never_stop() {
        let minutes = |kind| [0, 1, 2, 3, 4, 40].map(|looks| next_look(looks, kind).as_secs() / 60);
        assert_eq!(minutes(LaunchKind::PipelineJob), [5, 10, 20, 40, 60, 60]);
        assert_eq!(minutes(LaunchKind::CustomJob), [5, 10, 15, 15, 15, 15]);
    }
}
