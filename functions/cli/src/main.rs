//! `launchgate`: everything about the gate that people do from a terminal or a build step.
//!
//! Promises: stdout is data, stderr is talk; every exit code means what DESIGN §8 says; nothing here calls
//! Vertex AI (`demo` and `serve` run the service itself). Does not: decide; that is the engine's.

#![allow(clippy::doc_markdown, reason = "the comments of options are help texts, read in a terminal")]
#![allow(
    clippy::format_push_string,
    reason = "texts are put together once for a person; `write!` would leave a Result at every line"
)]

mod artifact_arguments;
mod asking;
mod buildkite_keys;
mod built_images;
mod cases;
mod clock;
mod command_line;
mod commands;
mod decision_changes;
mod demo;
mod event_in_meta_data;
mod event_source;
mod failure;
mod fixture;
mod job;
mod job_agent;
mod keyless;
mod ladder;
mod local_file;
mod meta_data;
mod output;
mod private_key;
mod progress;
mod publish;
mod publishing;
mod push_message;
mod remote_artifact;
mod signing;
mod started_on;
mod template_arguments;
mod told_event;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let command_line = command_line::CommandLine::parse();
    let output = output::Output::new(command_line.output);
    match command_line.command.run(&output) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
