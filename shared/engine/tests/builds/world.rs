//! A gate over a real ledger, a scripted Vertex AI, and one build that its tests tell it about.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use launchgate_engine::{
    Answer, AuthenticatedReceipt, BuildAnswer, BuildKey, DecisionRecord, Gate, GateParts, Receipt,
    SweepReport,
    ports::{
        AnsweredBuild, BuildkiteApi, BuildkiteApiError, NoArtifactCheck, NoBuildkiteKeys, NoFailureTopic,
    },
};
use launchgate_ledger_sqlite::{Options, SqliteLedger};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{
    Artifact, Build, BuildkiteIds, EventId, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp,
};
use launchgate_triggers::Config;
use launchgate_trust::{AuthenticatedSender, Scheme, SigningKey, WebhookSecrets};
use ring::hmac;
use serde_json::{Value, json};

use crate::interposed::Interposed;
use crate::scripted_vertex::ScriptedVertex;

use crate::pipeline_file;

pub(crate) const PUBLISHED: &str = "2026-11-18T11:06:40Z";
pub(crate) const SECRET: &str = "hush";

/// Buildkite's API, with one answer for every question.
pub(crate) struct Api {
    answer: Mutex<Result<Value, BuildkiteApiError>>,
    asked: Mutex<usize>,
}

impl Api {
    pub(crate) fn answering(answer: Result<Value, BuildkiteApiError>) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), asked: Mutex::new(0) })
    }

    pub(crate) fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    pub(crate) fn now_answers(&self, answer: Result<Value, BuildkiteApiError>) {
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
pub(crate) fn shown(webhook: &Value) -> Value {
    let mut build = webhook["build"].clone();
    build["pipeline"] = webhook["pipeline"].clone();
    build
}

pub(crate) struct World {
    pub(crate) gate: Gate,
    pub(crate) ledger: Arc<Interposed>,
    pub(crate) vertex: Arc<ScriptedVertex>,
    pub(crate) key: SigningKey,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// A trigger that asks for this besides the key's signature.
    pub(crate) fn asking(require: Value) -> Self {
        Self::with(require, json!({}))
    }

    pub(crate) fn with(require: Value, more: Value) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        Self::open(tempfile::tempdir().unwrap(), key, require, more)
    }

    pub(crate) fn open(folder: tempfile::TempDir, key: SigningKey, require: Value, more: Value) -> Self {
        let config = config(&key, require, more);
        Self::of(folder, key, config, None)
    }

    /// As `asking`, with an API that can be asked about builds after a second.
    pub(crate) fn with_api(require: Value, api: Arc<Api>) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        let config = config(&key, require, json!({}));
        Self::of(tempfile::tempdir().unwrap(), key, config, Some(api))
    }

    pub(crate) fn of(
        folder: tempfile::TempDir,
        key: SigningKey,
        config: Config,
        api: Option<Arc<Api>>,
    ) -> Self {
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
    pub(crate) fn under(self, require: Value, more: Value) -> Self {
        let Self { key, folder, gate, ledger, .. } = self;
        drop((gate, ledger));
        Self::open(folder, key, require, more)
    }

    pub(crate) async fn deliver(&self, data: &str) -> Answer {
        self.gate.receive(receipt(data.as_bytes(), None)).await.unwrap()
    }

    pub(crate) async fn event(&self) -> Answer {
        self.deliver(&signed(&self.key)).await
    }

    pub(crate) async fn webhook(&self, webhook: &Value) -> BuildAnswer {
        let body = webhook.to_string();
        let header = header(SECRET, published().seconds(), &body);
        self.gate.receive_build(receipt(body.as_bytes(), Some(header))).await.unwrap()
    }

    pub(crate) async fn decision(&self, id: &EventId) -> DecisionRecord {
        self.gate.ledger().flush().await.unwrap();
        let mut decisions = self.gate.ledger().event(id).await.unwrap().unwrap().decisions;
        assert_eq!(decisions.len(), 1, "{decisions:#?}");
        decisions.remove(0)
    }

    pub(crate) fn jobs(&self) -> usize {
        self.vertex.jobs()
    }

    /// Sweeps until Buildkite was asked about something.
    pub(crate) async fn sweep_until_asked(&self) -> SweepReport {
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
    pub(crate) async fn sweep_until_due(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while self.gate.sweep().await.unwrap().taken_up == 0 {
            assert!(tokio::time::Instant::now() < deadline, "nothing came due");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) fn config(key: &SigningKey, require: Value, more: Value) -> Config {
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
pub(crate) fn config_of_webhooks() -> Config {
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

pub(crate) fn published() -> Timestamp {
    Timestamp::parse(PUBLISHED).unwrap()
}

pub(crate) fn signed(key: &SigningKey) -> String {
    signed_by_job(key, "0184990a-477b-4fa8-9968-496074483cee", 42)
}

/// The event of another job, or of another build.
pub(crate) fn signed_by_job(key: &SigningKey, job: &str, number: u64) -> String {
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

pub(crate) fn header(secret: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex = Sha256::from_bytes(signature.as_ref().try_into().unwrap());
    format!("timestamp={seconds},signature={hex}")
}

pub(crate) fn receipt(data: &[u8], signature: Option<String>) -> AuthenticatedReceipt {
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
pub(crate) fn a_webhook(state: &str, finished: Option<u32>) -> Value {
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

pub(crate) fn of_a_fork() -> Value {
    let mut webhook = a_webhook("passed", Some(10));
    webhook["build"]["pull_request"] = json!({"id": "7", "repository": "https://github.com/eve/fraud-train"});
    webhook
}

pub(crate) const NO_PULL_REQUEST: fn() -> Value = || json!({"pullRequest": "none"});

/// The finished build with this in its meta-data.
pub(crate) fn leaving(metadata: Value) -> Value {
    let mut webhook = a_webhook("passed", Some(10));
    webhook["build"]["started_at"] = json!("2026-11-18T11:01:00Z");
    webhook["build"]["meta_data"] = metadata;
    webhook
}

pub(crate) fn outcomes(answer: &BuildAnswer) -> Vec<(Outcome, Option<Reason>)> {
    answer.events.iter().map(|event| (event.outcome, event.reason)).collect()
}
