//! `launchgate version`.

use clap::Args;
use serde_json::json;

use crate::{failure::Failure, output::Output};

#[derive(Debug, Args)]
pub(crate) struct Version {}

impl Version {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let Self {} = self;
        let version = env!("CARGO_PKG_VERSION");
        if output.is_json() {
            output.json(&json!({ "name": "launchgate", "version": version }))?;
        } else {
            output.data(&format!("launchgate {version}"))?;
        }
        Ok(0)
    }
}
