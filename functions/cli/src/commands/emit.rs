//! `launchgate emit`: the step of a build that says what it made, signed, on a Pub/Sub topic.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{ArgGroup, Args};
use launchgate_buildkite::Job;
use launchgate_service::Environment;
use launchgate_statement::{Artifact, Envelope, EventId, PAYLOAD_TYPE};
use serde_json::json;

use crate::{
    artifact_arguments::ArtifactArguments, clock, command_line::block_on, failure::Failure, job,
    output::Output, private_key::KeyArguments, publish::publish, started_on,
};

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("where").required(true).args(["topic", "dry_run"])),
    after_help = "\
The statement is written from this job's BUILDKITE_… variables. Emitting again in the same job is the same
event: `startedOn` is kept in the state file. Credentials are Google's application default credentials.

Examples:
  launchgate emit --artifact model.tar.gz --set dataset=2026-11 --key keys/release.key \\
    --topic projects/acme-ml/topics/launchgate-events
  launchgate emit --artifact train=us-docker.pkg.dev/acme/ml/train@sha256:… --topic projects/acme-ml/topics/launchgate-events
  launchgate emit --artifact gs://acme-models/fraud/model.bin --key keys/release.key --dry-run > event.json

Exit codes: 0 published · 2 no key, no artifact, not in a job · 7 Google did not answer; the same command may work later"
)]
pub(crate) struct Emit {
    #[command(flatten)]
    artifacts: ArtifactArguments,
    #[command(flatten)]
    key: KeyArguments,
    /// The topic, projects/PROJECT/topics/TOPIC
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    topic: Option<String>,
    /// Print the envelope; publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Where this job's startedOn is kept; default: .launchgate/emit-JOB.json below the working directory
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

impl Emit {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let environment = Environment::of_process();
        let key = self.key.load()?;
        let current = job::current(&environment)?;
        // Always there: `current` refuses a job without its id.
        let id_of_job = current.build.job.clone().unwrap_or_default();
        block_on(async {
            let artifacts = self.artifacts.read(&environment, output).await?;
            if artifacts.is_empty() {
                return Err(Failure::usage("no artifact: name at least one with --artifact"));
            }
            let state = self.state.unwrap_or_else(|| started_on::default_path(&id_of_job));
            let started_on = started_on::kept(&state, &id_of_job, clock::now_in_seconds())?;
            let source = source(&current);
            let payload = job::statement(current, artifacts.clone(), Some(started_on))?;
            let envelope = key.envelope(PAYLOAD_TYPE, &payload).map_err(anyhow::Error::from)?;
            check_size(&envelope)?;
            let id = envelope.event_digest().id();
            let Some(topic) = self.topic.filter(|_| !self.dry_run) else {
                output.data(&envelope.to_json())?;
                output.say(&format!("{id}: not published"));
                return Ok(0);
            };
            let attributes = attributes(&id, &source, &environment);
            let message_id = publish(&topic, envelope.to_json(), &attributes, &environment).await?;
            said(output, &id, &topic, &message_id, &artifacts)?;
            Ok(0)
        })
    }
}

fn said(
    output: &Output,
    id: &EventId,
    topic: &str,
    message_id: &str,
    artifacts: &[Artifact],
) -> Result<(), Failure> {
    if output.is_json() {
        return output
            .json(&json!({ "event": id, "topic": topic, "messageId": message_id, "artifacts": artifacts }));
    }
    for artifact in artifacts {
        output.say(&format!("{}  {}", artifact.name, artifact.digest()));
    }
    output.say(&format!("published to {topic} as message {message_id}"));
    output.data(id.as_str())
}

/// Hints for filters and traces; nobody decides by them. Source: DESIGN §2.
fn attributes(id: &EventId, source: &str, environment: &Environment) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from(
        [
            ("ce-specversion", "1.0"),
            ("ce-type", "launchgate.artifact.ready.v1"),
            ("ce-source", source),
            ("ce-id", id.as_str()),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    if let Some(traceparent) = environment.get("TRACEPARENT") {
        attributes.insert("traceparent".to_owned(), traceparent.to_owned());
    }
    attributes
}

fn source(job: &Job) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("https://buildkite.com/{}/{}", part(&job.build.organization), part(&job.build.pipeline))
}

/// What the gate would refuse is not published.
fn check_size(envelope: &Envelope) -> Result<(), Failure> {
    let size = envelope.to_json().len();
    if size > Envelope::MAX_BYTES {
        let most = Envelope::MAX_BYTES;
        return Err(Failure::usage(format!(
            "the envelope has {size} bytes, at most {most} are accepted; put large data into the artifact"
        )));
    }
    Ok(())
}

fn topic(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split('/').collect();
    match parts.as_slice() {
        ["projects", project, "topics", topic] if !project.is_empty() && !topic.is_empty() => {
            Ok(text.to_owned())
        }
        _ => Err("expected projects/PROJECT/topics/TOPIC".to_owned()),
    }
}
