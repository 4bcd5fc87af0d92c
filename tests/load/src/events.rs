//! Signed events as push bodies.

use anyhow::Context;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_statement::{Artifact, Build, BuildkiteIds, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp};
use launchgate_trust::{Scheme, SigningKey};

/// When the events say they were built.
const STARTED: &str = "2026-11-18T11:01:40Z";

/// When Pub/Sub took them in.
pub(crate) const PUBLISHED: &str = "2026-11-18T11:06:40Z";

/// A key and events signed with it.
pub(crate) struct Events {
    pub(crate) public_pem: String,
    /// Push bodies, each a different event.
    pub(crate) bodies: Vec<String>,
    /// The message data of the first event.
    pub(crate) envelope: Vec<u8>,
}

impl Events {
    /// `count` different events of one pipeline.
    pub(crate) fn make(count: usize) -> anyhow::Result<Self> {
        let key = SigningKey::generate(Scheme::Ed25519)?;
        let mut bodies = Vec::with_capacity(count);
        let mut first = Vec::new();
        for number in 1..=count {
            let statement = statement(u64::try_from(number)?)?;
            let envelope = key.envelope(PAYLOAD_TYPE, &statement)?.to_json();
            bodies.push(format!(
                r#"{{"message":{{"data":"{}","messageId":"{number}","message_id":"{number}","publishTime":"{PUBLISHED}","publish_time":"{PUBLISHED}"}},"subscription":"projects/p/subscriptions/s"}}"#,
                STANDARD.encode(&envelope)
            ));
            if number == 1 {
                first = envelope.into_bytes();
            }
        }
        Ok(Self { public_pem: key.public_pem(), bodies, envelope: first })
    }
}

/// The statement of a build.
pub(crate) fn statement(number: u64) -> anyhow::Result<Vec<u8>> {
    Ok(draft(number).to_statement()?)
}

fn draft(number: u64) -> ProvenanceDraft {
    let digest = Sha256::of(&number.to_be_bytes());
    let text = |value: &str| Some(value.to_owned());
    ProvenanceDraft {
        build: Build {
            organization: text("acme"),
            pipeline: text("fraud-train"),
            number: Some(number),
            branch: text("main"),
            commit: text("3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f"),
            step: text("image"),
            job: text("0184990a-477b-4fa8-9968-496074483cee"),
            repository: text("https://github.com/acme/fraud-train.git"),
            ..Build::default()
        },
        artifacts: vec![Artifact {
            name: "fraud-train".to_owned(),
            sha256: digest,
            uri: Some(format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{digest}")),
            media_type: None,
            annotations: serde_json::Map::new(),
        }],
        ids: BuildkiteIds::default(),
        command: text("make image"),
        started_on: Timestamp::parse(STARTED),
    }
}

/// The triggers file that the gate is measured with.
pub(crate) fn triggers_file(
    folder: &std::path::Path,
    public_pem: &str,
    ledger: &str,
) -> anyhow::Result<std::path::PathBuf> {
    let file = folder.join("launchgate.yaml");
    let config = serde_json::json!({
        "apiVersion": "launchgate/v1",
        "service": {"audience": "launchgate-bench"},
        "vertex": {"project": "p", "location": "us-central1", "pipelineRoot": "gs://bench/root"},
        "ingress": {"events": {"auth": "none"}},
        "ledger": {"sqlite": ledger},
        "signers": [{"id": "key", "publicKey": public_pem}],
        "triggers": [{
            "name": "retrain",
            "match": {"pipeline": "fraud-train", "branch": "main", "artifact": "us-docker.pkg.dev/acme/ml/fraud-train@*"},
            "require": {"signers": {"anyOf": ["key"]}},
            "launch": {"pipelineJob": {
                "template": "pipeline.json", "displayName": "retrain-${build.number}",
                "runtimeConfig": {"parameterValues": {"image": "${artifact.uri}", "epochs": 3}},
            }},
        }],
    });
    std::fs::write(&file, serde_json::to_string_pretty(&config)?)?;
    std::fs::write(folder.join("pipeline.json"), template().to_string()).context("writing the template")?;
    Ok(file)
}

/// The compiled pipeline that is launched.
pub(crate) fn template() -> serde_json::Value {
    serde_json::json!({
        "pipelineInfo": {"name": "bench"}, "schemaVersion": "2.1.0", "sdkVersion": "kfp-2.17.3", "deploymentSpec": {"executors": {}}, "components": {},
        "root": {"dag": {"tasks": {}}, "inputDefinitions": {"parameters": {
            "image": {"parameterType": "STRING"}, "epochs": {"parameterType": "NUMBER_INTEGER"}}}},
    })
}
