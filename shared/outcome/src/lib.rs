//! What became of a delivery, an event, a decision, and why: the words every other crate answers with.
//!
//! Promises: every code here is stable (people alert on it, dashboards group by it, `docs/reasons.md`
//! is generated from it). Does not: decide anything, know any format, hold any payload.

mod check;
mod outcome;
mod reason;
mod refusal;

pub use check::{Check, CheckStatus, Voucher};
pub use outcome::Outcome;
pub use reason::Reason;
pub use refusal::Refusal;
