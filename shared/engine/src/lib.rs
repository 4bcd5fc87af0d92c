//! The flow of one delivery to its outcome, and everything that finishes what a delivery left open.
//!
//! Promises: every receipt and every decision ends in one recorded outcome; whatever happens between two
//! instructions, at most one run exists for each decision and none is lost. The proof travels in types:
//! `Receipt` → `AuthenticatedReceipt` → `VerifiedEvent` → `Decision` → `LaunchPlan` → `Launched`.
//! Does not: know HTTP, Google, SQL or the wall clock; those are the ports in `ports`.

mod again;
mod artifact_checks;
mod asked;
mod attempt;
mod build_records;
mod buildkite_keys;
mod builds;
mod comparison;
mod gate;
mod judge;
mod launch;
mod metadata;
mod near_miss_count;
pub mod ports;
mod receipt;
mod reconcile;
mod records;
mod rejections;
mod replay;
mod retry;
mod run_log;
mod runs;
mod standing;
mod sweep;

pub use artifact_checks::ArtifactReport;
pub use build_records::{BuildKey, BuildToAsk, FactsKept, KeptFacts, UnheededBuild};
pub use builds::{BuildAnswer, BuildEnd};
pub use comparison::{Difference, same_job};
pub use gate::{Answer, Gate, GateParts, NothingDecided};
pub use judge::{Decided, Judgement, judge, judge_recorded};
pub use near_miss_count::NearMissCount;
pub use receipt::{AuthenticatedReceipt, Receipt, UnreadableDelivery};
pub use records::{
    Admission, Admitted, AttemptRecord, CallSummary, CheckRecorded, CheckedArtifact, Claim, Claimed, Command,
    CommandId, CommandKind, CommandRecord, DecisionRecord, Durability, EventFilter, EventRecord,
    EventSummary, Fence, FollowedRun, Known, Page, Progress, ReceiptRecord, Recorded, Redecided, Redecision,
    Run, StoredEvent,
};
pub use runs::{FIRST_LOOK, RunAnswer, RunEnd, RunSeen};
pub use standing::{Holder, NewerBuild, Standing};
pub use sweep::SweepReport;
