//! Decisions that wait for Buildkite's own word, over a real ledger: facts and events in any order.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes a value where it is written")]

mod interposed;
mod pipeline_file;
mod scripted_vertex;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use launchgate_engine::{
    Answer, AuthenticatedReceipt, BuildAnswer, BuildEnd, BuildKey, Command, CommandKind, DecisionRecord,
    FactsKept, Gate, GateParts, Receipt, SweepReport,
    ports::{
        AnsweredBuild, BuildkiteApi, BuildkiteApiError, NoArtifactCheck, NoBuildkiteKeys, NoFailureTopic,
    },
};
use launchgate_ledger_sqlite::{Options, SqliteLedger};
use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_statement::{
    Artifact, Build, BuildkiteIds, EventId, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp,
};
use launchgate_triggers::Config;
use launchgate_trust::{AuthenticatedSender, Scheme, SigningKey, WebhookSecrets};
use ring::hmac;
use serde_json::{Value, json};

use interposed::Interposed;
use scripted_vertex::ScriptedVertex;

const PUBLISHED: &str = "2026-11-18T11:06:40Z";
const SECRET: &str = "hush";

/// Buildkite's API, with one answer for every question.
struct Api {
    answer: Mutex<Result<Value, BuildkiteApiError>>,
    asked: Mutex<usize>,
}

impl Api {
    fn answering(answer: Result<Value, BuildkiteApiError>) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), asked: Mutex::new(0) })
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    fn now_answers(&self, answer: Result<Value, BuildkiteApiError>) {
        *self.answer.lock().unwrap() = answer;
    }
}

#[async_trait]
impl BuildkiteApi for Api {
    async fn build(&self, _: &BuildKey) -> Result<AnsweredBuild, BuildkiteApiError> {
        *self.asked.lock().unwrap() += 1;
        let build = self.answer.lock().unwrap().clone()?;
        Ok(AnsweredBuild { body: build.to_string().into_bytes(), at: published() })
    }
}

/// The build of a webhook as the API shows it.
fn shown(webhook: &Value) -> Value {
    let mut build = webhook["build"].clone();
    build["pipeline"] = webhook["pipeline"].clone();
    build
}

struct World {
    gate: Gate,
    ledger: Arc<Interposed>,
    vertex: Arc<ScriptedVertex>,
    key: SigningKey,
    folder: tempfile::TempDir,
}

impl World {
    /// A trigger that asks for this besides the key's signature.
    fn asking(require: Value) -> Self {
        Self::with(require, json!({}))
    }

    fn with(require: Value, more: Value) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        Self::open(tempfile::tempdir().unwrap(), key, require, more)
    }

    fn open(folder: tempfile::TempDir, key: SigningKey, require: Value, more: Value) -> Self {
        let config = config(&key, require, more);
        Self::of(folder, key, config, None)
    }

    /// As `asking`, with an API that can be asked about builds after a second.
    fn with_api(require: Value, api: Arc<Api>) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        let config = config(&key, require, json!({}));
        Self::of(tempfile::tempdir().unwrap(), key, config, Some(api))
    }

    fn of(folder: tempfile::TempDir, key: SigningKey, config: Config, api: Option<Arc<Api>>) -> Self {
        let config = Arc::new(config);
        let options = Options { ephemeral_disk_allowed: true, ..Options::default() };
        let ledger = SqliteLedger::open(folder.path().join("l.db"), options).unwrap();
        let ledger = Arc::new(Interposed::over(ledger));
        let vertex = Arc::<ScriptedVertex>::default();
        let parts = GateParts {
            config,
            ledger: ledger.clone(),
            vertex: vertex.clone(),
            failures: Arc::new(NoFailureTopic),
            artifacts: Arc::new(NoArtifactCheck),
            buildkite_keys: Arc::new(NoBuildkiteKeys),
            webhook_secrets: Some(WebhookSecrets::parse(&format!("{SECRET}, older")).unwrap()),
            buildkite_api: api.map(|api| api as Arc<dyn BuildkiteApi>),
        };
        Self { gate: Gate::new(parts), ledger, vertex, key, folder }
    }

    /// The same ledger and key under another file.
    fn under(self, require: Value, more: Value) -> Self {
        let Self { key, folder, gate, ledger, .. } = self;
        drop((gate, ledger));
        Self::open(folder, key, require, more)
    }

    async fn deliver(&self, data: &str) -> Answer {
        self.gate.receive(receipt(data.as_bytes(), None)).await.unwrap()
    }

    async fn event(&self) -> Answer {
        self.deliver(&signed(&self.key)).await
    }

    async fn webhook(&self, webhook: &Value) -> BuildAnswer {
        let body = webhook.to_string();
        let header = header(SECRET, published().seconds(), &body);
        self.gate.receive_build(receipt(body.as_bytes(), Some(header))).await.unwrap()
    }

    async fn decision(&self, id: &EventId) -> DecisionRecord {
        self.gate.ledger().flush().await.unwrap();
        let mut decisions = self.gate.ledger().event(id).await.unwrap().unwrap().decisions;
        assert_eq!(decisions.len(), 1, "{decisions:#?}");
        decisions.remove(0)
    }

    fn jobs(&self) -> usize {
        self.vertex.jobs()
    }

    /// Sweeps until Buildkite was asked about something.
    async fn sweep_until_asked(&self) -> SweepReport {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let report = self.gate.sweep().await.unwrap();
            if report.builds_asked > 0 {
                return report;
            }
            assert!(tokio::time::Instant::now() < deadline, "nobody was asked");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sweeps until something came due by the ledger's clock.
    async fn sweep_until_due(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while self.gate.sweep().await.unwrap().taken_up == 0 {
            assert!(tokio::time::Instant::now() < deadline, "nothing came due");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn config(key: &SigningKey, require: Value, more: Value) -> Config {
    let mut trigger = json!({
        "name": "retrain", "match": {"pipeline": "fraud-train", "branch": "main"},
        "require": {"signers": {"anyOf": ["one"]}},
        "launch": {"pipelineJob": {
            "template": "p.json", "displayName": "d", "runtimeConfig": {"gcsOutputDirectory": "gs://b/r"},
        }},
    });
    trigger["require"].as_object_mut().unwrap().extend(require.as_object().unwrap().clone());
    trigger.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let file = json!({
        "apiVersion": "launchgate/v1", "service": {"audience": "launchgate-test"},
        "vertex": {"project": "p", "location": "us-central1", "callTimeout": "1s"},
        "ingress": {"builds": {"auth": "none"}},
        "buildkite": {"organization": "acme", "webhookSecretEnv": "SECRET", "askAfter": "1s"},
        "signers": [{"id": "one", "publicKey": key.public_pem()}],
        "triggers": [trigger],
    });
    pipeline_file::loaded(&file)
}

/// A file that lets Buildkite's webhook itself speak, with every safeguard. It observes: what is asked for here is
/// whether it would launch.
fn config_of_webhooks() -> Config {
    let file = json!({
        "apiVersion": "launchgate/v1", "service": {"audience": "launchgate-test"},
        "vertex": {"project": "p", "location": "us-central1", "callTimeout": "1s"},
        "ingress": {"builds": {"auth": "none"}},
        "buildkite": {"organization": "acme", "webhookSecretEnv": "SECRET"},
        "signers": [{"id": "hook", "buildkiteWebhook": {"organization": "acme"}}],
        "triggers": [{
            "name": "retrain", "mode": "observe",
            "match": {"pipeline": "fraud-train", "branch": "main", "artifact": "us-docker.pkg.dev/acme/ml/fraud-train@*"},
            "require": {
                "signers": {"anyOf": ["hook"]}, "build": "passed", "pullRequest": "none", "artifact": "exists",
                "trustsCluster": "c-1",
            },
            "launch": {"pipelineJob": {
                "template": "p.json", "displayName": "d", "runtimeConfig": {"gcsOutputDirectory": "gs://b/r"},
            }},
        }],
    });
    pipeline_file::loaded(&file)
}

fn published() -> Timestamp {
    Timestamp::parse(PUBLISHED).unwrap()
}

fn signed(key: &SigningKey) -> String {
    signed_by_job(key, "0184990a-477b-4fa8-9968-496074483cee", 42)
}

/// The event of another job, or of another build.
fn signed_by_job(key: &SigningKey, job: &str, number: u64) -> String {
    let text = |value: &str| Some(value.to_owned());
    let build = Build {
        organization: text("acme"),
        pipeline: text("fraud-train"),
        number: Some(number),
        branch: text("main"),
        commit: Some("3f".repeat(20)),
        job: text(job),
        ..Build::default()
    };
    let artifact = Artifact {
        name: "fraud-train".to_owned(),
        sha256: Sha256::of(b"x"),
        uri: None,
        media_type: None,
        annotations: serde_json::Map::new(),
    };
    let started_on = Timestamp::parse("2026-11-18T11:01:40Z");
    let draft = ProvenanceDraft {
        build,
        artifacts: vec![artifact],
        command: None,
        started_on,
        ids: BuildkiteIds::default(),
    };
    key.envelope(PAYLOAD_TYPE, &draft.to_statement().unwrap()).unwrap().to_json()
}

fn header(secret: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex = Sha256::from_bytes(signature.as_ref().try_into().unwrap());
    format!("timestamp={seconds},signature={hex}")
}

fn receipt(data: &[u8], signature: Option<String>) -> AuthenticatedReceipt {
    let receipt = Receipt {
        message_id: "1".to_owned(),
        publish_time: published(),
        subscription: None,
        delivery_attempt: None,
        traceparent: None,
        buildkite_signature: signature,
        data: data.to_vec().into(),
    };
    AuthenticatedReceipt::new(receipt, AuthenticatedSender::loopback([127, 0, 0, 1].into()).unwrap())
}

/// The build of the event, finished at this second of the hour.
fn a_webhook(state: &str, finished: Option<u32>) -> Value {
    json!({
        "event": if finished.is_some() { "build.finished" } else { "build.running" },
        "build": {
            "id": "b-1", "number": 42, "state": state, "blocked": false, "source": "webhook",
            "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42",
            "branch": "main", "tag": null, "commit": "3f".repeat(20), "pull_request": null,
            "finished_at": finished.map(|second| format!("2026-11-18T11:05:{second:02}Z")),
        },
        "pipeline": {"slug": "fraud-train", "repository": "git@github.com:acme/fraud-train.git"},
    })
}

fn of_a_fork() -> Value {
    let mut webhook = a_webhook("passed", Some(10));
    webhook["build"]["pull_request"] = json!({"id": "7", "repository": "https://github.com/eve/fraud-train"});
    webhook
}

const NO_PULL_REQUEST: fn() -> Value = || json!({"pullRequest": "none"});

#[tokio::test]
async fn an_event_waits_and_launches_once_when_the_facts_come() {
    let world = World::asking(NO_PULL_REQUEST());

    let early = world.event().await;
    assert_eq!((early.outcome, early.reason), (Outcome::WaitingBuild, Some(Reason::BuildFactsAwaited)));
    assert_eq!(world.gate.sweep().await.unwrap().taken_up, 0, "not before its end");
    assert_eq!(world.jobs(), 0);
    let late = world.webhook(&a_webhook("running", None)).await;
    let again = world.webhook(&a_webhook("running", None)).await;

    assert_eq!(late.end, BuildEnd::Facts(FactsKept::Newest));
    assert_eq!(late.decisions.iter().map(|one| one.1).collect::<Vec<_>>(), [Outcome::Launched]);
    assert_eq!((again.end, again.decisions.len()), (BuildEnd::Facts(FactsKept::Repeated), 0));
    assert_eq!(world.jobs(), 1);
    let decision = world.decision(&early.event.unwrap()).await;
    assert_eq!((decision.outcome, decision.wait_seconds), (Outcome::Launched, None));
    let rung = decision.checks.iter().find(|check| check.name == "require.pullRequest").unwrap();
    assert_eq!((rung.status, rung.voucher), (CheckStatus::Passed, Some(Voucher::Webhook)));
    assert!(world.gate.ledger().unheeded_builds(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn facts_that_come_first_are_there_when_the_event_does() {
    let world = World::asking(NO_PULL_REQUEST());

    let early = world.webhook(&a_webhook("passed", Some(10))).await;
    let event = world.event().await;

    assert_eq!((early.end, early.decisions.len()), (BuildEnd::Facts(FactsKept::Newest), 0));
    assert_eq!(event.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn facts_that_come_between_the_look_and_the_commit_wake_the_event_all_the_same() {
    let world = World::asking(NO_PULL_REQUEST());
    let gate = world.gate.clone();
    // The whole webhook is taken in while the event stands right before its commit: whoever keeps the facts
    // finds nothing that waits, and the event has looked already.
    world.ledger.before_the_next_admission(async move {
        let body = a_webhook("passed", Some(10)).to_string();
        let header = header(SECRET, published().seconds(), &body);
        let answer = gate.receive_build(receipt(body.as_bytes(), Some(header))).await.unwrap();
        assert_eq!((answer.end, answer.decisions.len()), (BuildEnd::Facts(FactsKept::Newest), 0));
    });

    let event = world.event().await;

    assert_eq!(event.outcome, Outcome::Launched);
    assert_eq!(event.decisions.iter().map(|one| one.1).collect::<Vec<_>>(), [Outcome::Launched]);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_second_look_that_was_cut_off_is_made_up_for_by_the_next_copy() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await;
    // As after a crash right behind the commit: facts are there and nobody will hear of them again.
    let facts =
        launchgate_trust::BuildFacts::given_by_operator(a_webhook("passed", Some(10)).to_string().as_bytes());
    let kept = world.gate.ledger().keep_build_facts(facts.unwrap()).await.unwrap();
    world.gate.ledger().build_heeded(&kept.unheeded.unwrap()).await.unwrap();

    let copy = world.event().await;

    assert_eq!((copy.outcome, copy.decisions.len()), (Outcome::Duplicate, 1));
    assert_eq!(world.decision(&event.event.unwrap()).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn facts_that_nobody_laid_beside_what_waits_are_taken_up_by_the_sweep() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await;
    let facts =
        launchgate_trust::BuildFacts::given_by_operator(a_webhook("passed", Some(10)).to_string().as_bytes());
    world.gate.ledger().keep_build_facts(facts.unwrap()).await.unwrap();

    let report = world.gate.sweep().await.unwrap();
    let idle = world.gate.sweep().await.unwrap();

    assert_eq!((report.builds_heeded, report.launched, idle.builds_heeded), (1, 1, 0));
    assert_eq!(world.decision(&event.event.unwrap()).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_forks_build_is_denied_when_the_facts_come() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await;

    let told = world.webhook(&of_a_fork()).await;
    world.gate.sweep().await.unwrap();

    assert_eq!(told.decisions.iter().map(|one| one.1).collect::<Vec<_>>(), [Outcome::DeniedPolicy]);
    let decision = world.decision(&event.event.clone().unwrap()).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::DeniedPolicy, Some(Reason::ForkBuild)));
    assert_eq!(world.jobs(), 0);
    let stored = world.gate.ledger().event(&event.event.unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.history[0].outcome, Outcome::WaitingBuild, "what it was stays on record");
}

#[tokio::test]
async fn a_build_that_must_pass_is_waited_for_to_its_end() {
    let world = World::asking(json!({"build": "passed"}));
    let event = world.event().await;

    world.webhook(&a_webhook("running", None)).await;
    let decision = world.decision(&event.event.clone().unwrap()).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::WaitingBuild, Some(Reason::BuildNotFinished)));
    // Later words that say no more change nothing.
    world.webhook(&a_webhook("failing", None)).await;
    let stored = world.gate.ledger().event(&event.event.clone().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.history.len(), 1);
    world.webhook(&a_webhook("passed", Some(10))).await;

    assert_eq!(world.decision(&event.event.unwrap()).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_build_that_failed_is_denied_and_a_replay_after_a_retried_job_launches() {
    let world = World::asking(json!({"build": "passed"}));
    let event = world.event().await.event.unwrap();
    world.webhook(&a_webhook("failed", Some(10))).await;
    assert_eq!(world.decision(&event).await.reason, Some(Reason::BuildNotPassed));

    let retried = world.webhook(&a_webhook("passed", Some(20))).await;
    let older = world.webhook(&a_webhook("failed", Some(10))).await;
    assert_eq!((retried.decisions.len(), older.end), (0, BuildEnd::Facts(FactsKept::Older)));
    let kind = CommandKind::Replay { event: event.clone(), force: false };
    let command = Command { kind, by: "ada".to_owned(), why: "a retried job".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();

    assert_eq!(world.decision(&event).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_replay_of_what_expired_waits_again_and_keeps_who_asked() {
    let world = World::with(NO_PULL_REQUEST(), json!({"waitFor": {"build": "1s"}}));
    let event = world.event().await.event.unwrap();
    world.sweep_until_due().await;
    let expired = world.decision(&event).await;
    assert_eq!((expired.outcome, expired.reason), (Outcome::DeniedPolicy, Some(Reason::BuildFactsExpired)));
    assert!(expired.message.as_ref().unwrap().contains("1 s"), "{expired:?}");

    let kind = CommandKind::Replay { event: event.clone(), force: false };
    let command = Command { kind, by: "ada".to_owned(), why: "the relay was down".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();
    let waiting = world.decision(&event).await;
    assert_eq!(waiting.outcome, Outcome::WaitingBuild);
    world.webhook(&a_webhook("passed", Some(10))).await;

    let launched = world.decision(&event).await;
    assert_eq!((launched.outcome, &launched.by), (Outcome::Launched, &waiting.by));
    assert!(launched.by.unwrap().contains("the relay was down"));
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn what_comes_due_looks_at_the_facts_a_last_time() {
    let world = World::with(NO_PULL_REQUEST(), json!({"waitFor": {"build": "1s"}}));
    let event = world.event().await.event.unwrap();
    let facts =
        launchgate_trust::BuildFacts::given_by_operator(a_webhook("passed", Some(10)).to_string().as_bytes());
    let kept = world.gate.ledger().keep_build_facts(facts.unwrap()).await.unwrap();
    world.gate.ledger().build_heeded(&kept.unheeded.unwrap()).await.unwrap();

    world.sweep_until_due().await;

    assert_eq!(world.decision(&event).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_decision_that_waited_is_made_under_todays_file() {
    for (more, outcome, reason) in [
        (json!({"mode": "paused"}), Outcome::SkippedPaused, None),
        (json!({"mode": "observe"}), Outcome::Observed, None),
        (json!({"name": "other"}), Outcome::DeniedPolicy, Some(Reason::TriggerRemoved)),
        (json!({"match": {"pipeline": "elsewhere"}}), Outcome::NoMatch, Some(Reason::NoTriggerMatches)),
    ] {
        let world = World::asking(NO_PULL_REQUEST());
        let event = world.event().await.event.unwrap();
        let world = world.under(NO_PULL_REQUEST(), more.clone());

        world.webhook(&a_webhook("passed", Some(10))).await;
        world.gate.sweep().await.unwrap();

        let decision = world.decision(&event).await;
        assert_eq!((decision.outcome, decision.reason), (outcome, reason), "{more}");
        assert_eq!(world.jobs(), 0, "{more}");
    }
}

#[tokio::test]
async fn a_signer_that_was_revoked_while_it_waited_launches_nothing() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await.event.unwrap();
    let World { folder, gate, ledger, .. } = world;
    drop((gate, ledger));
    let other = SigningKey::generate(Scheme::Ed25519).unwrap();
    let world = World::open(folder, other, NO_PULL_REQUEST(), json!({}));

    world.webhook(&a_webhook("passed", Some(10))).await;

    let decision = world.decision(&event).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::DeniedPolicy, Some(Reason::SignerRevoked)));
    assert_eq!(world.jobs(), 0);
}

#[tokio::test]
async fn events_and_facts_at_the_same_time_launch_exactly_once() {
    for _ in 0..10 {
        let world = World::asking(NO_PULL_REQUEST());
        let webhook = a_webhook("passed", Some(10));

        let (event, told, copy, again) =
            tokio::join!(world.event(), world.webhook(&webhook), world.event(), world.webhook(&webhook));

        let outcomes = [event.outcome, copy.outcome];
        assert!(outcomes.contains(&Outcome::Duplicate), "{outcomes:?} {told:?} {again:?}");
        let id = event.event.or(copy.event).unwrap();
        assert_eq!(world.decision(&id).await.outcome, Outcome::Launched);
        assert_eq!(world.jobs(), 1);
    }
}

#[tokio::test]
async fn every_webhook_that_is_not_believed_is_recorded_with_its_reason() {
    let world = World::asking(NO_PULL_REQUEST());
    let body = a_webhook("passed", Some(10)).to_string();
    let now = published().seconds();
    let foreign = body.replace("organizations/acme", "organizations/umbrella");
    let shapeless = json!({"event": "build.finished", "build": 7}).to_string();
    let cases = [
        (&body, None, Reason::WebhookHeader),
        (&body, Some("timestamp=1".to_owned()), Reason::WebhookHeader),
        (&body, Some(header("guess", now, &body)), Reason::WebhookSignature),
        (&body, Some(header(SECRET, now, &foreign)), Reason::WebhookSignature),
        (&body, Some(header(SECRET, now - 301, &body)), Reason::WebhookTime),
        (&body, Some(header(SECRET, now + 301, &body)), Reason::WebhookTime),
        (&foreign, Some(header(SECRET, now, &foreign)), Reason::ForeignOrganization),
        (&shapeless, Some(header(SECRET, now, &shapeless)), Reason::WebhookShape),
    ];
    for (body, header, reason) in cases {
        let answer = world.gate.receive_build(receipt(body.as_bytes(), header)).await.unwrap();
        assert_eq!(answer.end, BuildEnd::Refused(reason.outcome(), reason));
        let filter = launchgate_engine::EventFilter { limit: 1, ..Default::default() };
        let listed = world.gate.ledger().events(filter).await.unwrap().items;
        assert_eq!(listed[0].reason, Some(reason));
    }

    let event = world.event().await;
    assert_eq!(event.outcome, Outcome::WaitingBuild, "nothing of that was believed");
    assert_eq!(world.jobs(), 0);
}

#[tokio::test]
async fn an_older_secret_counts_while_it_is_in_the_list_and_other_events_are_unused() {
    let world = World::asking(NO_PULL_REQUEST());
    let body = a_webhook("passed", Some(10)).to_string();
    let rotated = receipt(body.as_bytes(), Some(header("older", published().seconds(), &body)));
    let ping = json!({"event": "ping", "organization": {"id": "o"}});

    let kept = world.gate.receive_build(rotated).await.unwrap();
    let unused = world.webhook(&ping).await;

    assert_eq!((kept.end, unused.end), (BuildEnd::Facts(FactsKept::Newest), BuildEnd::Unused));
}

/// The finished build with this in its meta-data.
fn leaving(metadata: Value) -> Value {
    let mut webhook = a_webhook("passed", Some(10));
    webhook["build"]["started_at"] = json!("2026-11-18T11:01:00Z");
    webhook["build"]["meta_data"] = metadata;
    webhook
}

fn outcomes(answer: &BuildAnswer) -> Vec<(Outcome, Option<Reason>)> {
    answer.events.iter().map(|event| (event.outcome, event.reason)).collect()
}

#[tokio::test]
async fn what_a_builds_jobs_left_in_its_meta_data_is_launched_once() {
    let world = World::asking(json!({"build": "passed"}));
    let left = leaving(json!({"launchgate:event:j-1": signed(&world.key), "release": "7"}));

    let told = world.webhook(&left).await;
    let again = world.webhook(&left).await;
    let mut retried = left.clone();
    retried["build"]["finished_at"] = json!("2026-11-18T11:06:20Z");
    let later = world.webhook(&retried).await;
    let as_message = world.event().await;

    assert_eq!(outcomes(&told), [(Outcome::Launched, None)]);
    assert_eq!(outcomes(&again), [(Outcome::Duplicate, None)]);
    assert_eq!(
        (later.end, outcomes(&later)),
        (BuildEnd::Facts(FactsKept::Newest), vec![(Outcome::Duplicate, None)])
    );
    assert_eq!(as_message.outcome, Outcome::Duplicate);
    assert_eq!(world.jobs(), 1);
    let stored = world.gate.ledger().event(&told.events[0].event.clone().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.receipts[0].message_id, "1/launchgate:event:j-1");
}

#[tokio::test]
async fn only_a_build_that_has_finished_hands_its_meta_data_over() {
    let world = World::asking(json!({}));
    let mut running = leaving(json!({"launchgate:event:j-1": signed(&world.key)}));
    running["event"] = json!("build.running");

    assert!(world.webhook(&running).await.events.is_empty());
    assert_eq!(world.jobs(), 0);
}

#[tokio::test]
async fn another_builds_envelope_is_recorded_as_foreign_and_spoils_nothing() {
    let world = World::asking(json!({}));
    let of_another = signed_by_job(&world.key, "j-2", 43);
    let left = leaving(json!({
        "launchgate:event:a": of_another, "launchgate:event:b": "no envelope", "launchgate:event:c": signed(&world.key),
    }));

    let told = world.webhook(&left).await;

    let expected = [
        (Outcome::RejectedSignature, Some(Reason::ForeignMetadata)),
        (Outcome::RejectedMalformed, Some(Reason::NotJson)),
        (Outcome::Launched, None),
    ];
    assert_eq!(outcomes(&told), expected);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn more_envelopes_than_a_build_may_leave_are_told_and_the_first_are_taken() {
    let world = World::asking(json!({}));
    let mut metadata = json!({"launchgate:event:a": signed(&world.key)});
    for index in 0..40 {
        metadata[format!("launchgate:event:x{index:02}")] = json!("x");
    }

    let told = world.webhook(&leaving(metadata)).await;

    assert_eq!(told.events.len(), 33);
    assert_eq!(outcomes(&told)[0], (Outcome::Launched, None));
    assert_eq!(outcomes(&told)[32], (Outcome::RejectedMalformed, Some(Reason::TooManyInMetadata)));
}

#[tokio::test]
async fn a_webhook_that_was_cut_off_among_its_envelopes_loses_none_when_it_comes_again() {
    let world = World::asking(json!({}));
    let left = leaving(json!({
        "launchgate:event:a": signed_by_job(&world.key, "a", 42), "launchgate:event:b": signed_by_job(&world.key, "b", 42),
        "launchgate:event:c": signed_by_job(&world.key, "c", 42),
    }));
    world.ledger.before_the_next_admission(async { panic!("as a process that is killed") });
    let (body, at) = (left.to_string(), published().seconds());
    let cut_off = world.gate.receive_build(receipt(body.as_bytes(), Some(header(SECRET, at, &body)))).await;
    assert!(cut_off.is_err(), "nothing is answered before all of it is durable: {cut_off:?}");

    let again = world.webhook(&left).await;
    world.gate.sweep().await.unwrap();

    assert_eq!(again.events.len(), 3);
    assert!(outcomes(&again).iter().all(|one| matches!(one.0, Outcome::Launched | Outcome::Duplicate)));
    assert_eq!(world.jobs(), 3);
}

#[tokio::test]
async fn a_build_whose_webhook_was_lost_is_asked_about_after_a_while() {
    let api = Api::answering(Ok(shown(&a_webhook("passed", Some(10)))));
    let world = World::with_api(json!({"build": "passed"}), api.clone());
    let event = world.event().await.event.unwrap();
    assert_eq!(world.gate.sweep().await.unwrap().builds_asked, 0, "not at once");

    let report = world.sweep_until_asked().await;

    assert_eq!((report.builds_asked, report.builds_heeded, report.launched), (1, 1, 1));
    let decision = world.decision(&event).await;
    assert_eq!(decision.outcome, Outcome::Launched);
    let rung = decision.checks.iter().find(|check| check.name == "require.build").unwrap();
    assert_eq!((rung.status, rung.voucher), (CheckStatus::Passed, Some(Voucher::Rest)));
    assert_eq!(world.gate.sweep().await.unwrap().builds_asked, 0, "nothing waits any more");
    assert_eq!((api.asked(), world.jobs()), (1, 1));
}

#[tokio::test]
async fn what_the_api_says_denies_as_a_webhook_would() {
    let api = Api::answering(Ok(shown(&of_a_fork())));
    let world = World::with_api(NO_PULL_REQUEST(), api);
    let event = world.event().await.event.unwrap();

    world.sweep_until_asked().await;

    let decision = world.decision(&event).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::DeniedPolicy, Some(Reason::ForkBuild)));
}

#[tokio::test]
async fn a_build_that_still_runs_is_asked_about_again_later() {
    let api = Api::answering(Ok(shown(&a_webhook("running", None))));
    let world = World::with_api(json!({"build": "passed"}), api.clone());
    let event = world.event().await.event.unwrap();

    world.sweep_until_asked().await;
    assert_eq!(world.decision(&event).await.reason, Some(Reason::BuildNotFinished));
    api.now_answers(Ok(shown(&a_webhook("passed", Some(10)))));
    world.sweep_until_asked().await;

    assert_eq!(world.decision(&event).await.outcome, Outcome::Launched);
    assert_eq!(api.asked(), 2);
}

#[tokio::test]
async fn an_api_that_refuses_is_left_alone_and_its_trouble_is_shown() {
    for error in [
        BuildkiteApiError::Refused("401".to_owned()),
        BuildkiteApiError::Later { message: "429".to_owned(), wait: Some(Duration::from_mins(1)) },
    ] {
        let api = Api::answering(Err(error.clone()));
        let world = World::with_api(NO_PULL_REQUEST(), api.clone());
        let event = world.event().await.event.unwrap();

        world.sweep_until_asked().await;
        for _ in 0..3 {
            assert_eq!(world.gate.sweep().await.unwrap().builds_asked, 0);
        }

        assert_eq!(world.decision(&event).await.outcome, Outcome::WaitingBuild, "its own end ends it");
        assert_eq!(world.gate.buildkite_api_trouble(), Some(error.to_string()));
        assert_eq!(api.asked(), 1);
    }
}

#[tokio::test]
async fn an_answer_about_another_build_is_no_answer() {
    let mut other = a_webhook("passed", Some(10));
    other["build"]["number"] = json!(43);
    other["build"]["url"] =
        json!("https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/43");
    let world = World::with_api(NO_PULL_REQUEST(), Api::answering(Ok(shown(&other))));
    let event = world.event().await.event.unwrap();

    world.sweep_until_asked().await;

    assert_eq!(world.decision(&event).await.outcome, Outcome::WaitingBuild);
    assert!(world.gate.buildkite_api_trouble().unwrap().contains("another"));
}

#[tokio::test]
async fn meta_data_that_the_webhook_came_without_are_fetched() {
    let key = SigningKey::generate(Scheme::Ed25519).unwrap();
    let mut without = leaving(json!({"launchgate:event:a": signed(&key)}));
    let api = Api::answering(Ok(shown(&without)));
    let world = World::of(
        tempfile::tempdir().unwrap(),
        SigningKey::generate(Scheme::Ed25519).unwrap(),
        config(&key, json!({}), json!({})),
        Some(api.clone()),
    );
    without["build"].as_object_mut().unwrap().remove("meta_data");
    let body = without.to_string();
    let tell = || receipt(body.as_bytes(), Some(header(SECRET, published().seconds(), &body)));

    api.now_answers(Err(BuildkiteApiError::Later { message: "busy".to_owned(), wait: None }));
    assert!(world.gate.receive_build(tell()).await.is_err(), "it comes again");
    let mut other = shown(&leaving(json!({"launchgate:event:a": signed(&key)})));
    other["id"] = json!("b-2");
    api.now_answers(Ok(other));
    assert!(world.gate.receive_build(tell()).await.unwrap().events.is_empty(), "a build of the same name");
    api.now_answers(Ok(shown(&leaving(json!({"launchgate:event:a": signed(&key)})))));
    let told = world.gate.receive_build(tell()).await.unwrap();

    assert_eq!(outcomes(&told), [(Outcome::Launched, None)]);
}

#[tokio::test]
async fn a_build_that_no_trigger_takes_is_not_asked_about() {
    let api = Api::answering(Err(BuildkiteApiError::Refused("no".to_owned())));
    let world = World::with_api(json!({}), api.clone());
    let mut without = leaving(json!({}));
    without["build"].as_object_mut().unwrap().remove("meta_data");
    without["build"]["branch"] = json!("try-adam");

    world.webhook(&without).await;

    assert_eq!(api.asked(), 0);
}

/// The finished build with this note of its artifacts.
fn noting(note: &Value) -> Value {
    let mut webhook = leaving(json!({"launchgate:artifact": note.to_string()}));
    webhook["build"]["cluster_id"] = json!("c-1");
    webhook
}

fn an_image(seed: &[u8]) -> Value {
    let sha256 = Sha256::of(seed);
    let uri = format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}");
    json!({"name": "fraud-train", "sha256": sha256, "uri": uri})
}

impl World {
    fn of_webhooks(api: Option<Arc<Api>>) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        Self::of(tempfile::tempdir().unwrap(), key, config_of_webhooks(), api)
    }

    async fn only_event(&self, told: &BuildAnswer) -> (EventId, DecisionRecord) {
        let id = told.events[0].event.clone().unwrap();
        let decision = self.gate.ledger().event(&id).await.unwrap().unwrap().decisions.pop().unwrap();
        (id, decision)
    }
}

#[tokio::test]
async fn a_webhook_that_notes_its_artifact_is_an_event_itself_once() {
    let world = World::of_webhooks(None);

    let told = world.webhook(&noting(&an_image(b"one"))).await;
    let again = world.webhook(&noting(&json!([an_image(b"one")]))).await;

    assert_eq!(outcomes(&told), [(Outcome::Observed, None)]);
    assert_eq!(outcomes(&again), [(Outcome::Duplicate, None)]);
    let (id, decision) = world.only_event(&told).await;
    let stored = world.gate.ledger().event(&id).await.unwrap().unwrap();
    let signature = stored.event.checks.iter().find(|rung| rung.name == "signature").unwrap();
    assert!(signature.actual.as_ref().unwrap().contains("weakest"), "{signature:?}");
    let rung = |name: &str| decision.checks.iter().find(|rung| rung.name == name).unwrap().clone();
    assert!(rung("require.maxAge").actual.unwrap().contains("build finished_at"));
    for name in ["match.branch", "artifactSet", "forkBuilds", "require.build", "require.trustsCluster"] {
        assert_eq!(rung(name).status, CheckStatus::Passed, "{name}");
    }
    assert_eq!(rung("match.branch").voucher, Some(Voucher::Webhook));
}

#[tokio::test]
async fn each_safeguard_denies_with_its_reason() {
    let bent = |pointer: &str, value: Value| {
        let mut webhook = noting(&an_image(b"one"));
        *webhook.pointer_mut(pointer).unwrap() = value;
        webhook
    };
    let fork = json!({"id": "7", "repository": "https://github.com/eve/fraud-train"});
    let tagged =
        json!({"name": "x", "sha256": Sha256::of(b"x"), "uri": "us-docker.pkg.dev/acme/ml/fraud-train:new"});
    let note = "/build/meta_data/launchgate:artifact";
    for (webhook, outcome, reason) in [
        (bent("/build/cluster_id", json!("c-2")), Outcome::DeniedPolicy, Reason::ClusterNotTrusted),
        (bent("/build/cluster_id", Value::Null), Outcome::DeniedPolicy, Reason::ClusterNotTrusted),
        (bent("/build/state", json!("failed")), Outcome::DeniedPolicy, Reason::BuildNotPassed),
        (bent("/build/blocked", json!(true)), Outcome::WaitingBuild, Reason::BuildNotFinished),
        (bent("/build/pull_request", fork), Outcome::DeniedPolicy, Reason::ForkBuild),
        (bent("/build/finished_at", json!("2026-11-16T11:05:10Z")), Outcome::DeniedPolicy, Reason::TooOld),
        (bent("/build/branch", json!("try")), Outcome::NoMatch, Reason::NoTriggerMatches),
        (bent(note, json!(tagged.to_string())), Outcome::RejectedStatement, Reason::ArtifactNote),
        (bent(note, json!("x")), Outcome::RejectedStatement, Reason::ArtifactNote),
    ] {
        let world = World::of_webhooks(None);

        let told = world.webhook(&webhook).await;

        assert_eq!(outcomes(&told), [(outcome, Some(reason))]);
        assert_eq!(world.jobs(), 0);
    }
}

#[tokio::test]
async fn a_build_that_names_other_artifacts_later_is_denied_also_in_a_replay() {
    let world = World::of_webhooks(None);
    world.webhook(&noting(&an_image(b"one"))).await;

    let mut retried = noting(&an_image(b"two"));
    retried["build"]["finished_at"] = json!("2026-11-18T11:06:20Z");
    let changed = world.webhook(&retried).await;
    let more = world.webhook(&noting(&json!([an_image(b"one"), an_image(b"two")]))).await;
    let first = world.webhook(&noting(&an_image(b"one"))).await;

    let denied = (Outcome::DeniedPolicy, Some(Reason::ArtifactChanged));
    // The longer list is one event of two artifacts, which is denied as a whole.
    assert_eq!((outcomes(&changed), outcomes(&more)), (vec![denied], vec![denied]));
    assert_eq!(outcomes(&first), [(Outcome::Duplicate, None)]);
    let (id, _) = world.only_event(&changed).await;
    let kind = CommandKind::Replay { event: id.clone(), force: false };
    let command = Command { kind, by: "ada".to_owned(), why: "look again".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();
    assert_eq!(world.only_event(&changed).await.1.reason, Some(Reason::ArtifactChanged));
}

#[tokio::test]
async fn a_replay_verifies_an_event_of_a_webhook_by_what_was_kept_with_it() {
    let world = World::of_webhooks(None);
    let told = world.webhook(&noting(&an_image(b"one"))).await;
    let (id, _) = world.only_event(&told).await;

    let kind = CommandKind::Replay { event: id.clone(), force: true };
    let command = Command { kind, by: "ada".to_owned(), why: "again".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();

    let stored = world.gate.ledger().event(&id).await.unwrap().unwrap();
    let outcomes: Vec<_> = stored.decisions.iter().map(|one| (one.ordinal, one.outcome)).collect();
    assert_eq!(outcomes, [(0, Outcome::Observed), (1, Outcome::Observed)]);
}

#[tokio::test]
async fn a_webhook_without_meta_data_is_recorded_where_it_should_have_made_an_event() {
    let mut without = noting(&an_image(b"one"));
    without["build"].as_object_mut().unwrap().remove("meta_data");
    let refused = Api::answering(Err(BuildkiteApiError::Refused("HTTP 403: read_builds".to_owned())));
    for (api, said) in [(None, "apiTokenEnv"), (Some(refused), "read_builds")] {
        let world = World::of_webhooks(api);

        world.webhook(&without).await;

        let events =
            world.gate.ledger().events(launchgate_engine::EventFilter { limit: 9, ..Default::default() });
        let page = events.await.unwrap();
        assert_eq!(page.items[0].reason, Some(Reason::MetadataAbsent), "{said}");
    }
    let world = World::of_webhooks(Some(Api::answering(Ok(shown(&noting(&an_image(b"one")))))));
    assert_eq!(outcomes(&world.webhook(&without).await), [(Outcome::Observed, None)]);
}

#[tokio::test]
async fn a_note_makes_no_event_where_no_webhook_signer_is_configured() {
    let world = World::asking(json!({}));

    let told = world.webhook(&noting(&an_image(b"one"))).await;

    assert!(told.events.is_empty());
}
