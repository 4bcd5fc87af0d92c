//! How a decision's conditions stand, looked up inside the commit that depends on it.

use std::sync::Arc;

use launchgate_engine::{DecisionRecord, Holder, NewerBuild, Run, Standing};
use launchgate_statement::Timestamp;
use launchgate_triggers::{LaunchId, OnceKey, OrderKey};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    column::{Json, Plain},
    decision::DecisionRow,
    fault::Fault,
};

/// The window of the hourly limit.
const HOUR_MICROS: i64 = 3600 * 1_000_000;

/// Who holds a key. The condition on `open` and `outcome` is the index's own, word for word.
const HOLDER: &str = "SELECT launch_id, run FROM decisions WHERE once_key = ?1 \
    AND (open = 1 OR outcome IN ('launched', 'launch_unknown')) AND launch_id <> ?2";

/// The newest launched build of a line after a number.
const NEWER: &str = "SELECT order_number, launch_id FROM decisions WHERE order_line = ?1 \
    AND order_number > ?2 AND outcome = 'launched' AND launch_id <> ?3 ORDER BY order_number DESC LIMIT 1";

/// The launches of a trigger that are open, and those that came to a run after an instant.
const LAUNCHES: &str = "SELECT \
    (SELECT count(*) FROM decisions WHERE hourly = 1 AND (open = 1 OR run_at IS NOT NULL) \
     AND trigger_name = ?1 AND run_at IS NULL AND launch_id <> ?3) + \
    (SELECT count(*) FROM decisions WHERE hourly = 1 AND (open = 1 OR run_at IS NOT NULL) \
     AND trigger_name = ?1 AND run_at > ?2 AND launch_id <> ?3)";

/// The decision as its conditions let it be recorded; `None` when nothing is asked.
pub(crate) fn settled(
    db: &Connection,
    row: &DecisionRow,
    now: Timestamp,
) -> Result<Option<DecisionRow>, Fault> {
    let record = &row.record;
    let Some(asked) = record.asked() else { return Ok(None) };
    let standing = Standing {
        holder: asked.once.map_or(Ok(None), |key| holder(db, &key, &record.launch_id))?,
        newer: asked.newest.map_or(Ok(None), |key| newer(db, key, &record.launch_id))?,
        launches: asked.per_hour.map_or(Ok(0), |_| launches(db, record, now))?,
    };
    Ok(Some(row.with(Arc::new(record.under(&standing)))?))
}

fn holder(db: &Connection, key: &OnceKey, but: &LaunchId) -> Result<Option<Holder>, Fault> {
    let found = db.prepare_cached(HOLDER)?.query_row(params![key.as_bytes(), but.as_str()], |row| {
        let run = row.get::<_, Option<Json<Run>>>(1)?.map(|run| run.0.name);
        Ok(Holder { launch_id: row.get::<_, Plain<_>>(0)?.0, run })
    });
    Ok(found.optional()?)
}

/// A launched build of the line that is newer, if there is one.
pub(crate) fn newer(db: &Connection, key: OrderKey, but: &LaunchId) -> Result<Option<NewerBuild>, Fault> {
    let parameters = params![key.line.as_bytes(), order_number(key), but.as_str()];
    let found = db.prepare_cached(NEWER)?.query_row(parameters, |row| {
        let number = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        Ok(NewerBuild { number, launch_id: row.get::<_, Plain<_>>(1)?.0 })
    });
    Ok(found.optional()?)
}

fn launches(db: &Connection, record: &DecisionRecord, now: Timestamp) -> Result<u64, Fault> {
    let since = now.plus_micros(-HOUR_MICROS).micros();
    let parameters = params![record.trigger.as_str(), since, record.launch_id.as_str()];
    let count: i64 = db.prepare_cached(LAUNCHES)?.query_row(parameters, |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Build numbers fit: `statement` and `trust` let no larger one through.
pub(crate) fn order_number(key: OrderKey) -> i64 {
    i64::try_from(key.number).unwrap_or(i64::MAX)
}
