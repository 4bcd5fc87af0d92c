//! What launches ask of each other (`oncePer`, `order`, `maxLaunchesPerHour`), through the whole flow over a
//! real ledger.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes a value where it is written")]

mod pipeline_file;
mod scripted_vertex;

use std::{sync::Arc, time::Duration};

use launchgate_engine::{
    Answer, AuthenticatedReceipt, BuildAnswer, Command, CommandKind, DecisionRecord, Gate, GateParts,
    Receipt, SweepReport,
    ports::{CallErrorKind, NoArtifactCheck, NoBuildkiteKeys, NoFailureTopic},
};
use launchgate_ledger_sqlite::{Options, SqliteLedger};
use launchgate_outcome::{CheckStatus, Outcome, Reason};
use launchgate_statement::{
    Artifact, Build, BuildkiteIds, EventId, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp,
};
use launchgate_triggers::Config;
use launchgate_trust::{AuthenticatedSender, Scheme, SigningKey, WebhookSecrets};
use ring::hmac;
use serde_json::{Value, json};

use scripted_vertex::{Next, ScriptedVertex};

const PUBLISHED: &str = "2026-11-18T11:06:40Z";
const SECRET: &str = "hush";

/// Refused for good.
const REFUSED: Next = Next::Fail(CallErrorKind::Terminal(Reason::PermissionDenied), true);

/// Turned away before it was taken in; worth trying again.
const TURNED_AWAY: Next = Next::Fail(CallErrorKind::Transient(Reason::VertexRateLimited), true);

struct World {
    gate: Gate,
    vertex: Arc<ScriptedVertex>,
    key: SigningKey,
    folder: tempfile::TempDir,
}

impl World {
    /// One trigger with these keys.
    fn with(keys: Value) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        Self::open(tempfile::tempdir().unwrap(), key, keys, Arc::default())
    }

    fn open(folder: tempfile::TempDir, key: SigningKey, keys: Value, vertex: Arc<ScriptedVertex>) -> Self {
        let options = Options { ephemeral_disk_allowed: true, ..Options::default() };
        let parts = GateParts {
            config: Arc::new(config(&key, keys)),
            ledger: Arc::new(SqliteLedger::open(folder.path().join("l.db"), options).unwrap()),
            vertex: vertex.clone(),
            failures: Arc::new(NoFailureTopic),
            artifacts: Arc::new(NoArtifactCheck),
            buildkite_keys: Arc::new(NoBuildkiteKeys),
            webhook_secrets: Some(WebhookSecrets::parse(SECRET).unwrap()),
            buildkite_api: None,
        };
        Self { gate: Gate::new(parts), vertex, key, folder }
    }

    /// The same ledger, key and Vertex under another file.
    fn under(self, keys: Value) -> Self {
        let Self { key, folder, gate, vertex } = self;
        drop(gate);
        Self::open(folder, key, keys, vertex)
    }

    fn next(&self, next: Next) {
        self.vertex.script(next);
    }

    fn jobs(&self) -> usize {
        self.vertex.jobs()
    }

    /// Delivers an event of this build; each `step` makes another event of it.
    async fn deliver(&self, build: u64, step: &str) -> Answer {
        let answer = self.gate.receive(receipt(self.event(build, step).as_bytes(), None)).await.unwrap();
        // A mark that rides is durable 5 ms later at most; the next event finds it recorded.
        self.gate.ledger().flush().await.unwrap();
        answer
    }

    fn event(&self, build: u64, step: &str) -> String {
        let text = |value: &str| Some(value.to_owned());
        let build = Build {
            organization: text("acme"),
            pipeline: text("fraud-train"),
            number: Some(build),
            branch: text("main"),
            commit: Some("3f".repeat(20)),
            step: text(step),
            job: text("0184990a-477b-4fa8-9968-496074483cee"),
            ..Build::default()
        };
        let artifact = Artifact {
            name: "fraud-train".to_owned(),
            sha256: Sha256::of(step.as_bytes()),
            uri: None,
            media_type: None,
            annotations: serde_json::Map::new(),
        };
        let started_on = Timestamp::parse("2026-11-18T11:01:40Z");
        let (artifacts, ids) = (vec![artifact], BuildkiteIds::default());
        let draft = ProvenanceDraft { build, artifacts, command: None, started_on, ids };
        self.key.envelope(PAYLOAD_TYPE, &draft.to_statement().unwrap()).unwrap().to_json()
    }

    /// Buildkite's word on build 42: of no pull request.
    async fn webhook(&self) -> BuildAnswer {
        let body = json!({
            "event": "build.running",
            "build": {
                "id": "b-1", "number": 42, "state": "running", "blocked": false, "source": "webhook",
                "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42",
                "branch": "main", "tag": null, "commit": "3f".repeat(20), "pull_request": null,
                "finished_at": null,
            },
            "pipeline": {"slug": "fraud-train", "repository": "git@github.com:acme/fraud-train.git"},
        })
        .to_string();
        let seconds = published().seconds();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
        let hex = Sha256::from_bytes(signature.as_ref().try_into().unwrap());
        let header = format!("timestamp={seconds},signature={hex}");
        self.gate.receive_build(receipt(body.as_bytes(), Some(header))).await.unwrap()
    }

    async fn replay(&self, event: &EventId, force: bool) -> String {
        let kind = CommandKind::Replay { event: event.clone(), force };
        let command = Command { kind, by: "alice".to_owned(), why: "a test".to_owned() };
        let id = self.gate.ledger().ask(command).await.unwrap();
        self.gate.sweep().await.unwrap();
        self.gate.ledger().flush().await.unwrap();
        self.gate.ledger().command(id).await.unwrap().unwrap().result.unwrap()
    }

    /// The decision of the event as recorded, of the highest ordinal.
    async fn decision(&self, answer: &Answer) -> DecisionRecord {
        self.gate.ledger().flush().await.unwrap();
        let stored = self.gate.ledger().event(answer.event.as_ref().unwrap()).await.unwrap().unwrap();
        stored.decisions.last().unwrap().clone()
    }

    /// Sweeps until something came due by the ledger's clock.
    async fn sweep_until_due(&self) -> SweepReport {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let report = self.gate.sweep().await.unwrap();
            if report.taken_up > 0 {
                return report;
            }
            assert!(tokio::time::Instant::now() < deadline, "nothing came due");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn config(key: &SigningKey, keys: Value) -> Config {
    let mut trigger = json!({
        "name": "retrain", "match": {"pipeline": "fraud-train"}, "require": {"signers": {"anyOf": ["one"]}},
        "launch": {"pipelineJob": {
            "template": "p.json", "displayName": "d", "runtimeConfig": {"gcsOutputDirectory": "gs://b/r"},
        }},
    });
    trigger.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let file = json!({
        "apiVersion": "launchgate/v1", "service": {"audience": "launchgate-test"},
        "vertex": {"project": "p", "location": "us-central1", "callTimeout": "1s"},
        "ingress": {"builds": {"auth": "none"}},
        "buildkite": {"organization": "acme", "webhookSecretEnv": "SECRET"},
        "signers": [{"id": "one", "publicKey": key.public_pem()}],
        "triggers": [trigger],
    });
    pipeline_file::loaded(&file)
}

fn published() -> Timestamp {
    Timestamp::parse(PUBLISHED).unwrap()
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

#[track_caller]
fn comes_to(answer: &Answer, outcome: Outcome, reason: Option<Reason>) {
    assert_eq!((answer.outcome, answer.reason), (outcome, reason), "{answer:?}");
}

#[tokio::test]
async fn a_second_event_of_a_build_is_a_duplicate_that_names_the_run() {
    let world = World::with(json!({"oncePer": "build"}));

    let first = world.deliver(42, "train").await;
    let second = world.deliver(42, "train-again").await;
    let next = world.deliver(43, "train").await;

    comes_to(&first, Outcome::Launched, None);
    comes_to(&second, Outcome::Duplicate, Some(Reason::OncePer));
    comes_to(&next, Outcome::Launched, None);
    assert_eq!(world.jobs(), 2);
    let (held, told) = (world.decision(&first).await, world.decision(&second).await);
    let message = told.message.unwrap();
    let run = held.run.unwrap().name;
    assert!(message.contains(held.launch_id.as_str()) && message.contains(&run), "{message}");
    let rung = |checks: &[launchgate_outcome::Check]| checks.last().unwrap().status;
    assert_eq!((rung(&held.checks), rung(&told.checks)), (CheckStatus::Passed, CheckStatus::Failed));
    let stored = world.gate.ledger().event(second.event.as_ref().unwrap()).await.unwrap().unwrap();
    let receipt = &stored.receipts[0];
    assert_eq!((receipt.outcome, receipt.reason), (Outcome::Duplicate, Some(Reason::OncePer)));
}

#[tokio::test]
async fn of_many_events_of_a_build_at_once_one_launches() {
    let world = World::with(json!({"oncePer": "build"}));
    let steps: Vec<_> = (0..32).map(|step| format!("train-{step}")).collect();

    let answers = futures_util::future::join_all(steps.iter().map(|step| world.deliver(42, step))).await;

    let launched = answers.iter().filter(|answer| answer.outcome == Outcome::Launched).count();
    let duplicates = answers.iter().filter(|answer| answer.reason == Some(Reason::OncePer)).count();
    assert_eq!((launched, duplicates, world.jobs()), (1, 31, 1));
}

#[tokio::test]
async fn a_launch_that_failed_leaves_its_key_to_the_next_and_a_replay_asks_for_it() {
    let world = World::with(json!({"oncePer": "build"}));
    world.next(REFUSED);
    let failed = world.deliver(42, "train").await;
    let launched = world.deliver(42, "train-again").await;

    let plain = world.replay(failed.event.as_ref().unwrap(), false).await;
    let after_plain = world.decision(&failed).await;
    let forced = world.replay(failed.event.as_ref().unwrap(), true).await;

    comes_to(&failed, Outcome::FailedLaunch, Some(Reason::PermissionDenied));
    comes_to(&launched, Outcome::Launched, None);
    assert!(plain.contains("duplicate/once_per"), "{plain}");
    assert_eq!((after_plain.outcome, after_plain.ordinal), (Outcome::Duplicate, 0));
    assert!(forced.contains("launched"), "{forced}");
    assert_eq!(world.jobs(), 2);
}

#[tokio::test]
async fn what_ended_as_a_duplicate_launches_by_a_replay_once_the_key_is_free() {
    let world = World::with(json!({"oncePer": "build"}));
    world.next(TURNED_AWAY);
    world.next(REFUSED);
    let holder = world.deliver(42, "train").await;
    let second = world.deliver(42, "train-again").await;
    comes_to(&holder, Outcome::Retrying, Some(Reason::VertexRateLimited));
    comes_to(&second, Outcome::Duplicate, Some(Reason::OncePer));

    world.sweep_until_due().await;
    let said = world.replay(second.event.as_ref().unwrap(), false).await;

    assert_eq!(world.decision(&holder).await.outcome, Outcome::FailedLaunch);
    assert!(said.contains("launched"), "{said}");
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_holder_that_may_not_be_sent_any_more_leaves_its_key() {
    let once = json!({"oncePer": "build"});
    let world = World::with(once.clone());
    world.next(TURNED_AWAY);
    let holder = world.deliver(42, "train").await;

    let world = world.under(json!({"oncePer": "build", "mode": "paused"}));
    world.sweep_until_due().await;
    let world = world.under(once);
    let second = world.deliver(42, "train-again").await;

    assert_eq!(world.decision(&holder).await.outcome, Outcome::SkippedPaused);
    comes_to(&second, Outcome::Launched, None);
}

#[tokio::test]
async fn what_waits_for_build_facts_claims_when_they_come() {
    let waits = json!({
        "oncePer": "build",
        "require": {"signers": {"anyOf": ["one"]}, "pullRequest": "none"},
    });
    let world = World::with(waits);
    let first = world.deliver(42, "train").await;
    let second = world.deliver(42, "train-again").await;
    comes_to(&first, Outcome::WaitingBuild, Some(Reason::BuildFactsAwaited));
    comes_to(&second, Outcome::WaitingBuild, Some(Reason::BuildFactsAwaited));

    let heeded = world.webhook().await;
    let third = world.deliver(42, "train-once-more").await;

    let outcomes: Vec<_> = heeded.decisions.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(outcomes, [Outcome::Launched, Outcome::Duplicate]);
    comes_to(&third, Outcome::Duplicate, Some(Reason::OncePer));
    assert_eq!(world.jobs(), 1);
    // The waiting decision stands in the history, and nothing is left to do.
    let stored = world.gate.ledger().event(second.event.as_ref().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.history[0].outcome, Outcome::WaitingBuild);
    assert_eq!(world.gate.sweep().await.unwrap().taken_up, 0);
}

#[tokio::test]
async fn an_older_build_is_superseded_and_only_force_launches_it() {
    let world = World::with(json!({"order": "newest"}));

    let newer = world.deliver(42, "train").await;
    let older = world.deliver(41, "train").await;
    let same = world.deliver(42, "train-again").await;
    let plain = world.replay(older.event.as_ref().unwrap(), false).await;
    let forced = world.replay(older.event.as_ref().unwrap(), true).await;

    comes_to(&newer, Outcome::Launched, None);
    comes_to(&older, Outcome::Superseded, Some(Reason::NewerBuildLaunched));
    comes_to(&same, Outcome::Launched, None);
    assert!(plain.contains("superseded/newer_build_launched"), "{plain}");
    assert!(forced.contains("launched"), "{forced}");
    assert_eq!(world.jobs(), 3);
}

#[tokio::test]
async fn a_build_that_was_turned_away_is_superseded_before_its_next_call() {
    let world = World::with(json!({"order": "newest"}));
    world.next(TURNED_AWAY);
    let older = world.deliver(41, "train").await;
    let newer = world.deliver(42, "train").await;
    comes_to(&older, Outcome::Retrying, Some(Reason::VertexRateLimited));
    comes_to(&newer, Outcome::Launched, None);

    let report = world.sweep_until_due().await;

    assert_eq!((report.taken_up, report.launched, report.ended), (1, 0, 1));
    let ended = world.decision(&older).await;
    assert_eq!((ended.outcome, ended.reason), (Outcome::Superseded, Some(Reason::NewerBuildLaunched)));
    assert_eq!(world.jobs(), 1, "no call was made");
}

#[tokio::test]
async fn a_build_whose_call_may_have_been_taken_is_carried_through() {
    let world = World::with(json!({"order": "newest"}));
    world.next(Next::AcceptThenReset);
    let older = world.deliver(41, "train").await;
    let newer = world.deliver(42, "train").await;
    comes_to(&older, Outcome::Retrying, Some(Reason::VertexUnavailable));
    comes_to(&newer, Outcome::Launched, None);

    world.sweep_until_due().await;

    assert_eq!(world.decision(&older).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 2);
}

#[tokio::test]
async fn the_hourly_limit_ends_what_is_above_it_and_force_passes_and_counts() {
    let world = World::with(json!({"maxLaunchesPerHour": 2}));
    world.next(REFUSED);
    let failed = world.deliver(1, "train").await;

    let answers = [world.deliver(2, "train").await, world.deliver(3, "train").await];
    let capped = world.deliver(4, "train").await;
    let plain = world.replay(failed.event.as_ref().unwrap(), false).await;
    let forced = world.replay(capped.event.as_ref().unwrap(), true).await;
    let world = world.under(json!({"maxLaunchesPerHour": 3}));
    let after = world.deliver(5, "train").await;

    comes_to(&failed, Outcome::FailedLaunch, Some(Reason::PermissionDenied));
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Launched), "a failure counts for nothing");
    comes_to(&capped, Outcome::RateCapped, Some(Reason::HourlyLimit));
    assert!(plain.contains("rate_capped/hourly_limit"), "{plain}");
    assert!(forced.contains("launched"), "{forced}");
    comes_to(&after, Outcome::RateCapped, Some(Reason::HourlyLimit));
    assert_eq!(world.jobs(), 3);
}

#[tokio::test]
async fn a_trigger_that_observes_takes_nothing_from_one_that_launches() {
    let all = json!({"oncePer": "build", "order": "newest", "maxLaunchesPerHour": 1});
    let mut observing = all.clone();
    observing["mode"] = json!("observe");
    let world = World::with(observing);
    let observed = world.deliver(43, "train").await;

    let world = world.under(all);
    let launched = world.deliver(42, "train").await;

    comes_to(&observed, Outcome::Observed, None);
    comes_to(&launched, Outcome::Launched, None);
}
