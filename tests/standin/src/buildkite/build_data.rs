//! What jobs write into their builds through the agent API: meta-data and annotations.
//!
//! Promises: a job may read and write the meta-data of every build of its cluster, as at Buildkite, and annotate its own
//! alone; unknown fields, empty keys and values over 100 kB are refused. Does not: show a page.
//! Source: buildkite/agent, `api/meta_data.go` and `api/annotations.go`; buildkite.com/docs/pipelines/build-meta-data.
//! The texts of refusals are ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::loopback::{Asked, Reply};

/// Bytes of one value.
const VALUE_LIMIT: usize = 100 * 1024;

/// Bytes of an annotation's body.
const BODY_LIMIT: usize = 1024 * 1024;

const STYLES: [&str; 4] = ["success", "info", "warning", "error"];

/// A build's name: organization, pipeline, number.
pub(super) type BuildName = (String, String, u64);

/// What is kept of builds.
#[derive(Debug, Default)]
pub(super) struct BuildData {
    pub(super) meta_data: BTreeMap<BuildName, BTreeMap<String, String>>,
    /// Style and body by context.
    pub(super) annotations: BTreeMap<BuildName, BTreeMap<String, (String, String)>>,
}

/// The build that a job is of.
pub(super) fn build_of(job: &Map<String, Value>) -> BuildName {
    let text = |claim: &str| job.get(claim).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = job.get("build_number").and_then(Value::as_u64).unwrap_or_default();
    (text("organization_slug"), text("pipeline_slug"), number)
}

impl BuildData {
    /// Answers `POST /v3/jobs/JOB/data/…` for a build.
    pub(super) fn meta_data(&mut self, build: &BuildName, action: &str, asked: &Asked) -> Reply {
        let fields: &[&str] = if action == "set" { &["key", "value"] } else { &["key"] };
        let request = match fields_of(asked, fields) {
            Ok(request) => request,
            Err(message) => return refused(400, &message),
        };
        let key = request.get("key").and_then(Value::as_str).map(str::trim).unwrap_or_default().to_owned();
        if key.is_empty() {
            return refused(422, "Key can't be blank");
        }
        let kept = self.meta_data.entry(build.clone()).or_default();
        match action {
            "set" => {
                let value = request.get("value").and_then(Value::as_str).unwrap_or_default();
                if value.trim().is_empty() {
                    return refused(422, "Value can't be blank");
                }
                if value.len() > VALUE_LIMIT {
                    return refused(422, "Value is too long (maximum is 102400 bytes)");
                }
                kept.insert(key.clone(), value.to_owned());
                Reply::json(200, &json!({ "key": key, "value": value }))
            }
            "get" => match kept.get(&key) {
                Some(value) => Reply::json(200, &json!({ "key": key, "value": value })),
                None => refused(404, "No key found"),
            },
            "exists" => Reply::json(200, &json!({ "exists": kept.contains_key(&key) })),
            _ => refused(404, "Not Found"),
        }
    }

    /// Answers `POST /v3/jobs/JOB/annotations` for a build.
    pub(super) fn annotate(&mut self, build: &BuildName, asked: &Asked) -> Reply {
        let request = match fields_of(asked, &["body", "context", "style", "append", "priority"]) {
            Ok(request) => request,
            Err(message) => return refused(400, &message),
        };
        let text = |name: &str, otherwise: &str| {
            request.get(name).and_then(Value::as_str).unwrap_or(otherwise).to_owned()
        };
        let (body, context, style) = (text("body", ""), text("context", "default"), text("style", "info"));
        if body.is_empty() || body.len() > BODY_LIMIT {
            return refused(422, "Body must have between 1 and 1048576 bytes");
        }
        if !STYLES.contains(&&*style) {
            return refused(422, "Style is not included in the list");
        }
        let kept = self.annotations.entry(build.clone()).or_default();
        let append = request.get("append").and_then(Value::as_bool).unwrap_or_default();
        let before = kept.get(&context).filter(|_| append).map(|(_, body)| body.clone()).unwrap_or_default();
        kept.insert(context, (style, format!("{before}{body}")));
        Reply::json(201, &json!({}))
    }
}

fn fields_of(asked: &Asked, known: &[&str]) -> Result<Map<String, Value>, String> {
    let request: Value = serde_json::from_slice(&asked.body).map_err(|error| error.to_string())?;
    let Value::Object(members) = request else { return Err("expected an object".to_owned()) };
    match members.keys().find(|name| !known.contains(&&***name)) {
        Some(name) => Err(format!("unknown field {name}")),
        None => Ok(members),
    }
}

fn refused(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "message": message }))
}
