//! A real ledger with something put before one of its commits, so that a race is played and not hoped for.
#![allow(dead_code, reason = "each test that plays a race uses its own of these")]

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
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
use launchgate_ledger_sqlite::SqliteLedger;
use launchgate_outcome::Check;
use launchgate_statement::{EventDigest, EventId};
use launchgate_triggers::{ArtifactRule, LaunchId, TriggerName};
use launchgate_trust::BuildFacts;

type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The ledger below, with an errand.
pub(crate) struct Interposed {
    below: SqliteLedger,
    before_admission: Mutex<Option<Errand>>,
    claims_end_at_once: AtomicBool,
}

impl Interposed {
    pub(crate) fn over(below: SqliteLedger) -> Self {
        Self { below, before_admission: Mutex::new(None), claims_end_at_once: AtomicBool::new(false) }
    }

    /// Whether a claim can be taken over as soon as it is made, as if its holder had died long ago.
    pub(crate) fn claims_end_at_once(&self, they_do: bool) {
        self.claims_end_at_once.store(they_do, Ordering::SeqCst);
    }

    /// Runs the errand to its end when the next admission is about to be committed.
    pub(crate) fn before_the_next_admission(&self, errand: impl Future<Output = ()> + Send + 'static) {
        *self.before_admission.lock().unwrap() = Some(Box::pin(errand));
    }
}

#[async_trait]
impl Ledger for Interposed {
    async fn admit(&self, admission: Admission) -> Result<Admitted, LedgerError> {
        let errand = self.before_admission.lock().unwrap().take();
        if let Some(errand) = errand {
            errand.await;
        }
        self.below.admit(admission).await
    }

    async fn record_receipt(&self, receipt: ReceiptRecord) -> Result<(), LedgerError> {
        self.below.record_receipt(receipt).await
    }

    async fn redecide(&self, redecision: Redecision) -> Result<Redecided, LedgerError> {
        self.below.redecide(redecision).await
    }

    async fn claim(&self, launch_id: &LaunchId, lease: Duration) -> Result<Claim, LedgerError> {
        let ended = self.claims_end_at_once.load(Ordering::SeqCst);
        self.below.claim(launch_id, if ended { Duration::ZERO } else { lease }).await
    }

    async fn record(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        progress: Progress,
        durability: Durability,
    ) -> Result<Recorded, LedgerError> {
        self.below.record(launch_id, fence, progress, durability).await
    }

    async fn renew(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        lease: Duration,
    ) -> Result<Recorded, LedgerError> {
        self.below.renew(launch_id, fence, lease).await
    }

    async fn artifact_checked(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        checks: Vec<Check>,
        checked: CheckedArtifact,
    ) -> Result<CheckRecorded, LedgerError> {
        self.below.artifact_checked(launch_id, fence, checks, checked).await
    }

    async fn due_checks(&self, rule: ArtifactRule, limit: usize) -> Result<Vec<LaunchId>, LedgerError> {
        self.below.due_checks(rule, limit).await
    }

    async fn due(&self, limit: usize) -> Result<Vec<LaunchId>, LedgerError> {
        self.below.due(limit).await
    }

    async fn untold_failures(&self, limit: usize) -> Result<Vec<DecisionRecord>, LedgerError> {
        self.below.untold_failures(limit).await
    }

    async fn failure_told(&self, launch_id: &LaunchId) -> Result<(), LedgerError> {
        self.below.failure_told(launch_id).await
    }

    async fn keep_build_facts(&self, facts: BuildFacts) -> Result<KeptFacts, LedgerError> {
        self.below.keep_build_facts(facts).await
    }

    async fn build_facts(&self, build: &BuildKey) -> Result<Vec<BuildFacts>, LedgerError> {
        self.below.build_facts(build).await
    }

    async fn waiting_for(&self, build: &BuildKey) -> Result<Vec<EventId>, LedgerError> {
        self.below.waiting_for(build).await
    }

    async fn unheeded_builds(&self, limit: usize) -> Result<Vec<UnheededBuild>, LedgerError> {
        self.below.unheeded_builds(limit).await
    }

    async fn build_heeded(&self, heeded: &UnheededBuild) -> Result<(), LedgerError> {
        self.below.build_heeded(heeded).await
    }

    async fn name_artifacts(&self, build_id: &str, event: EventDigest) -> Result<EventDigest, LedgerError> {
        self.below.name_artifacts(build_id, event).await
    }

    async fn builds_to_ask(&self, waited: Duration, limit: usize) -> Result<Vec<BuildToAsk>, LedgerError> {
        self.below.builds_to_ask(waited, limit).await
    }

    async fn build_asked(&self, build: &BuildKey, pause: Duration) -> Result<(), LedgerError> {
        self.below.build_asked(build, pause).await
    }

    async fn follow_now(
        &self,
        launch_id: &LaunchId,
        lease: Duration,
    ) -> Result<Option<FollowedRun>, LedgerError> {
        self.below.follow_now(launch_id, lease).await
    }

    async fn follow_due(&self, limit: usize, lease: Duration) -> Result<Vec<FollowedRun>, LedgerError> {
        self.below.follow_due(limit, lease).await
    }

    async fn run_seen(&self, id: &LaunchId, seen: RunSeen, again: Duration) -> Result<(), LedgerError> {
        self.below.run_seen(id, seen, again).await
    }

    async fn ask(&self, command: Command) -> Result<CommandId, LedgerError> {
        self.below.ask(command).await
    }

    async fn open_commands(&self, limit: usize) -> Result<Vec<CommandRecord>, LedgerError> {
        self.below.open_commands(limit).await
    }

    async fn command_done(&self, id: CommandId, result: String) -> Result<(), LedgerError> {
        self.below.command_done(id, result).await
    }

    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, LedgerError> {
        self.below.command(id).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<StoredEvent>, LedgerError> {
        self.below.event(id).await
    }

    async fn events(&self, filter: EventFilter) -> Result<Page<EventSummary>, LedgerError> {
        self.below.events(filter).await
    }

    async fn near_misses(
        &self,
        trigger: Option<&TriggerName>,
        limit: usize,
    ) -> Result<Vec<NearMissCount>, LedgerError> {
        self.below.near_misses(trigger, limit).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.below.ready().await
    }

    async fn flush(&self) -> Result<(), LedgerError> {
        self.below.flush().await
    }
}
