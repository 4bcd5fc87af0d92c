//! What can go wrong with the database.

use std::path::PathBuf;

use launchgate_engine::ports::LedgerError;

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The platform throws the disk away with the instance.
    #[error(
        "the disk under {} is thrown away with the instance (K_SERVICE or AWS_LAMBDA_FUNCTION_NAME is set), \
         so launches would be forgotten and repeated: run on a machine with a disk of its own, or type out \
         `ledger: {{sqlite: …, ephemeralDisk: allowed}}` for a demo", .0.display()
    )]
    NotDurable(PathBuf),
    /// The file or its folder cannot be made or protected.
    #[error("{}: {source}; the ledger needs a folder it may write to", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database was written by a newer version.
    #[error(
        "{} has schema version {found}, this program knows up to {known}: run the newer launchgate that wrote \
         it, or open a copy from before the upgrade", .path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// The file's `user_version`.
        found: i64,
        /// The newest version this program can make.
        known: i64,
    },
    /// The database belongs to another program.
    #[error("{} is a database of another program: name a file of launchgate's own", .0.display())]
    Foreign(PathBuf),
    /// `SQLite` refuses.
    #[error("{}: {source}", .path.display())]
    Sqlite {
        /// Which.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
}

/// Why a statement of the ledger came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// `SQLite`, or a row that cannot be read back.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A value that cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The request does not fit what is recorded.
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    /// Another process holds the write lock for longer than we wait: trying again at once is no use.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy))
    }
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}
