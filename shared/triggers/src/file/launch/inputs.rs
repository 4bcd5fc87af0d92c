//! `parameterValues` and `inputArtifacts`: values that are known, values that come with an event.

use launchgate_outcome::Reason;
use serde_json::{Map, Value};

use super::{Job, bad_expression, pipeline::Pipeline, value::literal_text};
use crate::{
    TemplateInput,
    file::node::{Member, Node, Shape},
    inputs::{check_inputs, default_error},
    interpolation::Interpolated,
    launch_template::{Form, Given, Piece},
};

impl Job<'_, '_> {
    /// Writes parameters and artifacts, and holds them against the pipeline's inputs as far as they are
    /// known. Gives the sample of the artifacts.
    pub(super) fn inputs(
        &mut self,
        parameters: Option<&Member>,
        artifacts: Option<&Member>,
        wrapped: &Map<String, Value>,
        given: Option<&Member>,
        pipeline: Option<&Pipeline>,
    ) -> Option<Map<String, Value>> {
        self.parameters = self.given(parameters, wrapped.get("parameterValues"), false);
        self.artifacts = self.given(artifacts, wrapped.get("inputArtifacts"), true);
        let known = |list: &[Given]| {
            let literals = list.iter().filter_map(|one| match &one.value {
                Form::Literal(value) => Some((one.name.clone(), value.clone())),
                _ => None,
            });
            literals.collect::<Map<_, _>>()
        };
        let (literals, mut samples) = (known(&self.parameters), known(&self.artifacts));
        for one in self.artifacts.iter().filter(|one| !one.value.is_literal()) {
            samples.insert(one.name.clone(), serde_json::json!({ "artifactId": "x" }));
        }
        if let Some(pipeline) = pipeline {
            let pending: Vec<&str> = self
                .parameters
                .iter()
                .filter(|one| !one.value.is_literal())
                .map(|one| one.name.as_str())
                .collect();
            let errors = check_inputs(&pipeline.template, &literals, &pending, &samples);
            for error in errors {
                let named = |holder: Option<&Member>| Some(holder?.value.member(&error.name)?.key_at.clone());
                let at = named(parameters).or_else(|| named(artifacts));
                let whole = parameters.or(given).map_or(&pipeline.at, |member| &member.key_at);
                let at = at.unwrap_or_else(|| whole.clone());
                let code = match error.reason {
                    Reason::UnknownParameter => "unknown-parameter",
                    Reason::MissingParameter => "missing-parameter",
                    _ => "parameter-type",
                };
                let finding = self.error(code, &at, error.message);
                if let Some(fix) = error.fix {
                    finding.fix(fix);
                }
            }
        }
        if let Some(pipeline) = pipeline {
            self.defaults(pipeline);
        }
        artifacts.map(|_| samples)
    }

    /// A pipeline may contradict itself, and real ones do: Vertex AI takes them, so `lint` only warns, where the
    /// default would be used.
    fn defaults(&mut self, pipeline: &Pipeline) {
        let used = |input: &&TemplateInput| !self.parameters.iter().any(|given| given.name == input.name);
        let errors: Vec<_> = pipeline.template.inputs.iter().filter(used).filter_map(default_error).collect();
        for error in errors {
            let message = format!("the pipeline's own default does not fit its input: {}", error.message);
            self.remark(
                "template-default",
                &pipeline.at,
                message,
                "give the parameter a value, or mend the pipeline",
            );
        }
    }

    /// The file's values over the wrapped template's; a null counts as not given.
    pub(super) fn given(
        &mut self,
        member: Option<&Member>,
        wrapped: Option<&Value>,
        as_text: bool,
    ) -> Vec<Given> {
        let mut list: Vec<Given> = Vec::new();
        let members = match member.map(|member| (&member.value.shape, member)) {
            None => &[][..],
            Some((Shape::Map(members), _)) => members,
            Some((_, member)) => {
                let message =
                    format!("expected a mapping for `{}`, found {}", member.key, member.value.kind());
                self.error("wrong-type", &member.value.at, message);
                return list;
            }
        };
        // A wrapped template's own values are never scanned for `${`.
        for (name, value) in wrapped.and_then(Value::as_object).into_iter().flatten() {
            let overridden = members
                .iter()
                .any(|member| member.key == *name && !matches!(member.value.shape, Shape::Null));
            if !overridden {
                list.push(Given { name: name.clone(), value: Form::Literal(value.clone()) });
            }
        }
        for member in members {
            self.fixed_key(member);
            if list.iter().any(|given| given.name == member.key) || member.key.contains("${") {
                continue;
            }
            // A broken value counts as given and not known: its own error is the one to show.
            let value = self.form(&member.value, &member.key, as_text).unwrap_or(Form::Object(Vec::new()));
            list.push(Given { name: member.key.clone(), value });
        }
        list
    }

    /// Writes the values where they are all known, else the hole they come through.
    pub(super) fn write_given(&mut self, key: &'static str) {
        let (list, hole) = match key {
            "parameterValues" => (&self.parameters, Piece::Parameters),
            _ => (&self.artifacts, Piece::Artifacts),
        };
        let literals = list.iter().map(|one| match &one.value {
            Form::Literal(value) => Some((one.name.clone(), value.clone())),
            _ => None,
        });
        let Some(members) = literals.collect::<Option<Vec<_>>>() else {
            self.comma();
            self.key(key);
            self.text("{");
            self.pieces.push(hole);
            self.text("}");
            return;
        };
        let given: Vec<_> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
        if given.is_empty() {
            return;
        }
        self.comma();
        self.key(key);
        self.text("{");
        for (name, value) in given {
            self.comma();
            self.key(&name);
            self.json(&value);
        }
        self.text("}");
    }

    pub(super) fn form(&mut self, node: &Node, name: &str, as_text: bool) -> Option<Form> {
        match &node.shape {
            Shape::Text(text) if text.contains("${") => match Interpolated::parse(text) {
                Ok(parsed) if parsed.is_literal() => {
                    Some(Form::Literal(Value::String(literal_text(&parsed))))
                }
                Ok(parsed) => {
                    self.note(&parsed, node);
                    Some(if as_text { Form::Text(name.to_owned(), parsed) } else { Form::Typed(parsed) })
                }
                Err(error) => {
                    bad_expression(text, &error, node, self.findings);
                    self.sound = false;
                    None
                }
            },
            Shape::List(items) => {
                let forms = items.iter().map(|item| self.form(item, name, as_text)).collect::<Vec<_>>();
                let forms = forms.into_iter().collect::<Option<Vec<_>>>()?;
                Some(if forms.iter().all(Form::is_literal) { literal_list(forms) } else { Form::List(forms) })
            }
            Shape::Map(members) => {
                let mut forms = Vec::new();
                for member in members {
                    self.fixed_key(member);
                    forms.push((member.key.clone(), self.form(&member.value, name, as_text)?));
                }
                let literal = forms.iter().all(|(_, form)| form.is_literal());
                Some(if literal { literal_object(forms) } else { Form::Object(forms) })
            }
            _ => Some(Form::Literal(node.to_json())),
        }
    }
}

fn literal_list(forms: Vec<Form>) -> Form {
    let items =
        forms.into_iter().filter_map(|form| if let Form::Literal(value) = form { Some(value) } else { None });
    Form::Literal(items.collect())
}

fn literal_object(forms: Vec<(String, Form)>) -> Form {
    let members = forms.into_iter().filter_map(|(key, form)| match form {
        Form::Literal(value) => Some((key, value)),
        _ => None,
    });
    Form::Literal(Value::Object(members.collect()))
}
