//! The file and the connections to it.
//!
//! A new database is made whole under another name and then linked to its own: creating a schema in place
//! costs a dozen flushes of the disk, and a service that starts while a build waits has no time for them.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
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
    let file = |source| OpenError::File { path: path.to_owned(), source };
    make_folder(path).map_err(file)?;
    if !path.exists() {
        make_database(path)?;
    }
    protect(path).map_err(file)?;
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
    // The references hold by how rows are written (the suite checks them with `foreign_key_check`); having
    // SQLite look every parent up again would cost each event four searches.
    db.pragma_update(None, "foreign_keys", false)?;
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

fn make_folder(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}

/// Makes an empty ledger of the newest version under a name of its own, flushes it once, and links it to
/// `path`. Of two processes that do so at once one links first; the other's copy is dropped.
fn make_database(path: &Path) -> Result<(), OpenError> {
    let file = |source| OpenError::File { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let draft = Draft(name.into());
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft.0).map_err(file)?;
    fill(&draft.0).map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })??;
    fs::File::open(&draft.0).and_then(|made| made.sync_all()).map_err(file)?;
    match fs::hard_link(&draft.0, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(file(error)),
        _ => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(file)
}

/// Writes the schema without a flush: a crash in between leaves a draft that nobody opens.
fn fill(draft: &Path) -> rusqlite::Result<Result<(), OpenError>> {
    let mut db = Connection::open_with_flags(
        draft,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "journal_mode", "MEMORY")?;
    if let Err(error) = migrate(&mut db, draft) {
        return Ok(Err(error));
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.close().map_err(|(_, error)| error)?;
    Ok(Ok(()))
}

/// A file that goes when it is done with.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed is an empty ledger under a name that nobody opens.
        let _ = fs::remove_file(&self.0);
    }
}

/// The ledger names pipelines, service accounts and artifacts: nobody else's business. `SQLite` gives the
/// log beside the file the file's own mode.
fn protect(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}
