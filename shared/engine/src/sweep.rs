//! What finishes the work that a delivery left open: retries, expired leases, untold failures, commands.
//! Safe to run concurrently with deliveries and with other sweeps, and hours late.

use futures_util::{StreamExt, stream};
use launchgate_outcome::Outcome;
use launchgate_triggers::LaunchId;

use crate::{Claim, DecisionRecord, Gate, launch::CALLS_AT_ONCE, ports::LedgerError};

/// Decisions, failures and commands one sweep takes up; the next sweep takes the rest.
const BATCH: usize = 64;

/// What one sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SweepReport {
    /// Decisions taken up.
    pub taken_up: usize,
    /// Launched now.
    pub launched: usize,
    /// Of these, ended without a run.
    pub ended: usize,
    /// Builds whose facts were laid beside what waits for them.
    pub builds_heeded: usize,
    /// Builds that Buildkite was asked about.
    pub builds_asked: usize,
    /// Runs found ended.
    pub runs_ended: usize,
    /// Failures told.
    pub failures_told: usize,
    /// Commands carried out.
    pub commands: usize,
    /// There was more than one sweep takes up.
    pub more: bool,
}

impl Gate {
    /// Takes up what is due, bounded; but for artifacts, which take their own time (`check_artifacts`).
    pub async fn sweep(&self) -> Result<SweepReport, LedgerError> {
        let mut report = SweepReport::default();
        self.carry_out_commands(&mut report).await?;
        let unheeded = self.ledger().unheeded_builds(BATCH).await?;
        report.more = unheeded.len() == BATCH;
        for build in unheeded {
            match self.heed(&build).await {
                Ok(resolved) => {
                    let launched = resolved.iter().filter(|(_, outcome)| *outcome == Outcome::Launched);
                    report.launched += launched.count();
                    report.builds_heeded += 1;
                }
                // One build that cannot be heeded now must not keep the rest of the sweep from its work.
                Err(error) => tracing::error!(build = build.id, %error, "build facts are heeded later"),
            }
        }
        self.ask_about_builds(&mut report).await?;
        let due = self.ledger().due(BATCH).await?;
        report.more |= due.len() == BATCH;
        let results: Vec<_> = stream::iter(due)
            .map(|launch_id| async move { self.take_up(&launch_id).await })
            .buffer_unordered(CALLS_AT_ONCE)
            .collect()
            .await;
        for result in results {
            let Some(outcome) = result? else { continue };
            report.taken_up += 1;
            report.launched += usize::from(outcome == Outcome::Launched);
            report.ended += usize::from(outcome != Outcome::Launched && !outcome.is_open());
        }
        for decision in self.ledger().untold_failures(BATCH).await? {
            report.failures_told += usize::from(self.publish_failure(&decision).await);
        }
        // Last: nothing that is still to be launched or told waits for what is known anyway.
        self.look_at_quiet_runs(&mut report).await?;
        Ok(report)
    }

    /// Claims one decision and works on it; `None` when somebody else has it or it is settled.
    pub(crate) async fn take_up(&self, launch_id: &LaunchId) -> Result<Option<Outcome>, LedgerError> {
        match self.ledger().claim(launch_id, self.lease()).await? {
            Claim::Held(claimed) if claimed.decision.outcome == Outcome::WaitingBuild => {
                Ok(Some(self.expire(&claimed).await?))
            }
            // It was not when it came due.
            Claim::Held(claimed) if claimed.decision.outcome == Outcome::WaitingArtifact => {
                Ok(Some(self.leave_to_checks(&claimed).await?))
            }
            Claim::Held(claimed) => Ok(Some(self.work_on(*claimed, true).await?.outcome)),
            Claim::Ended(decision) => {
                let DecisionRecord { event, trigger, launch_id, outcome, message, .. } = &*decision;
                tracing::info!(%event, %trigger, %launch_id, %outcome, message, "ended before its first call");
                Ok(Some(*outcome))
            }
            Claim::Busy | Claim::Settled => Ok(None),
        }
    }
}
