//! The durable record.

use std::time::Duration;

use async_trait::async_trait;
use launchgate_statement::EventId;
use launchgate_triggers::{LaunchId, TriggerName};
use launchgate_trust::BuildFacts;

use crate::{
    Admission, Admitted, BuildKey, Claim, Command, CommandId, CommandRecord, DecisionRecord, Durability,
    EventFilter, EventSummary, Fence, KeptFacts, NearMissCount, Page, Progress, ReceiptRecord, Recorded,
    Redecided, Redecision, StoredEvent, UnheededBuild,
};

/// The durable record of receipts, events, decisions and commands. Its own clock is the only one that
/// leases and delays are measured by, so holders need not agree on the time.
///
/// Every `Ok` means durable (but `Durability::MayRide`). Every call is safe to repeat: a lost response of
/// a write that took must not make the repetition fail or write twice.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Records a new event with its receipt, decisions and claims in one commit, or, when the event is
    /// known, the receipt alone as `duplicate`. Two concurrent admissions of one event yield one `New`.
    async fn admit(&self, admission: Admission) -> Result<Admitted, LedgerError>;

    /// Records a delivery that became no event.
    async fn record_receipt(&self, receipt: ReceiptRecord) -> Result<(), LedgerError>;

    /// Adds signers to a known event and replaces or adds decisions, in one commit. A holder of a replaced
    /// record can write nothing into the new one. A decision that waits is due when its time is over; one that
    /// waits already keeps its end.
    async fn redecide(&self, redecision: Redecision) -> Result<Redecided, LedgerError>;

    /// Takes an open decision whose lease has run out (compare-and-set; the fence grows by one). One that is
    /// `waiting_build` has nothing to send: its claim begins no intent and leaves nothing unanswered.
    async fn claim(&self, launch_id: &LaunchId, lease: Duration) -> Result<Claim, LedgerError>;

    /// Records what an attempt came to and ends the claim, if `fence` is still the newest. Recording the
    /// same again under the same fence is `Yes`.
    async fn record(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        progress: Progress,
        durability: Durability,
    ) -> Result<Recorded, LedgerError>;

    /// Open decisions whose delay and lease have run out, oldest first.
    async fn due(&self, limit: usize) -> Result<Vec<LaunchId>, LedgerError>;

    /// `failed_launch` decisions whose failure has not been told yet, oldest first.
    async fn untold_failures(&self, limit: usize) -> Result<Vec<DecisionRecord>, LedgerError>;

    /// Notes that a failure has been told.
    async fn failure_told(&self, launch_id: &LaunchId) -> Result<(), LedgerError>;

    /// Keeps facts if they are the newest of their build, whatever order they come in, and marks the build as
    /// unheeded in the same commit.
    async fn keep_build_facts(&self, facts: BuildFacts) -> Result<KeptFacts, LedgerError>;

    /// What is kept of the builds of this name, the newest first.
    async fn build_facts(&self, build: &BuildKey) -> Result<Vec<BuildFacts>, LedgerError>;

    /// Events with a decision that is `waiting_build` for this build, oldest first.
    async fn waiting_for(&self, build: &BuildKey) -> Result<Vec<EventId>, LedgerError>;

    /// Builds whose newest facts nobody has noted as heeded, oldest first.
    async fn unheeded_builds(&self, limit: usize) -> Result<Vec<UnheededBuild>, LedgerError>;

    /// Notes that everything that waited was decided by these facts; newer ones stay unheeded.
    async fn build_heeded(&self, heeded: &UnheededBuild) -> Result<(), LedgerError>;

    /// Records what an operator asks for.
    async fn ask(&self, command: Command) -> Result<CommandId, LedgerError>;

    /// Commands that nobody has carried out, oldest first.
    async fn open_commands(&self, limit: usize) -> Result<Vec<CommandRecord>, LedgerError>;

    /// Notes what became of a command.
    async fn command_done(&self, id: CommandId, result: String) -> Result<(), LedgerError>;

    /// One command.
    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, LedgerError>;

    /// Everything held of one event.
    async fn event(&self, id: &EventId) -> Result<Option<StoredEvent>, LedgerError>;

    /// Events and rejected deliveries, newest first.
    async fn events(&self, filter: EventFilter) -> Result<Page<EventSummary>, LedgerError>;

    /// How often one clause alone kept triggers (or this one) from matching, the count that grew last first.
    /// Each new event's `Admission::near_misses` count once, whatever comes again.
    async fn near_misses(
        &self,
        trigger: Option<&TriggerName>,
        limit: usize,
    ) -> Result<Vec<NearMissCount>, LedgerError>;

    /// Whether a write can be made durable now; for `/readyz`.
    async fn ready(&self) -> Result<(), LedgerError>;

    /// Makes durable what may still ride; for shutdown.
    async fn flush(&self) -> Result<(), LedgerError>;
}

/// The ledger could not answer. Nothing can be said about whether a write took; repeating is safe.
#[derive(Clone, Debug, thiserror::Error)]
#[error("ledger: {0}")]
pub struct LedgerError(pub String);
