//! Builds that named their artifacts by webhook, and builds that Buildkite's API is asked about.

use std::time::Duration;

use launchgate_engine::{BuildKey, BuildToAsk};
use launchgate_statement::{EventDigest, Timestamp};
use rusqlite::{Connection, params};

use crate::{
    column::{Plain, count},
    fault::Fault,
};

/// Notes the event that a build made of its artifacts, unless it made one before; gives the first.
pub(crate) fn name_artifacts(
    db: &Connection,
    build_id: &str,
    event: EventDigest,
    now: Timestamp,
) -> Result<EventDigest, Fault> {
    let sql = "INSERT OR IGNORE INTO artifact_sets (build_id, digest, named) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![build_id, event.0.as_bytes(), now.micros()])?;
    let sql = "SELECT digest FROM artifact_sets WHERE build_id = ?1";
    Ok(EventDigest(db.prepare_cached(sql)?.query_row([build_id], |row| Ok(row.get::<_, Plain<_>>(0)?.0))?))
}

/// Builds that decisions have waited for and that may be asked for now.
pub(crate) fn to_ask(
    db: &Connection,
    waited: Duration,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<BuildToAsk>, Fault> {
    let sql = "SELECT e.build ->> 'organization' AS o, e.build ->> 'pipeline' AS p, e.build ->> 'number' AS n, \
               coalesce(a.asked, 0) FROM decisions d JOIN events e ON e.seq = d.event \
               LEFT JOIN build_asks a ON a.organization = e.build ->> 'organization' \
               AND a.pipeline = e.build ->> 'pipeline' AND a.number = e.build ->> 'number' \
               WHERE d.outcome = 'waiting_build' AND d.decided <= ?1 AND coalesce(a.due_at, 0) <= ?2 \
               GROUP BY o, p, n ORDER BY coalesce(a.due_at, 0), min(d.decided) LIMIT ?3";
    let before = now.plus_micros(-micros(waited));
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![before.micros(), now.micros(), count(limit)], |row| {
        let (number, asked): (i64, i64) = (row.get(2)?, row.get(3)?);
        let build = BuildKey {
            organization: row.get(0)?,
            pipeline: row.get(1)?,
            number: u64::try_from(number).unwrap_or_default(),
        };
        Ok(BuildToAsk { build, asked: u32::try_from(asked).unwrap_or(u32::MAX) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a build was asked for.
pub(crate) fn asked(db: &Connection, build: &BuildKey, pause: Duration, now: Timestamp) -> Result<(), Fault> {
    let sql = "INSERT INTO build_asks (organization, pipeline, number, asked, due_at) VALUES (?1, ?2, ?3, 1, ?4) \
               ON CONFLICT DO UPDATE SET asked = asked + 1, due_at = excluded.due_at";
    let number = i64::try_from(build.number).unwrap_or(i64::MAX);
    let due = now.plus_micros(micros(pause));
    db.prepare_cached(sql)?.execute(params![build.organization, build.pipeline, number, due.micros()])?;
    Ok(())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
