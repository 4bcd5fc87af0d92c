//! The schema, version by version.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::fault::OpenError;

/// One file for each version, oldest first. A file that was released is never changed: databases made
/// by it exist.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_record.sql"),
    include_str!("../migrations/0002_build_facts.sql"),
    include_str!("../migrations/0003_conditions.sql"),
    include_str!("../migrations/0004_artifacts.sql"),
    include_str!("../migrations/0005_near_misses.sql"),
    include_str!("../migrations/0006_weblink.sql"),
    include_str!("../migrations/0007_runs.sql"),
];

/// The application id that the first migration writes.
const APPLICATION_ID: i64 = 0x6c67_6c31;

/// Brings a database to the newest version, each step in one transaction.
pub(crate) fn migrate(db: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    loop {
        // Immediate: of two processes that start at once, one migrates and the other then sees it done.
        let step = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        let found = version(&step).map_err(sqlite)?;
        let empty = step
            .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get::<_, bool>(0))
            .map_err(sqlite)?;
        let application: i64 =
            step.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sqlite)?;
        if !(empty && found == 0) && application != APPLICATION_ID {
            return Err(OpenError::Foreign(path.to_owned()));
        }
        if found > known || found < 0 {
            return Err(OpenError::Newer { path: path.to_owned(), found, known });
        }
        let Some(sql) = usize::try_from(found).ok().and_then(|next| MIGRATIONS.get(next)) else {
            return Ok(());
        };
        step.execute_batch(sql).map_err(sqlite)?;
        step.pragma_update(None, "user_version", found + 1).map_err(sqlite)?;
        step.commit().map_err(sqlite)?;
    }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}
