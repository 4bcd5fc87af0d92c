//! `launch`: the REST body, compiled.

mod image;
mod inputs;
mod labels;
mod pipeline;
mod place;
mod remarks;
mod runtime_config;
mod value;

use serde_json::{Map, Value};

use self::pipeline::Pipeline;
pub(super) use self::pipeline::Templates;
use super::{
    Files,
    findings::{At, Findings},
    later,
    match_section::Reads,
    node::{Member, Node, Shape},
    section::Section,
};
use crate::{
    Finding, LaunchKind, Vertex,
    body::check_body,
    expression::{Expression, ExpressionError},
    launch_template::{Given, LaunchTemplate, Piece, push_json},
    matching::ArtifactPatterns,
};

pub(super) const KEYS: &[&str] =
    &["pipelineJob", "customJob", "hyperparameterTuningJob", "batchPredictionJob", "modelUpload", "deploy"];

const KINDS: [(&str, LaunchKind); 4] = [
    ("pipelineJob", LaunchKind::PipelineJob),
    ("customJob", LaunchKind::CustomJob),
    ("hyperparameterTuningJob", LaunchKind::HyperparameterTuningJob),
    ("batchPredictionJob", LaunchKind::BatchPredictionJob),
];

/// What surrounds a launch block.
pub(super) struct Around<'a> {
    /// The trigger's name, unless it is broken.
    pub(super) trigger: Option<&'a str>,
    pub(super) vertex: Option<&'a Vertex>,
    /// The sound `match.artifact`, which an image may depend on.
    pub(super) artifact: Option<&'a ArtifactPatterns>,
    pub(super) files: &'a dyn Files,
    pub(super) templates: &'a Templates,
}

pub(super) fn read(
    member: &Member,
    around: &Around,
    reads: &mut Vec<Reads>,
    remarks: &mut Vec<Finding>,
    findings: &mut Findings,
) -> Option<LaunchTemplate> {
    let section = Section::open("launch", KEYS, &member.value, &member.key_at, findings)?;
    later::refuse(section.get("modelUpload"), "this launch kind", findings);
    later::refuse(section.get("deploy"), "a deployment", findings);
    let given: Vec<_> = KINDS.iter().filter_map(|(key, kind)| Some((section.get(key)?, *kind))).collect();
    match given[..] {
        [(body, kind)] => {
            let Shape::Map(members) = &body.value.shape else {
                let message =
                    format!("expected the job's REST body for `{}`, found {}", body.key, body.value.kind());
                findings.error("wrong-type", &body.value.at, message);
                return None;
            };
            let job = Job {
                kind,
                around,
                body,
                reads,
                remarks,
                findings,
                pieces: Vec::new(),
                parameters: Vec::new(),
                artifacts: Vec::new(),
                sound: true,
                unseen: false,
            };
            job.compile(members)
        }
        [] => {
            let later = section.get("modelUpload").or(section.get("deploy"));
            if later.is_none() {
                let finding = findings.error(
                    "missing-key",
                    section.at(),
                    "expected a launch kind in launch, found none",
                );
                finding.fix("add `pipelineJob:` or `customJob:`");
            }
            None
        }
        [_, (second, _), ..] => {
            let message = format!("expected one launch kind, found `{}` as well", second.key);
            findings.error("two-launch-kinds", &second.key_at, message).fix("write a trigger for each job");
            None
        }
    }
}

/// Passes an expression on, or says what is wrong with it and where in the file.
pub(super) fn expression(
    text: &str,
    compiled: Result<Expression, ExpressionError>,
    node: &Node,
    findings: &mut Findings,
) -> Option<Expression> {
    compiled.map_err(|error| bad_expression(text, &error, node, findings)).ok()
}

fn bad_expression(text: &str, error: &ExpressionError, node: &Node, findings: &mut Findings) {
    let at = match &node.at {
        At::Bytes(range) => At::Bytes(findings.source.within(range, text, &error.at)),
        At::Variable(_) => node.at.clone(),
    };
    let finding = findings.error("bad-expression", &at, error.message.clone());
    if let Some(fix) = &error.fix {
        finding.fix(fix.clone());
    }
}

/// One launch body being compiled: pieces of JSON text, and beside them a sample of the body in which
/// every hole holds a text, for the check against the API's own messages.
struct Job<'a, 'f> {
    kind: LaunchKind,
    around: &'a Around<'a>,
    body: &'a Member,
    reads: &'a mut Vec<Reads>,
    remarks: &'a mut Vec<Finding>,
    findings: &'a mut Findings<'f>,
    pieces: Vec<Piece>,
    parameters: Vec<Given>,
    artifacts: Vec<Given>,
    sound: bool,
    /// The template was not looked at.
    unseen: bool,
}

impl Job<'_, '_> {
    fn compile(mut self, members: &[Member]) -> Option<LaunchTemplate> {
        let pipeline = (self.kind == LaunchKind::PipelineJob).then(|| self.template()).flatten();
        let mut sample = Map::new();
        self.text("{");
        for member in members {
            let pipeline_only = self.kind == LaunchKind::PipelineJob;
            if pipeline_only && ["templateSha256", "caching"].contains(&member.key.as_str()) {
                continue;
            }
            if self.is_snake(member) {
                continue;
            }
            self.comma();
            let value = match (self.kind, member.key.as_str()) {
                (_, "labels") => self.labels(Some(member)),
                (LaunchKind::PipelineJob, "runtimeConfig") => {
                    self.runtime_config(Some(member), pipeline.as_ref())
                }
                // The spec stands where the file names the template. It is a free-form struct to the API.
                (LaunchKind::PipelineJob, "template" | "pipelineSpec") => {
                    self.pipeline_spec(pipeline.as_ref());
                    None
                }
                _ => {
                    self.key(&member.key);
                    self.value(&member.value, &mut vec![member.key.clone()])
                }
            };
            if let Some(value) = value {
                sample.insert(member.key.clone(), value);
            }
        }
        self.fill_in(pipeline.as_ref());
        self.text("}");
        for error in check_body(self.kind, &Value::Object(sample)) {
            let at = self.body.value.place_of(&error.path);
            let finding = self.findings.error("launch-body", &at, error.message);
            if let Some(fix) = error.fix {
                finding.fix(fix);
            }
            self.sound = false;
        }
        self.remarks(pipeline.as_ref());
        if self.unseen {
            self.pieces.push(Piece::Unseen);
        }
        let vertex = self.around.vertex?;
        let dynamic =
            [&self.parameters, &self.artifacts].into_iter().flatten().any(|given| !given.value.is_literal());
        self.sound.then(|| LaunchTemplate {
            kind: self.kind,
            project: vertex.project.clone(),
            location: vertex.location.clone(),
            impersonate: vertex.impersonate.clone(),
            body: self.pieces,
            parameters: self.parameters,
            artifacts: self.artifacts,
            template: pipeline.filter(|_| dynamic).map(|pipeline| pipeline.template),
        })
    }

    /// Members that the file leaves out and the request needs.
    fn fill_in(&mut self, pipeline: Option<&Pipeline>) {
        let body = &self.body.value;
        if body.member("displayName").is_none() {
            // Vertex AI asks for one where the Python SDK would invent one by the clock.
            let name = self.around.trigger.unwrap_or_default().to_owned();
            self.comma();
            self.key("displayName");
            self.json(&Value::String(name));
        }
        if body.member("labels").is_none() {
            self.comma();
            self.labels(None);
        }
        self.template_uri(pipeline);
        if self.kind == LaunchKind::PipelineJob && body.member("runtimeConfig").is_none() {
            self.comma();
            self.runtime_config(None, pipeline);
        }
    }

    fn error(&mut self, code: &'static str, at: &At, message: impl Into<String>) -> &mut Finding {
        self.sound = false;
        self.findings.error(code, at, message)
    }

    fn text(&mut self, text: &str) {
        if let Some(Piece::Json(last)) = self.pieces.last_mut() {
            last.push_str(text);
        } else {
            self.pieces.push(Piece::Json(text.to_owned()));
        }
    }

    fn json(&mut self, value: &Value) {
        let mut text = String::new();
        push_json(&mut text, value);
        self.text(&text);
    }

    /// A comma, unless it would be the first thing after an opening bracket.
    fn comma(&mut self) {
        let opened = matches!(self.pieces.last(), Some(Piece::Json(text)) if text.ends_with(['{', '[']));
        if !opened {
            self.text(",");
        }
    }

    fn key(&mut self, key: &str) {
        self.json(&Value::String(key.to_owned()));
        self.text(":");
    }
}
