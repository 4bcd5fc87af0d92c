//! `launchgate demo`.
use crate::{failure::Failure, output::Output};
use clap::Args;
#[derive(Debug, Args)]
pub(crate) struct Demo {}
impl Demo {
    pub(crate) fn run(self, _output: &Output) -> Result<u8, Failure> {
        Ok(0)
    }
}
