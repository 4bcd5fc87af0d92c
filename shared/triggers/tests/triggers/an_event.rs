//! Statements and events for tests.

use launchgate_statement::{PAYLOAD_TYPE, Timestamp};
use launchgate_triggers::Config;
use launchgate_trust::{BuildkiteKeys, SigningKey, TrustInputs, VerifiedEvent, verify};
use serde_json::{Value, json};

use crate::the_file::RELEASE;

pub(crate) const PUBLISHED: &str = "2026-11-18T11:06:40Z";

pub(crate) fn published() -> Timestamp {
    Timestamp::parse(PUBLISHED).unwrap()
}

pub(crate) struct AnEvent {
    statement: Value,
    keys: Vec<&'static SigningKey>,
}

/// Build 42 of acme/fraud-train, five minutes old, signed by the release key.
pub(crate) fn an_event() -> AnEvent {
    let page = "https://buildkite.com/acme/fraud-train";
    let repository = "https://github.com/acme/fraud-train";
    let (commit, job, sha256) = ("3f".repeat(20), "0184990a-477b-4fa8-9968-496074483cee", "ab".repeat(32));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": "fraud-train",
            "digest": {"sha256": sha256},
            "uri": format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}"),
            "annotations": {"kind": "container", "dataset": "2026-11"},
        }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://buildkite.github.io/slsa-buildtypes/job/v1",
                "externalParameters": {
                    "pipeline": page,
                    "repository": format!("{repository}.git"),
                    "build": {"branch": "main", "tag": null, "commit": commit},
                    "step": {"key": "build", "command": "make image"},
                    "job": {"id": job},
                },
                "internalParameters": {"buildkite": {"build_number": "42"}},
                "resolvedDependencies": [
                    {"uri": format!("git+{repository}@refs/heads/main"), "digest": {"gitCommit": commit}},
                ],
            },
            "runDetails": {
                "builder": {"id": "urn:launchgate:emit:v1"},
                "metadata": {"invocationId": format!("{page}/builds/42#{job}"), "startedOn": "2026-11-18T11:01:40Z"},
            },
        },
    });
    AnEvent { statement, keys: vec![&RELEASE] }
}

impl AnEvent {
    pub(crate) fn signed_by(mut self, keys: &[&'static SigningKey]) -> Self {
        self.keys = keys.to_vec();
        self
    }

    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        *self.statement.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not there")) = value;
        self
    }

    pub(crate) fn annotated(mut self, name: &str, value: Value) -> Self {
        self.statement["subject"][0]["annotations"][name] = value;
        self
    }

    pub(crate) fn on_branch(self, branch: &str) -> Self {
        let uri = format!("git+https://github.com/acme/fraud-train@refs/heads/{branch}");
        self.with("/predicate/buildDefinition/externalParameters/build/branch", json!(branch))
            .with("/predicate/buildDefinition/resolvedDependencies/0/uri", json!(uri))
    }

    pub(crate) fn verified(self, config: &Config) -> VerifiedEvent {
        let payload = serde_json::to_vec(&self.statement).unwrap();
        let mut envelope = self.keys[0].envelope(PAYLOAD_TYPE, &payload).unwrap();
        for key in &self.keys[1..] {
            envelope.signatures.extend(key.envelope(PAYLOAD_TYPE, &payload).unwrap().signatures);
        }
        let inputs = TrustInputs { published: published(), buildkite_keys: BuildkiteKeys::Missing };
        verify(envelope, &config.signers, inputs).unwrap()
    }
}
