//! `launchgate verify`: the part of `explain` about signature and identity; with `--webhook`, Buildkite's
//! signature of a webhook.

use std::path::PathBuf;

use clap::Args;
use launchgate_outcome::{Check, Refusal};
use launchgate_statement::{Envelope, Timestamp};
use launchgate_trust::{Rejection, TrustInputs, Unverified, verify};
use serde_json::json;

use super::{
    explain::{build_line, reason_rendered, why},
    verify_webhook::WebhookArguments,
};
use crate::{
    buildkite_keys::KeysArgument, clock, command_line::ConfigArgument, event_source::GivenEvent,
    failure::Failure, ladder, output::Output,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  launchgate verify event.json
  launchgate verify event.json --publish-time 2026-11-18T11:06:40Z --output json
  launchgate verify --webhook body.json --signature 'timestamp=1795000000,signature=45fe…' \\
      --secret-env BUILDKITE_WEBHOOK_SECRET --at 2026-11-18T11:06:40Z

Exit codes: 0 verified · 3 rejected · 2 the triggers file, the secret or the command line has errors")]
pub(crate) struct Verify {
    /// File with an envelope, a Sigstore bundle or a Pub/Sub push body; `-` is standard input
    #[arg(required_unless_present = "webhook")]
    event: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgument,
    /// When Pub/Sub took the event in; default: the push body's publishTime, else now
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    publish_time: Option<Timestamp>,
    #[command(flatten)]
    webhook: WebhookArguments,
    #[command(flatten)]
    keys: KeysArgument,
}

impl Verify {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let Some(event) = &self.event else { return self.webhook.run(output) };
        let config = self.config.load()?;
        let given = GivenEvent::read(event)?;
        let published = self.publish_time.or(given.publish_time).unwrap_or_else(clock::now);
        let verified = match Envelope::parse(&given.data) {
            Ok(envelope) => self.keys.answer(|buildkite_keys| {
                let inputs = TrustInputs { published, buildkite_keys };
                match verify(envelope.clone(), &config.signers, inputs) {
                    Ok(event) => Ok(Ok(event)),
                    Err(Unverified::Rejected(rejection)) => Ok(Err(rejection)),
                    Err(Unverified::KeyWanted(wanted)) => Err(wanted),
                }
            })?,
            Err(error) => {
                let checks = vec![Check::failed("envelope").detail(error.to_string())];
                Err(Rejection { refusal: Refusal::from(error), checks, digest: None })
            }
        };
        match verified {
            Ok(event) => {
                if output.is_json() {
                    output.json(&json!({
                        "event": event.id(), "digest": event.digest(), "verified": true, "signatures": event.signatures(),
                        "build": event.statement().build, "artifacts": event.statement().artifacts, "checks": event.checks(),
                    }))?;
                } else {
                    let paint = output.paint;
                    let mut text =
                        format!("{}  {}\n", paint.bold(event.id().as_str()), paint.green("verified"));
                    text.push_str(&format!("  build  {}\n", build_line(&event.statement().build)));
                    for signature in event.signatures() {
                        text.push_str(&format!("  signer {}\n", signature.signer));
                    }
                    text.push_str(&format!("\n{}", ladder::rendered(event.checks(), paint, 2)));
                    output.data(&text)?;
                }
                Ok(0)
            }
            Err(Rejection { refusal, checks, digest }) => {
                let id = digest.map(|digest| digest.id());
                if output.is_json() {
                    output.json(&json!({
                        "event": id, "digest": digest, "verified": false, "outcome": refusal.outcome,
                        "reason": refusal.reason.as_str(), "message": refusal.message, "checks": checks,
                    }))?;
                } else {
                    let paint = output.paint;
                    let id = id.map_or_else(|| "no event".to_owned(), |id| id.to_string());
                    let title = format!(
                        "{}  {}{}\n\n",
                        paint.bold(&id),
                        paint.outcome(refusal.outcome),
                        why(Some(refusal.reason))
                    );
                    let fix = reason_rendered(Some(refusal.reason), Some(&refusal.message), paint, 0);
                    output.data(&format!("{title}{}{fix}", ladder::rendered(&checks, paint, 2)))?;
                }
                Ok(refusal.outcome.exit_code())
            }
        }
    }
}
