//! Values against a pipeline's `root.inputDefinitions`.
//!
//! Promises: what passes is named, typed and complete as the compiled pipeline asks, and arrives at Vertex AI
//! as the same value. Stricter than Google's SDK, which checks names only, and than the KFP server, which
//! takes 3.5 for an integer; as `strict_expected` in `tests/vectors/vertex/parameter_cases.json` says.
//! Does not: know where a value comes from, or that a pipeline's own defaults fit their types.

use launchgate_outcome::Reason;
use serde_json::{Map, Number, Value};

use crate::{InputKind, Template, TemplateInput};

/// One thing wrong with the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    /// `unknown_parameter`, `missing_parameter`, `parameter_type`.
    pub(crate) reason: Reason,
    /// The input's name.
    pub(crate) name: String,
    /// What was expected and found.
    pub(crate) message: String,
    /// The nearest name, or the conversion.
    pub(crate) fix: Option<String>,
}

/// The values at hand, by name.
pub(crate) type Given = Map<String, Value>;

/// Numbers in `parameterValues` are doubles on their way: beyond ± 2^53 they lose their last digits.
const EXACT_INTEGERS: u64 = 1 << 53;

/// Checks parameters and artifacts. `pending` names parameters and artifacts whose values come only with an
/// event: they count as given, and their value, if there is one, is not looked at. A parameter that is null
/// counts as not given, as in Google's SDK, but its name must exist.
pub(crate) fn check_inputs(
    template: &Template,
    parameters: &Given,
    pending: &[&str],
    artifacts: &Map<String, Value>,
) -> Vec<InputError> {
    let mut errors = Vec::new();
    for (name, value) in parameters {
        match declared(template, name, false) {
            Some(input) if !pending.contains(&name.as_str()) => errors.extend(type_error(input, value)),
            Some(_) => {}
            None => errors.push(unknown(template, name, false)),
        }
    }
    for name in
        pending.iter().filter(|name| !parameters.contains_key(**name) && !artifacts.contains_key(**name))
    {
        if template.input(name).is_none() {
            errors.push(unknown(template, name, false));
        }
    }
    for (name, value) in artifacts {
        match declared(template, name, true) {
            Some(_) if !pending.contains(&name.as_str()) => errors.extend(artifact_error(name, value)),
            Some(_) => {}
            None => errors.push(unknown(template, name, true)),
        }
    }
    for input in template.inputs.iter().filter(|input| input.is_required()) {
        let values = if input.kind == InputKind::Artifact { artifacts } else { parameters };
        let given = values.get(&input.name).is_some_and(|value| !value.is_null());
        if !given && !pending.contains(&input.name.as_str()) {
            errors.push(missing(input));
        }
    }
    errors
}

/// What is wrong with an input's own default.
pub(crate) fn default_error(input: &TemplateInput) -> Option<InputError> {
    type_error(input, input.default.as_ref()?)
}

fn declared<'a>(template: &'a Template, name: &str, artifact: bool) -> Option<&'a TemplateInput> {
    template.input(name).filter(|input| (input.kind == InputKind::Artifact) == artifact)
}

fn unknown(template: &Template, name: &str, artifact: bool) -> InputError {
    let what = if artifact { "input artifact" } else { "parameter" };
    let other = template.input(name).map(|input| {
        if input.kind == InputKind::Artifact {
            format!("`{name}` is an artifact: give it under `inputArtifacts`")
        } else {
            format!("`{name}` is a parameter: give it under `parameterValues`")
        }
    });
    let of_kind = template.inputs.iter().filter(|input| (input.kind == InputKind::Artifact) == artifact);
    let names: Vec<_> = of_kind.map(|input| input.name.as_str()).collect();
    let fix =
        other.or_else(|| nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?")));
    let known =
        if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    InputError {
        reason: Reason::UnknownParameter,
        name: name.to_owned(),
        message: format!("the pipeline has no {what} `{name}`; {known}"),
        fix,
    }
}

fn missing(input: &TemplateInput) -> InputError {
    let (what, place) = if input.kind == InputKind::Artifact {
        ("input artifact".to_owned(), "inputArtifacts")
    } else {
        (format!("parameter of type {}", input.kind.as_str()), "parameterValues")
    };
    InputError {
        reason: Reason::MissingParameter,
        name: input.name.clone(),
        message: format!("the {what} `{}` is required and has no value", input.name),
        fix: Some(format!("add it to `runtimeConfig.{place}`")),
    }
}

fn type_error(input: &TemplateInput, value: &Value) -> Option<InputError> {
    let (message, fix) = match (input.kind, value) {
        (_, Value::Null) => return None,
        (kind, value) if !has_kind(kind, value) => (
            format!("`{}` is {}, expected {}", input.name, found(value), expected(kind)),
            conversion(kind, value),
        ),
        (_, value) => {
            if let Some(lost) = first_lossy(value) {
                let message = format!(
                    "`{}` holds {lost}, which Vertex AI would round: its numbers are doubles",
                    input.name
                );
                (message, Some("send it as text, to an input of type STRING".to_owned()))
            } else if !input.literals.is_empty()
                && !input.literals.iter().any(|allowed| same_value(allowed, value))
            {
                let allowed: Vec<_> = input.literals.iter().map(Value::to_string).collect();
                (format!("`{}` is {}, allowed are {}", input.name, found(value), allowed.join(", ")), None)
            } else {
                return None;
            }
        }
    };
    Some(InputError { reason: Reason::ParameterType, name: input.name.clone(), message, fix })
}

fn has_kind(kind: InputKind, value: &Value) -> bool {
    match kind {
        InputKind::Artifact => false,
        InputKind::NumberDouble => value.is_number(),
        InputKind::NumberInteger => value.as_number().is_some_and(is_integral),
        InputKind::String => value.is_string(),
        InputKind::Boolean => value.is_boolean(),
        InputKind::List => value.is_array(),
        InputKind::Struct => value.is_object(),
    }
}

/// 3.0 is an integer: JSON cannot tell it from 3.
fn is_integral(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|value| value.fract() == 0.0)
}

/// The first integer that a double would not hold exactly.
fn first_lossy(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => {
            let exact = match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => value.unsigned_abs() <= EXACT_INTEGERS,
                (None, Some(_)) => false,
                (None, None) => true,
            };
            (!exact).then(|| number.to_string())
        }
        Value::Array(items) => items.iter().find_map(first_lossy),
        Value::Object(members) => members.values().find_map(first_lossy),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// `{artifactId: ID}`; an id is one segment of a resource name in the metadata store.
fn artifact_error(name: &str, value: &Value) -> Option<InputError> {
    let id =
        value.as_object().filter(|members| members.len() == 1).and_then(|members| members.get("artifactId"));
    let message = match id.and_then(Value::as_str) {
        Some(id)
            if !id.is_empty()
                && id.len() <= 128
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) =>
        {
            return None;
        }
        Some(id) => format!(
            "`{name}`: `{}` is no artifact id, which is one segment of letters, digits, `-`, `_` and `.`",
            id.escape_debug()
        ),
        None => format!("`{name}` is {}, expected `{{artifactId: ID}}`", found(value)),
    };
    let fix = "give the id alone, the last segment of projects/…/metadataStores/…/artifacts/ID".to_owned();
    Some(InputError { reason: Reason::ParameterType, name: name.to_owned(), message, fix: Some(fix) })
}

fn expected(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Artifact => "an artifact",
        InputKind::NumberDouble => "a number (NUMBER_DOUBLE)",
        InputKind::NumberInteger => "a whole number (NUMBER_INTEGER)",
        InputKind::String => "text (STRING)",
        InputKind::Boolean => "true or false (BOOLEAN)",
        InputKind::List => "a list (LIST)",
        InputKind::Struct => "a mapping (STRUCT)",
    }
}

fn found(value: &Value) -> String {
    let shown = || {
        let text = value.to_string();
        if text.chars().count() <= 60 { text } else { text.chars().take(60).chain(['…']).collect() }
    };
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => shown(),
        Value::String(_) => format!("the text {}", shown()),
        Value::Array(_) => format!("the list {}", shown()),
        Value::Object(_) => format!("the mapping {}", shown()),
    }
}

fn conversion(kind: InputKind, value: &Value) -> Option<String> {
    let fix = match (kind, value) {
        (InputKind::NumberInteger, Value::String(_)) => "write it without quotes, or convert it: `${int(…)}`",
        (InputKind::NumberDouble, Value::String(_)) => {
            "write it without quotes, or convert it: `${double(…)}`"
        }
        (InputKind::Boolean, Value::String(_)) => {
            "write it without quotes, or convert it: `${… == \"true\"}`"
        }
        (InputKind::String, Value::Number(_) | Value::Bool(_)) => "quote it, or convert it: `${string(…)}`",
        (InputKind::List | InputKind::Struct, Value::String(_)) => {
            "write the value itself, not its JSON as text; a string that is exactly one `${…}` keeps its type"
        }
        _ => return None,
    };
    Some(fix.to_owned())
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|other| (strsim::damerau_levenshtein(name, other), other));
    scored
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, other)| *distance <= other.len() / 3 + 1)
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, path::PathBuf};

    use serde_json::json;

    use super::*;

    fn vectors() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/vertex")
    }

    fn template(spec: &Value) -> Template {
        let mut whole = json!({"schemaVersion": "2.1.0", "pipelineInfo": {"name": "p"}, "root": {}});
        whole["root"]["inputDefinitions"] = spec.clone();
        Template::parse(whole.to_string().as_bytes()).unwrap()
    }

    /// The codes of `strict_expected` that are about inputs, and the reason each becomes here.
    fn reason(code: &str) -> Option<Reason> {
        match code {
            "unknown_parameter" | "unknown_artifact" => Some(Reason::UnknownParameter),
            "missing_parameter" | "missing_artifact" => Some(Reason::MissingParameter),
            "type_mismatch" | "not_json" | "lossy_integer" => Some(Reason::ParameterType),
            _ => None,
        }
    }

    #[test]
    fn every_case_has_the_verdict_of_a_strict_launcher() {
        let cases: Value =
            serde_json::from_slice(&fs::read(vectors().join("parameter_cases.json")).unwrap()).unwrap();
        let mut looked_at = 0;
        for case in cases["cases"].as_array().unwrap() {
            let id = case["id"].as_str().unwrap();
            let bytes = match &cases["specs"][case["spec"].as_str().unwrap()] {
                Value::String(file) => fs::read(vectors().join(file)).unwrap(),
                spec => spec.to_string().into_bytes(),
            };
            if case["spec"] == "legacy_2_0_0" {
                // Old specs take their values by another member; they are refused with what to do.
                assert!(Template::parse(&bytes).unwrap_err().fix.is_some(), "{id}");
                continue;
            }
            let template = Template::parse(&bytes).unwrap();
            let parameters = case["parameter_values"].as_object().cloned().unwrap_or_default();
            let artifacts = case["input_artifacts"].as_object().into_iter().flatten();
            let artifacts = artifacts.map(|(name, id)| (name.clone(), json!({ "artifactId": id }))).collect();

            let errors = check_inputs(&template, &parameters, &[], &artifacts);

            // Job ids, labels, display names, roots and failure policies are not this module's to judge.
            let expected = reason(case["strict_expected"].as_str().unwrap());
            assert_eq!(errors.is_empty(), expected.is_none(), "{id}: {errors:?}");
            assert!(errors.iter().all(|error| Some(error.reason) == expected), "{id}: {errors:?}");
            looked_at += 1;
        }
        assert!(looked_at >= 36, "{looked_at}");
    }

    #[test]
    fn a_pending_value_counts_as_given_and_its_name_is_still_checked() {
        let template = template(&json!({
            "parameters": {"epochs": {"parameterType": "NUMBER_INTEGER"}},
            "artifacts": {"data": {}},
        }));
        let text = json!({"epochs": "${artifact.annotations.epochs}"}).as_object().cloned().unwrap();
        let artifacts =
            json!({"data": {"artifactId": "${artifact.annotations.id}"}}).as_object().cloned().unwrap();

        assert_eq!(check_inputs(&template, &text, &["epochs", "data"], &artifacts), []);
        assert_eq!(check_inputs(&template, &Map::new(), &["epochs", "data"], &Map::new()), []);
        assert_eq!(check_inputs(&template, &text, &[], &artifacts).len(), 2);

        let wrong = check_inputs(&template, &Map::new(), &["epoch", "data"], &Map::new());
        assert_eq!(wrong[0].fix.as_deref(), Some("did you mean `epochs`?"));
        assert_eq!(wrong[1].reason, Reason::MissingParameter);
    }

    #[test]
    fn literals_are_the_only_values_allowed() {
        let template = template(
            &json!({"parameters": {"size": {"parameterType": "NUMBER_INTEGER", "literals": [1, 2.0]}}}),
        );
        let check = |value: Value| {
            check_inputs(&template, &Map::from_iter([("size".to_owned(), value)]), &[], &Map::new())
        };

        assert_eq!(check(json!(2)), []);
        assert_eq!(check(json!(1.0)), []);
        assert_eq!(check(json!(3))[0].reason, Reason::ParameterType);
    }

    #[test]
    fn an_artifact_is_given_by_its_id_alone() {
        let template = template(&json!({"artifacts": {"data": {"isOptional": true}}}));
        let check = |value: Value| {
            check_inputs(&template, &Map::new(), &[], &Map::from_iter([("data".to_owned(), value)]))
        };

        assert_eq!(check(json!({"artifactId": "7731"})), []);
        assert_eq!(check_inputs(&template, &Map::new(), &[], &Map::new()), []);
        for bad in [
            json!("7731"),
            json!({"artifactId": "a/b"}),
            json!({"artifactId": ""}),
            json!({"artifactId": 1}),
            json!({}),
        ] {
            assert_eq!(check(bad)[0].reason, Reason::ParameterType);
        }
    }

    #[test]
    fn integers_that_a_double_rounds_are_refused_at_any_depth() {
        let template = template(&json!({"parameters": {"config": {"parameterType": "STRUCT"}}}));
        let check = |value: Value| {
            check_inputs(&template, &Map::from_iter([("config".to_owned(), value)]), &[], &Map::new())
        };

        assert_eq!(check(json!({"a": [9_007_199_254_740_992_u64, -9_007_199_254_740_992_i64, 1e300]})), []);
        assert!(check(json!({"a": [9_007_199_254_740_993_u64]}))[0].message.contains("9007199254740993"));
        assert!(check(json!({"a": u64::MAX}))[0].message.contains("doubles"));
    }
}
