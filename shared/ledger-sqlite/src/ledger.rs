//! The port, on one writing thread and a few readers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use launchgate_engine::{
    Admission, Admitted, BuildKey, BuildToAsk, CheckRecorded, CheckedArtifact, Claim, Command, CommandId,
    CommandRecord, DecisionRecord, Durability, EventFilter, EventSummary, Fence, FollowedRun, KeptFacts,
    NearMissCount, Page, Progress, ReceiptRecord, Recorded, Redecided, Redecision, RunSeen, StoredEvent,
    UnheededBuild,
    ports::{Ledger, LedgerError},
};
use launchgate_outcome::Check;
use launchgate_statement::{EventDigest, EventId};
use launchgate_triggers::{ArtifactRule, LaunchId, TriggerName};
use launchgate_trust::BuildFacts;
use rusqlite::Connection;

use crate::{
    admission::AdmissionRows,
    artifact_checks::{self, CheckedRow},
    build_asks, build_facts,
    claims::{self, ProgressRow},
    clock::Clock,
    commands,
    database::open_writer,
    disk::memory_file_system,
    event,
    fault::OpenError,
    listing, near_misses,
    readers::Readers,
    receipt::ReceiptRow,
    redecision::RedecisionRows,
    runs,
    writer::Writer,
};

/// What the caller knows of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The triggers file types out `ephemeralDisk: allowed`.
    pub ephemeral_disk_allowed: bool,
    /// The platform throws the disk away with the instance: `K_SERVICE` or `AWS_LAMBDA_FUNCTION_NAME` is
    /// set.
    pub on_ephemeral_platform: bool,
}

/// The ledger in one `SQLite` file. Dropping it commits what still rides.
pub struct SqliteLedger {
    path: PathBuf,
    clock: Arc<Clock>,
    writer: Writer,
    readers: Arc<Readers>,
}

impl SqliteLedger {
    /// Opens the file, making it (mode 0600) or bringing its schema up to date when needed.
    ///
    /// # Errors
    /// `NotDurable` where launches would be forgotten with the instance; `Newer` and `Foreign` for a file
    /// that is not ours to write; else what the operating system or `SQLite` says.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        if options.on_ephemeral_platform && !options.ephemeral_disk_allowed {
            return Err(OpenError::NotDurable(path));
        }
        let db = open_writer(&path)?;
        if options.on_ephemeral_platform {
            tracing::warn!(path = %path.display(), "the ledger's disk ends with this instance; launches may repeat");
        } else if let Some(kind) = memory_file_system(&path) {
            tracing::warn!(path = %path.display(), kind, "the ledger lies in memory and ends with this machine");
        }
        let floor = newest_time(&db).map_err(|source| OpenError::Sqlite { path: path.clone(), source })?;
        let clock = Arc::new(Clock::not_before(floor));
        let writer = Writer::start(db, Arc::clone(&clock))
            .map_err(|source| OpenError::File { path: path.clone(), source })?;
        Ok(Self { readers: Readers::new(path.clone()), path, clock, writer })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Commits since it was opened, each one flush to the disk; for metrics.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        // Before the writer: the last connection folds the log into the file, and must be able to write.
        self.readers.close();
    }
}

/// The newest time on record, so that a restart under a clock set back goes on from there.
fn newest_time(db: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max(coalesce((SELECT recorded FROM receipts ORDER BY seq DESC LIMIT 1), 0), \
               coalesce((SELECT asked FROM commands ORDER BY id DESC LIMIT 1), 0), \
               coalesce((SELECT max(claimed_at) FROM decisions WHERE open = 1), 0))";
    db.query_row(sql, [], |row| row.get(0))
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn admit(&self, admission: Admission) -> Result<Admitted, LedgerError> {
        let rows = AdmissionRows::new(admission)?;
        self.writer.write(move |db, now| rows.admit(db, now)).await
    }

    async fn record_receipt(&self, receipt: ReceiptRecord) -> Result<(), LedgerError> {
        let row = ReceiptRow::new(receipt)?;
        self.writer.write(move |db, now| row.insert_alone(db, now)).await
    }

    async fn redecide(&self, redecision: Redecision) -> Result<Redecided, LedgerError> {
        let rows = RedecisionRows::new(redecision)?;
        self.writer.write(move |db, now| rows.redecide(db, now)).await
    }

    async fn claim(&self, launch_id: &LaunchId, lease: Duration) -> Result<Claim, LedgerError> {
        let launch_id = launch_id.clone();
        self.writer.write(move |db, now| claims::claim(db, &launch_id, lease, now)).await
    }

    async fn record(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        progress: Progress,
        durability: Durability,
    ) -> Result<Recorded, LedgerError> {
        let row = ProgressRow::new(launch_id.clone(), fence, progress)?;
        match durability {
            Durability::Now => self.writer.write(move |db, now| row.record(db, now)).await,
            Durability::MayRide => {
                self.writer.ride(move |db, now| {
                    if row.record(db, now)? == Recorded::FenceLost {
                        tracing::warn!(
                            launch_id = row.launch_id().as_str(),
                            "a launched mark came after its lease was taken over"
                        );
                    }
                    Ok(())
                })?;
                Ok(Recorded::Yes)
            }
        }
    }

    async fn renew(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        lease: Duration,
    ) -> Result<Recorded, LedgerError> {
        let launch_id = launch_id.clone();
        self.writer.write(move |db, now| artifact_checks::renew(db, &launch_id, fence, lease, now)).await
    }

    async fn artifact_checked(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        checks: Vec<Check>,
        checked: CheckedArtifact,
    ) -> Result<CheckRecorded, LedgerError> {
        let row = CheckedRow::new(launch_id.clone(), fence, &checks, checked)?;
        self.writer.write(move |db, now| row.write(db, now)).await
    }

    async fn due_checks(&self, rule: ArtifactRule, limit: usize) -> Result<Vec<LaunchId>, LedgerError> {
        let now = self.clock.now();
        self.readers.read(move |db| artifact_checks::due(db, rule, now, limit)).await
    }

    async fn due(&self, limit: usize) -> Result<Vec<LaunchId>, LedgerError> {
        let now = self.clock.now();
        self.readers.read(move |db| claims::due(db, now, limit)).await
    }

    async fn untold_failures(&self, limit: usize) -> Result<Vec<DecisionRecord>, LedgerError> {
        self.readers.read(move |db| claims::untold_failures(db, limit)).await
    }

    async fn failure_told(&self, launch_id: &LaunchId) -> Result<(), LedgerError> {
        let launch_id = launch_id.clone();
        self.writer.write(move |db, _| claims::failure_told(db, &launch_id)).await
    }

    async fn keep_build_facts(&self, facts: BuildFacts) -> Result<KeptFacts, LedgerError> {
        self.writer.write(move |db, now| build_facts::keep(db, &facts, now)).await
    }

    async fn build_facts(&self, build: &BuildKey) -> Result<Vec<BuildFacts>, LedgerError> {
        let build = build.clone();
        self.readers.read(move |db| build_facts::of_build(db, &build)).await
    }

    async fn waiting_for(&self, build: &BuildKey) -> Result<Vec<EventId>, LedgerError> {
        let build = build.clone();
        self.readers.read(move |db| build_facts::waiting_for(db, &build)).await
    }

    async fn unheeded_builds(&self, limit: usize) -> Result<Vec<UnheededBuild>, LedgerError> {
        self.readers.read(move |db| build_facts::unheeded(db, limit)).await
    }

    async fn build_heeded(&self, heeded: &UnheededBuild) -> Result<(), LedgerError> {
        let heeded = heeded.clone();
        self.writer.write(move |db, _| build_facts::heeded(db, &heeded)).await
    }

    async fn name_artifacts(&self, build_id: &str, event: EventDigest) -> Result<EventDigest, LedgerError> {
        let build_id = build_id.to_owned();
        self.writer.write(move |db, now| build_asks::name_artifacts(db, &build_id, event, now)).await
    }

    async fn builds_to_ask(&self, waited: Duration, limit: usize) -> Result<Vec<BuildToAsk>, LedgerError> {
        let now = self.clock.now();
        self.readers.read(move |db| build_asks::to_ask(db, waited, now, limit)).await
    }

    async fn build_asked(&self, build: &BuildKey, pause: Duration) -> Result<(), LedgerError> {
        let build = build.clone();
        self.writer.write(move |db, now| build_asks::asked(db, &build, pause, now)).await
    }

    async fn follow_now(
        &self,
        launch_id: &LaunchId,
        lease: Duration,
    ) -> Result<Option<FollowedRun>, LedgerError> {
        let launch_id = launch_id.clone();
        self.writer.write(move |db, now| runs::now(db, &launch_id, lease, now)).await
    }

    async fn follow_due(&self, limit: usize, lease: Duration) -> Result<Vec<FollowedRun>, LedgerError> {
        let now = self.clock.now();
        if !self.readers.read(move |db| runs::any_due(db, now)).await? {
            return Ok(Vec::new());
        }
        self.writer.write(move |db, now| runs::due(db, limit, lease, now)).await
    }

    async fn run_seen(
        &self,
        launch_id: &LaunchId,
        seen: RunSeen,
        again: Duration,
    ) -> Result<(), LedgerError> {
        let launch_id = launch_id.clone();
        self.writer.write(move |db, now| runs::seen(db, &launch_id, &seen, again, now)).await
    }

    async fn ask(&self, command: Command) -> Result<CommandId, LedgerError> {
        self.writer.write(move |db, now| commands::ask(db, &command, now)).await
    }

    async fn open_commands(&self, limit: usize) -> Result<Vec<CommandRecord>, LedgerError> {
        self.readers.read(move |db| commands::open_commands(db, limit)).await
    }

    async fn command_done(&self, id: CommandId, result: String) -> Result<(), LedgerError> {
        self.writer.write(move |db, now| commands::command_done(db, id, &result, now)).await
    }

    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, LedgerError> {
        self.readers.read(move |db| commands::command(db, id)).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<StoredEvent>, LedgerError> {
        let id = id.clone();
        self.readers.read(move |db| event::event(db, &id)).await
    }

    async fn events(&self, filter: EventFilter) -> Result<Page<EventSummary>, LedgerError> {
        self.readers.read(move |db| listing::events(db, &filter)).await
    }

    async fn near_misses(
        &self,
        trigger: Option<&TriggerName>,
        limit: usize,
    ) -> Result<Vec<NearMissCount>, LedgerError> {
        let trigger = trigger.cloned();
        self.readers.read(move |db| near_misses::counts(db, trigger.as_ref(), limit)).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        let sql = "INSERT INTO probe (one, at) VALUES (1, ?1) ON CONFLICT DO UPDATE SET at = excluded.at";
        self.writer
            .write(move |db, now| {
                db.prepare_cached(sql)?.execute([now.micros()])?;
                Ok(())
            })
            .await
    }

    async fn flush(&self) -> Result<(), LedgerError> {
        // Whatever rides leaves with the first write that somebody waits for.
        self.writer.write(|_, _| Ok(())).await
    }
}
