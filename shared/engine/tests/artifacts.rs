//! Artifacts that are looked at between decision and launch, over a real ledger: how often they are looked at, what
//! is recorded, and that nothing is launched twice whoever dies in between.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes a value where it is written")]

mod interposed;
mod pipeline_file;
mod scripted_vertex;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use launchgate_engine::{
    Answer, ArtifactReport, AuthenticatedReceipt, Command, CommandKind, DecisionRecord, Gate, GateParts,
    Receipt,
    ports::{ArtifactCheck, ArtifactSeen, CallErrorKind, Ledger, NoBuildkiteKeys, NoFailureTopic},
};
use launchgate_ledger_sqlite::{Options, SqliteLedger};
use launchgate_outcome::{CheckStatus, Outcome, Reason};
use launchgate_statement::{
    Artifact, Build, BuildkiteIds, EventId, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp,
};
use launchgate_triggers::{
    ArtifactDemand,
    ArtifactRule::{self, Content, Exists},
    Config,
};
use launchgate_trust::{AuthenticatedSender, Scheme, SigningKey};
use serde_json::{Value, json};
use tokio::sync::Notify;

use interposed::Interposed;
use scripted_vertex::{Next, ScriptedVertex};

const PUBLISHED: &str = "2026-11-18T11:06:40Z";
const LONG: Duration = Duration::from_mins(30);

/// Sees what it is told, in turn; when nothing is told, all of what was asked for.
#[derive(Default)]
struct ScriptedEyes {
    seen: Mutex<VecDeque<ArtifactSeen>>,
    looks: Mutex<Vec<(ArtifactDemand, Outcome)>>,
    /// While set, the next look says that it has begun and goes on when it is told to.
    held: Mutex<Option<Arc<(Notify, Notify)>>>,
    ledger: Mutex<Option<(Arc<Interposed>, EventId)>>,
}

#[async_trait]
impl ArtifactCheck for ScriptedEyes {
    async fn look(&self, demand: &ArtifactDemand, _: Duration) -> ArtifactSeen {
        let known = self.ledger.lock().unwrap().clone();
        let stands = match known {
            Some((ledger, event)) => ledger.event(&event).await.unwrap().unwrap().outcome,
            None => Outcome::NoMatch,
        };
        self.looks.lock().unwrap().push((demand.clone(), stands));
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            held.0.notify_one();
            held.1.notified().await;
        }
        let told = self.seen.lock().unwrap().pop_front();
        told.unwrap_or_else(|| ArtifactSeen::Equal { actual: "it is there".to_owned() })
    }
}

fn unanswered(message: &str) -> ArtifactSeen {
    ArtifactSeen::Unanswered { message: message.to_owned(), retry_after: None }
}

fn gone() -> ArtifactSeen {
    let (actual, message) = ("nothing".to_owned(), "it was deleted".to_owned());
    ArtifactSeen::Otherwise { reason: Reason::ArtifactMissing, actual, message }
}

struct World {
    gate: Gate,
    ledger: Arc<Interposed>,
    vertex: Arc<ScriptedVertex>,
    eyes: Arc<ScriptedEyes>,
    key: SigningKey,
    folder: tempfile::TempDir,
}

impl World {
    fn asking(rule: &str) -> Self {
        Self::with(rule, json!({}))
    }

    fn with(rule: &str, more: Value) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        Self::open(tempfile::tempdir().unwrap(), key, rule, more)
    }

    fn open(folder: tempfile::TempDir, key: SigningKey, rule: &str, more: Value) -> Self {
        let options = Options { ephemeral_disk_allowed: true, ..Options::default() };
        let ledger = SqliteLedger::open(folder.path().join("l.db"), options).unwrap();
        let ledger = Arc::new(Interposed::over(ledger));
        let (vertex, eyes) = (Arc::<ScriptedVertex>::default(), Arc::<ScriptedEyes>::default());
        let parts = GateParts {
            config: Arc::new(config(&key, rule, more)),
            ledger: ledger.clone(),
            vertex: vertex.clone(),
            failures: Arc::new(NoFailureTopic),
            artifacts: eyes.clone(),
            buildkite_keys: Arc::new(NoBuildkiteKeys),
            webhook_secrets: None,
            buildkite_api: None,
        };
        Self { gate: Gate::new(parts), ledger, vertex, eyes, key, folder }
    }

    /// The same ledger and key under another file.
    fn under(self, rule: &str, more: Value) -> Self {
        let Self { key, folder, gate, ledger, .. } = self;
        drop((gate, ledger));
        Self::open(folder, key, rule, more)
    }

    fn tell(&self, seen: ArtifactSeen) {
        self.eyes.seen.lock().unwrap().push_back(seen);
    }

    /// The next look begins and goes no further until it is told to.
    fn hold_the_next_look(&self) -> Arc<(Notify, Notify)> {
        let held = Arc::<(Notify, Notify)>::default();
        *self.eyes.held.lock().unwrap() = Some(held.clone());
        held
    }

    async fn deliver(&self) -> Answer {
        self.gate.receive(receipt(&signed(&self.key))).await.unwrap()
    }

    async fn check(&self, rule: ArtifactRule) -> ArtifactReport {
        self.gate.check_artifacts(rule, LONG).await.unwrap()
    }

    async fn check_until_looked(&self, rule: ArtifactRule) -> ArtifactReport {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let report = self.check(rule).await;
            if report.looked_at > 0 {
                return report;
            }
            assert!(tokio::time::Instant::now() < deadline, "nothing came due");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn decision(&self, answer: &Answer) -> DecisionRecord {
        self.ledger.flush().await.unwrap();
        let event = answer.event.as_ref().unwrap();
        let mut decisions = self.ledger.event(event).await.unwrap().unwrap().decisions;
        assert_eq!(decisions.len(), 1, "{decisions:#?}");
        decisions.remove(0)
    }

    fn jobs(&self) -> usize {
        self.vertex.jobs()
    }

    fn looks(&self) -> usize {
        self.eyes.looks.lock().unwrap().len()
    }
}

fn config(key: &SigningKey, rule: &str, more: Value) -> Config {
    let mut trigger = json!({
        "name": "retrain", "match": {"pipeline": "fraud-train", "branch": "main"},
        "require": {"signers": {"anyOf": ["one"]}, "artifact": rule},
        "launch": {"pipelineJob": {
            "template": "p.json", "displayName": "d", "runtimeConfig": {"gcsOutputDirectory": "gs://b/r"},
        }},
    });
    trigger.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let file = json!({
        "apiVersion": "launchgate/v1", "service": {"audience": "launchgate-test"},
        "vertex": {"project": "p", "location": "us-central1", "callTimeout": "1s"},
        "signers": [{"id": "one", "publicKey": key.public_pem()}],
        "triggers": [trigger],
    });
    pipeline_file::loaded(&file)
}

fn signed(key: &SigningKey) -> String {
    let text = |value: &str| Some(value.to_owned());
    let build = Build {
        organization: text("acme"),
        pipeline: text("fraud-train"),
        number: Some(42),
        branch: text("main"),
        commit: Some("3f".repeat(20)),
        job: text("0184990a-477b-4fa8-9968-496074483cee"),
        ..Build::default()
    };
    let sha256 = Sha256::of(b"x");
    let artifact = Artifact {
        name: "fraud-train".to_owned(),
        sha256,
        uri: Some(format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}")),
        media_type: None,
        annotations: serde_json::Map::new(),
    };
    let draft = ProvenanceDraft {
        build,
        artifacts: vec![artifact],
        command: None,
        started_on: Timestamp::parse("2026-11-18T11:01:40Z"),
        ids: BuildkiteIds::default(),
    };
    key.envelope(PAYLOAD_TYPE, &draft.to_statement().unwrap()).unwrap().to_json()
}

fn receipt(data: &str) -> AuthenticatedReceipt {
    let receipt = Receipt {
        message_id: "1".to_owned(),
        publish_time: Timestamp::parse(PUBLISHED).unwrap(),
        subscription: None,
        delivery_attempt: None,
        traceparent: None,
        buildkite_signature: None,
        data: data.as_bytes().to_vec().into(),
    };
    AuthenticatedReceipt::new(receipt, AuthenticatedSender::loopback([127, 0, 0, 1].into()).unwrap())
}

fn rung(decision: &DecisionRecord) -> (CheckStatus, Option<&str>) {
    let rungs: Vec<_> = decision.checks.iter().filter(|check| check.name == "require.artifact").collect();
    assert_eq!(rungs.len(), 1, "{:#?}", decision.checks);
    (rungs[0].status, rungs[0].actual.as_deref())
}

#[tokio::test]
async fn what_is_there_is_launched_within_the_delivery() {
    let world = World::asking("exists");

    let answer = world.deliver().await;

    assert_eq!((answer.outcome, world.jobs(), world.looks()), (Outcome::Launched, 1, 1));
    let decision = world.decision(&answer).await;
    assert_eq!((decision.outcome, decision.message.as_deref()), (Outcome::Launched, None));
    assert_eq!(rung(&decision), (CheckStatus::Passed, Some("it is there")));
    assert_eq!(world.deliver().await.outcome, Outcome::Duplicate);
    assert_eq!((world.jobs(), world.looks()), (1, 1));
}

#[tokio::test]
async fn the_decision_is_durable_before_anybody_looks() {
    let world = World::asking("content");
    let answer = world.deliver().await;
    assert_eq!((answer.outcome, world.looks()), (Outcome::WaitingArtifact, 0), "not within a delivery");
    *world.eyes.ledger.lock().unwrap() = Some((world.ledger.clone(), answer.event.clone().unwrap()));

    assert_eq!(world.gate.sweep().await.unwrap().taken_up, 0, "nor by the sweep of everything else");
    assert_eq!(world.check(Exists).await.looked_at, 0);
    let report = world.check(Content).await;

    assert_eq!((report.looked_at, report.launched, world.jobs()), (1, 1, 1));
    let looks = world.eyes.looks.lock().unwrap().clone();
    let demand = world.decision(&answer).await.artifact.unwrap();
    assert_eq!(looks, [(demand, Outcome::WaitingArtifact)]);
}

#[tokio::test]
async fn what_is_not_there_is_denied_and_a_replay_looks_again() {
    let world = World::asking("exists");
    world.tell(gone());

    let answer = world.deliver().await;

    assert_eq!((answer.outcome, answer.reason), (Outcome::DeniedPolicy, Some(Reason::ArtifactMissing)));
    let decision = world.decision(&answer).await;
    assert_eq!(decision.message.as_deref(), Some("it was deleted"));
    assert_eq!((rung(&decision), world.jobs()), ((CheckStatus::Failed, Some("nothing")), 0));
    assert_eq!(world.check(Exists).await, ArtifactReport::default(), "that was the end");

    let kind = CommandKind::Replay { event: answer.event.clone().unwrap(), force: false };
    world.ledger.ask(Command { kind, by: "ada".into(), why: "pushed again".into() }).await.unwrap();
    world.gate.sweep().await.unwrap();
    world.check_until_looked(Exists).await;

    assert_eq!((world.decision(&answer).await.outcome, world.jobs()), (Outcome::Launched, 1));
}

#[tokio::test]
async fn what_is_not_answered_waits_and_is_launched_once_it_is() {
    let world = World::asking("exists");
    world.tell(unanswered("HTTP 503"));

    let answer = world.deliver().await;

    let waits = (Outcome::WaitingArtifact, Some(Reason::ArtifactCheckPending));
    assert_eq!((answer.outcome, answer.reason), waits);
    let decision = world.decision(&answer).await;
    assert_eq!((decision.outcome, decision.reason), waits);
    assert_eq!((decision.message.as_deref(), rung(&decision).0), (Some("HTTP 503"), CheckStatus::Skipped));
    assert_eq!(world.check(Exists).await.looked_at, 0, "not at once again");
    assert_eq!(world.deliver().await.outcome, Outcome::Duplicate);
    assert_eq!(world.looks(), 1);

    world.check_until_looked(Exists).await;

    assert_eq!((world.decision(&answer).await.outcome, world.jobs()), (Outcome::Launched, 1));
}

#[tokio::test]
async fn what_is_never_answered_ends_unchecked_with_what_came_in_between() {
    let world = World::with("exists", json!({"waitFor": {"artifact": "1s"}}));
    for _ in 0..50 {
        world.tell(unanswered("HTTP 403. Grant it: gcloud …"));
    }
    let answer = world.deliver().await;
    assert_eq!(answer.outcome, Outcome::WaitingArtifact);

    let report = world.check_until_looked(Exists).await;

    assert_eq!((report.ended, world.jobs()), (1, 0));
    let decision = world.decision(&answer).await;
    let ended = (Outcome::DeniedPolicy, Some(Reason::ArtifactUnchecked));
    assert_eq!((decision.outcome, decision.reason), ended);
    assert!(decision.message.as_deref().unwrap().contains("gcloud …"), "{decision:?}");
    assert_eq!(rung(&decision), (CheckStatus::Failed, Some("no answer")));
}

#[tokio::test]
async fn a_look_that_outlived_its_claim_launches_nothing() {
    let world = World::asking("content");
    let answer = world.deliver().await;
    let held = world.hold_the_next_look();
    world.ledger.claims_end_at_once(true);
    let gate = world.gate.clone();
    let late = tokio::spawn(async move { gate.check_artifacts(Content, LONG).await.unwrap() });
    held.0.notified().await;

    let overtaking = world.check(Content).await;
    assert_eq!((overtaking.launched, world.jobs()), (1, 1));
    world.tell(gone());
    held.1.notify_one();
    let late = late.await.unwrap();

    assert_eq!((late.launched, world.jobs(), world.looks()), (0, 1, 2));
    let decision = world.decision(&answer).await;
    assert_eq!((decision.outcome, rung(&decision).0), (Outcome::Launched, CheckStatus::Passed));
}

#[tokio::test]
async fn what_a_dead_holder_left_is_looked_at_again_after_a_restart() {
    let world = World::asking("content");
    let answer = world.deliver().await;
    let held = world.hold_the_next_look();
    world.ledger.claims_end_at_once(true);
    let gate = world.gate.clone();
    let dying = tokio::spawn(async move { gate.check_artifacts(Content, LONG).await });
    held.0.notified().await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());

    let world = world.under("content", json!({}));
    let report = world.check_until_looked(Content).await;

    assert_eq!((report.launched, world.jobs(), world.looks()), (1, 1, 1));
    assert_eq!(world.decision(&answer).await.outcome, Outcome::Launched);
}

#[tokio::test]
async fn what_was_looked_at_is_not_looked_at_again_for_a_retry() {
    let world = World::asking("exists");
    let outage = CallErrorKind::Transient(Reason::VertexUnavailable);
    world.vertex.script(Next::Fail(outage, true));

    let answer = world.deliver().await;

    assert_eq!(answer.outcome, Outcome::Retrying);
    assert_eq!(rung(&world.decision(&answer).await).0, CheckStatus::Passed);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while world.gate.sweep().await.unwrap().launched == 0 {
        assert!(tokio::time::Instant::now() < deadline, "the retry never came due");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((world.jobs(), world.looks()), (1, 1));
}

#[tokio::test]
async fn a_trigger_that_is_gone_or_paused_is_not_looked_at_for() {
    for (more, outcome) in [
        (json!({"name": "another"}), Outcome::DeniedPolicy),
        (json!({"mode": "observe"}), Outcome::DeniedPolicy),
        (json!({"mode": "paused"}), Outcome::SkippedPaused),
    ] {
        let world = World::asking("content");
        let answer = world.deliver().await;

        let world = world.under("content", more);
        world.check_until_looked(Content).await;

        assert_eq!(world.decision(&answer).await.outcome, outcome);
        assert_eq!((world.jobs(), world.looks()), (0, 0));
    }
}
