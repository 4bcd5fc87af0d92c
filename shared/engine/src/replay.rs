//! Deciding a recorded event again, because an operator asked for it.

use std::sync::Arc;

use launchgate_outcome::{CheckStatus, Outcome};
use launchgate_statement::EventId;
use launchgate_triggers::DecideOptions;
use launchgate_trust::BuildkiteKeys;

use crate::{
    BuildKey, CommandKind, CommandRecord, DecisionRecord, Gate, Judgement, Redecided, Redecision,
    StoredEvent, SweepReport,
    buildkite_keys::kept_keys,
    judge::{Decided, judge_again},
    launch::Work,
    ports::LedgerError,
};

/// Commands one sweep carries out.
const BATCH: usize = 16;

impl Gate {
    /// Carries out what operators asked for since the last sweep.
    pub(crate) async fn carry_out_commands(&self, report: &mut SweepReport) -> Result<(), LedgerError> {
        for command in self.ledger().open_commands(BATCH).await? {
            let result = self.carry_out(&command).await?;
            tracing::info!(
                command = command.id.0,
                by = command.command.by,
                why = command.command.why,
                result,
                "command carried out"
            );
            self.ledger().command_done(command.id, result).await?;
            report.commands += 1;
        }
        Ok(())
    }

    async fn carry_out(&self, command: &CommandRecord) -> Result<String, LedgerError> {
        match &command.command.kind {
            CommandKind::Replay { event, force } => self.replay(event, *force, command).await,
        }
    }

    /// Re-verifies under today's file with the first publish time, decides again, and launches what comes
    /// of it. A command that is carried out twice (a crash before it was noted) re-decides the same
    /// ordinal, so it launches nothing twice.
    async fn replay(
        &self,
        id: &EventId,
        force: bool,
        command: &CommandRecord,
    ) -> Result<String, LedgerError> {
        let Some(stored) = self.ledger().event(id).await? else {
            return Ok(format!("no event {id} is recorded; seek the subscription back instead"));
        };
        let by = format!("command {} by {}: {}", command.id.0, command.command.by, command.command.why);
        let ordinal = if force { forced_ordinal(&stored, &by) } else { 0 };
        let build_facts = match BuildKey::of(&stored.event.build) {
            Some(build) => self.ledger().build_facts(&build).await?,
            None => Vec::new(),
        };
        let named_before = self.named_before(&stored.event.signatures).await?;
        let options = DecideOptions {
            ordinal,
            max_age_met: age_was_met(&stored),
            build_facts: &build_facts,
            named_before: named_before.as_ref(),
        };
        let kept = kept_keys(&stored.event.signatures);
        let ask = |keys: BuildkiteKeys<'_>| judge_again(self.config(), &stored.event, keys, options);
        let judged = match self.with_buildkite_keys(&kept, ask).await {
            Ok(judged) => judged,
            Err(undecided) => return Ok(format!("{undecided}; ask for the replay again")),
        };
        let decided = match judged {
            Judgement::Rejected(rejection) => {
                let refusal = rejection.refusal;
                return Ok(format!("{}/{}: {}", refusal.outcome, refusal.reason, refusal.message));
            }
            Judgement::Decided(decided) => *decided,
        };
        let Decided { event, decisions } = decided;
        let decisions: Vec<_> = decisions
            .decisions
            .into_iter()
            .map(|decision| {
                Arc::new(DecisionRecord { by: Some(by.clone()), ..self.decision_record(&event, decision) })
            })
            .collect();
        if decisions.is_empty() {
            return Ok("no_match: no trigger matches the event today".to_owned());
        }
        let replayable = Outcome::ALL.into_iter().filter(|outcome| !force && outcome.is_replayable());
        let redecision = Redecision {
            event: id.clone(),
            signatures: Vec::new(),
            decisions: decisions.clone(),
            replaces: replayable.map(|outcome| (outcome, None)).collect(),
            adds: true,
            unless_launched: !force,
        };
        let Redecided { written, .. } = self.ledger().redecide(redecision).await?;
        let waits = decisions.iter().any(|decision| decision.outcome == Outcome::WaitingBuild);
        let mut said = Vec::new();
        for decision in decisions {
            if let Some(written) = written.iter().find(|written| written.launch_id == decision.launch_id) {
                let (trigger, outcome, reason) = self.launch(Work::Recorded(written.clone())).await;
                let reason = reason.map_or(String::new(), |reason| format!("/{reason}"));
                said.push(format!("{trigger}: {outcome}{reason}"));
            } else {
                said.push(self.left_alone(&decision).await?);
            }
        }
        if waits {
            let resolved = self.look_again(id).await;
            said.extend(resolved.into_iter().map(|(trigger, outcome)| format!("{trigger}: then {outcome}")));
        }
        Ok(said.join("; "))
    }

    /// Why a decision was not written: a run is there, or the command was carried out before.
    async fn left_alone(&self, decision: &DecisionRecord) -> Result<String, LedgerError> {
        let trigger = &decision.trigger;
        let stored = self.ledger().event(&decision.event).await?;
        let recorded = stored.iter().flat_map(|stored| &stored.decisions).rfind(|recorded| {
            recorded.trigger == *trigger
                && recorded.subject == decision.subject
                && recorded.sha256 == decision.sha256
        });
        Ok(match recorded {
            Some(recorded) if decision.ordinal > 0 && recorded.by != decision.by => {
                format!("{trigger}: another command took ordinal {}; ask again", decision.ordinal)
            }
            Some(recorded) => format!("{trigger}: {}, left as it is", recorded.outcome),
            None => format!("{trigger}: left as it is"),
        })
    }
}

/// Whether every decision recorded for the event found it young enough. Where one did not get as far as
/// asking, the replay asks, against the first publish time: waiting for a replay makes no event older.
fn age_was_met(stored: &StoredEvent) -> bool {
    let met = |decision: &DecisionRecord| {
        let mut rungs = decision.checks.iter();
        rungs.any(|rung| {
            rung.name == "require.maxAge" && matches!(rung.status, CheckStatus::Passed | CheckStatus::Skipped)
        })
    };
    !stored.decisions.is_empty() && stored.decisions.iter().all(met)
}

/// The next ordinal of the event; the same one again when this very command was cut off after deciding.
fn forced_ordinal(stored: &StoredEvent, by: &str) -> u32 {
    let mine = stored.decisions.iter().find(|decision| decision.by.as_deref() == Some(by));
    let highest = || stored.decisions.iter().map(|decision| decision.ordinal).max();
    mine.map_or_else(|| highest().map_or(0, |highest| highest + 1), |decision| decision.ordinal)
}
