//! `launchgate emit`: the step of a build that says what it made, signed, on a Pub/Sub topic or in the build's own
//! meta-data.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{ArgGroup, Args};
use launchgate_buildkite::Job;
use launchgate_service::Environment;
use launchgate_statement::{Artifact, Envelope, EventDigest, EventId, PAYLOAD_TYPE};
use serde_json::json;

use crate::{
    artifact_arguments::ArtifactArguments,
    clock,
    command_line::block_on,
    event_in_meta_data,
    failure::Failure,
    job,
    keyless::{Keyless, Sealed},
    meta_data::MetaData,
    output::{Output, line},
    publish::publish,
    publishing::{EventCopy, Way, published},
    signing::SigningArguments,
    started_on,
};

/// Names the console when --console-url does not.
const CONSOLE_URL: &str = "LAUNCHGATE_CONSOLE_URL";

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("where").required(true).args(["topic", "via", "dry_run", "statement"])),
    after_help = "\
The statement is written from this job's BUILDKITE_… variables; with --keyless from the claims of the job's
own Buildkite token. Emitting again in the same job is the same event: with a key `startedOn` is kept in the
state file, without one there is no clock in it. Credentials are Google's application default credentials.

With --via meta-data no Google credential is needed: the event stands in the build's own meta-data under
launchgate:event:JOB, and Buildkite's webhook carries it to the gate when the build has ended. One job has one
event there; name all artifacts in one emit.

Examples:
  launchgate emit --artifact model.tar.gz --set dataset=2026-11 --key keys/release.key \\
    --topic projects/acme-ml/topics/launchgate-events
  launchgate emit --artifact train=us-docker.pkg.dev/acme/ml/train@sha256:… --topic projects/acme-ml/topics/launchgate-events
  launchgate emit --keyless --audience launchgate-prod --artifact gs://acme-models/fraud/model.bin \\
    --topic projects/acme-ml/topics/launchgate-events
  launchgate emit --keyless --audience launchgate-prod --images-from metadata.json --via meta-data
  launchgate emit --artifact model.tar.gz --topic projects/acme-ml/topics/launchgate-events \\
    --kms projects/acme-ml/…/cryptoKeys/release/cryptoKeyVersions/1
  launchgate emit --artifact gs://acme-models/fraud/model.bin --key keys/release.key --dry-run > event.json
  launchgate emit --artifact gs://acme-models/fraud/model.bin --statement > statement.json   for a Sigstore client

Exit codes: 0 published · 2 no key, no artifact, not in a job, another event of this job in its meta-data ·
7 Google or Buildkite did not answer; the same command may work later"
)]
pub(crate) struct Emit {
    #[command(flatten)]
    artifacts: ArtifactArguments,
    #[command(flatten)]
    signing: SigningArguments,
    /// Sign with this job's own Buildkite token, asked for through `buildkite-agent`, or from the agent API where
    /// the step's container has no agent but its access token: no key to keep
    #[arg(long, requires = "audience", conflicts_with_all = ["key", "scheme", "kms", "state"])]
    keyless: bool,
    /// `service.audience` of the triggers file; the token is good for one event of that service alone
    #[arg(long, value_name = "AUDIENCE", requires = "keyless")]
    audience: Option<String>,
    /// The topic, projects/PROJECT/topics/TOPIC
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    topic: Option<String>,
    /// Another way than a topic
    #[arg(long, value_name = "WAY")]
    via: Option<Via>,
    /// Where people look at events, to print a link: the console's address; default: the variable
    /// LAUNCHGATE_CONSOLE_URL
    #[arg(long, value_name = "URL")]
    console_url: Option<String>,
    /// Seconds to go on trying while Google or Buildkite does not answer; a token that grows old meanwhile is
    /// minted again
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u64,
    /// Print the envelope; publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the statement alone, without a clock and unsigned, for another tool that signs
    /// (`cosign attest-blob --statement`); publish nothing
    #[arg(long, conflicts_with_all = ["key", "scheme", "kms", "keyless", "state"])]
    statement: bool,
    /// Where this job's startedOn is kept; default: .launchgate/emit-JOB.json below the working directory
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Ways to the gate that are no topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Via {
    /// The build's meta-data, carried by Buildkite's webhook
    MetaData,
}

impl Emit {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let environment = Environment::of_process();
        let current = job::current(&environment)?;
        let console = self.console_url.as_deref().or_else(|| environment.get(CONSOLE_URL));
        let console = console.map(console_address).transpose()?;
        block_on(async {
            // First of all: a key that cannot sign is found out before gigabytes are hashed.
            let key = if self.keyless || self.statement {
                None
            } else {
                Some(self.signing.load(&environment).await?)
            };
            let artifacts = self.artifacts.read(&environment, output).await?;
            if artifacts.is_empty() {
                return Err(Failure::usage("no artifact: name at least one with --artifact"));
            }
            if self.statement {
                // No clock in it: the time that counts is the one that the other tool's proof brings.
                let payload = job::statement(current, artifacts, None)?;
                output.data(&String::from_utf8_lossy(&payload))?;
                output.say(&format!("{}: not signed", EventDigest::of(PAYLOAD_TYPE, &payload).id()));
                return Ok(0);
            }
            let (job, seal) = match (key, self.audience) {
                (Some(key), _) => {
                    // Always there: `current` refuses a job without its id.
                    let id_of_job = current.build.job.clone().unwrap_or_default();
                    let state = self.state.unwrap_or_else(|| started_on::default_path(&id_of_job));
                    let started_on = started_on::kept(&state, &id_of_job, clock::now_in_seconds())?;
                    let payload = job::statement(current.clone(), artifacts.clone(), Some(started_on))?;
                    (current, Seal::Key(key.envelope(payload).await?))
                }
                (None, Some(audience)) => {
                    let agent = Keyless::new(&audience, &environment)?;
                    let current = agent.current(current).await?;
                    // No clock in it: the same job and artifacts are the same statement, without a state file.
                    let payload = job::statement(current.clone(), artifacts.clone(), None)?;
                    (current, Seal::Token(Box::new(agent), Envelope::unsigned(PAYLOAD_TYPE, payload)))
                }
                (None, None) => return Err(Failure::usage("--keyless needs --audience")),
            };
            let id = seal.digest().id();
            let link = console.map(|console| format!("{console}/events/{id}"));
            let place = match (self.topic, self.via) {
                _ if self.dry_run => None,
                (Some(topic), _) => {
                    let attributes = attributes(&id, &source(&job), &environment);
                    Some(Place::Topic { topic, attributes, environment: &environment })
                }
                (None, Some(Via::MetaData)) => {
                    let meta_data = Box::new(MetaData::new(&environment)?);
                    Some(Place::MetaData { key: event_in_meta_data::key(&job), meta_data, output })
                }
                (None, None) => None,
            };
            let Some(place) = place else {
                output.data(&seal.copy().await?.envelope)?;
                output.say(&format!("{id}: not published"));
                return Ok(0);
            };
            let mut way = Publishing { seal: &seal, place: &place, begun: Instant::now() };
            let receipt = published(&mut way, Duration::from_secs(self.patience)).await?;
            said(output, &id, &place, &receipt, &artifacts, link.as_deref())?;
            Ok(0)
        })
    }
}

/// What makes the envelope count.
enum Seal {
    /// A key's signature, in it already.
    Key(Envelope),
    /// A token, minted right before publishing.
    Token(Box<Keyless>, Envelope),
}

impl Seal {
    fn digest(&self) -> EventDigest {
        let (Self::Key(envelope) | Self::Token(_, envelope)) = self;
        envelope.event_digest()
    }

    /// The envelope as JSON, with a fresh token where it is one.
    async fn copy(&self) -> Result<EventCopy, Failure> {
        let (envelope, young_for) = match self {
            Self::Key(envelope) => (envelope.clone(), None),
            Self::Token(agent, envelope) => {
                let Sealed { envelope, young_for } = agent.signed(envelope).await?;
                (envelope, Some(young_for))
            }
        };
        check_size(&envelope)?;
        Ok(EventCopy { envelope: envelope.to_json(), young_for })
    }
}

/// Where the event goes.
enum Place<'e> {
    /// Pub/Sub.
    Topic { topic: String, attributes: BTreeMap<String, String>, environment: &'e Environment },
    /// The build's own meta-data.
    MetaData { key: String, meta_data: Box<MetaData>, output: &'e Output },
}

impl Place<'_> {
    /// Puts the event there; answers what it is known by there.
    async fn take(&self, envelope: &str) -> Result<String, Failure> {
        match self {
            Self::Topic { topic, attributes, environment } => {
                publish(topic, envelope.to_owned(), attributes, environment).await
            }
            Self::MetaData { key, meta_data, output } => {
                event_in_meta_data::put(meta_data, key, envelope, output).await?;
                Ok(key.clone())
            }
        }
    }
}

/// Publishing, by this machine's clock.
struct Publishing<'e> {
    seal: &'e Seal,
    place: &'e Place<'e>,
    begun: Instant,
}

impl Way for Publishing<'_> {
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    async fn pause(&mut self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }

    async fn seal(&mut self) -> Result<EventCopy, Failure> {
        self.seal.copy().await
    }

    async fn publish(&mut self, envelope: &str) -> Result<String, Failure> {
        self.place.take(envelope).await
    }
}

fn said(
    output: &Output,
    id: &EventId,
    place: &Place<'_>,
    receipt: &str,
    artifacts: &[Artifact],
    link: Option<&str>,
) -> Result<(), Failure> {
    if output.is_json() {
        let mut said = json!({ "event": id, "artifacts": artifacts });
        match place {
            Place::Topic { topic, .. } => {
                said["topic"] = topic.as_str().into();
                said["messageId"] = receipt.into();
            }
            Place::MetaData { .. } => said["metaData"] = receipt.into(),
        }
        if let Some(link) = link {
            said["console"] = link.into();
        }
        return output.json(&said);
    }
    for artifact in artifacts {
        output.say(&format!("{}  {}", line(&artifact.name), artifact.digest()));
    }
    match place {
        Place::Topic { topic, .. } => output.say(&format!("published to {topic} as message {receipt}")),
        Place::MetaData { .. } => {
            output.say(&format!(
                "put into the build's meta-data as {receipt}; the gate gets it when the build ends"
            ));
        }
    }
    if let Some(link) = link {
        output.say(link);
    }
    output.data(id.as_str())
}

/// The console's address, without a slash at its end.
fn console_address(text: &str) -> Result<String, Failure> {
    let address = text.trim().trim_end_matches('/');
    if address.starts_with("https://") || address.starts_with("http://") {
        return Ok(address.to_owned());
    }
    Err(Failure::usage(format!(
        "the console's address `{text}`: expected https://HOST (--console-url, {CONSOLE_URL})"
    )))
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
