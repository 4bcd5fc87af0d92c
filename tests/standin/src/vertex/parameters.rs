//! Parameter values of a pipeline job against the pipeline's own `root.inputDefinitions`.
//!
//! Names, presence and JSON kinds follow the open-source KFP API server. Vertex's own texts for these are not
//! public, so the wording is ours; the code is `INVALID_ARGUMENT`.

use serde_json::{Map, Value};

use crate::google_error::GoogleError;

/// Checks `runtimeConfig` of a job that carries its `pipelineSpec`.
pub(crate) fn check(spec: &Value, runtime: &Value) -> Result<(), GoogleError> {
    let empty = Map::new();
    let declared = spec["root"]["inputDefinitions"]["parameters"].as_object().unwrap_or(&empty);
    let field = if is_legacy(spec) { "parameters" } else { "parameterValues" };
    let given = runtime[field].as_object().unwrap_or(&empty);

    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Err(GoogleError::invalid(&format!(
            "The pipeline parameter {name} is not found in the pipeline job input definitions."
        )));
    }
    if is_legacy(spec) {
        return Ok(());
    }
    for (name, definition) in declared {
        match given.get(name).filter(|value| !value.is_null()) {
            Some(value) => kind_fits(name, &definition["parameterType"], value)?,
            None if definition["isOptional"] == true || !definition["defaultValue"].is_null() => {}
            None => {
                return Err(GoogleError::invalid(&format!(
                    "The pipeline parameter {name} is not optional, yet has neither a default value nor a value in the request."
                )));
            }
        }
    }
    Ok(())
}

/// `parameters` beside a spec that wants `parameterValues`: Vertex takes the job and fails it later.
pub(crate) fn uses_legacy_field_wrongly(spec: &Value, runtime: &Value) -> bool {
    !is_legacy(spec) && runtime["parameters"].as_object().is_some_and(|given| !given.is_empty())
}

/// schemaVersion up to 2.0.0 has another field and other values.
fn is_legacy(spec: &Value) -> bool {
    matches!(spec["schemaVersion"].as_str(), Some("2.0.0" | "1.0.0"))
}

fn kind_fits(name: &str, expected: &Value, value: &Value) -> Result<(), GoogleError> {
    let fits = match expected.as_str().unwrap_or_default() {
        "NUMBER_INTEGER" | "NUMBER_DOUBLE" => value.is_number(),
        "STRING" => value.is_string(),
        "BOOLEAN" => value.is_boolean(),
        "LIST" => value.is_array(),
        "STRUCT" => value.is_object(),
        "TASK_FINAL_STATUS" => false,
        _ => true,
    };
    if fits {
        return Ok(());
    }
    Err(GoogleError::invalid(&format!(
        "The pipeline parameter {name} is of type {expected}, the value given is {value}."
    )))
}
