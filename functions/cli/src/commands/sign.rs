//! `launchgate sign`: an envelope on stdout, nothing published.

use std::path::{Path, PathBuf};

use clap::Args;
use launchgate_service::Environment;
use launchgate_statement::{Envelope, PAYLOAD_TYPE, Statement};

use crate::{
    artifact_arguments::ArtifactArguments, clock, command_line::block_on, event_source::read_bounded,
    failure::Failure, job, output::Output, signing::SigningArguments,
};

#[derive(Debug, Args)]
#[command(after_help = "\
With a statement file its bytes are signed as they are; with an envelope one more signature is added to
it; with --artifact a statement is written from this job's BUILDKITE_… variables, as `emit` does.

Examples:
  launchgate sign statement.json --key keys/release.key > event.json
  launchgate sign event.json --key keys/second.key > event-2of2.json
  launchgate sign --artifact model.tar.gz --set dataset=2026-11 --key keys/release.key > event.json
  launchgate sign statement.json --kms projects/acme-ml/…/cryptoKeys/release/cryptoKeyVersions/1

Exit codes: 0 signed · 2 no key, or nothing acceptable to sign · 7 Google did not answer")]
pub(crate) struct Sign {
    /// An in-toto statement or an envelope; `-` is standard input
    #[arg(required_unless_present = "artifacts", conflicts_with = "artifacts")]
    statement: Option<PathBuf>,
    #[command(flatten)]
    artifacts: ArtifactArguments,
    #[command(flatten)]
    signing: SigningArguments,
}

impl Sign {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let environment = Environment::of_process();
        block_on(async {
            let signer = self.signing.load(&environment).await?;
            let (payload, earlier) = if let Some(path) = &self.statement {
                given(path)?
            } else {
                let current = job::current(&environment)?;
                let artifacts = self.artifacts.read(&environment, output).await?;
                (job::statement(current, artifacts, Some(clock::now_in_seconds()))?, Vec::new())
            };
            let mut envelope = signer.envelope(payload).await?;
            envelope.signatures.splice(0..0, earlier);
            output.data(&envelope.to_json())?;
            Ok(0)
        })
    }
}

/// The payload to sign and the signatures it has already.
fn given(path: &Path) -> Result<(Vec<u8>, Vec<launchgate_statement::Signature>), Failure> {
    let bytes = read_bounded(path)?;
    let (payload, earlier) = match Envelope::parse(&bytes) {
        Ok(envelope) if envelope.payload_type == PAYLOAD_TYPE => (envelope.payload, envelope.signatures),
        Ok(envelope) => {
            let found = envelope.payload_type;
            return Err(Failure::usage(format!(
                "{}: expected an envelope of {PAYLOAD_TYPE}, found {found}",
                path.display()
            )));
        }
        // No envelope: a statement, or nothing that should be signed.
        Err(_) => (bytes, Vec::new()),
    };
    match Statement::parse(&payload) {
        Ok(_) => Ok((payload, earlier)),
        Err(error) => Err(Failure::usage(format!("{}: no acceptable statement: {error}", path.display()))),
    }
}
