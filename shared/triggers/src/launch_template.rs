//! The compiled `launch` block: a request with holes.
//!
//! Promises: rendering writes literal JSON text and fills holes, so that a pipeline spec of 100 KB is
//! copied and never parsed or serialized again; every value that an event brings is checked against the
//! rule of its field before it stands in the request.
//! Does not: read the triggers file (`file::launch` does), know requirements.

use std::sync::Arc;

use launchgate_outcome::{Reason, Refusal};
use launchgate_statement::EventId;
use serde_json::{Map, Value};

use crate::{
    LaunchConditions, LaunchId, LaunchKind, LaunchPlan, Request, Template, TriggerName,
    expression::ExpressionError,
    inputs::check_inputs,
    interpolation::{Interpolated, Part},
    labels,
    lazy_scope::LazyScope,
};

/// Longest display name that Vertex AI takes, in characters.
pub(crate) const MAX_DISPLAY_NAME: usize = 128;

/// What a trigger launches.
#[derive(Debug)]
pub(crate) struct LaunchTemplate {
    pub(crate) kind: LaunchKind,
    pub(crate) project: String,
    pub(crate) location: String,
    /// The service account that asks; `None` is the service's own identity.
    pub(crate) impersonate: Option<String>,
    pub(crate) body: Vec<Piece>,
    /// `runtimeConfig.parameterValues`, when a value comes with the event; else they stand in `body`.
    pub(crate) parameters: Vec<Given>,
    /// `runtimeConfig.inputArtifacts`, likewise.
    pub(crate) artifacts: Vec<Given>,
    /// The pipeline's inputs, when values that come with the event must be held against them.
    pub(crate) template: Option<Arc<Template>>,
}

/// A piece of the body.
#[derive(Debug)]
pub(crate) enum Piece {
    /// JSON text, written as it is.
    Json(String),
    /// A JSON string that comes with the event.
    Text(Field, Interpolated),
    /// The members of `parameterValues`.
    Parameters,
    /// The members of `inputArtifacts`.
    Artifacts,
    /// The launch id, inside quotes.
    LaunchId,
    /// The event's 32 hex digits, inside quotes.
    EventHex,
    /// The pipeline's template was not looked at: no request can be made.
    Unseen,
}

/// The field a text stands in, for its rule and for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// `displayName`.
    DisplayName,
    /// The value of a label.
    Label(String),
    /// `gcsOutputDirectory`.
    Root,
    /// Any other place, by its path.
    Other(String),
}

/// A named value.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) value: Form,
}

/// A value that may hold expressions.
#[derive(Debug)]
pub(crate) enum Form {
    Literal(Value),
    /// A string with `${…}`; exactly one keeps its type.
    Typed(Interpolated),
    /// A string with `${…}` in a field that is text.
    Text(String, Interpolated),
    List(Vec<Form>),
    Object(Vec<(String, Form)>),
}

/// The values of one event.
pub(crate) struct Values {
    parameters: Vec<Value>,
    artifacts: Vec<Value>,
}

/// Who asks for a launch.
pub(crate) struct Asker<'a> {
    pub(crate) launch_id: &'a LaunchId,
    pub(crate) trigger: &'a TriggerName,
    pub(crate) event: &'a EventId,
}

impl LaunchTemplate {
    /// The values that come with the event, held against the pipeline's inputs.
    pub(crate) fn values(&self, scope: &LazyScope) -> Result<Values, Refusal> {
        let values = |given: &[Given]| {
            given.iter().map(|one| one.value.evaluate(&one.name, scope)).collect::<Result<Vec<_>, _>>()
        };
        let values = Values { parameters: values(&self.parameters)?, artifacts: values(&self.artifacts)? };
        if let Some(template) = &self.template {
            let map = |given: &[Given], values: &[Value]| {
                let names = given.iter().map(|one| one.name.clone());
                names.zip(values.iter().cloned()).collect::<Map<_, _>>()
            };
            let parameters = map(&self.parameters, &values.parameters);
            let artifacts = map(&self.artifacts, &values.artifacts);
            if let Some(error) = check_inputs(template, &parameters, &[], &artifacts).into_iter().next() {
                let fix = error.fix.map(|fix| format!("; {fix}")).unwrap_or_default();
                return Err(Refusal::new(error.reason, format!("{}{fix}", error.message)));
            }
        }
        Ok(values)
    }

    /// The exact request.
    pub(crate) fn plan(
        &self,
        values: &Values,
        scope: &LazyScope,
        asker: &Asker,
    ) -> Result<LaunchPlan, Refusal> {
        let client_id = self.kind.has_client_id();
        let query = if client_id {
            vec![("pipelineJobId".to_owned(), asker.launch_id.to_string())]
        } else {
            Vec::new()
        };
        let request = Request {
            method: "POST".to_owned(),
            path: format!(
                "/v1/projects/{}/locations/{}/{}",
                self.project,
                self.location,
                self.kind.collection()
            ),
            query,
            body: self.body(values, scope, asker)?,
        };
        Ok(LaunchPlan {
            launch_id: asker.launch_id.clone(),
            trigger: asker.trigger.clone(),
            event: asker.event.clone(),
            kind: self.kind,
            project: self.project.clone(),
            location: self.location.clone(),
            impersonate: self.impersonate.clone(),
            request,
            conditions: LaunchConditions::default(),
        })
    }

    fn body(&self, values: &Values, scope: &LazyScope, asker: &Asker) -> Result<String, Refusal> {
        let literal =
            self.body.iter().map(|piece| if let Piece::Json(text) = piece { text.len() } else { 256 });
        let mut body = String::with_capacity(literal.sum());
        for piece in &self.body {
            match piece {
                Piece::Json(text) => body.push_str(text),
                Piece::Text(field, text) => push_json(&mut body, &Value::String(field.render(text, scope)?)),
                Piece::Parameters => push_members(&mut body, &self.parameters, &values.parameters),
                Piece::Artifacts => push_members(&mut body, &self.artifacts, &values.artifacts),
                Piece::LaunchId => body.push_str(asker.launch_id.as_str()),
                Piece::EventHex => body.push_str(asker.event.hex()),
                Piece::Unseen => {
                    let message =
                        "pipelineSpec: the remote template was not looked at, so there is nothing to send";
                    return Err(Refusal::new(Reason::FieldValue, message));
                }
            }
        }
        Ok(body)
    }
}

/// Members that are null count as not given (as the Python SDK sends them) and are left out.
fn push_members(body: &mut String, given: &[Given], values: &[Value]) {
    let mut first = true;
    for (one, value) in given.iter().zip(values).filter(|(_, value)| !value.is_null()) {
        if !std::mem::take(&mut first) {
            body.push(',');
        }
        push_json(body, &Value::String(one.name.clone()));
        body.push(':');
        push_json(body, value);
    }
}

pub(crate) fn push_json(body: &mut String, value: &Value) {
    body.push_str(&value.to_string());
}

impl Form {
    /// Whether it needs an event.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    fn evaluate(&self, name: &str, scope: &LazyScope) -> Result<Value, Refusal> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Typed(text) => text.render(scope.get()).map_err(|error| expression_refusal(name, &error)),
            Self::Text(field, text) => Ok(Value::String(as_text(field, text, scope)?)),
            Self::List(items) => items.iter().map(|item| item.evaluate(name, scope)).collect(),
            Self::Object(members) => {
                let pairs = members.iter().map(|(key, form)| Ok((key.clone(), form.evaluate(name, scope)?)));
                Ok(Value::Object(pairs.collect::<Result<Map<_, _>, Refusal>>()?))
            }
        }
    }
}

impl Field {
    /// The name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::DisplayName => "displayName".to_owned(),
            Self::Label(key) => format!("labels.{key}"),
            Self::Root => "runtimeConfig.gcsOutputDirectory".to_owned(),
            Self::Other(path) => path.clone(),
        }
    }

    /// The text for an event, held against the field's rule.
    fn render(&self, text: &Interpolated, scope: &LazyScope) -> Result<String, Refusal> {
        if *self == Self::Root {
            check_steps(text, scope)?;
        }
        let value = as_text(&self.name(), text, scope)?;
        self.check(&value).map_err(|message| {
            let (reason, help) = match self {
                Self::Label(_) => (Reason::LabelValue, "; wrap the expression in labelSafe(…)"),
                _ => (Reason::FieldValue, ""),
            };
            Refusal::new(reason, format!("{}: {message}{help}", self.name()))
        })?;
        Ok(value)
    }

    /// The field's rule on a finished text.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        match self {
            Self::Label(_) => labels::check_value(value),
            Self::DisplayName => match value.chars().count() {
                1..=MAX_DISPLAY_NAME => Ok(()),
                count => Err(format!("expected 1 to {MAX_DISPLAY_NAME} characters, found {count}")),
            },
            Self::Root | Self::Other(_) => Ok(()),
        }
    }
}

/// Each value in a root is one path segment: a build must not be able to choose another folder.
fn check_steps(text: &Interpolated, scope: &LazyScope) -> Result<(), Refusal> {
    for part in text.parts() {
        let Part::Expression(expression) = part else { continue };
        let name = Field::Root.name();
        let value = expression.evaluate(scope.get()).map_err(|error| expression_refusal(&name, &error))?;
        let step = scalar_text(&value);
        let fits = step.as_deref().is_some_and(|step| {
            !step.is_empty()
                && step != "."
                && step != ".."
                && !step.chars().any(|c| c == '/' || c == '\\' || c.is_control())
        });
        if !fits {
            let found = step.unwrap_or_else(|| value.to_string());
            let message = format!("{name}: expected one path segment for each value, found {found:?}");
            return Err(Refusal::new(Reason::FieldValue, message));
        }
    }
    Ok(())
}

fn as_text(field: &str, text: &Interpolated, scope: &LazyScope) -> Result<String, Refusal> {
    let value = text.render(scope.get()).map_err(|error| expression_refusal(field, &error))?;
    scalar_text(&value).ok_or_else(|| {
        let kind = if value.is_null() { "null" } else { "a list or mapping" };
        Refusal::new(Reason::FieldValue, format!("{field}: expected text, found {kind}"))
    })
}

/// Text, numbers and booleans as text.
fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn expression_refusal(field: &str, error: &ExpressionError) -> Refusal {
    let fix = error.fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
    Refusal::new(Reason::ExpressionError, format!("{field}: {}{fix}", error.message))
}
