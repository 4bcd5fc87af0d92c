//! What jobs left for launchgate in the meta-data of a build that has finished.
//!
//! Promises: only keys of launchgate's own are read, at most so many. Does not: believe any of it: every job of the
//! build's cluster can write there, under any key. Source: DESIGN §3, "Meta-data way for keyless".

use serde_json::{Map, Value};

/// Before the id of the job that left an envelope.
const EVENT: &str = "launchgate:event:";

/// The note that makes an event without any tool on the agent.
const ARTIFACT: &str = "launchgate:artifact";

/// Envelopes taken out of one build's meta-data; `emit` leaves one for each job that emits.
const MAX_ENVELOPES: usize = 32;

/// The meta-data of a finished build, as far as launchgate reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildMetadata {
    /// Whether Buildkite gave the meta-data at all; some organizations' webhooks come without it.
    pub is_told: bool,
    /// `launchgate:event:JOB`, in the order of the keys.
    pub envelopes: Vec<MetadataEnvelope>,
    /// How many more there were than are taken.
    pub too_many: usize,
    /// `launchgate:artifact`.
    pub artifact: Option<String>,
}

/// One envelope out of meta-data. Whoever wrote it there is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataEnvelope {
    /// The key it lay under.
    pub key: String,
    /// The value: message data, if it is what it should be.
    pub data: String,
}

impl BuildMetadata {
    /// Envelopes that are taken out of one build's meta-data.
    pub const MAX_ENVELOPES: usize = MAX_ENVELOPES;

    /// Reads `meta_data` of a build.
    pub(crate) fn of(build: &Map<String, Value>) -> Self {
        let Some(Value::Object(members)) = build.get("meta_data") else { return Self::default() };
        let mut keys: Vec<_> = members.iter().filter(|(key, _)| key.starts_with(EVENT)).collect();
        keys.sort_by_key(|(key, _)| *key);
        let too_many = keys.len().saturating_sub(MAX_ENVELOPES);
        let envelopes = keys.into_iter().take(MAX_ENVELOPES);
        let envelopes =
            envelopes.map(|(key, value)| MetadataEnvelope { key: key.clone(), data: text(value) });
        Self {
            is_told: true,
            envelopes: envelopes.collect(),
            too_many,
            artifact: members.get(ARTIFACT).map(text),
        }
    }
}

/// Meta-data are texts; anything else is no envelope, and its reader says so.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
