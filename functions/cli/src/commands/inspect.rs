//! `launchgate inspect`: what an envelope or bundle says, without asking whether it is true.

use std::path::PathBuf;

use clap::Args;
use launchgate_outcome::Refusal;
use launchgate_statement::{Envelope, Signature, Statement};
use launchgate_trust::{unverified_certificate_claims, unverified_token_claims};
use serde_json::{Value, json};

use super::explain::{build_line, reason_rendered, why};
use crate::{
    event_source::GivenEvent,
    failure::Failure,
    output::{Output, indented, line, lines, spread_json},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is verified: anyone can write what is shown. Use `verify` or `explain` to judge an event.

Examples:
  launchgate inspect event.json
  gcloud pubsub subscriptions pull launchgate-debug --format='value(message.data)' | launchgate inspect -

Exit codes: 0 readable · 3 no envelope, or no acceptable statement inside")]
pub(crate) struct Inspect {
    /// File with an envelope, a Sigstore bundle or a Pub/Sub push body; `-` is standard input
    event: PathBuf,
}

impl Inspect {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let given = GivenEvent::read(&self.event)?;
        let envelope = match Envelope::parse(&given.data) {
            Ok(envelope) => envelope,
            Err(error) => return refused(output, &error.into(), None),
        };
        let statement = match Statement::parse(&envelope.payload) {
            Ok(statement) => statement,
            Err(error) => return refused(output, &error.into(), Some(&envelope)),
        };
        if output.is_json() {
            output.json(&envelope_json(&envelope))?;
        } else {
            let mut text = envelope_text(&envelope, output);
            text.push_str(&format!(
                "claims to be of {}\nbuilder {}\n",
                build_line(&statement.build),
                line(&statement.builder)
            ));
            if let Some(at) = statement.started_on {
                text.push_str(&format!("started {at}\n"));
            }
            for artifact in &statement.artifacts {
                let place = artifact.uri.as_deref().unwrap_or("(no uri)");
                text.push_str(&format!(
                    "artifact {}  {}  {}\n",
                    line(&artifact.name),
                    artifact.digest(),
                    line(place)
                ));
            }
            text.push_str(&payload_text(&envelope));
            output.data(&text)?;
        }
        Ok(0)
    }
}

fn refused(output: &Output, refusal: &Refusal, envelope: Option<&Envelope>) -> Result<u8, Failure> {
    if output.is_json() {
        let mut shown = envelope.map_or_else(|| json!({ "verified": false }), envelope_json);
        shown["outcome"] = refusal.outcome.as_str().into();
        shown["reason"] = refusal.reason.as_str().into();
        shown["message"] = refusal.message.as_str().into();
        output.json(&shown)?;
    } else {
        let mut text = String::new();
        if let Some(envelope) = envelope {
            text.push_str(&envelope_text(envelope, output));
            text.push_str(&payload_text(envelope));
            text.push('\n');
        }
        text.push_str(&format!("{}{}\n", output.paint.outcome(refusal.outcome), why(Some(refusal.reason))));
        text.push_str(&reason_rendered(Some(refusal.reason), Some(&refusal.message), output.paint, 0));
        output.data(&text)?;
    }
    Ok(refusal.outcome.exit_code())
}

fn envelope_json(envelope: &Envelope) -> Value {
    let signature = |one: &Signature| {
        let mut shown = json!({ "keyid": one.keyid, "bytes": one.sig.len() });
        if let Some(claims) = unverified_token_claims(&one.sig) {
            shown["token"] = json!({ "verified": false, "claims": claims });
        }
        shown
    };
    let signatures: Vec<_> = envelope.signatures.iter().map(signature).collect();
    let payload = serde_json::from_slice::<Value>(&envelope.payload)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&envelope.payload)));
    let mut shown = json!({
        "verified": false,
        "event": envelope.event_digest().id(),
        "digest": envelope.event_digest(),
        "payloadType": envelope.payload_type,
        "signatures": signatures,
        "payload": payload,
    });
    if let Some(material) = &envelope.verification_material {
        shown["certificate"] = match unverified_certificate_claims(material) {
            Ok(claims) => json!({ "verified": false, "claims": claims }),
            Err(error) => json!({ "verified": false, "error": error.to_string() }),
        };
    }
    shown
}

fn envelope_text(envelope: &Envelope, output: &Output) -> String {
    let mut text = format!(
        "{}\n\nevent {}\npayload type {}\n",
        output.paint.yellow("Nothing below is verified; anyone could have written it."),
        envelope.event_digest().id(),
        line(&envelope.payload_type)
    );
    for (index, signature) in envelope.signatures.iter().enumerate() {
        let keyid = signature
            .keyid
            .as_deref()
            .map_or_else(|| "no keyid".to_owned(), |keyid| format!("keyid {} (a hint only)", line(keyid)));
        text.push_str(&format!("signature {}: {} bytes, {keyid}\n", index + 1, signature.sig.len()));
        if let Some(claims) = unverified_token_claims(&signature.sig) {
            text.push_str("  has the form of a token, which claims (not verified):\n");
            for (name, value) in &claims {
                text.push_str(&format!("    {}: {}\n", line(name), line(&value.to_string())));
            }
        }
    }
    if envelope.signatures.is_empty() {
        text.push_str("no signature\n");
    }
    match envelope.verification_material.as_ref().map(unverified_certificate_claims) {
        None => {}
        Some(Err(error)) => text.push_str(&format!("in a Sigstore bundle: {}\n", line(&error.to_string()))),
        Some(Ok(claims)) => {
            text.push_str("in a Sigstore bundle, whose certificate claims (not verified):\n");
            let claims = serde_json::to_value(claims).unwrap_or_default();
            for (name, value) in claims.as_object().into_iter().flatten() {
                text.push_str(&format!("    {}: {}\n", line(name), line(&value.to_string())));
            }
        }
    }
    text
}

/// JSON as it stands, spread over lines; anything else as escaped text.
fn payload_text(envelope: &Envelope) -> String {
    let payload = String::from_utf8_lossy(&envelope.payload);
    let shown = match serde_json::from_str::<serde::de::IgnoredAny>(&payload) {
        Ok(_) => lines(&spread_json(&payload)),
        Err(_) => line(&payload),
    };
    format!("\npayload:\n{}\n", indented(&shown, 2))
}
