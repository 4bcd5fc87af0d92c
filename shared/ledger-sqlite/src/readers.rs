//! Reading beside the writer: connections that can only read, each read on one snapshot.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use launchgate_engine::ports::LedgerError;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{database::open_reader, fault::Fault};

/// Reads at once. Listings are for people; more would only take the disk from the writer.
const READERS: usize = 4;

/// A few connections, opened when first needed.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, idle: Mutex::default(), free: Arc::new(Semaphore::new(READERS)) })
    }

    /// Does a read off the async threads, everything in it as of one instant.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, read: F) -> Result<T, LedgerError>
    where
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.free)
            .acquire_owned()
            .await
            .map_err(|_| LedgerError("the ledger is closed".into()))?;
        let readers = Arc::clone(self);
        let work = move || {
            let _permit = permit;
            let db = readers.take()?;
            let answer = {
                let snapshot = db.unchecked_transaction()?;
                let answer = read(&snapshot);
                snapshot.finish()?;
                answer
            };
            readers.give_back(db);
            answer
        };
        let answer: Result<T, Fault> =
            tokio::task::spawn_blocking(work).await.map_err(|error| LedgerError(error.to_string()))?;
        answer.map_err(LedgerError::from)
    }

    /// Closes the idle connections.
    pub(crate) fn close(&self) {
        self.free.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> Result<Connection, Fault> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open_reader(&self.path).map_err(Fault::from), Ok)
    }

    fn give_back(&self, db: Connection) {
        if !self.free.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        }
    }
}
