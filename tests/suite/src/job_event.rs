//! The keyless event of a job: its statement, signed by nothing but the job's own Buildkite token.

use launchgate_standin::{BuildkiteStandin, SigningKey};
use launchgate_statement::{
    Artifact, Build, BuildkiteIds, Envelope, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Signature,
};
use serde_json::Value;

/// The statement of a job (`BuildkiteStandin::a_job`), as `emit --keyless` writes it, on its way to a signature.
#[derive(Clone, Debug)]
pub struct JobEvent {
    job: Value,
    envelope: Envelope,
}

impl JobEvent {
    /// Of one image that the job built.
    pub fn of(job: &Value) -> Self {
        let text = |claim: &str| job[claim].as_str().map(str::to_owned);
        let sha256 = Sha256::of(b"image");
        let draft = ProvenanceDraft {
            build: Build {
                organization: text("organization_slug"),
                pipeline: text("pipeline_slug"),
                number: job["build_number"].as_u64(),
                branch: text("build_branch"),
                commit: text("build_commit"),
                step: text("step_key"),
                job: text("job_id"),
                ..Build::default()
            },
            artifacts: vec![Artifact {
                name: "fraud-train".to_owned(),
                sha256,
                uri: Some(format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}")),
                media_type: None,
                annotations: serde_json::Map::new(),
            }],
            ids: BuildkiteIds {
                organization: text("organization_id"),
                pipeline: text("pipeline_id"),
                build: text("build_id"),
            },
            command: None,
            started_on: None,
        };
        Self { job: job.clone(), envelope: Envelope::unsigned(PAYLOAD_TYPE, draft.to_statement().unwrap()) }
    }

    /// The audience that binds a token to this event.
    pub fn audience(&self) -> String {
        format!("launchgate-prod/event/{}", self.envelope.event_digest().0)
    }

    /// Without any signature.
    pub fn unsigned(&self) -> Vec<u8> {
        self.envelope.to_json().into_bytes()
    }

    /// Right as it stands.
    pub fn signed(&self) -> Vec<u8> {
        self.with_token(BuildkiteStandin::mint(&self.job, &self.audience()))
    }

    /// With its token's claims bent.
    pub fn bent(&self, bend: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut claims = BuildkiteStandin::claims(&self.job, &self.audience());
        bend(&mut claims);
        self.with_token(BuildkiteStandin::mint_with(&claims, SigningKey::First))
    }

    /// With any token as its signature.
    pub fn with_token(&self, token: String) -> Vec<u8> {
        let mut envelope = self.envelope.clone();
        envelope.signatures = vec![Signature { keyid: None, sig: token.into_bytes() }];
        envelope.to_json().into_bytes()
    }
}
