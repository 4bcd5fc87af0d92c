//! Decisions as rows.

use std::{sync::Arc, time::Duration};

use launchgate_engine::{DecisionRecord, Fence};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{EventId, Timestamp};
use launchgate_triggers::LaunchId;
use rusqlite::{Connection, Row, named_params, params};

use crate::{
    build_facts,
    clock::micros,
    column::{Json, Plain, count, json},
    fault::Fault,
    standing::order_number,
};

/// A decision ready to be written: the JSON is made on the caller's thread, not on the writer's.
pub(crate) struct DecisionRow {
    pub(crate) record: Arc<DecisionRecord>,
    checks: String,
    plan: Option<String>,
    signers: String,
    attempts: String,
    run: Option<String>,
    artifact: Option<String>,
}

impl DecisionRow {
    pub(crate) fn new(record: Arc<DecisionRecord>) -> Result<Self, Fault> {
        Ok(Self {
            checks: json(&record.checks)?,
            plan: record.plan.as_ref().map(json).transpose()?,
            signers: json(&record.signers)?,
            attempts: json(&record.attempts)?,
            run: record.run.as_ref().map(json).transpose()?,
            artifact: record.artifact.as_ref().map(json).transpose()?,
            record,
        })
    }

    /// The same decision as its conditions let it be: what the ledger is asked changes no plan and no signer.
    pub(crate) fn with(&self, record: Arc<DecisionRecord>) -> Result<Self, Fault> {
        let Self { plan, signers, attempts, run, artifact, .. } = self;
        Ok(Self {
            checks: json(&record.checks)?,
            plan: plan.clone(),
            signers: signers.clone(),
            attempts: attempts.clone(),
            run: run.clone(),
            artifact: artifact.clone(),
            record,
        })
    }

    /// Writes a decision that is not there yet: claimed under fence 1, or due at once and unclaimed.
    pub(crate) fn insert(
        &self,
        db: &Connection,
        event: i64,
        now: Timestamp,
        lease: Option<Duration>,
    ) -> Result<(), Fault> {
        let sql = "INSERT INTO decisions (launch_id, event, trigger_name, ordinal, outcome, \
                   reason, message, attempts, attempt_count, run, asked_by, open, fence, \
                   recorded_fence, claimed_at, due_at, first_intent, decided, unanswered_since, changed, \
                   failure_told, wait_seconds, artifact_rule, once_key, order_line, order_number, hourly) \
                   VALUES (:launch_id, :event, :trigger_name, :ordinal, :outcome, :reason, :message, \
                   :attempts, :attempt_count, :run, :asked_by, :open, :claimed, 0, \
                   iif(:claimed, :now, NULL), :due_at, iif(:claimed, :now, NULL), :now, \
                   iif(:claimed, :now, NULL), :now, 0, :wait_seconds, :artifact_rule, \
                   :once_key, :order_line, :order_number, :hourly)";
        let record = &self.record;
        let Held { once_key, order_line, order_number, hourly } = self.held();
        db.prepare_cached(sql)?.execute(named_params! {
            ":launch_id": record.launch_id.as_str(),
            ":event": event,
            ":trigger_name": record.trigger.as_str(),
            ":ordinal": record.ordinal,
            ":outcome": record.outcome.as_str(),
            ":reason": record.reason.map(Reason::as_str),
            ":message": record.message,
            ":attempts": self.attempts,
            ":attempt_count": count(record.attempts.len()),
            ":run": self.run,
            ":asked_by": record.by,
            ":open": record.outcome.is_open(),
            ":claimed": lease.is_some(),
            ":due_at": now.plus_micros(lease.map_or_else(|| self.wait_micros(), micros)).micros(),
            ":now": now.micros(),
            ":wait_seconds": self.wait_seconds(),
            ":artifact_rule": self.artifact_rule(),
            ":once_key": once_key,
            ":order_line": order_line,
            ":order_number": order_number,
            ":hourly": hourly,
        })?;
        self.put_body(db, db.last_insert_rowid())?;
        self.note_wait(db, event)
    }

    /// Writes a decision over the recorded one of the same launch id, due at once and unclaimed. The fence
    /// moves on, so that nobody who held the old one writes into the new. The first intent stays the launch
    /// id's first, and so does the note of a call that was never answered.
    pub(crate) fn replace(&self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE decisions SET outcome = :outcome, reason = :reason, message = :message, \
                   attempts = :attempts, attempt_count = :attempt_count, run = :run, \
                   asked_by = :asked_by, open = :open, fence = fence + 1, recorded_fence = fence + 1, \
                   due_at = iif(outcome = 'waiting_build' AND :outcome = 'waiting_build', due_at, :due_at), \
                   decided = :now, changed = :now, failure_told = 0, wait_seconds = :wait_seconds, \
                   artifact_rule = :artifact_rule, \
                   once_key = :once_key, order_line = :order_line, order_number = :order_number, \
                   hourly = :hourly, run_at = NULL WHERE launch_id = :launch_id RETURNING seq, event";
        let record = &self.record;
        let Held { once_key, order_line, order_number, hourly } = self.held();
        let (seq, event) = db.prepare_cached(sql)?.query_row(
            named_params! {
                ":launch_id": record.launch_id.as_str(),
                ":outcome": record.outcome.as_str(),
                ":reason": record.reason.map(Reason::as_str),
                ":message": record.message,
                ":attempts": self.attempts,
                ":attempt_count": count(record.attempts.len()),
                ":run": self.run,
                ":asked_by": record.by,
                ":open": record.outcome.is_open(),
                ":now": now.micros(),
                ":due_at": now.plus_micros(self.wait_micros()).micros(),
                ":wait_seconds": self.wait_seconds(),
                ":artifact_rule": self.artifact_rule(),
                ":once_key": once_key,
                ":order_line": order_line,
                ":order_number": order_number,
                ":hourly": hourly,
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        self.put_body(db, seq)?;
        self.note_wait(db, event)
    }

    /// What it holds and counts for from now on.
    fn held(&self) -> Held<'_> {
        let Some(conditions) = self.record.conditions() else { return Held::default() };
        // A forced replay counts, and holds no key that somebody could want.
        let once = conditions.once.as_ref().filter(|_| self.record.ordinal == 0);
        Held {
            once_key: once.map(|key| key.as_bytes().as_slice()),
            order_line: conditions.newest.as_ref().map(|key| key.line.as_bytes().as_slice()),
            order_number: conditions.newest.map(order_number),
            hourly: conditions.per_hour.map(|_| true),
        }
    }

    /// Notes which build it waits for, when it does.
    fn note_wait(&self, db: &Connection, event: i64) -> Result<(), Fault> {
        if self.record.outcome == Outcome::WaitingBuild { build_facts::wait(db, event) } else { Ok(()) }
    }

    fn wait_seconds(&self) -> Option<i64> {
        self.record.wait_seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    fn artifact_rule(&self) -> Option<&'static str> {
        self.record.artifact.as_ref().map(|demand| demand.rule.as_str())
    }

    /// How long it is left alone by the sweep: what waits for build facts, until its end. An artifact is looked
    /// at at once.
    fn wait_micros(&self) -> i64 {
        match self.record.outcome {
            Outcome::WaitingBuild => self.wait_seconds().unwrap_or(0).saturating_mul(1_000_000),
            _ => 0,
        }
    }

    fn put_body(&self, db: &Connection, decision: i64) -> Result<(), Fault> {
        let sql = "INSERT INTO decision_bodies (decision, subject, sha256, checks, plan, signers, config, \
                   artifact) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (decision) DO UPDATE SET \
                   checks = excluded.checks, plan = excluded.plan, signers = excluded.signers, \
                   config = excluded.config, artifact = excluded.artifact";
        db.prepare_cached(sql)?.execute(params![
            decision,
            self.record.subject,
            self.record.sha256.as_bytes(),
            self.checks,
            self.plan,
            self.signers,
            self.record.config.as_bytes(),
            self.artifact
        ])?;
        Ok(())
    }

    /// Whether an admission claims it: open, and there is something to send.
    pub(crate) fn is_launchable(&self) -> bool {
        self.record.is_launchable() && self.plan.is_some()
    }
}

/// The columns by which other decisions find this one.
#[derive(Default)]
struct Held<'a> {
    once_key: Option<&'a [u8]>,
    order_line: Option<&'a [u8]>,
    order_number: Option<i64>,
    hourly: Option<bool>,
}

/// Selects what `decision` reads, under `d`; say which.
pub(crate) const SELECT_DECISION: &str = "SELECT e.id AS event_id, d.*, b.subject, b.sha256, b.checks, \
    b.plan, b.signers, b.config, b.artifact FROM decisions d JOIN decision_bodies b ON b.decision = d.seq \
    JOIN events e ON e.seq = d.event";

/// A decision read back.
pub(crate) fn decision(row: &Row<'_>) -> rusqlite::Result<DecisionRecord> {
    Ok(DecisionRecord {
        launch_id: row.get::<_, Plain<LaunchId>>("launch_id")?.0,
        event: row.get::<_, Plain<EventId>>("event_id")?.0,
        subject: row.get("subject")?,
        sha256: row.get::<_, Plain<_>>("sha256")?.0,
        trigger: row.get::<_, Plain<_>>("trigger_name")?.0,
        ordinal: row.get("ordinal")?,
        outcome: row.get::<_, Plain<Outcome>>("outcome")?.0,
        reason: row.get::<_, Option<Plain<Reason>>>("reason")?.map(|reason| reason.0),
        message: row.get("message")?,
        checks: row.get::<_, Json<_>>("checks")?.0,
        plan: row.get::<_, Option<Json<_>>>("plan")?.map(|plan| plan.0),
        signers: row.get::<_, Json<_>>("signers")?.0,
        config: row.get::<_, Plain<_>>("config")?.0,
        attempts: row.get::<_, Json<_>>("attempts")?.0,
        run: row.get::<_, Option<Json<_>>>("run")?.map(|run| run.0),
        artifact: row.get::<_, Option<Json<_>>>("artifact")?.map(|demand| demand.0),
        wait_seconds: row
            .get::<_, Option<i64>>("wait_seconds")?
            .and_then(|seconds| u64::try_from(seconds).ok()),
        by: row.get("asked_by")?,
    })
}

/// Fences are counted from 0 by this crate alone.
pub(crate) fn fence_from(value: i64) -> Fence {
    Fence(u64::try_from(value).unwrap_or(0))
}
