//! The file and the connections to it.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::{fault::OpenError, migrations::migrate};

/// How long a statement waits for another process's write lock. Well below a push's deadline.
const BUSY: Duration = Duration::from_secs(5);

/// Pages of write-ahead log after which it is folded into the database, about 16 MB: fewer foldings, each
/// with two more flushes, for a few more milliseconds at each.
const CHECKPOINT_PAGES: i64 = 4000;

/// Makes the file (mode 0600, its folder 0700) when it is missing, and brings it to the newest version.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    protect(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    let mut db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(sqlite)?;
    db.busy_timeout(BUSY).map_err(sqlite)?;
    migrate(&mut db, path)?;
    configure_writer(&db).map_err(sqlite)?;
    Ok(db)
}

/// The log is flushed at every commit: what is answered survives a power cut.
fn configure_writer(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -8192)?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// A connection that can only read.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// The ledger names pipelines, service accounts and artifacts: nobody else's business. `SQLite` gives the
/// log beside the file the file's own mode.
fn protect(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}
