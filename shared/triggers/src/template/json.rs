//! A template written as JSON, read as strictly as an event: each member once, nothing after the end, integers
//! exact.

use launchgate_statement::{JsonError, parse_object};
use serde_json::Value;

use super::TemplateError;

/// Objects and lists in each other; `serde_json` itself goes no deeper.
const MAX_DEPTH: usize = 127;

/// What came of reading a text as JSON.
pub(super) enum Read {
    /// It is JSON.
    Value(Value),
    /// It is JSON, but says something twice, or what would change on its way.
    Refused(TemplateError),
    /// It is something else; YAML perhaps.
    NotJson,
}

/// Reads a text that starts like a JSON object.
pub(super) fn read(text: &str) -> Read {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return Read::NotJson;
    }
    match parse_object(text.as_bytes(), MAX_DEPTH) {
        Ok(members) => Read::Value(Value::Object(members)),
        Err(JsonError::Syntax(_) | JsonError::NotAnObject { .. }) => Read::NotJson,
        Err(refused) => Read::Refused(TemplateError::new(refused.to_string())),
    }
}
