//! A new event with its receipt, decisions and claims in one commit.

use std::{sync::Arc, time::Duration};

use launchgate_engine::{Admission, Admitted, DecisionRecord, EventRecord, Known};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::Timestamp;
use launchgate_triggers::NearMiss;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    column::{Json, Plain, json},
    decision::DecisionRow,
    fault::Fault,
    near_misses,
    receipt::ReceiptRow,
    standing::settled,
};

/// An admission ready to be written.
pub(crate) struct AdmissionRows {
    receipt: ReceiptRow,
    event: EventRecord,
    signatures: String,
    build: String,
    artifacts: String,
    checks: String,
    decisions: Vec<DecisionRow>,
    near_misses: Vec<NearMiss>,
    claim: usize,
    lease: Duration,
}

impl AdmissionRows {
    pub(crate) fn new(admission: Admission) -> Result<Self, Fault> {
        let Admission { receipt, event, decisions, near_misses, claim, lease } = admission;
        Ok(Self {
            receipt: ReceiptRow::new(receipt)?,
            signatures: json(&event.signatures)?,
            build: json(&event.build)?,
            artifacts: json(&event.artifacts)?,
            checks: json(&event.checks)?,
            decisions: decisions.into_iter().map(DecisionRow::new).collect::<Result<_, _>>()?,
            near_misses,
            event,
            claim,
            lease,
        })
    }

    pub(crate) fn admit(&self, db: &Connection, now: Timestamp) -> Result<Admitted, Fault> {
        if let Some((event, known)) = self.known(db)? {
            self.receipt.insert_duplicate(db, now, event)?;
            return Ok(Admitted::Known(known));
        }
        let event = self.receipt.insert_first(db, now)?;
        self.insert_event(db, event)?;
        let mut claims = self.claim;
        let mut decisions = Vec::with_capacity(self.decisions.len());
        for asked in &self.decisions {
            let settled = settled(db, asked, now)?;
            let decision = settled.as_ref().unwrap_or(asked);
            let claimed = decision.is_launchable() && claims > 0;
            claims -= usize::from(claimed);
            decision.insert(db, event, now, claimed.then_some(self.lease))?;
            decisions.push(Arc::clone(&decision.record));
        }
        self.correct_receipt(db, event, &decisions)?;
        near_misses::add(db, event, &self.near_misses, now)?;
        Ok(Admitted::New { now, decisions })
    }

    /// The receipt says what the decisions came to, where their conditions ended one.
    fn correct_receipt(
        &self,
        db: &Connection,
        event: i64,
        decisions: &[Arc<DecisionRecord>],
    ) -> Result<(), Fault> {
        let ended =
            self.decisions.iter().zip(decisions).any(|(asked, now)| asked.record.outcome != now.outcome);
        if ended {
            let (outcome, reason) = Admission::comes_to(decisions);
            db.prepare_cached("UPDATE receipts SET outcome = ?2, reason = ?3 WHERE seq = ?1")?
                .execute(params![event, outcome.as_str(), reason.map(Reason::as_str)])?;
        }
        Ok(())
    }

    fn known(&self, db: &Connection) -> Result<Option<(i64, Known)>, Fault> {
        let sql = "SELECT seq, signatures, first_published FROM events WHERE id = ?1";
        let found = db
            .prepare_cached(sql)?
            .query_row([self.event.id.as_str()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Json<_>>(1)?.0, row.get::<_, Plain<Timestamp>>(2)?.0))
            })
            .optional()?;
        let Some((event, signatures, first_published)) = found else { return Ok(None) };
        let outcome = event_outcome(db, event)?;
        Ok(Some((event, Known { outcome, signatures, first_published })))
    }

    fn insert_event(&self, db: &Connection, seq: i64) -> Result<(), Fault> {
        let sql = "INSERT INTO events (seq, id, digest, first_published, data, signatures, pipeline, build, \
                   artifacts, checks, unmatched) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let event = &self.event;
        db.prepare_cached(sql)?.execute(params![
            seq,
            event.id.as_str(),
            event.digest.0.as_bytes(),
            event.first_published.micros(),
            event.data,
            self.signatures,
            event.build.pipeline,
            self.build,
            self.artifacts,
            self.checks,
            event.unmatched
        ])?;
        Ok(())
    }
}

/// How an event stands: the first of its decisions' outcomes, `no_match` when it has none.
pub(crate) fn event_outcome(db: &Connection, event: i64) -> Result<Outcome, Fault> {
    let mut statement = db.prepare_cached("SELECT outcome FROM decisions WHERE event = ?1")?;
    let outcomes = statement.query_map([event], |row| Ok(row.get::<_, Plain<Outcome>>(0)?.0))?;
    let outcomes: Vec<Outcome> = outcomes.collect::<Result<_, _>>()?;
    Ok(outcomes.into_iter().min().unwrap_or(Outcome::NoMatch))
}
