//! What the engine needs of the world, in its own words.

mod failures;
mod ledger;
mod vertex;

pub use failures::{FailureNotice, Failures, NoFailureTopic};
pub use ledger::{Ledger, LedgerError};
pub use vertex::{CallError, CallErrorKind, Vertex};
