//! The durable record.

use std::time::Duration;

use async_trait::async_trait;
use launchgate_outcome::Check;
use launchgate_statement::{EventDigest, EventId};
use launchgate_triggers::{ArtifactRule, LaunchId, TriggerName};
use launchgate_trust::BuildFacts;

use crate::{
    Admission, Admitted, BuildKey, BuildToAsk, CheckRecorded, CheckedArtifact, Claim, Command, CommandId,
    CommandRecord, DecisionRecord, Durability, EventFilter, EventSummary, Fence, FollowedRun, KeptFacts,
    NearMissCount, Page, Progress, ReceiptRecord, Recorded, Redecided, Redecision, RunSeen, StoredEvent,
    UnheededBuild,
};

/// The durable record of receipts, events, decisions and commands. Its own clock is the only one that
/// leases and delays are measured by, so holders need not agree on the time.
///
/// # Conditions
///
/// A decision to launch may ask for what only the ledger knows (`DecisionRecord::asked`). Before one is written
/// as an intent, by `admit` or `redecide`, the ledger finds its `Standing` and writes what
/// `DecisionRecord::under` makes of it. Of two decisions that ask for the same, in whatever processes, one must
/// see what the other wrote: reading the standing and writing the intent are one serializable transaction (one
/// writer, as in `SQLite`; or a transaction that reads and writes a document of each key, line and trigger).
///
/// - `once`: the holder is the decision of this key that is open or ended as `launched` or `launch_unknown`.
///   A key is held by that alone: whatever ends a decision without a run frees it in the same write. Forced
///   replays (`ordinal` above 0) hold none.
/// - `newest`: the newest of the line's decisions that are `launched`, of any ordinal, with a higher number.
/// - `per_hour`: the trigger's decisions with such a limit, of any ordinal, that are open with something to send,
///   or whose run (or `launch_unknown`) was recorded within the last 60 minutes by the ledger's clock. So no 60
///   minutes see more launches than the limit, also when an outage ends and what was retried goes through.
///
/// Every `Ok` means durable (but `Durability::MayRide`). Every call is safe to repeat: a lost response of
/// a write that took must not make the repetition fail or write twice.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Records a new event with its receipt, decisions and claims in one commit, or, when the event is
    /// known, the receipt alone as `duplicate`. Two concurrent admissions of one event yield one `New`.
    /// Decisions are put [under their conditions](#conditions) in their order; the receipt of a new event says
    /// what came of it.
    async fn admit(&self, admission: Admission) -> Result<Admitted, LedgerError>;

    /// Records a delivery that became no event.
    async fn record_receipt(&self, receipt: ReceiptRecord) -> Result<(), LedgerError>;

    /// Adds signers to a known event and replaces or adds decisions, in one commit. A holder of a replaced
    /// record can write nothing into the new one. A decision that waits is due when its time is over; one that
    /// waits already keeps its end. What may be written is first put [under its conditions](#conditions).
    async fn redecide(&self, redecision: Redecision) -> Result<Redecided, LedgerError>;

    /// Takes an open decision whose lease has run out (compare-and-set; the fence grows by one). One that is
    /// `waiting_build` or `waiting_artifact` has nothing to send yet: its claim begins no intent and leaves
    /// nothing unanswered. One of ordinal 0 that no call of which may have been accepted (nothing is unanswered) is
    /// asked for `conditions.newest` once more, in the same commit: it ends as `DecisionRecord::superseded_by` says
    /// when a newer build was launched meanwhile.
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

    /// Lets a claim last this long from now, if `fence` is still the newest and has recorded nothing.
    async fn renew(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        lease: Duration,
    ) -> Result<Recorded, LedgerError>;

    /// Writes the ladder of a decision that waited for its artifact, and what follows, in one commit, if `fence`
    /// is still the newest. To launch begins the intent: from then on a call may be unanswered. It is asked once
    /// more whether a newer build was launched since the claim: looking may have taken long.
    async fn artifact_checked(
        &self,
        launch_id: &LaunchId,
        fence: Fence,
        checks: Vec<Check>,
        checked: CheckedArtifact,
    ) -> Result<CheckRecorded, LedgerError>;

    /// Decisions that are `waiting_artifact` under this rule and whose delay and lease have run out, oldest first.
    async fn due_checks(&self, rule: ArtifactRule, limit: usize) -> Result<Vec<LaunchId>, LedgerError>;

    /// Open decisions whose delay and lease have run out, oldest first; without those that are
    /// `waiting_artifact`.
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

    /// Notes which event a build, by its id, made by webhook of the artifacts it named, unless it made another one
    /// before; gives the first.
    async fn name_artifacts(&self, build_id: &str, event: EventDigest) -> Result<EventDigest, LedgerError>;

    /// Builds that some decision has waited for at least this long and that may be asked for now; those that were
    /// never asked for first, then the longest due.
    async fn builds_to_ask(&self, waited: Duration, limit: usize) -> Result<Vec<BuildToAsk>, LedgerError>;

    /// Notes that a build was asked for, and that it may be again after `pause`.
    async fn build_asked(&self, build: &BuildKey, pause: Duration) -> Result<(), LedgerError>;
    /// Takes a run that is followed, because something hints at a change: for `lease` nobody else gets it from
    /// `follow_due`. `None` when it is not followed (any more).
    async fn follow_now(
        &self,
        launch_id: &LaunchId,
        lease: Duration,
    ) -> Result<Option<FollowedRun>, LedgerError>;

    /// Takes runs that nobody has looked at for long enough, the longest due first, each for `lease`. A run is
    /// followed from the commit that records its launch until its end is recorded.
    async fn follow_due(&self, limit: usize, lease: Duration) -> Result<Vec<FollowedRun>, LedgerError>;

    /// Records what a look at a run found, if it is still followed. One that goes on is due again after `again`;
    /// an end is recorded once, and what is seen later changes nothing.
    async fn run_seen(&self, launch_id: &LaunchId, seen: RunSeen, again: Duration)
    -> Result<(), LedgerError>;

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
