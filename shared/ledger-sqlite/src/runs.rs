//! Following runs from their launch to their end.

use std::time::Duration;

use launchgate_engine::{FIRST_LOOK, FollowedRun, Run, RunSeen};
use launchgate_statement::Timestamp;
use launchgate_triggers::LaunchId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    clock::micros,
    column::{Json, Plain, count, json},
    decision::{SELECT_DECISION, decision},
    fault::Fault,
};

/// Follows the run that was just recorded as launched; again is the same.
pub(crate) fn follow(db: &Connection, launch_id: &LaunchId, now: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT OR IGNORE INTO runs_followed (decision, since, looks, look_at) \
               SELECT seq, ?2, 0, ?3 FROM decisions WHERE launch_id = ?1";
    let first = now.plus_micros(micros(FIRST_LOOK));
    db.prepare_cached(sql)?.execute(params![launch_id.as_str(), now.micros(), first.micros()])?;
    Ok(())
}

/// Selects what `followed` reads.
fn select() -> String {
    let columns = SELECT_DECISION.replacen("SELECT ", "SELECT f.since, f.looks, ", 1);
    format!("{columns} JOIN runs_followed f ON f.decision = d.seq")
}

/// Takes one run, whenever it is due.
pub(crate) fn now(
    db: &Connection,
    launch_id: &LaunchId,
    lease: Duration,
    now: Timestamp,
) -> Result<Option<FollowedRun>, Fault> {
    let sql = format!("{} WHERE d.launch_id = ?1", select());
    let found =
        db.prepare_cached(&sql)?.query_row([launch_id.as_str()], |row| followed(row, now)).optional()?;
    if found.is_some() {
        take(db, launch_id, lease, now)?;
    }
    Ok(found)
}

/// Takes runs that nobody has looked at for long enough.
pub(crate) fn due(
    db: &Connection,
    limit: usize,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<FollowedRun>, Fault> {
    let sql = format!("{} WHERE f.look_at <= ?1 ORDER BY f.look_at LIMIT ?2", select());
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![now.micros(), count(limit)], |row| followed(row, now))?;
    let found: Vec<FollowedRun> = rows.collect::<Result<_, _>>()?;
    for run in &found {
        take(db, &run.decision.launch_id, lease, now)?;
    }
    Ok(found)
}

/// Whether any run is due, without taking it: the sweep asks often and mostly for nothing.
pub(crate) fn any_due(db: &Connection, now: Timestamp) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM runs_followed WHERE look_at <= ?1)";
    Ok(db.prepare_cached(sql)?.query_row([now.micros()], |row| row.get(0))?)
}

fn take(db: &Connection, launch_id: &LaunchId, lease: Duration, now: Timestamp) -> Result<(), Fault> {
    let sql = "UPDATE runs_followed SET look_at = ?2 \
               WHERE decision = (SELECT seq FROM decisions WHERE launch_id = ?1)";
    let until = now.plus_micros(micros(lease));
    db.prepare_cached(sql)?.execute(params![launch_id.as_str(), until.micros()])?;
    Ok(())
}

/// Records what a look found, if the run is still followed.
pub(crate) fn seen(
    db: &Connection,
    launch_id: &LaunchId,
    seen: &RunSeen,
    again: Duration,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "SELECT d.seq, d.run FROM runs_followed f JOIN decisions d ON d.seq = f.decision \
               WHERE d.launch_id = ?1";
    let found = db
        .prepare_cached(sql)?
        .query_row([launch_id.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Json<Run>>>(1)?.map(|run| run.0)))
        })
        .optional()?;
    let Some((decision, run)) = found else { return Ok(()) };
    if let Some(run) = run {
        let state = seen.state.clone().or(run.state);
        let run = Run { state, end: seen.end, error: seen.error.clone(), ..run };
        let sql = "UPDATE decisions SET run = ?2, changed = ?3 WHERE seq = ?1";
        db.prepare_cached(sql)?.execute(params![decision, json(&run)?, now.micros()])?;
    }
    if seen.end.is_some() {
        db.prepare_cached("DELETE FROM runs_followed WHERE decision = ?1")?.execute([decision])?;
    } else {
        let sql = "UPDATE runs_followed SET look_at = ?2, looks = looks + 1 WHERE decision = ?1";
        let next = now.plus_micros(micros(again));
        db.prepare_cached(sql)?.execute(params![decision, next.micros()])?;
    }
    Ok(())
}

fn followed(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<FollowedRun> {
    Ok(FollowedRun {
        decision: decision(row)?,
        since: row.get::<_, Plain<Timestamp>>("since")?.0,
        looks: row.get("looks")?,
        now,
    })
}
