//! How often one clause alone kept a trigger from matching.

use launchgate_engine::NearMissCount;
use launchgate_statement::Timestamp;
use launchgate_triggers::{NearMiss, TriggerName};
use rusqlite::{Connection, Row, named_params, params};

use crate::{
    column::{Plain, count},
    fault::Fault,
};

/// Counts a new event's near misses. Within the commit of the event, so that none is lost and none counts
/// twice.
pub(crate) fn add(db: &Connection, event: i64, misses: &[NearMiss], now: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT INTO near_misses (trigger_name, clause, events, first, last, last_event) \
               VALUES (?1, ?2, 1, ?3, ?3, ?4) ON CONFLICT DO UPDATE \
               SET events = events + 1, last = excluded.last, last_event = excluded.last_event";
    for miss in misses {
        db.prepare_cached(sql)?.execute(params![
            miss.trigger.as_str(),
            miss.clause.as_str(),
            now.micros(),
            event
        ])?;
    }
    Ok(())
}

/// The counts, the one that grew last first.
pub(crate) fn counts(
    db: &Connection,
    trigger: Option<&TriggerName>,
    limit: usize,
) -> Result<Vec<NearMissCount>, Fault> {
    let sql = "SELECT n.*, e.id FROM near_misses n JOIN events e ON e.seq = n.last_event \
               WHERE (:trigger IS NULL OR n.trigger_name = :trigger) \
               ORDER BY n.last DESC, n.last_event DESC, n.trigger_name, n.clause LIMIT :limit";
    let mut statement = db.prepare_cached(sql)?;
    let trigger = trigger.map(TriggerName::as_str);
    let rows = statement.query_map(named_params! { ":trigger": trigger, ":limit": count(limit) }, counted)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn counted(row: &Row<'_>) -> rusqlite::Result<NearMissCount> {
    Ok(NearMissCount {
        trigger: row.get::<_, Plain<_>>("trigger_name")?.0,
        clause: row.get::<_, Plain<_>>("clause")?.0,
        events: row.get::<_, i64>("events")?.unsigned_abs(),
        first: row.get::<_, Plain<_>>("first")?.0,
        last: row.get::<_, Plain<_>>("last")?.0,
        last_event: row.get::<_, Plain<_>>("id")?.0,
    })
}
