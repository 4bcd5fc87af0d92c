//! Test cases of a triggers file: builds that might be, and what the file must say of them.
//!
//! Promises: cases are judged by the code that decides in production, signatures included. Does not: launch,
//! read a ledger, or look at a clock when a case gives its own time.

mod coverage;
mod expectation;
mod file;
mod junit;
mod proof;
mod run;

pub(crate) use coverage::TriggerCoverage;
pub(crate) use file::{CaseFile, find};
pub(crate) use junit::junit;
pub(crate) use run::{CaseResult, Runner};
