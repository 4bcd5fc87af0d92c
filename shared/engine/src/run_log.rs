//! Cloud Logging's entries on pipeline jobs, read as hints that a run has changed.
//!
//! Promises: an entry is judged by its log, its payload's type and state alone; nothing in it is believed, not even
//! the state. Does not: tell of kinds other than pipeline jobs, for which Vertex AI writes no such entries.
//! Source: Google Cloud's platform logs reference, `aiplatform.googleapis.com/pipeline_job_events`.

use serde::Deserialize;

/// How the log's name ends; before it stands `projects/PROJECT`.
const LOG: &str = "/logs/aiplatform.googleapis.com%2Fpipeline_job_events";

const ENTRY: &str = "type.googleapis.com/google.cloud.aiplatform.logging.PipelineJobLogEntry";

/// What an entry comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunLogEntry {
    /// This pipeline job may have changed.
    Hint { job: String },
    /// It tells of something else: which, in a word.
    Unused(&'static str),
    /// It is no log entry.
    Unreadable(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    log_name: String,
    #[serde(default)]
    json_payload: Payload,
    #[serde(default)]
    resource: Resource,
}

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(rename = "@type", default)]
    kind: Option<String>,
    #[serde(default)]
    state: Option<String>,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    labels: Labels,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default)]
    pipeline_job_id: Option<String>,
}

impl RunLogEntry {
    /// Reads the data of one message.
    pub(crate) fn read(data: &[u8]) -> Self {
        let entry: Entry = match serde_json::from_slice(data) {
            Ok(entry) => entry,
            Err(error) => return Self::Unreadable(format!("no log entry: {error}")),
        };
        if !(entry.log_name.starts_with("projects/") && entry.log_name.ends_with(LOG)) {
            return Self::Unused("other_log");
        }
        if entry.json_payload.kind.as_deref() != Some(ENTRY) {
            return Self::Unused("other_entry");
        }
        // Entries without one mention states elsewhere; one with a state that is new to us is a hint all the same.
        if entry.json_payload.state.is_none() {
            return Self::Unused("no_state");
        }
        match entry.resource.labels.pipeline_job_id {
            Some(job) => Self::Hint { job },
            None => Self::Unused("no_job"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SAMPLES: &str = include_str!("../../../tests/vectors/vertex/log_entries.json");

    fn sample(name: &str) -> Value {
        let all: Value = serde_json::from_str(SAMPLES).unwrap_or_default();
        let found = all["samples"].as_array().and_then(|all| all.iter().find(|it| it["name"] == name));
        found.map(|it| it["log_entry"].clone()).unwrap_or_default()
    }

    fn read(entry: &Value) -> RunLogEntry {
        RunLogEntry::read(entry.to_string().as_bytes())
    }

    #[test]
    fn an_entry_of_a_pipeline_job_with_a_state_is_a_hint() {
        for name in ["pipeline_running", "pipeline_succeeded"] {
            let job = "retrain-vision-20261124-001".to_owned();
            assert_eq!(read(&sample(name)), RunLogEntry::Hint { job }, "{name}");
        }
        let mut new = sample("pipeline_failed");
        new["jsonPayload"]["state"] = "PIPELINE_STATE_THINKING".into();
        assert!(matches!(read(&new), RunLogEntry::Hint { .. }));
    }

    #[test]
    fn what_passes_the_documented_filters_and_is_no_change_of_a_run_is_none() {
        assert_eq!(read(&sample("pipeline_task_failed")), RunLogEntry::Unused("other_log"));
        assert_eq!(read(&sample("custom_job_service_line")), RunLogEntry::Unused("other_log"));
        let with = |pointer: &str, value: Value| {
            let mut entry = sample("pipeline_succeeded");
            if let Some(place) = entry.pointer_mut(pointer) {
                *place = value;
            }
            read(&entry)
        };
        assert_eq!(with("/jsonPayload/@type", json!("x")), RunLogEntry::Unused("other_entry"));
        assert_eq!(with("/jsonPayload/state", Value::Null), RunLogEntry::Unused("no_state"));
        assert_eq!(with("/resource/labels", json!({})), RunLogEntry::Unused("no_job"));
        assert_eq!(
            with("/logName", json!("x/logs/aiplatform.googleapis.com%2Fpipeline_job_events")),
            RunLogEntry::Unused("other_log")
        );
    }

    #[test]
    fn what_is_no_entry_is_unreadable() {
        for text in ["", "[]", "{}", "{\"logName\": 7}", "\u{0}"] {
            assert!(matches!(RunLogEntry::read(text.as_bytes()), RunLogEntry::Unreadable(_)), "{text}");
        }
    }
}
