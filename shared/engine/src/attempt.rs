//! One attempt at a claimed decision: from the claim to the record.

use std::{collections::BTreeSet, time::Duration};

use launchgate_outcome::{Outcome, Reason};
use launchgate_triggers::{LaunchPlan, Mode};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    AttemptRecord, CallSummary, Claimed, Durability, Gate, Progress, Recorded, Run,
    comparison::same_job,
    ports::{CallError, CallErrorKind, FailureNotice, LedgerError},
    retry::after_failure,
};

/// How long a job may take to appear in a listing: a call that was cut off is looked for at least this
/// long before its outcome is called unknown. Source: DESIGN §6.
const SETTLE_WINDOW_MICROS: i64 = 120 * 1_000_000;

/// How long an unknown launch is looked for: 24 hours.
const UNKNOWN_WATCH_MICROS: i64 = 24 * 3600 * 1_000_000;

/// What an attempt came to, for metrics and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempted {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<Reason>,
}

impl Gate {
    /// Works on a decision that the caller holds, and records what came of it.
    /// Cancellation-safe: whatever is cut off is taken up by the sweep after the lease.
    pub(crate) async fn work_on(&self, claimed: Claimed, taken_over: bool) -> Result<Attempted, LedgerError> {
        let progress = match self.no_longer_allowed(&claimed, taken_over) {
            Some(ended) => self.end(&claimed, ended).await,
            None => self.call(&claimed).await,
        };
        let (outcome, reason) = match &progress {
            Progress::Launched { .. } => (Outcome::Launched, None),
            Progress::Later { outcome, reason, .. } => (*outcome, Some(*reason)),
            Progress::Ended { outcome, reason, .. } => (*outcome, *reason),
        };
        let rides = outcome == Outcome::Launched
            && claimed.decision.plan.as_ref().is_some_and(|plan| plan.kind().has_client_id());
        let durability = if rides { Durability::MayRide } else { Durability::Now };
        let launch_id = &claimed.decision.launch_id;
        log(&claimed, &progress);
        let recorded = self.ledger().record(launch_id, claimed.fence, progress, durability).await?;
        if recorded == Recorded::FenceLost {
            tracing::warn!(%launch_id, fence = claimed.fence.0, "the lease ran out before the record; its newer holder decides");
        } else if outcome == Outcome::FailedLaunch {
            self.tell_failure(&claimed).await;
        }
        Ok(Attempted { outcome, reason })
    }

    /// Before every call but a decision's first: is each counted signer still in force, the trigger still
    /// there, enforced, not paused? Source: DESIGN §5.
    pub(crate) fn no_longer_allowed(&self, claimed: &Claimed, taken_over: bool) -> Option<Progress> {
        if !taken_over {
            return None;
        }
        let decision = &claimed.decision;
        let ended = |outcome, reason, message: String| {
            Some(Progress::Ended { outcome, reason, message, attempt: None })
        };
        let config = self.config();
        match config.trigger(decision.trigger.as_str()).map(|trigger| trigger.mode) {
            Some(Mode::Enforce) => {}
            Some(Mode::Paused) => {
                let message = format!("the trigger `{}` was paused before the launch", decision.trigger);
                return ended(Outcome::SkippedPaused, None, message);
            }
            Some(Mode::Observe) | None => {
                let message =
                    format!("the trigger `{}` is no longer in the file as an enforced one", decision.trigger);
                return ended(Outcome::DeniedPolicy, Some(Reason::TriggerRemoved), message);
            }
        }
        let gone =
            decision.signers.iter().find(|id| config.signers.get(id).is_none_or(|signer| signer.revoked));
        gone.and_then(|id| {
            let message = format!("the signer `{id}` was revoked or removed before the launch");
            ended(Outcome::DeniedPolicy, Some(Reason::SignerRevoked), message)
        })
    }

    /// Ends a decision that may not be sent any more, unless an earlier call may have made its run: that is
    /// followed up whatever the file says now, and nothing is sent anew.
    pub(crate) async fn end(&self, claimed: &Claimed, ended: Progress) -> Progress {
        let (Some(since), Some(plan)) = (claimed.unanswered_since, &claimed.decision.plan) else {
            return ended;
        };
        if !plan.kind().has_client_id() {
            return self.look_for(claimed, plan, since).await;
        }
        let begun = Instant::now();
        match self.vertex().get(plan).await {
            Ok(job) if same_job(plan, &job, claimed.first_intent).is_ok() => {
                launched(self.vertex().run_of(plan, &job), claimed, begun)
            }
            Ok(_) => ended,
            Err(error) if error.kind == CallErrorKind::Terminal(Reason::NotFound) => ended,
            Err(error) => unfetched(error, claimed, begun),
        }
    }

    async fn call(&self, claimed: &Claimed) -> Progress {
        let Some(plan) = &claimed.decision.plan else {
            let message = "the decision has no plan; replay the event".to_owned();
            return Progress::Ended {
                outcome: Outcome::FailedLaunch,
                reason: Some(Reason::InvalidRequest),
                message,
                attempt: None,
            };
        };
        if let Some(since) = claimed.unanswered_since
            && !plan.kind().has_client_id()
        {
            return self.look_for(claimed, plan, since).await;
        }
        let begun = Instant::now();
        let answer = self.vertex().create(plan).await;
        match answer {
            Ok(run) => Progress::Launched { run, attempt: attempt(claimed, begun, Some(200), "OK", "") },
            Err(error) if error.kind == CallErrorKind::AlreadyExists && plan.kind().has_client_id() => {
                self.adopt(claimed, plan, begun).await
            }
            Err(error) => failed(&error, claimed, begun),
        }
    }

    /// A job with our id exists: ours from an attempt whose answer was lost, or somebody else's.
    async fn adopt(&self, claimed: &Claimed, plan: &LaunchPlan, begun: Instant) -> Progress {
        let job = match self.vertex().get(plan).await {
            Ok(job) => job,
            Err(error) => return unfetched(error, claimed, begun),
        };
        match same_job(plan, &job, claimed.first_intent) {
            Ok(()) => launched(self.vertex().run_of(plan, &job), claimed, begun),
            Err(difference) => {
                let message = format!(
                    "a pipeline job with the id {} exists and is not the planned one: {difference}. \
                     Find out who may create pipeline jobs in {}; then replay with force",
                    plan.launch_id(),
                    plan.project()
                );
                let call = attempt(claimed, begun, Some(409), "ALREADY_EXISTS", &message);
                Progress::Ended {
                    outcome: Outcome::FailedLaunch,
                    reason: Some(Reason::JobIdTaken),
                    message,
                    attempt: Some(call),
                }
            }
        }
    }

    /// A call for a kind whose id the server assigns was begun and never answered: look for its job.
    async fn look_for(
        &self,
        claimed: &Claimed,
        plan: &LaunchPlan,
        since: launchgate_statement::Timestamp,
    ) -> Progress {
        let begun = Instant::now();
        let jobs = match self.vertex().find(plan).await {
            Ok(jobs) => jobs,
            // A listing that fails says nothing of the first call: keep that open.
            Err(error) => return still_unanswered(failed(&error, claimed, begun)),
        };
        let ours: Vec<&Value> =
            jobs.iter().filter(|job| same_job(plan, job, claimed.first_intent).is_ok()).collect();
        let names: BTreeSet<_> =
            ours.iter().filter_map(|job| job.get("name").and_then(Value::as_str)).collect();
        let waited = claimed.now.micros_since(since);
        let later = |outcome, reason, message: String, seconds| Progress::Later {
            outcome,
            reason,
            message,
            delay: Duration::from_secs(seconds),
            not_accepted: false,
            attempt: None,
        };
        match ours.as_slice() {
            [job] => launched(self.vertex().run_of(plan, job), claimed, begun),
            [] if waited < SETTLE_WINDOW_MICROS => {
                let message = "the call was cut off; looking for its job by label".to_owned();
                later(Outcome::Retrying, Reason::Interrupted, message, 10)
            }
            [] if waited < UNKNOWN_WATCH_MICROS => {
                let message = format!(
                    "the call was cut off and no job with the label launchgate-id={} has appeared; still looking",
                    plan.launch_id()
                );
                later(Outcome::LaunchUnknown, Reason::Ambiguous, message, 600)
            }
            _ => {
                let (reason, message) = if ours.is_empty() {
                    (
                        Reason::Ambiguous,
                        "no job appeared within 24 hours; look for it by hand, then replay with force"
                            .to_owned(),
                    )
                } else {
                    let names: Vec<_> = names.into_iter().collect();
                    (Reason::Double, format!("two jobs carry this decision's label: {}", names.join(", ")))
                };
                Progress::Ended {
                    outcome: Outcome::LaunchUnknown,
                    reason: Some(reason),
                    message,
                    attempt: None,
                }
            }
        }
    }

    /// Tells the failures topic; what cannot be told now is told by the sweep.
    pub(crate) async fn tell_failure(&self, claimed: &Claimed) {
        let launch_id = &claimed.decision.launch_id;
        let untold = match self.ledger().event(&claimed.decision.event).await {
            Ok(stored) => stored,
            Err(error) => return tracing::warn!(%launch_id, %error, "failure not told yet"),
        };
        let decision =
            untold.and_then(|stored| stored.decisions.into_iter().find(|d| d.launch_id == *launch_id));
        if let Some(decision) = decision {
            self.publish_failure(&decision).await;
        }
    }

    /// Publishes one failure and notes it; `false` when it has to be tried again.
    pub(crate) async fn publish_failure(&self, decision: &crate::DecisionRecord) -> bool {
        let launch_id = &decision.launch_id;
        if let Err(error) = self.failures().publish(FailureNotice { decision }).await {
            tracing::warn!(%launch_id, error, "failure not told yet");
            return false;
        }
        if let Err(error) = self.ledger().failure_told(launch_id).await {
            tracing::warn!(%launch_id, %error, "failure told but not noted; it will be told again");
            return false;
        }
        true
    }
}

fn launched(run: Option<Run>, claimed: &Claimed, begun: Instant) -> Progress {
    match run {
        Some(run) => Progress::Launched { run, attempt: attempt(claimed, begun, Some(200), "ADOPTED", "") },
        None => Progress::Later {
            outcome: Outcome::Retrying,
            reason: Reason::VertexInternal,
            message: "Vertex AI answered with a job that has no name".to_owned(),
            delay: Duration::from_secs(30),
            not_accepted: false,
            attempt: Some(attempt(claimed, begun, Some(200), "NAMELESS", "")),
        },
    }
}

fn failed(error: &CallError, claimed: &Claimed, begun: Instant) -> Progress {
    let call = attempt(claimed, begun, error.http_status, &error.code, &error.message);
    after_failure(error, &call, &claimed.decision.attempts, claimed.decided, claimed.now)
}

/// A job with our id exists and could not be fetched: whatever the answer was, it does not say that there is
/// no run, so it ends nothing.
fn unfetched(error: CallError, claimed: &Claimed, begun: Instant) -> Progress {
    let message = format!("a job with the id may exist and could not be fetched: {}", error.message);
    let kind = CallErrorKind::Transient(Reason::VertexUnavailable);
    failed(&CallError { kind, message, not_accepted: false, ..error }, claimed, begun)
}

/// The same, but the first call stays unanswered and its decision open.
fn still_unanswered(progress: Progress) -> Progress {
    match progress {
        Progress::Later { outcome, reason, message, delay, attempt, .. } => {
            Progress::Later { outcome, reason, message, delay, not_accepted: false, attempt }
        }
        Progress::Ended { reason, message, attempt, .. } => Progress::Later {
            outcome: Outcome::LaunchUnknown,
            reason: Reason::Ambiguous,
            message: format!("looking for the job failed ({}): {message}", reason.map_or("", Reason::as_str)),
            delay: Duration::from_mins(10),
            not_accepted: false,
            attempt,
        },
        launched @ Progress::Launched { .. } => launched,
    }
}

fn attempt(
    claimed: &Claimed,
    begun: Instant,
    http_status: Option<u16>,
    code: &str,
    message: &str,
) -> AttemptRecord {
    AttemptRecord {
        fence: claimed.fence,
        millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        call: CallSummary { http_status, code: code.to_owned(), message: message.to_owned() },
    }
}

pub(crate) fn log(claimed: &Claimed, progress: &Progress) {
    let decision = &claimed.decision;
    let (event, trigger, launch_id) = (&decision.event, &decision.trigger, &decision.launch_id);
    match progress {
        Progress::Launched { run, .. } => {
            tracing::info!(%event, %trigger, %launch_id, outcome = "launched", run = run.name, "launched");
        }
        Progress::Later { outcome, reason, message, delay, .. } => {
            tracing::warn!(%event, %trigger, %launch_id, %outcome, %reason, delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), message, "not launched yet");
        }
        Progress::Ended { outcome, reason, message, .. } => {
            let reason = reason.map_or("", Reason::as_str);
            tracing::error!(%event, %trigger, %launch_id, %outcome, reason, message, "ended without a run");
        }
    }
}
