//! A group-committed insert and mark with the gate's pragmas and nothing else: what the disk allows.

use std::{path::Path, sync::mpsc};

use rusqlite::Connection;
use tokio::sync::oneshot;

/// Work for the writer thread.
enum Job {
    Intent { id: [u8; 32], body: String, done: oneshot::Sender<()> },
    Launched { id: [u8; 32], run: String, done: oneshot::Sender<()> },
}

/// One writer thread; everything queued meanwhile goes into one commit.
#[derive(Clone)]
pub(crate) struct BareLedger {
    jobs: mpsc::Sender<Job>,
}

impl BareLedger {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", -8192)?;
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        connection.execute_batch(
            "CREATE TABLE intent (id BLOB PRIMARY KEY, body TEXT NOT NULL, run TEXT) WITHOUT ROWID, STRICT;",
        )?;
        let (jobs, queue) = mpsc::channel();
        std::thread::spawn(move || write(&connection, &queue));
        Ok(Self { jobs })
    }

    pub(crate) async fn intent(&self, id: [u8; 32], body: String) -> anyhow::Result<()> {
        let (done, wait) = oneshot::channel();
        self.jobs.send(Job::Intent { id, body, done })?;
        Ok(wait.await?)
    }

    pub(crate) async fn launched(&self, id: [u8; 32], run: String) -> anyhow::Result<()> {
        let (done, wait) = oneshot::channel();
        self.jobs.send(Job::Launched { id, run, done })?;
        Ok(wait.await?)
    }
}

fn write(connection: &Connection, queue: &mpsc::Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let batch: Vec<Job> = std::iter::once(first).chain(queue.try_iter().take(511)).collect();
        if let Err(error) = commit(connection, &batch) {
            eprintln!("bare ledger: {error}");
            return;
        }
        for job in batch {
            let (Job::Intent { done, .. } | Job::Launched { done, .. }) = job;
            let _ = done.send(());
        }
    }
}

fn commit(connection: &Connection, batch: &[Job]) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for job in batch {
        match job {
            Job::Intent { id, body, .. } => {
                let mut statement =
                    connection.prepare_cached("INSERT OR IGNORE INTO intent (id, body) VALUES (?1, ?2)")?;
                statement.execute((id.as_slice(), body))?;
            }
            Job::Launched { id, run, .. } => {
                let mut statement = connection.prepare_cached("UPDATE intent SET run = ?2 WHERE id = ?1")?;
                statement.execute((id.as_slice(), run))?;
            }
        }
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
