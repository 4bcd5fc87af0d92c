//! The gate over a real ledger and a scripted Vertex: what is recorded, what is sent, how often.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes a value where it is written")]

mod pipeline_file;
mod scripted_vertex;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use launchgate_engine::{
    Answer, AuthenticatedReceipt, Command, CommandKind, DecisionRecord, Gate, GateParts, Judgement, Receipt,
    judge,
    ports::{CallErrorKind, FailureNotice, Failures, NoArtifactCheck, NoBuildkiteKeys},
};
use launchgate_ledger_sqlite::{Options, SqliteLedger};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{
    Artifact, Build, BuildkiteIds, EventId, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp,
};
use launchgate_triggers::{Config, DecideOptions, MissedClause, NearMiss, TriggerName};
use launchgate_trust::{AuthenticatedSender, BuildkiteKeys, Scheme, SigningKey, TrustInputs};
use serde_json::{Value, json};

use scripted_vertex::{Next, ScriptedVertex};

const PUBLISHED: &str = "2026-11-18T11:06:40Z";

#[derive(Default)]
struct ToldFailures(Mutex<Vec<DecisionRecord>>);

#[async_trait]
impl Failures for ToldFailures {
    async fn publish(&self, notice: FailureNotice<'_>) -> Result<(), String> {
        self.0.lock().unwrap().push(notice.decision.clone());
        Ok(())
    }
}

struct World {
    gate: Gate,
    vertex: Arc<ScriptedVertex>,
    told: Arc<ToldFailures>,
    keys: [SigningKey; 2],
    folder: tempfile::TempDir,
}

const PIPELINE_JOB: &str = r#"{"pipelineJob": {"template": "p.json", "displayName": "d", "runtimeConfig": {"gcsOutputDirectory": "gs://b/r"}}}"#;
const CUSTOM_JOB: &str = r#"{"customJob": {"displayName": "d", "jobSpec": {"workerPoolSpecs": [{"machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": "1", "containerSpec": {"imageUri": "us-docker.pkg.dev/acme/ml/t@sha256:abababababababababababababababababababababababababababababababab"}}]}}}"#;

impl World {
    fn new(launch: &str) -> Self {
        Self::with(launch, json!({"anyOf": ["one"]}), json!({}))
    }

    fn with(launch: &str, signers: Value, more: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys =
            [SigningKey::generate(Scheme::Ed25519).unwrap(), SigningKey::generate(Scheme::Ed25519).unwrap()];
        Self::reopen(folder, keys, launch, signers, more, Arc::default())
    }

    fn reopen(
        folder: tempfile::TempDir,
        keys: [SigningKey; 2],
        launch: &str,
        signers: Value,
        more: Value,
        vertex: Arc<ScriptedVertex>,
    ) -> Self {
        let config = Arc::new(config(&keys, launch, &signers, more));
        let options = Options { ephemeral_disk_allowed: true, ..Options::default() };
        let ledger = SqliteLedger::open(folder.path().join("l.db"), options).unwrap();
        let told = Arc::<ToldFailures>::default();
        let parts = GateParts {
            config,
            ledger: Arc::new(ledger),
            vertex: vertex.clone(),
            failures: told.clone(),
            artifacts: Arc::new(NoArtifactCheck),
            buildkite_keys: Arc::new(NoBuildkiteKeys),
            webhook_secrets: None,
            buildkite_api: None,
        };
        Self { gate: Gate::new(parts), vertex, told, keys, folder }
    }

    fn script(&self, next: Next) {
        self.vertex.script(next);
    }

    fn jobs(&self) -> usize {
        self.vertex.jobs()
    }

    async fn deliver(&self, data: &str) -> Answer {
        self.gate.receive(receipt(data)).await.unwrap()
    }

    async fn decisions(&self, id: &EventId) -> Vec<DecisionRecord> {
        self.gate.ledger().flush().await.unwrap();
        self.gate.ledger().event(id).await.unwrap().unwrap().decisions
    }

    /// Sweeps until something was taken up: the engine's own delays and leases decide when.
    async fn sweep_until_work(&self) -> launchgate_engine::SweepReport {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let report = self.gate.sweep().await.unwrap();
            if report.taken_up + report.commands > 0 {
                return report;
            }
            assert!(tokio::time::Instant::now() < deadline, "nothing came due");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn config(keys: &[SigningKey; 2], launch: &str, signers: &Value, more: Value) -> Config {
    let mut trigger = json!({
        "name": "retrain", "match": {"pipeline": "fraud-train"}, "require": {"signers": signers},
        "launch": serde_json::from_str::<Value>(launch).unwrap(),
    });
    trigger.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let file = json!({
        "apiVersion": "launchgate/v1", "service": {"audience": "launchgate-test"},
        "vertex": {"project": "p", "location": "us-central1", "callTimeout": "1s"},
        "signers": [{"id": "one", "publicKey": keys[0].public_pem()}, {"id": "two", "publicKey": keys[1].public_pem()}],
        "triggers": [trigger],
    });
    pipeline_file::loaded(&file)
}

fn event(number: u64) -> Vec<u8> {
    event_of(number, 1)
}

fn event_of(number: u64, artifacts: u8) -> Vec<u8> {
    let text = |value: &str| Some(value.to_owned());
    let build = Build {
        organization: text("acme"),
        pipeline: text("fraud-train"),
        number: Some(number),
        branch: text("main"),
        commit: text("3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f"),
        job: text("0184990a-477b-4fa8-9968-496074483cee"),
        ..Build::default()
    };
    let artifact = |number: u8| Artifact {
        name: format!("fraud-train-{number}"),
        sha256: Sha256::of(&[number]),
        uri: None,
        media_type: None,
        annotations: serde_json::Map::new(),
    };
    let started_on = Timestamp::parse("2026-11-18T11:01:40Z");
    let artifacts = (0..artifacts).map(artifact).collect();
    ProvenanceDraft { build, artifacts, ids: BuildkiteIds::default(), command: None, started_on }
        .to_statement()
        .unwrap()
}

fn signed(number: u64, keys: &[&SigningKey]) -> String {
    let payload = event(number);
    let mut envelope = keys[0].envelope(PAYLOAD_TYPE, &payload).unwrap();
    for key in &keys[1..] {
        envelope.signatures.extend(key.envelope(PAYLOAD_TYPE, &payload).unwrap().signatures);
    }
    envelope.to_json()
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

#[tokio::test]
async fn a_good_event_launches_once_however_often_it_comes() {
    let world = World::new(PIPELINE_JOB);
    let data = signed(1, &[&world.keys[0]]);

    let first = world.deliver(&data).await;
    let again = world.deliver(&data).await;

    assert_eq!(first.outcome, Outcome::Launched);
    assert_eq!((again.outcome, again.event.clone()), (Outcome::Duplicate, first.event.clone()));
    assert_eq!(world.jobs(), 1);
    let decisions = world.decisions(&first.event.unwrap()).await;
    assert_eq!(decisions[0].outcome, Outcome::Launched);
    assert!(decisions[0].run.as_ref().unwrap().name.ends_with(decisions[0].launch_id.as_str()));
}

#[tokio::test]
async fn concurrent_copies_of_one_event_launch_once() {
    let world = World::new(PIPELINE_JOB);
    let data = signed(1, &[&world.keys[0]]);

    let answers = futures_util::future::join_all((0..32).map(|_| world.deliver(&data))).await;

    assert_eq!(answers.iter().filter(|answer| answer.outcome == Outcome::Launched).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.outcome == Outcome::Duplicate).count(), 31);
    assert_eq!(world.vertex.creates(), 1);
}

#[tokio::test]
async fn an_outage_is_carried_by_the_ledger_and_ends_in_one_run() {
    let world = World::new(PIPELINE_JOB);
    world.script(Next::Fail(CallErrorKind::Transient(Reason::VertexUnavailable), false));

    let answer = world.deliver(&signed(1, &[&world.keys[0]])).await;
    let report = world.sweep_until_work().await;

    assert_eq!((answer.outcome, answer.reason), (Outcome::Retrying, Some(Reason::VertexUnavailable)));
    assert_eq!((report.taken_up, report.launched), (1, 1));
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_adopted_and_not_launched_twice() {
    let world = World::new(PIPELINE_JOB);
    world.script(Next::AcceptThenReset);

    let answer = world.deliver(&signed(1, &[&world.keys[0]])).await;
    let report = world.sweep_until_work().await;

    assert_eq!(answer.outcome, Outcome::Retrying);
    assert_eq!(report.launched, 1);
    assert_eq!(world.jobs(), 1);
    let decisions = world.decisions(&answer.event.unwrap()).await;
    let codes: Vec<_> = decisions[0].attempts.iter().map(|attempt| attempt.call.code.as_str()).collect();
    assert_eq!(codes, ["RESET", "ADOPTED"]);
}

#[tokio::test]
async fn a_lost_answer_of_a_server_named_job_is_found_by_its_label() {
    let world = World::new(CUSTOM_JOB);
    world.script(Next::AcceptThenReset);

    let answer = world.deliver(&signed(1, &[&world.keys[0]])).await;
    let report = world.sweep_until_work().await;

    assert_eq!(answer.outcome, Outcome::Retrying);
    assert_eq!(report.launched, 1);
    assert_eq!((world.jobs(), world.vertex.creates()), (1, 1));
}

#[tokio::test]
async fn a_server_named_job_known_not_to_be_accepted_is_sent_again() {
    let world = World::new(CUSTOM_JOB);
    world.script(Next::Fail(CallErrorKind::Transient(Reason::VertexUnavailable), true));

    world.deliver(&signed(1, &[&world.keys[0]])).await;
    let report = world.sweep_until_work().await;

    assert_eq!(report.launched, 1);
    assert_eq!((world.jobs(), world.vertex.creates()), (1, 2));
}

#[tokio::test]
async fn a_job_that_somebody_else_made_under_our_id_is_not_taken_for_ours() {
    let world = World::new(PIPELINE_JOB);
    let data = signed(1, &[&world.keys[0]]);
    let probe = World::reopen(
        tempfile::tempdir().unwrap(),
        [
            SigningKey::from_pem(&world.keys[0].to_pem(), None).unwrap(),
            SigningKey::generate(Scheme::Ed25519).unwrap(),
        ],
        PIPELINE_JOB,
        json!({"anyOf": ["one"]}),
        json!({}),
        Arc::default(),
    );
    let id = probe.deliver(&data).await.event.unwrap();
    let launch_id = probe.decisions(&id).await[0].launch_id.to_string();
    world.vertex.plant(&launch_id, json!({"displayName": "evil", "createTime": "2099-01-01T00:00:00Z"}));

    let answer = world.deliver(&data).await;

    assert_eq!((answer.outcome, answer.reason), (Outcome::FailedLaunch, Some(Reason::JobIdTaken)));
    assert_eq!(world.told.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refused_launch_is_final_and_told_once() {
    let world = World::new(PIPELINE_JOB);
    world.script(Next::Fail(CallErrorKind::Terminal(Reason::PermissionDenied), true));

    let answer = world.deliver(&signed(1, &[&world.keys[0]])).await;
    world.gate.sweep().await.unwrap();

    assert_eq!((answer.outcome, answer.reason), (Outcome::FailedLaunch, Some(Reason::PermissionDenied)));
    assert_eq!(world.told.0.lock().unwrap().len(), 1);
    assert_eq!(world.vertex.creates(), 1);
}

#[tokio::test]
async fn nothing_is_launched_for_observe_or_paused() {
    for (mode, outcome) in [("observe", Outcome::Observed), ("paused", Outcome::SkippedPaused)] {
        let world = World::with(PIPELINE_JOB, json!({"anyOf": ["one"]}), json!({"mode": mode}));

        let answer = world.deliver(&signed(1, &[&world.keys[0]])).await;
        world.gate.sweep().await.unwrap();

        assert_eq!(answer.outcome, outcome, "{mode}");
        assert_eq!(world.vertex.creates(), 0, "{mode}");
    }
}

#[tokio::test]
async fn a_rejected_delivery_never_makes_an_event() {
    let world = World::new(PIPELINE_JOB);
    let stranger = SigningKey::generate(Scheme::Ed25519).unwrap();

    let forged = world.deliver(&signed(1, &[&stranger])).await;
    let garbage = world.deliver("{").await;
    let good = world.deliver(&signed(1, &[&world.keys[0]])).await;

    assert_eq!((forged.outcome, forged.reason), (Outcome::RejectedSignature, Some(Reason::UnknownSigner)));
    assert_eq!(garbage.outcome, Outcome::RejectedMalformed);
    assert_eq!(good.outcome, Outcome::Launched, "a forged copy sent first poisons nothing");
}

#[tokio::test]
async fn a_later_copy_with_a_missing_signer_is_decided_again() {
    let world = World::with(PIPELINE_JOB, json!({"anyOf": ["one", "two"], "atLeast": 2}), json!({}));

    let short = world.deliver(&signed(1, &[&world.keys[0]])).await;
    let again = world.deliver(&signed(1, &[&world.keys[0]])).await;
    let other = world.deliver(&signed(1, &[&world.keys[1]])).await;
    let late = world.deliver(&signed(1, &[&world.keys[0], &world.keys[1]])).await;

    assert_eq!((short.outcome, short.reason), (Outcome::DeniedPolicy, Some(Reason::ThresholdNotMet)));
    assert_eq!(again.outcome, Outcome::Duplicate);
    assert_eq!(other.outcome, Outcome::Launched, "the union of both copies meets the threshold");
    assert_eq!(late.outcome, Outcome::Duplicate);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_replay_if_not_launched_leaves_a_run_alone_and_a_forced_one_makes_the_next() {
    let world = World::new(PIPELINE_JOB);
    let id = world.deliver(&signed(1, &[&world.keys[0]])).await.event.unwrap();
    let ask = |force| Command {
        kind: CommandKind::Replay { event: id.clone(), force },
        by: "me".to_owned(),
        why: "drill".to_owned(),
    };

    let gentle = world.gate.ledger().ask(ask(false)).await.unwrap();
    world.sweep_until_work().await;
    let jobs_then = world.jobs();
    let forced = world.gate.ledger().ask(ask(true)).await.unwrap();
    world.sweep_until_work().await;

    assert_eq!(jobs_then, 1);
    assert_eq!(world.jobs(), 2);
    let said = |record: Option<launchgate_engine::CommandRecord>| record.unwrap().result.unwrap();
    assert!(said(world.gate.ledger().command(gentle).await.unwrap()).contains("left as it is"));
    assert!(said(world.gate.ledger().command(forced).await.unwrap()).contains("launched"));
    let ordinals: Vec<_> = world.decisions(&id).await.iter().map(|decision| decision.ordinal).collect();
    assert_eq!(ordinals, [0, 1]);
}

#[tokio::test]
async fn a_failed_launch_is_replayed_under_the_same_id() {
    let world = World::new(PIPELINE_JOB);
    world.script(Next::Fail(CallErrorKind::Terminal(Reason::PermissionDenied), true));
    let id = world.deliver(&signed(1, &[&world.keys[0]])).await.event.unwrap();

    let command = Command {
        kind: CommandKind::Replay { event: id.clone(), force: false },
        by: "me".to_owned(),
        why: "role granted".to_owned(),
    };
    world.gate.ledger().ask(command).await.unwrap();
    world.sweep_until_work().await;

    let stored = world.gate.ledger().event(&id).await.unwrap().unwrap();
    assert_eq!(world.jobs(), 1);
    assert_eq!(stored.history.len(), 1, "what was replaced is kept");
    assert_eq!(world.decisions(&id).await[0].outcome, Outcome::Launched);
}

#[tokio::test]
async fn a_retry_is_not_sent_once_its_trigger_or_signer_is_gone() {
    for (signers, more, outcome, reason) in [
        (json!({"anyOf": ["one"]}), json!({"mode": "paused"}), Outcome::SkippedPaused, None),
        (
            json!({"anyOf": ["one"]}),
            json!({"name": "other"}),
            Outcome::DeniedPolicy,
            Some(Reason::TriggerRemoved),
        ),
    ] {
        let world = World::new(PIPELINE_JOB);
        world.script(Next::Fail(CallErrorKind::Transient(Reason::VertexUnavailable), true));
        let id = world.deliver(&signed(1, &[&world.keys[0]])).await.event.unwrap();
        world.gate.ledger().flush().await.unwrap();
        let World { vertex, keys, folder, gate, .. } = world;
        drop(gate);

        let world = World::reopen(folder, keys, PIPELINE_JOB, signers, more, vertex);
        world.sweep_until_work().await;

        let decision = &world.decisions(&id).await[0];
        assert_eq!((decision.outcome, decision.reason), (outcome, reason));
        assert_eq!(world.jobs(), 0);
        drop(world.folder);
    }
}

#[tokio::test]
async fn an_event_that_comes_to_more_than_256_decisions_is_rejected_whole() {
    let keys =
        [SigningKey::generate(Scheme::Ed25519).unwrap(), SigningKey::generate(Scheme::Ed25519).unwrap()];
    let trigger = |number: usize| {
        json!({
            "name": format!("t{number}"), "match": {"pipeline": "fraud-train"},
            "require": {"signers": {"anyOf": ["one"]}}, "launch": serde_json::from_str::<Value>(CUSTOM_JOB).unwrap(),
        })
    };
    let file = json!({
        "apiVersion": "launchgate/v1", "service": {"audience": "launchgate-test"},
        "vertex": {"project": "p", "location": "us-central1"},
        "signers": [{"id": "one", "publicKey": keys[0].public_pem()}],
        "triggers": (0..257).map(trigger).collect::<Vec<_>>(),
    });
    let config = pipeline_file::loaded(&file);

    let data = signed(1, &[&keys[0]]);
    let inputs = TrustInputs {
        published: Timestamp::parse(PUBLISHED).unwrap(),
        buildkite_keys: BuildkiteKeys::Missing,
    };
    let judgement = judge(&config, data.as_bytes(), inputs, DecideOptions::default()).unwrap();

    let Judgement::Rejected(rejection) = judgement else { panic!("{judgement:?}") };
    assert_eq!(rejection.refusal.reason, Reason::TooManyDecisions);
    assert_eq!(rejection.refusal.outcome, Outcome::RejectedStatement);
}

async fn replay(world: &World, id: &EventId, force: bool) -> String {
    let kind = CommandKind::Replay { event: id.clone(), force };
    let command = Command { kind, by: "me".to_owned(), why: "drill".to_owned() };
    let asked = world.gate.ledger().ask(command).await.unwrap();
    world.sweep_until_work().await;
    world.gate.ledger().flush().await.unwrap();
    world.gate.ledger().command(asked).await.unwrap().unwrap().result.unwrap()
}

#[tokio::test]
async fn a_plain_replay_leaves_the_run_of_a_forced_one_alone() {
    let world = World::new(PIPELINE_JOB);
    world.script(Next::Fail(CallErrorKind::Terminal(Reason::PermissionDenied), true));
    let id = world.deliver(&signed(1, &[&world.keys[0]])).await.event.unwrap();

    let forced = replay(&world, &id, true).await;
    let plain = replay(&world, &id, false).await;

    assert!(forced.contains("launched"), "{forced}");
    assert!(plain.contains("left as it is"), "{plain}");
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_run_that_exists_and_cannot_be_fetched_ends_nothing() {
    let world = World::new(PIPELINE_JOB);
    world.script(Next::AcceptThenReset);
    world.vertex.fetching_fails(Some(CallErrorKind::Terminal(Reason::PermissionDenied)));
    let answer = world.deliver(&signed(1, &[&world.keys[0]])).await;

    world.sweep_until_work().await;
    let meanwhile = world.decisions(answer.event.as_ref().unwrap()).await[0].clone();
    world.vertex.fetching_fails(None);
    world.sweep_until_work().await;

    assert_eq!(meanwhile.outcome, Outcome::Retrying, "{meanwhile:?}");
    assert_eq!(world.decisions(&answer.event.unwrap()).await[0].outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_run_made_before_its_trigger_was_paused_is_recorded_and_nothing_is_sent_anew() {
    for (first, outcome, jobs) in [
        (Next::AcceptThenReset, Outcome::Launched, 1),
        (Next::Fail(CallErrorKind::Transient(Reason::VertexUnavailable), false), Outcome::SkippedPaused, 0),
    ] {
        let world = World::new(PIPELINE_JOB);
        world.script(first);
        let id = world.deliver(&signed(1, &[&world.keys[0]])).await.event.unwrap();
        let World { vertex, keys, folder, gate, .. } = world;
        drop(gate);

        let paused = json!({"mode": "paused"});
        let world = World::reopen(folder, keys, PIPELINE_JOB, json!({"anyOf": ["one"]}), paused, vertex);
        world.sweep_until_work().await;

        assert_eq!(world.decisions(&id).await[0].outcome, outcome);
        assert_eq!((world.jobs(), world.vertex.creates()), (jobs, 1));
    }
}

#[tokio::test]
async fn a_replay_counts_every_signer_that_was_ever_verified() {
    let world = World::with(PIPELINE_JOB, json!({"anyOf": ["one", "two"], "atLeast": 2}), json!({}));
    world.deliver(&signed(1, &[&world.keys[0]])).await;
    world.script(Next::Fail(CallErrorKind::Terminal(Reason::PermissionDenied), true));
    let answer = world.deliver(&signed(1, &[&world.keys[1]])).await;
    assert_eq!(answer.outcome, Outcome::FailedLaunch);

    let said = replay(&world, &answer.event.unwrap(), false).await;

    assert!(said.contains("launched"), "{said}");
}

#[tokio::test]
async fn a_new_signer_starts_no_trigger_that_was_not_decided_before() {
    let both = json!({"anyOf": ["one", "two"], "atLeast": 2});
    let world = World::with(PIPELINE_JOB, both.clone(), json!({}));
    let id = world.deliver(&signed(1, &[&world.keys[0]])).await.event.unwrap();
    let World { vertex, keys, folder, gate, .. } = world;
    drop(gate);

    let world = World::reopen(folder, keys, PIPELINE_JOB, both, json!({"name": "fresh"}), vertex);
    let answer = world.deliver(&signed(1, &[&world.keys[1]])).await;

    assert_eq!(answer.outcome, Outcome::Duplicate);
    assert_eq!(world.jobs(), 0);
    assert_eq!(world.decisions(&id).await.len(), 1);
}

#[tokio::test]
async fn more_artifacts_than_calls_at_once_are_all_launched() {
    for launch in [PIPELINE_JOB, CUSTOM_JOB] {
        let world = World::new(launch);
        let payload = event_of(1, 20);
        let data = world.keys[0].envelope(PAYLOAD_TYPE, &payload).unwrap().to_json();

        let answer = world.deliver(&data).await;

        assert_eq!(answer.outcome, Outcome::Launched);
        assert_eq!(answer.decisions.len(), 20);
        assert!(answer.decisions.iter().all(|(_, outcome)| *outcome == Outcome::Launched), "{answer:?}");
        assert_eq!(world.jobs(), 20);
    }
}

#[tokio::test]
async fn what_one_clause_alone_keeps_from_matching_is_counted_with_the_event_and_once() {
    let release = json!({"match": {"pipeline": "fraud-train", "branch": "release/*"}});
    let world = World::with(PIPELINE_JOB, json!({"anyOf": ["one"]}), release);
    let data = signed(1, &[&world.keys[0]]);
    let miss = NearMiss { trigger: TriggerName::parse("retrain").unwrap(), clause: MissedClause::Branch };

    let first = world.deliver(&data).await;
    let again = world.deliver(&data).await;
    let second = world.deliver(&signed(2, &[&world.keys[0]])).await;

    assert_eq!((first.outcome, &first.near_misses[..]), (Outcome::NoMatch, &[miss.clone()][..]));
    assert_eq!((again.outcome, &again.near_misses[..]), (Outcome::Duplicate, &[][..]));
    let command = CommandKind::Replay { event: first.event.unwrap(), force: false };
    let asked = Command { kind: command, by: "me".into(), why: "does it match by now?".into() };
    world.gate.ledger().ask(asked).await.unwrap();
    assert_eq!(world.gate.sweep().await.unwrap().commands, 1);
    let [count] = &world.gate.ledger().near_misses(None, 10).await.unwrap()[..] else { panic!("one count") };
    assert_eq!((&count.trigger, count.clause, count.events), (&miss.trigger, miss.clause, 2));
    assert_eq!(Some(&count.last_event), second.event.as_ref());
}
