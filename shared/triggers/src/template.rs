//! A compiled KFP pipeline, read as the tool that wrote it meant it.
//!
//! Promises: no value changes between the file and `spec`; a `Template` has a spec that Vertex AI's
//! `pipelineSpec` can take and inputs of known types. Does not: check a spec's inner graph, fetch anything.

mod foreign;
mod input;
mod json;
mod yaml;

use launchgate_statement::Sha256;
use serde_json::{Map, Value, json};

pub use input::{InputKind, TemplateInput};

/// A KFP pipeline spec (bare or wrapped in a `PipelineJob`), from YAML or JSON.
#[derive(Clone, Debug)]
pub struct Template {
    /// SHA-256 of the file's bytes.
    pub digest: Sha256,
    /// The `pipelineSpec` to send.
    pub spec: Value,
    /// A wrapped template's own `runtimeConfig`, else empty.
    pub runtime_config: Map<String, Value>,
    /// `root.inputDefinitions`: parameters by name, then artifacts by name, which is the order KFP writes.
    pub inputs: Vec<TemplateInput>,
}

/// Why a file is no usable pipeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What was expected and found, with line and column where known.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
}

impl TemplateError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), fix: None }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// How to get a spec that this version reads.
const RECOMPILE: &str = "compile the pipeline again with KFP 2 (`kfp dsl compile`)";

impl Template {
    /// Bytes a template may have. Vertex AI takes 4 MB in a request; a file beyond that is no spec.
    pub const MAX_BYTES: usize = 8 * 1024 * 1024;

    /// Reads a template: KFP YAML (plain scalars as `PyYAML` resolves them, a second document with
    /// `platforms:` ignored) or JSON, bare spec or wrapped `PipelineJob`.
    pub fn parse(bytes: &[u8]) -> Result<Self, TemplateError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(TemplateError::new(format!(
                "the template has {} bytes; at most {} are read",
                bytes.len(),
                Self::MAX_BYTES
            )));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| TemplateError::new(format!("the template is not UTF-8: {error}")))?;
        let whole = match json::read(text) {
            json::Read::Value(value) => value,
            json::Read::Refused(error) => return Err(error),
            json::Read::NotJson => yaml::read(text)?,
        };
        if let Some(error) = foreign::foreign(&whole) {
            return Err(error);
        }
        let (spec, runtime_config) = unwrap_job(whole)?;
        check_version(&spec)?;
        let inputs = input::read_all(&spec)?;
        Ok(Self { digest: Sha256::of(bytes), spec, runtime_config, inputs })
    }

    /// The spec with `cachingOptions` of every task replaced, as the Python SDK's `enable_caching` does:
    /// on every task of `root.dag` and every `components.*.dag`.
    pub fn spec_with_caching(&self, enabled: bool) -> Value {
        let mut spec = self.spec.clone();
        if let Some(root) = spec.get_mut("root") {
            set_caching(root, enabled);
        }
        if let Some(components) = spec.get_mut("components").and_then(Value::as_object_mut) {
            for component in components.values_mut() {
                set_caching(component, enabled);
            }
        }
        spec
    }

    /// `pipelineSpec.defaultPipelineRoot`.
    pub fn default_root(&self) -> Option<&str> {
        self.spec.get("defaultPipelineRoot").and_then(Value::as_str)
    }

    /// The input of a name, parameter or artifact.
    pub fn input(&self, name: &str) -> Option<&TemplateInput> {
        self.inputs.iter().find(|input| input.name == name)
    }
}

fn set_caching(component: &mut Value, enabled: bool) {
    let tasks = component.pointer_mut("/dag/tasks").and_then(Value::as_object_mut);
    for task in tasks.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        task.insert("cachingOptions".to_owned(), json!({ "enableCache": enabled }));
    }
}

/// A bare spec, or the spec and runtime config inside a `PipelineJob`; its other members (display name,
/// labels) belong to whoever wrapped it and are not taken.
fn unwrap_job(whole: Value) -> Result<(Value, Map<String, Value>), TemplateError> {
    let Value::Object(mut members) = whole else {
        return Err(TemplateError::new("expected a mapping with `pipelineInfo`, `root` and `schemaVersion`")
            .fix(RECOMPILE));
    };
    if !members.contains_key("pipelineSpec") {
        return Ok((Value::Object(members), Map::new()));
    }
    let spec = members.remove("pipelineSpec").unwrap_or_default();
    if !spec.is_object() {
        return Err(TemplateError::new("`pipelineSpec` is not a mapping").fix(RECOMPILE));
    }
    match members.remove("runtimeConfig") {
        None | Some(Value::Null) => Ok((spec, Map::new())),
        Some(Value::Object(config)) => Ok((spec, config)),
        Some(_) => Err(TemplateError::new("the wrapped template's `runtimeConfig` is not a mapping")),
    }
}

/// Specs of schema 2.1 and later 2.x carry `parameterType`; up to 2.0 they carry `type: INT` and take their
/// values by another member, so the same triggers file would mean something else.
fn check_version(spec: &Value) -> Result<(), TemplateError> {
    let version = match spec.get("schemaVersion") {
        Some(Value::String(version)) => version,
        Some(other) => {
            return Err(TemplateError::new(format!(
                "`schemaVersion` is {other}, expected text such as \"2.1.0\""
            ))
            .fix("quote it"));
        }
        None => {
            return Err(
                TemplateError::new("`schemaVersion` is missing: this is no compiled pipeline").fix(RECOMPILE)
            );
        }
    };
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(2)), Some(Ok(minor))) if minor >= 1 => {}
        (Some(Ok(major)), Some(Ok(_))) if major <= 2 => {
            return Err(TemplateError::new(format!(
                "`schemaVersion` {version} is older than 2.1.0: its inputs have `type: INT` and the like, which are not read here"
            ))
            .fix(RECOMPILE));
        }
        _ => {
            return Err(TemplateError::new(format!(
                "`schemaVersion` {version} is not known; 2.1.0 and later 2.x are read"
            )));
        }
    }
    let name = spec.pointer("/pipelineInfo/name").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        return Err(
            TemplateError::new("`pipelineInfo.name` is missing: this is no compiled pipeline").fix(RECOMPILE)
        );
    }
    if !spec.get("root").is_some_and(Value::is_object) {
        return Err(TemplateError::new("`root` is missing: this is no compiled pipeline").fix(RECOMPILE));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
