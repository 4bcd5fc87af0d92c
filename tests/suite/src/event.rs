//! Signed events, built as a Buildkite job would.

use launchgate_statement::{
    Artifact, Build, BuildkiteIds, Envelope, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp,
};
use launchgate_trust::{Scheme, SigningKey};
use serde_json::{Map, Value};

use crate::now;

/// A new Ed25519 key.
pub fn a_key() -> SigningKey {
    SigningKey::generate(Scheme::Ed25519).unwrap()
}

/// An event in the making: acceptable as it stands, each setter changes one thing.
#[derive(Clone, Debug)]
pub struct EventDraft(ProvenanceDraft);

/// Build 42 of `acme/fraud-train` on main, started now, with one image named after the pipeline.
pub fn an_event() -> EventDraft {
    let text = |text: &str| Some(text.to_owned());
    let build = Build {
        organization: text("acme"),
        branch: text("main"),
        commit: Some("3f".repeat(20)),
        step: text("build"),
        job: text("0184990a-477b-4fa8-9968-496074483cee"),
        source: text("webhook"),
        ..Build::default()
    };
    let draft = ProvenanceDraft {
        build,
        artifacts: Vec::new(),
        ids: BuildkiteIds::default(),
        command: text("make image"),
        started_on: Some(now()),
    };
    EventDraft(draft).number(42).from_pipeline("fraud-train")
}

impl EventDraft {
    /// Of this pipeline, with its image as the only artifact.
    #[must_use]
    pub fn from_pipeline(mut self, pipeline: &str) -> Self {
        self.0.build.pipeline = Some(pipeline.to_owned());
        self.0.build.repository = Some(format!("https://github.com/acme/{pipeline}.git"));
        self.0.artifacts.clear();
        self.and_artifact(pipeline)
    }

    /// Build number; another number is another event.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.build.number = Some(number);
        self
    }

    /// Built from this branch.
    #[must_use]
    pub fn branch(mut self, branch: &str) -> Self {
        self.0.build.branch = Some(branch.to_owned());
        self
    }

    /// Started at this instant.
    #[must_use]
    pub fn started_on(mut self, at: Timestamp) -> Self {
        self.0.started_on = Some(at);
        self
    }

    /// One more image.
    #[must_use]
    pub fn and_artifact(mut self, name: &str) -> Self {
        let sha256 = Sha256::of(name.as_bytes());
        self.0.artifacts.push(Artifact {
            name: name.to_owned(),
            sha256,
            uri: Some(format!("us-docker.pkg.dev/acme/ml/{name}@sha256:{sha256}")),
            media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
            annotations: Map::from_iter([("kind".to_owned(), Value::from("container"))]),
        });
        self
    }

    /// With this as the only artifact.
    #[must_use]
    pub fn of_artifact(mut self, artifact: Artifact) -> Self {
        self.0.artifacts = vec![artifact];
        self
    }

    /// An annotation on the last artifact.
    #[must_use]
    pub fn annotated(mut self, name: &str, value: impl Into<Value>) -> Self {
        let artifact = self.0.artifacts.last_mut().expect("a draft has an artifact");
        artifact.annotations.insert(name.to_owned(), value.into());
        self
    }

    /// The statement's bytes.
    pub fn statement(&self) -> Vec<u8> {
        self.0.to_statement().unwrap()
    }

    /// The DSSE envelope.
    pub fn signed_by(&self, key: &SigningKey) -> Envelope {
        key.envelope(PAYLOAD_TYPE, &self.statement()).unwrap()
    }
}
