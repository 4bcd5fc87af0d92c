//! The inputs that a pipeline declares: `root.inputDefinitions`.

use serde_json::{Map, Value};

use super::{RECOMPILE, TemplateError};

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

impl InputKind {
    /// KFP's own name, as it stands in the compiled spec.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::NumberDouble => "NUMBER_DOUBLE",
            Self::NumberInteger => "NUMBER_INTEGER",
            Self::String => "STRING",
            Self::Boolean => "BOOLEAN",
            Self::List => "LIST",
            Self::Struct => "STRUCT",
        }
    }
}

impl TemplateInput {
    /// Whether a run needs a value for it: neither optional nor with a default of its own.
    pub fn is_required(&self) -> bool {
        !self.optional && self.default.is_none()
    }
}

/// Parameters, then artifacts.
pub(super) fn read_all(spec: &Value) -> Result<Vec<TemplateInput>, TemplateError> {
    let mut inputs = Vec::new();
    for (name, declared) in definitions(spec, "parameters")? {
        inputs.push(parameter(name, declared)?);
    }
    for (name, declared) in definitions(spec, "artifacts")? {
        if inputs.iter().any(|input| input.name == *name) {
            return Err(TemplateError::new(format!(
                "`{name}` is declared both as parameter and as artifact"
            )));
        }
        let declared = declared.as_object();
        inputs.push(TemplateInput {
            name: name.clone(),
            kind: InputKind::Artifact,
            default: None,
            optional: flag(declared, "isOptional"),
            literals: Vec::new(),
            description: text(declared, "description"),
        });
    }
    Ok(inputs)
}

fn definitions<'a>(spec: &'a Value, what: &str) -> Result<Vec<(&'a String, &'a Value)>, TemplateError> {
    match spec.pointer(&format!("/root/inputDefinitions/{what}")) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(declared)) => Ok(declared.iter().collect()),
        Some(_) => {
            Err(TemplateError::new(format!("`root.inputDefinitions.{what}` is not a mapping")).fix(RECOMPILE))
        }
    }
}

fn parameter(name: &str, declared: &Value) -> Result<TemplateInput, TemplateError> {
    let at = format!("`root.inputDefinitions.parameters.{name}`");
    let members = declared.as_object();
    let kind = match members.and_then(|members| members.get("parameterType")).and_then(Value::as_str) {
        Some("NUMBER_DOUBLE") => InputKind::NumberDouble,
        Some("NUMBER_INTEGER") => InputKind::NumberInteger,
        Some("STRING") => InputKind::String,
        Some("BOOLEAN") => InputKind::Boolean,
        Some("LIST") => InputKind::List,
        Some("STRUCT") => InputKind::Struct,
        Some("TASK_FINAL_STATUS") => {
            return Err(TemplateError::new(format!(
                "{at} is a TASK_FINAL_STATUS, which only an exit task can take"
            )));
        }
        Some(other) => {
            return Err(TemplateError::new(format!("{at} has parameterType `{other}`, which is not known")));
        }
        None => return Err(TemplateError::new(format!("{at} has no `parameterType`")).fix(RECOMPILE)),
    };
    let literals = match members.and_then(|members| members.get("literals")) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(literals)) => literals.clone(),
        Some(_) => return Err(TemplateError::new(format!("{at} has `literals` that are no list"))),
    };
    Ok(TemplateInput {
        name: name.to_owned(),
        kind,
        default: members.and_then(|members| members.get("defaultValue")).cloned(),
        optional: flag(members, "isOptional"),
        literals,
        description: text(members, "description"),
    })
}

fn flag(members: Option<&Map<String, Value>>, name: &str) -> bool {
    members.and_then(|members| members.get(name)).and_then(Value::as_bool).unwrap_or(false)
}

fn text(members: Option<&Map<String, Value>>, name: &str) -> Option<String> {
    members.and_then(|members| members.get(name)).and_then(Value::as_str).map(str::to_owned)
}
