//! Everything held of one event.

use launchgate_engine::{DecisionRecord, EventRecord, StoredEvent};
use launchgate_statement::{EventDigest, EventId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::{
    admission::event_outcome,
    column::{Json, Plain},
    decision::{SELECT_DECISION, decision},
    fault::Fault,
    receipt::receipts_of,
};

/// The event, its decisions (ordinals ascending), what was replaced, and its deliveries.
pub(crate) fn event(db: &Connection, id: &EventId) -> Result<Option<StoredEvent>, Fault> {
    let sql = "SELECT e.*, r.recorded FROM events e JOIN receipts r ON r.seq = e.seq WHERE e.id = ?1";
    let found = db
        .prepare_cached(sql)?
        .query_row([id.as_str()], |row| {
            Ok((row.get::<_, i64>("seq")?, row.get::<_, Plain<_>>("recorded")?.0, record(row)?))
        })
        .optional()?;
    let Some((seq, recorded, event)) = found else { return Ok(None) };
    Ok(Some(StoredEvent {
        outcome: event_outcome(db, seq)?,
        recorded,
        decisions: decisions_of(db, seq)?,
        history: history_of(db, seq)?,
        receipts: receipts_of(db, seq, id)?,
        event,
    }))
}

fn record(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    Ok(EventRecord {
        id: row.get::<_, Plain<_>>("id")?.0,
        digest: EventDigest(row.get::<_, Plain<_>>("digest")?.0),
        first_published: row.get::<_, Plain<_>>("first_published")?.0,
        data: row.get("data")?,
        signatures: row.get::<_, Json<_>>("signatures")?.0,
        build: row.get::<_, Json<_>>("build")?.0,
        artifacts: row.get::<_, Json<_>>("artifacts")?.0,
        checks: row.get::<_, Json<_>>("checks")?.0,
        unmatched: row.get("unmatched")?,
    })
}

fn decisions_of(db: &Connection, event: i64) -> Result<Vec<DecisionRecord>, Fault> {
    let sql = format!("{SELECT_DECISION} WHERE d.event = ?1 ORDER BY d.ordinal, d.seq");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([event], decision)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn history_of(db: &Connection, event: i64) -> Result<Vec<DecisionRecord>, Fault> {
    let mut statement =
        db.prepare_cached("SELECT decision FROM decision_history WHERE event = ?1 ORDER BY seq")?;
    let rows = statement.query_map([event], |row| Ok(row.get::<_, Json<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
