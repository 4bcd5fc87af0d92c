//! `launchgate send`: what Pub/Sub would deliver, delivered by hand to a service on this machine.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use clap::{Args, ValueEnum};
use launchgate_google::Endpoint;
use launchgate_statement::{Envelope, EventId, Timestamp};
use launchgate_triggers::Config;
use launchgate_trust::SigningKey;
use serde_json::json;

use crate::{
    artifact_arguments::Annotation,
    clock,
    command_line::{ConfigArgument, block_on},
    event_source::GivenEvent,
    failure::Failure,
    fixture::{Story, image, pipeline_of, strangers_key, tampered},
    output::{Output, line},
    private_key::KeyArguments,
    push_message::wrapped,
};

/// Longest wait for the service's answer; it calls Vertex AI before it answers.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes shown of an answer's body.
const ANSWER_SHOWN: usize = 300;

#[derive(Debug, Args)]
#[command(after_help = "\
A fixture is a made-up event that is fitted to the first trigger of the triggers file and signed with your
key. The service answers 204 whatever it decided; `launchgate events list` says what.

Examples:
  launchgate send event.json
  launchgate send --fixture good --key keys/release.key --set epochs=3
  launchgate send --fixture tampered --key keys/release.key --to http://127.0.0.1:9090/pubsub/events

Exit codes: 0 recorded (204) · 3 the sender was refused (401, 403) · 7 not reachable, or nothing decided (503) ·
1 any other answer")]
pub(crate) struct Send {
    /// File with an envelope, a Sigstore bundle or a push body; `-` is standard input
    #[arg(required_unless_present = "fixture", conflicts_with = "fixture")]
    event: Option<PathBuf>,
    /// A made-up event instead of a file
    #[arg(long, value_name = "NAME")]
    fixture: Option<Fixture>,
    /// An annotation of the fixture's artifact, for expressions that read it; JSON keeps its type; repeat
    /// it for several
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "fixture")]
    set: Vec<Annotation>,
    /// Where the service takes deliveries
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/pubsub/events")]
    to: String,
    /// The publish time to say; default: the push body's, else now
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    publish_time: Option<Timestamp>,
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    key: KeyArguments,
}

/// Made-up events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fixture {
    /// Launches, if a trigger asks for nothing a fixture cannot know
    Good,
    /// Its payload was changed after signing
    Tampered,
    /// Signed with a key nobody knows
    WrongSigner,
    /// Of a pipeline that the key may not speak for
    WrongClaims,
    /// Of a build a month ago
    Expired,
    /// The good one, twice
    Replayed,
}

impl Send {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let deliveries = self.deliveries()?;
        let subscription = self.subscription();
        block_on(async {
            let mut worst = 0;
            for (data, published) in deliveries {
                let delivery = Delivery::to(&self.to, &data, published, subscription.as_deref());
                let answer = delivery.send().await?;
                said(output, &delivery, &answer)?;
                worst = worst.max(answer.exit_code());
            }
            Ok(worst)
        })
    }

    /// What to deliver, in order.
    fn deliveries(&self) -> Result<Vec<(Vec<u8>, Timestamp)>, Failure> {
        let now = clock::now();
        if let Some(path) = &self.event {
            let given = GivenEvent::read(path)?;
            return Ok(vec![(given.data, self.publish_time.or(given.publish_time).unwrap_or(now))]);
        }
        let Some(fixture) = self.fixture else { return Ok(Vec::new()) };
        let published = self.publish_time.unwrap_or(now);
        let data = fixture
            .made(&self.config.load()?, &self.key.load()?, &self.set, published)?
            .to_json()
            .into_bytes();
        let once = (data, published);
        Ok(if fixture == Fixture::Replayed { vec![once.clone(), once] } else { vec![once] })
    }

    /// The subscription the file pins, when there is a file; a service without one does not ask.
    fn subscription(&self) -> Option<String> {
        self.config.load().ok()?.ingress.events?.subscription
    }
}

impl Fixture {
    fn made(
        self,
        config: &Config,
        key: &SigningKey,
        set: &[Annotation],
        now: Timestamp,
    ) -> Result<Envelope, Failure> {
        // A number that grows with time: each fixture is a new event.
        let number = u64::try_from(now.micros() / 1000).unwrap_or(1).max(1);
        let organization = config.buildkite.as_ref().map_or("acme", |buildkite| &buildkite.organization);
        let pipeline = pipeline_of(config, key).unwrap_or_else(|| "fraud-train".to_owned());
        let artifact = image("fixture", "us-docker.pkg.dev/acme/ml/fixture", &number.to_be_bytes());
        let story = Story::new(organization, &pipeline, number, artifact, now);
        let story = set.iter().fold(story, |story, one| story.annotated(&one.key, one.value.clone()));
        let story = story.fitted_to(config, key, now)?;
        match self {
            Self::Good | Self::Replayed => story.signed(key),
            Self::Tampered => Ok(tampered(&story.signed(key)?)),
            Self::WrongSigner => story.signed(&strangers_key()?),
            Self::WrongClaims => {
                let mut story = story;
                story.build.pipeline = Some("somebody-elses-pipeline".to_owned());
                story.signed(key)
            }
            Self::Expired => story.days_old(31).signed(key),
        }
    }
}

/// One push request.
pub(crate) struct Delivery {
    url: String,
    /// Pub/Sub's message id, made up.
    pub(crate) message_id: String,
    /// The event, when the data holds one.
    pub(crate) event: Option<EventId>,
    body: Vec<u8>,
}

/// What the service answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    text: String,
}

impl Delivery {
    pub(crate) fn to(url: &str, data: &[u8], published: Timestamp, subscription: Option<&str>) -> Self {
        let message_id = message_id();
        let event = Envelope::parse(data).ok().map(|envelope| envelope.event_digest().id());
        let body = wrapped(data, &message_id, published, subscription, &BTreeMap::new());
        Self { url: url.to_owned(), message_id, event, body }
    }

    /// One of Buildkite's webhooks, as the relay publishes it.
    pub(crate) fn of_webhook(url: &str, body: &[u8], signature: &str, published: Timestamp) -> Self {
        let message_id = message_id();
        let attributes = BTreeMap::from([("buildkite-signature".to_owned(), signature.to_owned())]);
        let body = wrapped(body, &message_id, published, None, &attributes);
        Self { url: url.to_owned(), message_id, event: None, body }
    }

    pub(crate) async fn send(&self) -> Result<Answer, Failure> {
        let endpoint =
            Endpoint::parse(&self.url).map_err(|problem| Failure::usage(format!("--to: {problem}")))?;
        if !endpoint.is_loopback() {
            return Err(Failure::usage(format!(
                "--to {}: `send` plays Pub/Sub towards this machine only; publish with `emit`",
                self.url
            )));
        }
        let unreachable = |error: reqwest::Error| {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Failure::Transient(format!(
                "{} does not answer ({why}); is `launchgate serve` running?",
                self.url
            ))
        };
        let client =
            reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(anyhow::Error::from)?;
        let request =
            client.post(&self.url).header("content-type", "application/json").body(self.body.clone());
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        Ok(Answer { status, text: text.chars().take(ANSWER_SHOWN).collect() })
    }
}

impl Answer {
    fn exit_code(&self) -> u8 {
        match self.status {
            200..=299 => 0,
            401 | 403 => 3,
            429 | 502..=504 => 7,
            _ => 1,
        }
    }
}

fn said(output: &Output, delivery: &Delivery, answer: &Answer) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(&json!({
            "event": delivery.event, "messageId": delivery.message_id, "status": answer.status, "answer": answer.text,
        }));
    }
    let event = delivery.event.as_ref().map_or("no event", EventId::as_str);
    output.data(&format!("{event}  message {}  HTTP {}", delivery.message_id, answer.status))?;
    if !answer.text.is_empty() {
        output.say(&line(answer.text.trim()));
    }
    Ok(())
}

/// Digits as Pub/Sub's ids are, different for every delivery of this process.
fn message_id() -> String {
    static SENT: AtomicU32 = AtomicU32::new(0);
    let sent = SENT.fetch_add(1, Ordering::Relaxed) % 1000;
    format!("{}{sent:03}", clock::now().micros())
}
