//! `launchgate demo`.

use clap::Args;

use crate::{command_line::block_on, demo, failure::Failure, output::Output};

#[derive(Debug, Args)]
#[command(after_help = "\
Makes keys and a triggers file in a scratch folder, starts the service and a strict stand-in of Vertex AI on
loopback, hashes a real file, and delivers good, forged, stale, unmatched and repeated events over HTTP.

Examples:
  launchgate demo
  launchgate demo --keep          the service stays up to play with

Exit codes: 0 every event came to what it must · 1 one did not, and the last lines say which")]
pub(crate) struct Demo {
    /// Keep the service up until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Port of the service on 127.0.0.1 with --keep; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8080, requires = "keep")]
    port: u16,
}

impl Demo {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        block_on(demo::play(self.keep.then_some(self.port), output))
    }
}
