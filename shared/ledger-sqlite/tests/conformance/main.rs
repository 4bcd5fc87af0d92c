//! The rules every ledger keeps, run against `SQLite`, and what only `SQLite` promises.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

mod a;
mod sqlite;
mod suite;
mod throughput;

use launchgate_ledger_sqlite::{Options, SqliteLedger};
use tempfile::TempDir;

/// A ledger in a folder of its own, which goes away with it.
struct Fresh {
    ledger: Option<SqliteLedger>,
    folder: TempDir,
}

impl Fresh {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Some(open(&folder));
        Self { ledger, folder }
    }
}

fn open(folder: &TempDir) -> SqliteLedger {
    SqliteLedger::open(folder.path().join("ledger.db"), Options::default()).unwrap()
}

impl suite::Factory for Fresh {
    type Ledger = SqliteLedger;

    fn fresh() -> Self {
        Self::new()
    }

    fn ledger(&self) -> &SqliteLedger {
        self.ledger.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.ledger = None;
        self.ledger = Some(open(&self.folder));
    }
}

/// The writer does not ask `SQLite` to check references; after every test they must hold all the same.
impl Drop for Fresh {
    fn drop(&mut self) {
        self.ledger = None;
        let db = rusqlite::Connection::open(self.folder.path().join("ledger.db")).unwrap();
        let broken = db.prepare("PRAGMA foreign_key_check").unwrap().exists([]);
        if !std::thread::panicking() {
            assert!(!broken.unwrap(), "a row points at one that is not there");
        }
    }
}

suite::conformance!(crate::Fresh);
