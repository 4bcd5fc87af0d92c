//! Decisions that wait for Buildkite's own word, over a real ledger: facts and events in any order.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes a value where it is written")]

#[path = "../interposed/mod.rs"]
mod interposed;
#[path = "../pipeline_file/mod.rs"]
mod pipeline_file;
#[path = "../scripted_vertex/mod.rs"]
mod scripted_vertex;
mod world;

mod asked_builds;
mod meta_data;
mod noted_artifacts;
mod waiting_decisions;
