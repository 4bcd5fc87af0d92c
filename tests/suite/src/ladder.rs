//! The checks ladder as the ledger keeps it.
//!
//! `launchgate events show` shows that of an event; a rejected delivery became none, and its ladder is read
//! from the database itself.

use launchgate_outcome::{Check, CheckStatus};

use crate::Folder;

/// What the ledger holds after one delivery: how it ended, why, and every rung that was recorded for it.
#[derive(Debug)]
pub struct RecordedLadder {
    /// The stable code of the outcome.
    pub outcome: String,
    /// The stable code of the reason.
    pub reason: Option<String>,
    /// The rungs of the delivery, of its event and of its decisions.
    pub checks: Vec<Check>,
}

impl RecordedLadder {
    /// The names of the rungs that failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.checks.iter().filter(|check| check.status == CheckStatus::Failed);
        failed.map(|check| check.name.as_str()).collect()
    }
}

impl Folder {
    /// The ladder of the only delivery recorded.
    pub fn recorded_ladder(&self) -> RecordedLadder {
        let ledger = rusqlite::Connection::open(self.path().join("launchgate.db")).unwrap();
        let sql = "SELECT outcome, reason FROM receipts";
        let receipts: Vec<(String, Option<String>)> =
            rows(&ledger, sql, |row| Ok((row.get("outcome")?, row.get("reason")?)));
        assert_eq!(receipts.len(), 1, "{receipts:?}");
        let (outcome, reason) = receipts.into_iter().next().unwrap();
        let ladders = ["receipts", "events", "decision_bodies"].into_iter().flat_map(|table| {
            rows(&ledger, &format!("SELECT checks FROM {table}"), |row| row.get::<_, String>("checks"))
        });
        let checks = ladders.flat_map(|ladder| serde_json::from_str::<Vec<Check>>(&ladder).unwrap());
        RecordedLadder { outcome, reason, checks: checks.collect() }
    }
}

fn rows<T>(
    ledger: &rusqlite::Connection,
    sql: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut statement = ledger.prepare(sql).unwrap();
    statement.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap()
}
