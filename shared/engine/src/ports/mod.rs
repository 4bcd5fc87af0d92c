//! What the engine needs of the world, in its own words.

mod artifacts;
mod buildkite_api;
mod buildkite_keys;
mod failures;
mod ledger;
mod vertex;

pub use artifacts::{ArtifactCheck, ArtifactSeen, NoArtifactCheck};
pub use buildkite_api::{AnsweredBuild, BuildkiteApi, BuildkiteApiError};
pub use buildkite_keys::{BuildkiteKeySource, NoBuildkiteKeys};
pub use failures::{FailureNotice, Failures, NoFailureTopic};
pub use ledger::{Ledger, LedgerError};
pub use vertex::{CallError, CallErrorKind, Vertex};
