//! `launchgate schema`.

use clap::Args;

use crate::{failure::Failure, output::Output};

#[derive(Debug, Args)]
#[command(after_help = "\
Editors with a YAML language server then check and complete the triggers file as you type:
  launchgate schema > launchgate.schema.json
  # first line of launchgate.yaml:
  # yaml-language-server: $schema=./launchgate.schema.json")]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let Self {} = self;
        output.data(launchgate_triggers::json_schema())?;
        Ok(0)
    }
}
