//! `launchgate verify --webhook`: whether Buildkite made `X-Buildkite-Signature`, for people who debug one.
//!
//! Same code as the relay's. Says why not, which the relay does not tell strangers.

use std::path::PathBuf;

use clap::Args;
use launchgate_outcome::Outcome;
use launchgate_statement::Timestamp;
use launchgate_trust::{WebhookError, WebhookSecrets, verify_webhook};
use serde_json::json;

use crate::{
    clock,
    event_source::read_bounded,
    failure::Failure,
    output::{Output, line},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "A webhook of Buildkite instead of an event")]
pub(crate) struct WebhookArguments {
    /// File with the body, byte for byte as it arrived; `-` is standard input
    #[arg(
        long,
        value_name = "BODY",
        requires_all = ["signature", "secret_env"],
        conflicts_with_all = ["event", "config", "publish_time", "jwks"]
    )]
    webhook: Option<PathBuf>,
    /// Value of the header X-Buildkite-Signature
    // A broken header is an answer (exit code 3), also one that looks like an option.
    #[arg(long, value_name = "HEADER", requires = "webhook", allow_hyphen_values = true)]
    signature: Option<String>,
    /// Name of the environment variable with the secret, or with several, comma-separated
    #[arg(long, value_name = "NAME", requires = "webhook")]
    secret_env: Option<String>,
    /// When the webhook arrived, at most 300 s from when it was signed; default: now
    #[arg(long, value_name = "TIME", value_parser = clock::parse, requires = "webhook")]
    at: Option<Timestamp>,
}

impl WebhookArguments {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let (Some(body), Some(header), Some(variable)) = (self.webhook, self.signature, self.secret_env)
        else {
            return Err(Failure::usage("name an EVENT, or --webhook with --signature and --secret-env"));
        };
        let secrets = secrets(&variable)?;
        let body = read_bounded(&body)?;
        let at = self.at.unwrap_or_else(clock::now);
        match verify_webhook(&header, &body, &secrets, at) {
            Ok(signed) => {
                if output.is_json() {
                    output.json(&json!({ "verified": true, "signedAt": signed, "at": at }))?;
                } else {
                    output
                        .data(&format!("webhook  {}\n  signed {signed}\n", output.paint.green("verified")))?;
                }
                Ok(0)
            }
            Err(error) => {
                let outcome = Outcome::RejectedSignature;
                let (message, fix) = (error.to_string(), fix(&error, &variable));
                if output.is_json() {
                    output.json(&json!({
                        "verified": false, "outcome": outcome, "message": message, "fix": fix, "at": at,
                    }))?;
                } else {
                    let paint = output.paint;
                    output.data(&format!(
                        "webhook  {}\n\nwhy: {}\n{} {fix}\n",
                        paint.outcome(outcome),
                        line(&message),
                        paint.bold("fix:")
                    ))?;
                }
                Ok(outcome.exit_code())
            }
        }
    }
}

/// The secrets in `variable`. Its value is never shown, not even in an error.
fn secrets(variable: &str) -> Result<WebhookSecrets, Failure> {
    let list = std::env::var(variable)
        .map_err(|error| Failure::usage(format!("the secret in the variable {variable}: {error}")))?;
    WebhookSecrets::parse(&list).map_err(|error| Failure::usage(format!("{variable}: {error}")))
}

fn fix(error: &WebhookError, variable: &str) -> String {
    match error {
        WebhookError::Header(_) => {
            "Give the header's value alone, as it arrived; in Buildkite choose to send the token as a signature."
                .to_owned()
        }
        WebhookError::OutsideWindow { .. } => {
            "Give the time of arrival with --at. If that is what you gave, the webhook was held back or sent again, \
             or a clock is wrong."
                .to_owned()
        }
        WebhookError::Signature => format!(
            "Compare {variable} with the token in Buildkite's webhook settings, and give the raw body: formatting \
             JSON anew, or a line end at its end, makes it another one."
        ),
    }
}
