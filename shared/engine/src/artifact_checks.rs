//! Looking at the artifact between decision and launch.
//!
//! Promises: the decision and its plan are durable before anything is asked; what was seen and the intent to
//! launch are one record, made only by the newest holder, so a check that outlived its claim records nothing
//! and launches nothing; what cannot be answered waits until `waitFor.artifact` ends and is then denied.
//! Does not: know buckets or registries, or look again once something was launched.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use launchgate_outcome::{Check, Outcome, Reason};
use launchgate_statement::Timestamp;
use launchgate_triggers::{ArtifactDemand, ArtifactRule, LaunchId, TriggerName};
use tokio::time::Instant;

use crate::{
    CheckRecorded, CheckedArtifact, Claim, Claimed, DecisionRecord, Durability, Gate, Progress, Recorded,
    ports::{ArtifactSeen, LedgerError},
};

/// What one delivery spends on looking, for all its artifacts together: a push waits for the answer.
const IN_A_PUSH: Duration = Duration::from_secs(5);

/// One look of the sweep under `exists`: a request or two.
const EXISTS_LIMIT: Duration = Duration::from_secs(20);

/// How long a claim lasts while its holder looks; renewed three times within it. A holder that dies is
/// overtaken after this, however large the artifact.
const LEASE: Duration = Duration::from_mins(1);

/// Decisions one call takes from the ledger.
const BATCH: usize = 64;

/// Artifacts looked at side by side under `exists`.
const EXISTS_AT_ONCE: usize = 8;

/// What was done about artifacts that wait to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ArtifactReport {
    /// Decisions taken up.
    pub looked_at: usize,
    /// Of these, launched.
    pub launched: usize,
    /// Of these, ended without a run.
    pub ended: usize,
    /// There is more to look at now.
    pub more: bool,
}

impl ArtifactReport {
    /// What two calls did together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            looked_at: self.looked_at + other.looked_at,
            launched: self.launched + other.launched,
            ended: self.ended + other.ended,
            more: self.more || other.more,
        }
    }
}

/// How a look ended, for the flow.
type Ended = (Outcome, Option<Reason>);

impl Gate {
    /// Looks at artifacts that wait and launches what is as it should be. One whose every byte is read is one
    /// call's whole work, which takes at most `longest`; of the others a batch is taken. Calls may run side by
    /// side, with each other and with the sweep.
    ///
    /// # Errors
    /// When the ledger does not answer; whatever was begun is taken up again.
    pub async fn check_artifacts(
        &self,
        rule: ArtifactRule,
        longest: Duration,
    ) -> Result<ArtifactReport, LedgerError> {
        let due = self.ledger().due_checks(rule, BATCH).await?;
        let mut report = ArtifactReport { more: due.len() == BATCH, ..ArtifactReport::default() };
        let mut done = Vec::new();
        match rule {
            ArtifactRule::Exists => {
                let mut looks = Vec::with_capacity(due.len());
                for launch_id in &due {
                    looks.push(self.take_up_check(launch_id, EXISTS_LIMIT.min(longest)));
                }
                done = stream::iter(looks).buffer_unordered(EXISTS_AT_ONCE).collect().await;
            }
            ArtifactRule::Content => {
                let mut rest = due.iter();
                for launch_id in rest.by_ref() {
                    let ended = self.take_up_check(launch_id, longest).await?;
                    if ended.is_some() {
                        done.push(Ok(ended));
                        break;
                    }
                }
                report.more |= rest.len() > 0;
            }
        }
        for ended in done {
            let Some((outcome, _)) = ended? else { continue };
            report.looked_at += 1;
            report.launched += usize::from(outcome == Outcome::Launched);
            report.ended += usize::from(outcome != Outcome::Launched && !outcome.is_open());
        }
        Ok(report)
    }

    /// Claims one decision that waits and looks; `None` when somebody else has it or it waits no more.
    async fn take_up_check(
        &self,
        launch_id: &LaunchId,
        limit: Duration,
    ) -> Result<Option<Ended>, LedgerError> {
        match self.ledger().claim(launch_id, LEASE).await? {
            Claim::Held(claimed) if claimed.decision.outcome == Outcome::WaitingArtifact => {
                self.check(*claimed, limit, true).await.map(Some)
            }
            // Replaced in between by one that is to be sent.
            Claim::Held(claimed) => {
                let done = self.work_on(*claimed, true).await?;
                Ok(Some((done.outcome, done.reason)))
            }
            Claim::Ended(decision) => Ok(Some((decision.outcome, decision.reason))),
            Claim::Busy | Claim::Settled => Ok(None),
        }
    }

    /// When the looking of a delivery that begins now has to be over.
    pub(crate) fn looking_ends() -> Instant {
        Instant::now() + IN_A_PUSH
    }

    /// Looks within a delivery, if that is quickly done and there is time left; else the sweep does.
    pub(crate) async fn check_now(
        &self,
        decision: &DecisionRecord,
        ends: Instant,
    ) -> (TriggerName, Outcome, Option<Reason>) {
        let trigger = decision.trigger.clone();
        let waits = (trigger.clone(), decision.outcome, decision.reason);
        let quick = decision.artifact.as_ref().is_some_and(|demand| demand.rule == ArtifactRule::Exists);
        let left = ends.saturating_duration_since(Instant::now());
        if !quick || left.is_zero() {
            return waits;
        }
        let ended = match self.ledger().claim(&decision.launch_id, LEASE).await {
            Ok(Claim::Held(claimed)) if claimed.decision.outcome == Outcome::WaitingArtifact => {
                self.check(*claimed, left, false).await
            }
            Ok(Claim::Ended(decision)) => Ok((decision.outcome, decision.reason)),
            // The sweep was faster.
            Ok(_) => return waits,
            Err(error) => Err(error),
        };
        match ended {
            Ok((outcome, reason)) => (trigger, outcome, reason),
            Err(error) => {
                tracing::error!(%trigger, %error, "the artifact check is left to the sweep");
                waits
            }
        }
    }

    /// Gives back a decision that was claimed by somebody who does not look.
    pub(crate) async fn leave_to_checks(&self, claimed: &Claimed) -> Result<Outcome, LedgerError> {
        let message = claimed.decision.message.clone().unwrap_or_default();
        let progress = later(message, Duration::ZERO);
        let launch_id = &claimed.decision.launch_id;
        self.ledger().record(launch_id, claimed.fence, progress, Durability::Now).await?;
        Ok(Outcome::WaitingArtifact)
    }

    /// Looks, records what was seen, and launches in the same claim what is as it should be.
    async fn check(&self, claimed: Claimed, limit: Duration, taken_over: bool) -> Result<Ended, LedgerError> {
        let launch_id = claimed.decision.launch_id.clone();
        if let Some(ended) = self.no_longer_allowed(&claimed, taken_over) {
            let ended = self.end(&claimed, ended).await;
            return self.finish(&claimed, ended).await;
        }
        let Some(demand) = claimed.decision.artifact.clone() else {
            let message = "the decision does not say what is to be looked at; replay the event".to_owned();
            let refused = denied(Reason::ArtifactUnchecked, message);
            return self.finish(&claimed, refused).await;
        };
        let looking = self.artifacts().look(&demand, limit);
        let Some(seen) = self.while_held(&claimed, limit, looking).await? else {
            tracing::warn!(%launch_id, "overtaken while looking at the artifact; its newer holder decides");
            return Ok((Outcome::WaitingArtifact, Some(Reason::ArtifactCheckPending)));
        };
        let ladder = |rung: Check| ArtifactDemand::in_ladder(rung, claimed.decision.checks.clone());
        match seen {
            ArtifactSeen::Equal { actual } => self.begin_launch(&claimed, ladder(demand.met(actual))).await,
            ArtifactSeen::Otherwise { reason, actual, message } => {
                let ended = self.end(&claimed, denied(reason, message)).await;
                self.finish_as(&claimed, ended, Some(ladder(demand.unmet(actual)))).await
            }
            ArtifactSeen::Unanswered { message, retry_after } => {
                // By the ledger's clock alone; the looking itself is not counted.
                let waited = waited(claimed.decided, claimed.now);
                if waited >= demand.wait_seconds {
                    let message = format!(
                        "not answered within {} s (`waitFor.artifact`); last: {message}",
                        demand.wait_seconds
                    );
                    let rung = demand.unmet("no answer").detail(message.clone());
                    let ended = self.end(&claimed, denied(Reason::ArtifactUnchecked, message)).await;
                    return self.finish_as(&claimed, ended, Some(ladder(rung))).await;
                }
                let delay = delay(waited, demand.wait_seconds, &claimed, retry_after);
                self.finish(&claimed, later(message, delay)).await
            }
        }
    }

    /// The artifact is as it should be: that and the intent to launch are one record, then it is launched.
    async fn begin_launch(&self, claimed: &Claimed, checks: Vec<Check>) -> Result<Ended, LedgerError> {
        let launch_id = &claimed.decision.launch_id;
        let checked = CheckedArtifact::Launch { lease: self.lease() };
        let begun = self.ledger().artifact_checked(launch_id, claimed.fence, checks.clone(), checked).await?;
        let now = match begun {
            CheckRecorded::Yes(now) => now,
            CheckRecorded::Ended(decision) => return Ok((decision.outcome, decision.reason)),
            CheckRecorded::FenceLost => {
                tracing::warn!(%launch_id, "overtaken after looking at the artifact; its newer holder decides");
                return Ok((Outcome::WaitingArtifact, Some(Reason::ArtifactCheckPending)));
            }
        };
        tracing::info!(%launch_id, "the artifact is what was asked for");
        let decision = DecisionRecord {
            outcome: Outcome::Retrying,
            reason: Some(Reason::Interrupted),
            message: None,
            checks,
            ..DecisionRecord::clone(&claimed.decision)
        };
        let launching = Claimed { decision: Arc::new(decision), now, ..claimed.clone() };
        let done = self.work_on(launching, false).await?;
        Ok((done.outcome, done.reason))
    }

    async fn finish(&self, claimed: &Claimed, progress: Progress) -> Result<Ended, LedgerError> {
        self.finish_as(claimed, progress, None).await
    }

    /// Records what became of a decision that is not launched (now).
    async fn finish_as(
        &self,
        claimed: &Claimed,
        progress: Progress,
        checks: Option<Vec<Check>>,
    ) -> Result<Ended, LedgerError> {
        let launch_id = &claimed.decision.launch_id;
        crate::attempt::log(claimed, &progress);
        let ended = match &progress {
            Progress::Launched { .. } => (Outcome::Launched, None),
            Progress::Later { outcome, reason, .. } => (*outcome, Some(*reason)),
            Progress::Ended { outcome, reason, .. } => (*outcome, *reason),
        };
        let recorded = match checks {
            Some(checks) => {
                let ended = CheckedArtifact::Settled(Box::new(progress));
                let took = self.ledger().artifact_checked(launch_id, claimed.fence, checks, ended).await?;
                if matches!(took, CheckRecorded::FenceLost) { Recorded::FenceLost } else { Recorded::Yes }
            }
            None => self.ledger().record(launch_id, claimed.fence, progress, Durability::Now).await?,
        };
        if recorded == Recorded::FenceLost {
            tracing::warn!(%launch_id, fence = claimed.fence.0, "the lease ran out before the record; its newer holder decides");
        }
        Ok(ended)
    }

    /// Waits for `looking` and keeps the claim alive meanwhile; `None` when it is another's now. A limit that
    /// the looking itself does not keep ends it.
    async fn while_held(
        &self,
        claimed: &Claimed,
        limit: Duration,
        looking: impl Future<Output = ArtifactSeen>,
    ) -> Result<Option<ArtifactSeen>, LedgerError> {
        let launch_id = &claimed.decision.launch_id;
        let mut looking = std::pin::pin!(tokio::time::timeout(limit + Duration::from_secs(1), looking));
        let mut renewals = tokio::time::interval(LEASE / 3);
        renewals.tick().await;
        loop {
            tokio::select! {
                seen = &mut looking => {
                    return Ok(Some(seen.unwrap_or_else(|_| ArtifactSeen::Unanswered {
                        message: format!("not done within {} s", limit.as_secs()),
                        retry_after: None,
                    })));
                }
                _ = renewals.tick() => {
                    // A ledger that does not answer now may at the next tick; the lease is longer than that.
                    match self.ledger().renew(launch_id, claimed.fence, LEASE).await {
                        Ok(Recorded::Yes) => {}
                        Ok(Recorded::FenceLost) => return Ok(None),
                        Err(error) => tracing::warn!(%launch_id, %error, "the claim was not renewed"),
                    }
                }
            }
        }
    }
}

/// Whole seconds from one instant to a later one.
fn waited(decided: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.micros_since(decided) / 1_000_000).unwrap_or(0)
}

fn denied(reason: Reason, message: String) -> Progress {
    Progress::Ended { outcome: Outcome::DeniedPolicy, reason: Some(reason), message, attempt: None }
}

fn later(message: String, delay: Duration) -> Progress {
    Progress::Later {
        outcome: Outcome::WaitingArtifact,
        reason: Reason::ArtifactCheckPending,
        message,
        delay,
        not_accepted: false,
        attempt: None,
    }
}

/// Half of what was waited so far, from 2 s to 5 minutes: asked more and more slowly, without counting. Spread by
/// the launch id, so that many that wait for one registry do not come back together. The other side's wish is
/// a lower bound; the last look is at the end of the wait.
fn delay(waited: u64, wait_seconds: u64, claimed: &Claimed, retry_after: Option<Duration>) -> Duration {
    let half = (waited / 2).clamp(2, 300);
    let seed: u64 = claimed.decision.launch_id.as_str().bytes().map(u64::from).sum();
    let spread = Duration::from_millis(half * (800 + (seed + claimed.fence.0 * 37) % 401));
    let left = Duration::from_secs(wait_seconds.saturating_sub(waited));
    spread.max(retry_after.unwrap_or_default()).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_is_counted_by_the_ledgers_clock() {
        let at = Timestamp::from_seconds;

        assert_eq!(waited(at(100), at(161)), 61);
        assert_eq!(waited(at(100), at(90)), 0, "a clock that went back is no reason to end");
    }
}
