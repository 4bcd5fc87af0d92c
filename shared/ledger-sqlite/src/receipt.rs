//! Deliveries.

use launchgate_engine::ReceiptRecord;
use launchgate_outcome::Outcome;
use launchgate_statement::{EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    column::{Json, Plain, json},
    fault::Fault,
};

/// Bytes kept of a rejected body. Attackers choose this content, so it is bounded here as well, whatever
/// the caller hands in.
const BODY: usize = 64 * 1024;

/// A receipt ready to be written: the JSON is made on the caller's thread, not on the writer's.
pub(crate) struct ReceiptRow {
    receipt: ReceiptRecord,
    checks: String,
}

impl ReceiptRow {
    pub(crate) fn new(mut receipt: ReceiptRecord) -> Result<Self, Fault> {
        if is_rejected(receipt.outcome) {
            receipt.body.truncate(BODY);
        } else {
            receipt.body = Vec::new();
        }
        let checks = json(&receipt.checks)?;
        Ok(Self { receipt, checks })
    }

    /// Writes the first receipt of a new event and gives its seq, which is to be the event's too.
    pub(crate) fn insert_first(&self, db: &Connection, now: Timestamp) -> Result<i64, Fault> {
        let seq = db
            .prepare_cached("SELECT coalesce(max(seq), 0) + 1 FROM receipts")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        self.insert(db, now, Some(seq), Some(seq))?;
        Ok(seq)
    }

    /// Writes the receipt of an event that is known.
    pub(crate) fn insert_duplicate(&self, db: &Connection, now: Timestamp, event: i64) -> Result<(), Fault> {
        let sql = "INSERT INTO receipts (recorded, message_id, publish_time, subscription, sender, outcome, \
                   event, checks, body) VALUES (?1, ?2, ?3, ?4, ?5, 'duplicate', ?6, '[]', x'')";
        let receipt = &self.receipt;
        db.prepare_cached(sql)?.execute(params![
            now.micros(),
            receipt.message_id,
            receipt.publish_time.map(Timestamp::micros),
            receipt.subscription,
            receipt.sender,
            event
        ])?;
        Ok(())
    }

    /// Writes the receipt of a delivery that became no event. A rejected one is never counted among the
    /// deliveries of the event it claims to be: nothing proves that claim.
    pub(crate) fn insert_alone(&self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        let event = match &self.receipt.event {
            Some(id) if !is_rejected(self.receipt.outcome) => event_seq(db, id)?,
            _ => None,
        };
        self.insert(db, now, None, event)
    }

    fn insert(
        &self,
        db: &Connection,
        now: Timestamp,
        seq: Option<i64>,
        event: Option<i64>,
    ) -> Result<(), Fault> {
        let sql = "INSERT INTO receipts (seq, recorded, message_id, publish_time, subscription, sender, \
                   outcome, reason, message, event, claimed_event, checks, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let receipt = &self.receipt;
        let claimed = receipt.event.as_ref().filter(|_| event.is_none());
        db.prepare_cached(sql)?.execute(params![
            seq,
            now.micros(),
            receipt.message_id,
            receipt.publish_time.map(Timestamp::micros),
            receipt.subscription,
            receipt.sender,
            receipt.outcome.as_str(),
            receipt.reason.map(launchgate_outcome::Reason::as_str),
            receipt.message,
            event,
            claimed.map(EventId::as_str),
            self.checks,
            receipt.body
        ])?;
        Ok(())
    }
}

/// The deliveries of an event, oldest first.
pub(crate) fn receipts_of(db: &Connection, event: i64, id: &EventId) -> Result<Vec<ReceiptRecord>, Fault> {
    let sql = "SELECT * FROM receipts WHERE seq = ?1 \
               UNION ALL SELECT * FROM receipts WHERE event = ?1 AND event <> seq ORDER BY seq";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([event], |row| receipt(row, id))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn receipt(row: &Row<'_>, id: &EventId) -> rusqlite::Result<ReceiptRecord> {
    Ok(ReceiptRecord {
        message_id: row.get("message_id")?,
        publish_time: row.get::<_, Option<Plain<_>>>("publish_time")?.map(|at| at.0),
        subscription: row.get("subscription")?,
        sender: row.get("sender")?,
        outcome: row.get::<_, Plain<_>>("outcome")?.0,
        reason: row.get::<_, Option<Plain<_>>>("reason")?.map(|reason| reason.0),
        message: row.get("message")?,
        event: Some(id.clone()),
        checks: row.get::<_, Json<_>>("checks")?.0,
        body: row.get("body")?,
    })
}

/// The seq of an event.
pub(crate) fn event_seq(db: &Connection, id: &EventId) -> Result<Option<i64>, Fault> {
    let mut statement = db.prepare_cached("SELECT seq FROM events WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

fn is_rejected(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::RejectedAuth
            | Outcome::RejectedMalformed
            | Outcome::RejectedSignature
            | Outcome::RejectedStatement
    )
}
