//! `launchgate completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::{command_line::CommandLine, failure::Failure, output::Output};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  launchgate completions bash > ~/.local/share/bash-completion/completions/launchgate
  launchgate completions zsh > ~/.zfunc/_launchgate
  launchgate completions fish > ~/.config/fish/completions/launchgate.fish")]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "launchgate", &mut script);
        output.data(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}
