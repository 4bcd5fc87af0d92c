//! The command line: names, help texts, examples. `docs/cli.md` is generated from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use launchgate_service::{Environment, TriggersFile, Unusable};
use launchgate_triggers::Config;

use crate::{
    commands::{
        completions::Completions, demo::Demo, diff::Diff, docs::Docs, emit::Emit, events::Events,
        explain::Explain, init::Init, inspect::Inspect, keygen::Keygen, lint::Lint, replay::Replay,
        schema::Schema, send::Send, serve::Serve, sign::Sign, test::Test, verify::Verify, version::Version,
        wait::Wait,
    },
    failure::Failure,
    output::{Format, Output},
    template_arguments::TemplateArguments,
};

/// Shown below `launchgate --help`.
const AFTER_HELP: &str = "\
First steps:
  launchgate demo                                   see the gate work on this machine, end to end
  launchgate keygen --out release                   make a signing key and the signer block for it
  launchgate init --template pipeline.yaml          write a triggers file for a compiled KFP pipeline
  launchgate lint                                   check it
  launchgate test tests                             hold it against test cases
  launchgate emit --key release.key --artifact model.tar.gz --dry-run > event.json
  launchgate explain event.json                     what would happen, and why

Exit codes:
  0  ok; launched; duplicate
  1  something that should not happen (internal error)
  2  wrong use, or a triggers file with errors (the findings are on stderr)
  3  rejected: rejected_malformed, rejected_signature, rejected_statement, rejected_auth
  4  refused: denied_policy, invalid_parameters, failed_launch
  5  no_match: no trigger matches
  6  not (yet) launched on purpose: waiting_*, observed, skipped_*, superseded, rate_capped, launch_unknown
  7  for now: retrying, or something outside did not answer; the same command may work later

Data goes to stdout, talk to stderr. NO_COLOR turns colours off.";

/// The gate between a Buildkite build and Vertex AI: a signed artifact event becomes exactly one run.
#[derive(Debug, Parser)]
#[command(name = "launchgate", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct CommandLine {
    /// How answers are written to stdout
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One command, one file under `commands`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send real signed events through the real service, against a stand-in of Vertex AI
    Demo(Demo),
    /// Run the service on this machine, on loopback
    Serve(Serve),
    /// Make a signing key and print the signer block for the triggers file
    Keygen(Keygen),
    /// Sign a statement, or artifacts of this build, and print the envelope
    Sign(Sign),
    /// Sign what this build made and publish the event: the Buildkite step
    Emit(Emit),
    /// Wait, in a step of the build, until the gate has decided on an event or its run has ended
    Wait(Wait),
    /// Deliver an event to a local service as Pub/Sub would
    Send(Send),
    /// Say what an event would come to, and why; nothing is launched
    Explain(Explain),
    /// Check signature and identity of an event, or Buildkite's signature of a webhook, nothing else
    Verify(Verify),
    /// Show what is inside an envelope or bundle, without believing it
    Inspect(Inspect),
    /// Check a triggers file
    Lint(Lint),
    /// Hold a triggers file against test cases
    Test(Test),
    /// Say which past events another triggers file would decide otherwise
    Diff(Diff),
    /// Write a triggers file for a compiled pipeline
    Init(Init),
    /// Print the JSON Schema of the triggers file, for editors
    Schema(Schema),
    /// Look into the ledger
    Events(Events),
    /// Have a recorded event decided again
    Replay(Replay),
    /// Print shell completions
    Completions(Completions),
    /// Print the version
    Version(Version),
    /// Print this reference as Markdown
    #[command(hide = true)]
    Docs(Docs),
}

impl Command {
    /// Runs it; the code is the answer's, see `Outcome::exit_code`.
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        if output.is_sarif() && !matches!(self, Self::Lint(_)) {
            return Err(Failure::usage("--output sarif: only `lint` has findings to report that way"));
        }
        match self {
            Self::Demo(command) => command.run(output),
            Self::Serve(command) => command.run(output),
            Self::Keygen(command) => command.run(output),
            Self::Sign(command) => command.run(output),
            Self::Emit(command) => command.run(output),
            Self::Wait(command) => command.run(output),
            Self::Send(command) => command.run(output),
            Self::Explain(command) => command.run(output),
            Self::Verify(command) => command.run(output),
            Self::Inspect(command) => command.run(output),
            Self::Lint(command) => command.run(output),
            Self::Test(command) => command.run(output),
            Self::Diff(command) => command.run(output),
            Self::Init(command) => command.run(output),
            Self::Schema(command) => command.run(output),
            Self::Events(command) => command.run(output),
            Self::Replay(command) => command.run(output),
            Self::Completions(command) => command.run(output),
            Self::Version(command) => command.run(output),
            Self::Docs(command) => command.run(output),
        }
    }
}

/// Which triggers file.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgument {
    /// The triggers file; paths in it are relative to it
    #[arg(long, short, value_name = "FILE", default_value = "launchgate.yaml")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) templates: TemplateArguments,
}

impl ConfigArgument {
    /// The file, checked, with this process's `LAUNCHGATE_…` overrides.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        Ok(self.read(false)?.usable()?)
    }

    /// The file with what is wrong with it. `lenient`: a remote template that cannot be reached is a warning.
    pub(crate) fn read(&self, lenient: bool) -> Result<TriggersFile, Unusable> {
        let environment = Environment::of_process();
        TriggersFile::read_with(&self.config, &environment, &self.templates.source(&environment, lenient))
    }

    /// The folder that paths in the file are relative to.
    pub(crate) fn folder(&self) -> PathBuf {
        match self.config.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        }
    }
}

/// Runs asynchronous work of a command to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    launchgate_service::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::Internal(anyhow::Error::new(error).context("starting the asynchronous runtime"))
    })?;
    runtime.block_on(work)
}
