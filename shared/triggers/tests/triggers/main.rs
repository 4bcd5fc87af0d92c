//! The triggers file from outside: what `load` says of files, what `decide` says of events.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod an_event;
mod build_facts;
mod candidates;
mod decisions;
mod findings;
mod launches;
mod lints;
mod mutations;
mod sound_files;
mod the_file;
mod vectors;
