//! New decisions on a known event.

use std::sync::Arc;

use launchgate_engine::{DecisionRecord, Redecided, Redecision};
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
    standing::settled,
};

/// A redecision ready to be written.
pub(crate) struct RedecisionRows {
    event: EventId,
    signatures: Vec<VerifiedSignature>,
    decisions: Vec<DecisionRow>,
    replaces: Vec<(Outcome, Option<Reason>)>,
    adds: bool,
    unless_launched: bool,
}

impl RedecisionRows {
    pub(crate) fn new(redecision: Redecision) -> Result<Self, Fault> {
        let Redecision { event, signatures, decisions, replaces, adds, unless_launched } = redecision;
        let decisions = decisions.into_iter().map(DecisionRow::new).collect::<Result<_, _>>()?;
        Ok(Self { event, signatures, decisions, replaces, adds, unless_launched })
    }

    pub(crate) fn redecide(&self, db: &Connection, now: Timestamp) -> Result<Redecided, Fault> {
        let Some(event) = event_seq(db, &self.event)? else {
            return Err(Fault::Refused(format!("no event {} is recorded", self.event)));
        };
        let signatures = self.add_signatures(db, event)?;
        let mut written = Vec::new();
        for row in &self.decisions {
            if self.unless_launched && may_run_already(db, event, row)? {
                continue;
            }
            let old = recorded(db, &row.record.launch_id)?;
            let may_be_written = match &old {
                Some(old) if old.event != self.event => {
                    return Err(Fault::Refused(format!("{} belongs to event {}", old.launch_id, old.event)));
                }
                Some(old) => self.may_replace(old),
                None => self.adds,
            };
            if !may_be_written {
                continue;
            }
            let settled = settled(db, row, now)?;
            let row = settled.as_ref().unwrap_or(row);
            match old {
                None => row.insert(db, event, now, None)?,
                // What would change nothing is not written, so that asking again after a lost answer adds no
                // second page to the history.
                Some(old) if old == *row.record => continue,
                Some(old) => replace(db, event, row, &old, now)?,
            }
            written.push(Arc::clone(&row.record));
        }
        Ok(Redecided { written, signatures })
    }

    fn may_replace(&self, old: &DecisionRecord) -> bool {
        self.replaces
            .iter()
            .any(|(outcome, reason)| *outcome == old.outcome && (reason.is_none() || *reason == old.reason))
    }

    /// One signature for each signer: the first recorded stays. Gives the union.
    fn add_signatures(&self, db: &Connection, event: i64) -> Result<Vec<VerifiedSignature>, Fault> {
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
        Ok(union)
    }
}

fn replace(
    db: &Connection,
    event: i64,
    row: &DecisionRow,
    old: &DecisionRecord,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "INSERT INTO decision_history (event, replaced, decision) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![event, now.micros(), json(old)?])?;
    row.replace(db, now)
}

/// Whether another ordinal of the same subject and trigger has a run, may have one, or is still open.
fn may_run_already(db: &Connection, event: i64, row: &DecisionRow) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM decisions d JOIN decision_bodies b ON b.decision = d.seq \
               WHERE d.event = ?1 AND d.trigger_name = ?2 AND b.subject = ?3 AND b.sha256 = ?4 \
               AND d.launch_id <> ?5 AND (d.open = 1 OR d.outcome IN ('launched', 'launch_unknown'))";
    let record = &row.record;
    Ok(db.prepare_cached(sql)?.exists(params![
        event,
        record.trigger.as_str(),
        record.subject,
        record.sha256.as_bytes(),
        record.launch_id.as_str()
    ])?)
}

fn recorded(db: &Connection, launch_id: &LaunchId) -> Result<Option<DecisionRecord>, Fault> {
    let sql = format!("{SELECT_DECISION} WHERE d.launch_id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([launch_id.as_str()], decision).optional()?)
}
