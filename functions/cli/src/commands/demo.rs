//! `launchgate demo`.

use clap::{Args, Subcommand};

use crate::{command_line::block_on, demo, failure::Failure, output::Output};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Makes keys and a triggers file in a scratch folder, starts the service and a strict stand-in of Vertex AI on
loopback, hashes a real file, and delivers good, forged, stale, unmatched and repeated events over HTTP.

Examples:
  launchgate demo
  launchgate demo --keep          the service stays up to play with
  launchgate demo buildkite       whole builds, told by what their steps run

Exit codes: 0 every event came to what it must · 1 one did not, and the last lines say which"
)]
pub(crate) struct Demo {
    /// Keep the service up until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Port of the service on 127.0.0.1 with --keep; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8080, requires = "keep")]
    port: u16,
    #[command(subcommand)]
    play: Option<Play>,
}

/// Another play than the usual one.
#[derive(Debug, Subcommand)]
enum Play {
    /// Whole builds, told by what their steps run: emit, verify, wait; by topic and by meta-data
    #[command(after_help = "\
Each command that is shown is run as a step of a job, with a stand-in of buildkite-agent on PATH (a shell script that
needs curl), against the real service and a stand-in of Vertex AI on loopback.

Examples:
  launchgate demo buildkite

Exit codes: 0 every step came to what it must · 1 one did not, see the lines marked ✗")]
    Buildkite,
}

impl Demo {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        match self.play {
            None => block_on(demo::play(self.keep.then_some(self.port), output)),
            Some(Play::Buildkite) => block_on(demo::build::play(output)),
        }
    }
}
