//! The triggers file from outside: what `load` says of files, what `decide` says of events.
#![allow(clippy::format_collect, reason = "test texts are short")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod an_event;
mod artifact_demands;
mod bad_input;
mod build_facts;
mod candidates;
mod decisions;
mod defaults;
mod every_field;
mod findings;
mod identity;
mod kfp;
mod launches;
mod lints;
mod mutations;
mod places;
mod remote_templates;
mod sound_files;
mod the_file;
mod turns;
mod typed_parameters;
mod vectors;
mod webhook_signer;
