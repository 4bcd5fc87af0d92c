//! JSON that two readers cannot read differently.

use serde_json::{Map, Value};

/// Why a text is not strict JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum JsonError {
    #[error("not JSON: {0}")]
    Syntax(String),
    #[error("the member `{name}` stands twice (line {line}, column {column})")]
    DuplicateMember { name: String, line: usize, column: usize },
    #[error("nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("expected one JSON object, found {found}")]
    NotAnObject { found: &'static str },
}

/// Reads exactly one JSON object in UTF-8: no member twice, no trailing data, at most `depth` levels,
/// no integer that a double would change silently.
///
/// `serde_json` alone keeps the last of two equal members, so a verifier and a launcher could read two
/// different events out of one signed text.
pub fn parse_object(bytes: &[u8], depth: usize) -> Result<Map<String, Value>, JsonError> {
    let _ = (bytes, depth);
    unimplemented!("strict JSON")
}
