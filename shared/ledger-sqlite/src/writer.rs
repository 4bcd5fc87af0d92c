//! The one thread that writes: what is queued while one commit is being flushed shares the next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use launchgate_engine::ports::LedgerError;
use launchgate_statement::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::{clock::Clock, fault::Fault};

/// Writes that may wait in the queue. Above it callers are turned away at once: better one refused
/// delivery that comes again than all of them past their deadline.
const QUEUE: usize = 2048;

/// Writes in one commit. Bounds how long the first of them waits for the last.
const BATCH: usize = 256;

/// How long a write that may ride waits for company. Part of the port's promise.
const RIDE: Duration = Duration::from_millis(5);

/// One queued write.
trait Task: Send {
    /// May wait for company; nobody waits for it.
    fn rides(&self) -> bool;
    /// Does its statements inside a transaction. May be called again after that was rolled back.
    fn run(&mut self, db: &Connection, now: Timestamp) -> Result<(), Fault>;
    /// Tells whoever waits, once the commit is flushed or has failed.
    fn answer(self: Box<Self>, committed: Result<(), LedgerError>);
}

struct Waiting<F, T> {
    write: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

struct Riding<F> {
    write: F,
}

impl<F, T> Task for Waiting<F, T>
where
    F: FnMut(&Connection, Timestamp) -> Result<T, Fault> + Send,
    T: Send,
{
    fn rides(&self) -> bool {
        false
    }

    fn run(&mut self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        self.result = Some((self.write)(db, now)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), LedgerError>) {
        let Self { result, reply, .. } = *self;
        let answer =
            committed.and_then(|()| result.ok_or_else(|| LedgerError("the write was not tried".into())));
        // A caller that has gone away asked for nothing that must be undone.
        let _ = reply.send(answer);
    }
}

impl<F> Task for Riding<F>
where
    F: FnMut(&Connection, Timestamp) -> Result<(), Fault> + Send,
{
    fn rides(&self) -> bool {
        true
    }

    fn run(&mut self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        (self.write)(db, now)
    }

    fn answer(self: Box<Self>, committed: Result<(), LedgerError>) {
        if let Err(error) = committed {
            tracing::warn!(%error, "a launched mark was not recorded; the sweep will find the run again");
        }
    }
}

/// The way to the writing thread. Dropping it commits what is queued and waits for that.
pub(crate) struct Writer {
    queue: Option<SyncSender<Box<dyn Task>>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub(crate) fn start(db: Connection, clock: Arc<Clock>) -> std::io::Result<Self> {
        let (queue, tasks) = sync_channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || Desk { db, clock, commits: counted }.serve(&tasks))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits })
    }

    /// Does a write and answers when it is durable. Dropping the future does not take it back.
    pub(crate) async fn write<T, F>(&self, write: F) -> Result<T, LedgerError>
    where
        F: FnMut(&Connection, Timestamp) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Waiting { write, result: None, reply }))?;
        answer.await.map_err(|_| stopped())?
    }

    /// Queues a write that nobody waits for: durable with the next commit, 5 ms later at most.
    pub(crate) fn ride<F>(&self, write: F) -> Result<(), LedgerError>
    where
        F: FnMut(&Connection, Timestamp) -> Result<(), Fault> + Send + 'static,
    {
        self.enqueue(Box::new(Riding { write }))
    }

    /// Commits so far; each is one flush of the log.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn enqueue(&self, task: Box<dyn Task>) -> Result<(), LedgerError> {
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => LedgerError(format!("{QUEUE} writes are waiting; try again later")),
            TrySendError::Disconnected(_) => stopped(),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's writing thread had panicked");
        }
    }
}

fn stopped() -> LedgerError {
    LedgerError("the writing thread has stopped; see the log, then restart".into())
}

struct Desk {
    db: Connection,
    clock: Arc<Clock>,
    commits: Arc<AtomicU64>,
}

impl Desk {
    fn serve(mut self, tasks: &Receiver<Box<dyn Task>>) {
        let mut batch = Vec::with_capacity(BATCH);
        // When the riders in the batch leave without company.
        let mut departure: Option<Instant> = None;
        loop {
            let first = match departure {
                None => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => tasks.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            let closed = matches!(first, Err(RecvTimeoutError::Disconnected));
            batch.extend(first);
            while batch.len() < BATCH
                && let Ok(task) = tasks.try_recv()
            {
                batch.push(task);
            }
            let late = departure.is_some_and(|at| at <= Instant::now());
            if closed || late || batch.len() == BATCH || batch.iter().any(|task| !task.rides()) {
                self.commit(&mut batch);
                departure = None;
            } else if departure.is_none() {
                departure = Some(Instant::now() + RIDE);
            }
            if closed {
                return;
            }
        }
    }

    /// Commits the batch as one; when a write in it fails, each alone, so that it spoils no other.
    fn commit(&mut self, batch: &mut Vec<Box<dyn Task>>) {
        match self.transact(batch) {
            Err(fault) if batch.len() > 1 && !fault.is_busy() => {
                for mut task in batch.drain(..) {
                    let committed = self.transact(std::slice::from_mut(&mut task)).map_err(LedgerError::from);
                    task.answer(committed);
                }
            }
            committed => {
                let committed = committed.map_err(LedgerError::from);
                for task in batch.drain(..) {
                    task.answer(committed.clone());
                }
            }
        }
    }

    fn transact(&mut self, tasks: &mut [Box<dyn Task>]) -> Result<(), Fault> {
        if tasks.is_empty() {
            return Ok(());
        }
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for task in tasks {
            task.run(&transaction, self.clock.now())?;
        }
        transaction.commit()?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
