//! New decisions on a known event.

use std::time::Duration;

use launchgate_engine::{DecisionRecord, Fence, Redecided, Redecision};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{EventId, Timestamp};
use launchgate_triggers::LaunchId;
use launchgate_trust::VerifiedSignature;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    column::{Json, json},
    decision::{DecisionRow, SELECT_DECISION, decision},
    fault::Fault,
    receipt::event_seq,
};

/// A redecision ready to be written.
pub(crate) struct RedecisionRows {
    event: EventId,
    signatures: Vec<VerifiedSignature>,
    decisions: Vec<DecisionRow>,
    replaces: Vec<(Outcome, Option<Reason>)>,
    lease: Duration,
}

impl RedecisionRows {
    pub(crate) fn new(redecision: Redecision) -> Result<Self, Fault> {
        let Redecision { event, signatures, decisions, replaces, lease } = redecision;
        let decisions = decisions.into_iter().map(DecisionRow::new).collect::<Result<_, _>>()?;
        Ok(Self { event, signatures, decisions, replaces, lease })
    }

    pub(crate) fn redecide(&self, db: &Connection, now: Timestamp) -> Result<Redecided, Fault> {
        let Some(event) = event_seq(db, &self.event)? else {
            return Err(Fault::Refused(format!("no event {} is recorded", self.event)));
        };
        self.add_signatures(db, event)?;
        let mut written = Vec::new();
        for row in &self.decisions {
            let fence = match recorded(db, &row.record.launch_id)? {
                None => Some(row.insert(db, event, now, self.lease_for(row))?),
                Some(old) => self.replace(db, event, row, &old, now)?,
            };
            written.extend(fence.map(|fence| (row.record.launch_id.clone(), fence)));
        }
        Ok(Redecided { written, now })
    }

    /// What is open is claimed.
    fn lease_for(&self, row: &DecisionRow) -> Option<Duration> {
        row.record.outcome.is_open().then_some(self.lease)
    }

    fn replace(
        &self,
        db: &Connection,
        event: i64,
        row: &DecisionRow,
        old: &DecisionRecord,
        now: Timestamp,
    ) -> Result<Option<Fence>, Fault> {
        if old.event != self.event {
            return Err(Fault::Refused(format!("{} belongs to event {}", old.launch_id, old.event)));
        }
        // What would change nothing is not written, so that asking again after a lost answer adds no
        // second page to the history.
        if !self.may_replace(old) || *old == *row.record {
            return Ok(None);
        }
        let sql = "INSERT INTO decision_history (event, replaced, decision) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![event, now.micros(), json(old)?])?;
        row.replace(db, now, self.lease_for(row))
    }

    fn may_replace(&self, old: &DecisionRecord) -> bool {
        self.replaces
            .iter()
            .any(|(outcome, reason)| *outcome == old.outcome && (reason.is_none() || *reason == old.reason))
    }

    /// One signature for each signer: the first recorded stays.
    fn add_signatures(&self, db: &Connection, event: i64) -> Result<(), Fault> {
        if self.signatures.is_empty() {
            return Ok(());
        }
        let mut union: Vec<VerifiedSignature> = db
            .prepare_cached("SELECT signatures FROM events WHERE seq = ?1")?
            .query_row([event], |row| Ok(row.get::<_, Json<_>>(0)?.0))?;
        let before = union.len();
        for signature in &self.signatures {
            if union.iter().all(|known| known.signer != signature.signer) {
                union.push(signature.clone());
            }
        }
        if union.len() > before {
            db.prepare_cached("UPDATE events SET signatures = ?2 WHERE seq = ?1")?
                .execute(params![event, json(&union)?])?;
        }
        Ok(())
    }
}

fn recorded(db: &Connection, launch_id: &LaunchId) -> Result<Option<DecisionRecord>, Fault> {
    let sql = format!("{SELECT_DECISION} WHERE d.launch_id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([launch_id.as_str()], decision).optional()?)
}
