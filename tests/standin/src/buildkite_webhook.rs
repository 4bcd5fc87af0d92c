//! Buildkite's webhooks of builds, and their signature.
//!
//! Promises: the members that Buildkite documents, where it puts them; the signature covers the bytes of the
//! body. Does not: deliver anything, or run builds. Source: buildkite.com/docs/apis/webhooks/pipelines and
//! …/rest-api/builds.

use ring::hmac;
use serde_json::{Value, json};

/// A webhook about the build of a job, to be bent.
#[derive(Clone, Debug)]
pub struct BuildkiteWebhook(Value);

impl BuildkiteWebhook {
    /// `build.finished` of a build that passed and is of no pull request. `job` is as
    /// `BuildkiteStandin::a_job` makes it.
    pub fn finished(job: &Value) -> Self {
        let text = |claim: &str| job[claim].as_str().unwrap_or_default();
        let (organization, pipeline) = (text("organization_slug"), text("pipeline_slug"));
        let number = &job["build_number"];
        let api = format!("https://api.buildkite.com/v2/organizations/{organization}/pipelines/{pipeline}");
        let page = format!("https://buildkite.com/{organization}/{pipeline}");
        let person = json!({"id": "3d3c3bf0-7d58-4afe-8fe7-b3017d5504de", "name": "Ada Lovelace"});
        Self(json!({
            "event": "build.finished",
            "build": {
                "id": job["build_id"], "url": format!("{api}/builds/{number}"),
                "web_url": format!("{page}/builds/{number}"), "number": number,
                "state": "passed", "blocked": false, "message": "Train on the new data",
                "commit": job["build_commit"], "branch": job["build_branch"],
                "tag": job.get("build_tag").cloned().unwrap_or_default(), "source": job["build_source"],
                "creator": person, "pull_request": null, "cluster_id": job["cluster_id"],
                "created_at": "2026-11-18T11:00:00.000Z", "scheduled_at": "2026-11-18T11:00:00.000Z",
                "started_at": "2026-11-18T11:00:05.000Z", "finished_at": "2026-11-18T11:06:00.000Z",
                "meta_data": {},
            },
            "pipeline": {
                "id": job["pipeline_id"], "url": api, "web_url": page, "name": pipeline, "slug": pipeline,
                "repository": format!("git@github.com:{organization}/{pipeline}.git"),
                "cluster_id": job["cluster_id"],
            },
            "sender": person,
        }))
    }

    /// `build.running` of the same: nothing has finished.
    pub fn running(job: &Value) -> Self {
        Self::finished(job)
            .with("/event", "build.running")
            .with("/build/state", "running")
            .with("/build/finished_at", Value::Null)
    }

    /// Of a pull request from this repository.
    #[must_use]
    pub fn of_pull_request(self, number: u64, repository: &str) -> Self {
        let head = json!({"id": number.to_string(), "base": "main", "repository": repository});
        self.with("/build/pull_request", head)
    }

    /// With another value at a JSON pointer's place.
    ///
    /// # Panics
    /// When there is nothing at that place.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *self.0.pointer_mut(pointer).expect("a place that a webhook has") = value.into();
        self
    }

    /// The pipeline's own repository.
    pub fn pipeline_repository(&self) -> String {
        self.0["pipeline"]["repository"].as_str().unwrap_or_default().to_owned()
    }

    /// The bytes that are signed and sent.
    pub fn body(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }

    /// The header `X-Buildkite-Signature` for these bytes, made at this second since 1970.
    pub fn signature(secret: &str, body: &[u8], seconds: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, &[format!("{seconds}.").as_bytes(), body].concat());
        let hex: Vec<_> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("timestamp={seconds},signature={}", hex.concat())
    }
}
