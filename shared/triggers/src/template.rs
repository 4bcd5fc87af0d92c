//! A compiled KFP pipeline, read as the tool that wrote it meant it.

use launchgate_statement::Sha256;
use serde_json::{Map, Value};

/// A KFP pipeline spec (bare or wrapped in a PipelineJob), from YAML or JSON.
#[derive(Clone, Debug)]
pub struct Template {
    /// SHA-256 of the file's bytes.
    pub digest: Sha256,
    /// The `pipelineSpec` to send.
    pub spec: Value,
    /// A wrapped template's own `runtimeConfig`, else empty.
    pub runtime_config: Map<String, Value>,
    /// `root.inputDefinitions` in the template's order.
    pub inputs: Vec<TemplateInput>,
}

/// One input of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateInput {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: InputKind,
    /// `defaultValue`, when there is one.
    pub default: Option<Value>,
    /// `isOptional`.
    pub optional: bool,
    /// `literals`: the only values allowed, when given.
    pub literals: Vec<Value>,
    /// The author's description.
    pub description: Option<String>,
}

/// The type of an input. Source: kfp-pipeline-spec `ParameterType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are KFP's own")]
pub enum InputKind {
    Artifact,
    NumberDouble,
    NumberInteger,
    String,
    Boolean,
    List,
    Struct,
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

impl Template {
    /// Reads a template: KFP YAML (plain scalars as PyYAML resolves them, a second document with
    /// `platforms:` ignored) or JSON, bare spec or wrapped PipelineJob.
    pub fn parse(bytes: &[u8]) -> Result<Self, TemplateError> {
        let _ = bytes;
        unimplemented!("template")
    }

    /// The spec with `cachingOptions` of every task replaced, as the Python SDK's `enable_caching` does:
    /// on every task of `root.dag` and every `components.*.dag`.
    pub fn spec_with_caching(&self, enabled: bool) -> Value {
        let _ = enabled;
        unimplemented!("template")
    }

    /// `pipelineSpec.defaultPipelineRoot`.
    pub fn default_root(&self) -> Option<&str> {
        self.spec.get("defaultPipelineRoot").and_then(Value::as_str)
    }
}
