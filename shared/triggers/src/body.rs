//! A REST body against the API's own messages.
//!
//! Promises: what passes, Vertex AI's JSON reader takes: known fields, right types, known enum values; every
//! fault has its path. Stricter than that reader in three things: fields are named as in REST (`displayName`,
//! not `display_name`), fields that only the server sets are refused, and a few fields without which no job
//! starts must be there. Does not: know Vertex AI's rules about values (regions, machine types, quotas).

mod schema;
mod walk;

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

/// Checks a body as the API's JSON mapping does: unknown field, wrong type, bad enum.
///
/// The body may still hold `${…}`: expressions stand in text fields and free-form areas only, and anywhere
/// else their text is a wrong type.
pub(crate) fn check_body(kind: LaunchKind, body: &Value) -> Vec<BodyError> {
    let message = match kind {
        LaunchKind::PipelineJob => ".google.cloud.aiplatform.v1.PipelineJob",
        LaunchKind::CustomJob => ".google.cloud.aiplatform.v1.CustomJob",
        LaunchKind::HyperparameterTuningJob => ".google.cloud.aiplatform.v1.HyperparameterTuningJob",
        LaunchKind::BatchPredictionJob => ".google.cloud.aiplatform.v1.BatchPredictionJob",
    };
    walk::check(message, body)
}

#[cfg(test)]
mod tests;
