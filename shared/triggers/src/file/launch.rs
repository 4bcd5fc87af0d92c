//! `launch`: the REST body, compiled.

use launchgate_outcome::Reason;
use launchgate_statement::Sha256;
use serde_json::{Map, Value};

use super::{
    Files,
    findings::{At, Findings},
    later,
    launch_place::{Place, place},
    match_section::Reads,
    node::{Member, Node, Shape},
    scalar,
    section::Section,
    trigger::note_reads,
};
use crate::{
    Finding, LaunchKind, Severity, Template, Vertex,
    body::check_body,
    expression::{Expression, ExpressionError},
    inputs::check_inputs,
    interpolation::{Interpolated, Part},
    labels,
    launch_template::{Field, Form, Given, LaunchTemplate, Piece, push_json},
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
}

impl Job<'_, '_> {
    fn compile(mut self, members: &[Member]) -> Option<LaunchTemplate> {
        let pipeline = (self.kind == LaunchKind::PipelineJob).then(|| self.template()).flatten();
        let mut sample = Map::new();
        self.text("{");
        for member in members {
            if self.kind == LaunchKind::PipelineJob
                && ["template", "templateSha256", "caching"].contains(&member.key.as_str())
            {
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
                (LaunchKind::PipelineJob, "pipelineSpec") if pipeline.is_some() => {
                    self.pipeline_spec(pipeline.as_ref());
                    Some(Value::Object(Map::new()))
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
        self.remarks();
        let vertex = self.around.vertex?;
        let dynamic =
            [&self.parameters, &self.artifacts].into_iter().flatten().any(|given| !given.value.is_literal());
        self.sound.then(|| LaunchTemplate {
            kind: self.kind,
            project: vertex.project.clone(),
            location: vertex.location.clone(),
            body: self.pieces,
            parameters: self.parameters,
            artifacts: self.artifacts,
            template: pipeline.filter(|_| dynamic).map(|pipeline| pipeline.template),
        })
    }

    /// Members that the file leaves out and the request needs.
    fn fill_in(&mut self, pipeline: Option<&Pipeline>) {
        let body = &self.body.value;
        if self.kind == LaunchKind::PipelineJob && body.member("pipelineSpec").is_none() {
            self.comma();
            self.pipeline_spec(pipeline);
        }
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
        if self.kind == LaunchKind::PipelineJob && body.member("runtimeConfig").is_none() {
            self.comma();
            self.runtime_config(None, pipeline);
        }
    }

    fn error(&mut self, code: &'static str, at: &At, message: impl Into<String>) -> &mut Finding {
        self.sound = false;
        self.findings.error(code, at, message)
    }

    // -- writing ------------------------------------------------------------------------------

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

    // -- generic members ----------------------------------------------------------------------

    /// Writes a value; gives its sample, or `None` when it was refused.
    fn value(&mut self, node: &Node, path: &mut Vec<String>) -> Option<Value> {
        match &node.shape {
            Shape::Text(text) => self.string(text, node, path),
            Shape::List(items) => {
                self.text("[");
                let mut sample = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    self.comma_in_list(index);
                    path.push(index.to_string());
                    sample.push(self.value(item, path).unwrap_or_else(|| item.to_json()));
                    path.pop();
                }
                self.text("]");
                Some(Value::Array(sample))
            }
            Shape::Map(members) => {
                self.text("{");
                let mut sample = Map::new();
                for (index, member) in members.iter().enumerate() {
                    self.comma_in_list(index);
                    self.fixed_key(member);
                    self.key(&member.key);
                    path.push(member.key.clone());
                    if let Some(value) = self.value(&member.value, path) {
                        sample.insert(member.key.clone(), value);
                    }
                    path.pop();
                }
                self.text("}");
                Some(Value::Object(sample))
            }
            Shape::Null | Shape::Bool(_) | Shape::Number(_) | Shape::NotFinite => {
                let value = node.to_json();
                self.json(&value);
                Some(value)
            }
        }
    }

    fn comma_in_list(&mut self, index: usize) {
        if index > 0 {
            self.text(",");
        }
    }

    fn fixed_key(&mut self, member: &Member) {
        if member.key.contains("${") {
            let message = format!("expected a literal key, found `{}`", member.key);
            self.error("expression-not-allowed", &member.key_at, message)
                .fix("`${…}` may stand in values only");
        }
    }

    fn string(&mut self, text: &str, node: &Node, path: &[String]) -> Option<Value> {
        if !text.contains("${") {
            return self.literal(text.to_owned(), node, path);
        }
        let place = place(self.kind, path);
        let parsed = match Interpolated::parse(text) {
            Ok(parsed) if parsed.is_literal() => return self.literal(literal_text(&parsed), node, path),
            Ok(parsed) => parsed,
            Err(error) if place != Place::Fixed => {
                bad_expression(text, &error, node, self.findings);
                self.sound = false;
                return None;
            }
            Err(_) => {
                self.not_allowed(node, path);
                return None;
            }
        };
        match place {
            Place::Fixed => {
                self.not_allowed(node, path);
                None
            }
            Place::Image => {
                self.image(text, node);
                self.hole(Field::Other(path.join(".")), parsed, node)
            }
            Place::Text(field) => {
                if field == Field::Root {
                    self.root_prefix(&parsed, node);
                }
                self.hole(field, parsed, node)
            }
        }
    }

    fn literal(&mut self, text: String, node: &Node, path: &[String]) -> Option<Value> {
        if let Place::Text(field) = place(self.kind, path) {
            if field == Field::Root && !scalar::is_gcs(&text) {
                let message = format!("expected gs://BUCKET/FOLDER for `gcsOutputDirectory`, found `{text}`");
                self.error("bad-root", &node.at, message);
                return None;
            }
            if let Err(message) = field.check(&text) {
                let code = if matches!(field, Field::Label(_)) { "bad-label" } else { "bad-value" };
                self.error(code, &node.at, format!("{}: {message}", field.name()));
                return None;
            }
        }
        let value = Value::String(text);
        self.json(&value);
        Some(value)
    }

    fn hole(&mut self, field: Field, text: Interpolated, node: &Node) -> Option<Value> {
        self.note(&text, node);
        self.pieces.push(Piece::Text(field, text));
        Some(Value::String("x".to_owned()))
    }

    fn note(&mut self, text: &Interpolated, node: &Node) {
        for part in text.parts() {
            if let Part::Expression(expression) = part {
                note_reads(expression, &node.at, self.reads);
            }
        }
    }

    fn not_allowed(&mut self, node: &Node, path: &[String]) {
        let message = format!(
            "expected a literal for `{}`, found `${{…}}`: an event may not choose it",
            path.join(".")
        );
        let fix = "`${…}` may stand in displayName, label values, parameterValues, inputArtifacts, container env and \
                   args, imageUri and gcsOutputDirectory; `$${` is a literal `${`";
        self.error("expression-not-allowed", &node.at, message).fix(fix);
    }

    /// An image decides what code runs, so an event may name it only within a literal repository.
    fn image(&mut self, text: &str, node: &Node) {
        let inner = |text: &str| {
            text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).map(|it| it.trim().to_owned())
        };
        if inner(text).as_deref() == Some("artifact.uri") {
            if !self.around.artifact.is_some_and(ArtifactPatterns::holds_a_repository) {
                let message = "expected a `match.artifact` whose every pattern starts with a literal registry and \
                               repository, since `imageUri: ${artifact.uri}` runs whatever it lets through";
                self.error("image-not-pinned", &node.at, message)
                    .fix("write `artifact: REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@*` in `match`");
            }
            return;
        }
        let literal = text.split_once('@').is_some_and(|(repository, digest)| {
            inner(digest).as_deref() == Some("artifact.digest") && is_repository(repository)
        });
        if !literal {
            let message = format!(
                "expected `${{artifact.uri}}` or `REGISTRY/REPOSITORY@${{artifact.digest}}` for `imageUri`, found `{text}`"
            );
            self.error("image-expression", &node.at, message)
                .fix("an event may not choose the image in any other way");
        }
    }

    fn root_prefix(&mut self, text: &Interpolated, node: &Node) {
        let front = match text.parts().first() {
            Some(Part::Literal(front)) => front.as_str(),
            _ => "",
        };
        let bucket =
            front.strip_prefix("gs://").and_then(|rest| rest.split_once('/')).map(|(bucket, _)| bucket);
        if !bucket.is_some_and(scalar::is_bucket) {
            let message = "expected a literal `gs://BUCKET/` before the first `${…}` of `gcsOutputDirectory`";
            self.error("bad-root", &node.at, message).fix("an event may not choose the bucket");
        }
    }

    /// The API also takes `snake_case` names; one spelling keeps every rule here complete.
    fn is_snake(&mut self, member: &Member) -> bool {
        let snake = member.key.contains('_');
        if snake {
            let message = format!("unknown key `{}` in the job's body", member.key);
            let fix = format!("did you mean `{}`?", camel(&member.key));
            self.error("unknown-key", &member.key_at, message).fix(fix);
        }
        snake
    }

    // -- labels -------------------------------------------------------------------------------

    fn labels(&mut self, given: Option<&Member>) -> Option<Value> {
        let mut sample = Map::new();
        self.key("labels");
        self.text("{");
        if let Some(given) = given {
            let Shape::Map(members) = &given.value.shape else {
                let message = format!("expected a mapping for `labels`, found {}", given.value.kind());
                self.error("wrong-type", &given.value.at, message);
                return None;
            };
            // Google allows 64 labels; three are ours.
            if members.len() > 61 {
                let message = format!("expected at most 61 labels, found {}", members.len());
                self.error("too-many-labels", &given.key_at, message);
            }
            for member in members {
                self.comma();
                self.label(member, &mut sample);
            }
        }
        self.comma();
        self.text("\"launchgate-id\":\"");
        self.pieces.push(Piece::LaunchId);
        self.text("\",\"launchgate-event\":\"");
        self.pieces.push(Piece::EventHex);
        let trigger = self.around.trigger.unwrap_or_default();
        self.text(&format!("\",\"launchgate-trigger\":\"{trigger}\"}}"));
        Some(Value::Object(sample))
    }

    fn label(&mut self, member: &Member, sample: &mut Map<String, Value>) {
        self.fixed_key(member);
        if let Err(message) = labels::check_key(&member.key) {
            self.error("bad-label", &member.key_at, message);
        }
        if !matches!(member.value.shape, Shape::Text(_)) {
            let message =
                format!("expected text for the label `{}`, found {}", member.key, member.value.kind());
            let finding = self.error("bad-label", &member.value.at, message);
            if matches!(member.value.shape, Shape::Number(_) | Shape::Bool(_)) {
                finding.fix("write it in quotes");
            }
            return;
        }
        self.key(&member.key);
        let path = ["labels".to_owned(), member.key.clone()];
        let Shape::Text(text) = &member.value.shape else { return };
        if let Some(value) = self.string(text, &member.value, &path) {
            sample.insert(member.key.clone(), value);
        }
    }

    // -- pipelines ----------------------------------------------------------------------------

    fn pipeline_spec(&mut self, pipeline: Option<&Pipeline>) {
        self.key("pipelineSpec");
        self.text(pipeline.map_or("{}", |pipeline| pipeline.spec_text.as_str()));
    }

    /// The template, or the spec that stands in the file itself.
    fn template(&mut self) -> Option<Pipeline> {
        let body = &self.body.value;
        let caching = body.member("caching").map(|it| scalar::boolean(it, self.findings));
        let sha256 = body.member("templateSha256");
        let (bytes, at) = match (body.member("template"), body.member("pipelineSpec")) {
            (Some(_), Some(inline)) => {
                let message = "expected either `template` or `pipelineSpec`, found both";
                self.error("two-templates", &inline.key_at, message).fix("leave `pipelineSpec` out");
                return None;
            }
            (None, None) => {
                let message = "expected the key `template` in pipelineJob, found none";
                self.error("missing-key", &self.body.key_at, message)
                    .fix("add `template: pipelines/NAME.yaml`");
                return None;
            }
            (Some(template), None) => (self.read_template(template)?, template.value.at.clone()),
            (None, Some(inline)) => (self.inline_spec(inline)?, inline.key_at.clone()),
        };
        if let Some(member) = sha256 {
            self.template_digest(member, &bytes);
        }
        let template = match Template::parse(&bytes) {
            Ok(template) => template,
            Err(error) => {
                let finding = self.error("bad-template", &at, error.message);
                if let Some(fix) = error.fix {
                    finding.fix(fix);
                }
                return None;
            }
        };
        if let Some(version) = template.spec.get("schemaVersion").and_then(Value::as_str)
            && is_legacy(version)
        {
            let message = format!("expected a pipeline of schema version 2.1.0, found {version}");
            self.error("template-version", &at, message).fix("compile the pipeline with KFP 2");
        }
        if template.runtime_config.contains_key("parameters") {
            let message =
                "expected `parameterValues` in the template's runtimeConfig, found `parameters` of KFP 1";
            self.error("template-version", &at, message).fix("compile the pipeline with KFP 2");
        }
        let spec_text = match caching {
            Some(Some(enabled)) => template.spec_with_caching(enabled).to_string(),
            Some(None) => {
                self.sound = false;
                return None;
            }
            None => template.spec.to_string(),
        };
        Some(Pipeline { template, spec_text, at })
    }

    fn read_template(&mut self, member: &Member) -> Option<Vec<u8>> {
        if let Shape::Text(text) = &member.value.shape {
            if text.contains("${") {
                self.not_allowed(&member.value, &["template".to_owned()]);
                return None;
            }
            if text.contains("://") {
                let message = format!("a remote template (`{text}`) is not supported by this version");
                self.error("not-yet-supported", &member.value.at, message)
                    .fix("save the compiled pipeline beside this file and name it here");
                return None;
            }
        }
        let path = scalar::path(member, self.findings);
        self.sound &= path.is_some();
        let path = path?;
        match self.around.files.read(path) {
            Ok(bytes) => Some(bytes),
            Err(why) => {
                let message =
                    format!("expected a compiled pipeline in `{path}`, which cannot be read: {why}");
                self.error("unreadable-file", &member.value.at, message);
                None
            }
        }
    }

    /// A spec written in the file is fixed like every other place that is not listed as open.
    fn inline_spec(&mut self, member: &Member) -> Option<Vec<u8>> {
        let mut scratch = std::mem::take(&mut self.pieces);
        let value = self.value(&member.value, &mut vec![member.key.clone()]);
        std::mem::swap(&mut self.pieces, &mut scratch);
        let text: String =
            scratch.iter().map(|piece| if let Piece::Json(text) = piece { text } else { "" }).collect();
        value.map(|_| text.into_bytes())
    }

    fn template_digest(&mut self, member: &Member, bytes: &[u8]) {
        let rule = "64 lower-case hex digits";
        let is_hex =
            |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let wanted = scalar::ruled(member, "bad-digest", rule, is_hex, self.findings);
        self.sound &= wanted.is_some();
        let found = Sha256::of(bytes).to_hex();
        if wanted.is_some_and(|wanted| wanted != found) {
            let message =
                format!("expected the template that `templateSha256` names, found one with SHA-256 {found}");
            self.error("template-digest", &member.value.at, message)
                .fix("review the template and write its digest here");
        }
    }

    // -- runtimeConfig ------------------------------------------------------------------------

    /// The file's members, then what a wrapped template brings, then the root from where it is found.
    fn runtime_config(&mut self, given: Option<&Member>, pipeline: Option<&Pipeline>) -> Option<Value> {
        self.key("runtimeConfig");
        let members = match given.map(|member| (&member.value.shape, member)) {
            None => &[][..],
            Some((Shape::Map(members), _)) => members,
            Some((_, member)) => {
                let message =
                    format!("expected a mapping for `runtimeConfig`, found {}", member.value.kind());
                self.error("wrong-type", &member.value.at, message);
                return None;
            }
        };
        let wrapped = pipeline.map(|pipeline| pipeline.template.runtime_config.clone()).unwrap_or_default();
        let find = |key: &str| members.iter().find(|member| member.key == key);
        let checked = self.inputs(find("parameterValues"), find("inputArtifacts"), &wrapped, given, pipeline);
        let mut sample = Map::new();
        self.text("{");
        for member in members {
            if self.is_snake(member) {
                continue;
            }
            match member.key.as_str() {
                "parameterValues" => self.write_given("parameterValues"),
                "inputArtifacts" => self.write_given("inputArtifacts"),
                "parameters" => {
                    let message =
                        "expected `parameterValues`, found `parameters` of KFP 1, which fails after creation";
                    self.error("unknown-key", &member.key_at, message).fix("did you mean `parameterValues`?");
                }
                "gcsOutputDirectory" if !matches!(member.value.shape, Shape::Text(_)) => {
                    let message = format!(
                        "expected gs://BUCKET/FOLDER for `gcsOutputDirectory`, found {}",
                        member.value.kind()
                    );
                    self.error("wrong-type", &member.value.at, message);
                }
                _ => {
                    self.comma();
                    self.key(&member.key);
                    let mut path = vec!["runtimeConfig".to_owned(), member.key.clone()];
                    if let Some(value) = self.value(&member.value, &mut path) {
                        sample.insert(member.key.clone(), value);
                    }
                }
            }
        }
        for key in ["parameterValues", "inputArtifacts"].into_iter().filter(|key| find(key).is_none()) {
            self.write_given(key);
        }
        for (key, value) in &wrapped {
            let ours = ["parameterValues", "inputArtifacts", "gcsOutputDirectory", "parameters"]
                .contains(&key.as_str());
            if !ours && find(key).is_none() {
                self.comma();
                self.key(key);
                self.json(value);
                sample.insert(key.clone(), value.clone());
            }
        }
        if find("gcsOutputDirectory").is_none() {
            self.found_root(&wrapped, given, pipeline);
        }
        if let Some(artifacts) = checked {
            sample.insert("inputArtifacts".to_owned(), Value::Object(artifacts));
        }
        self.text("}");
        Some(Value::Object(sample))
    }

    /// Source of the order: DESIGN §4, "Missing `gcsOutputDirectory`".
    fn found_root(
        &mut self,
        wrapped: &Map<String, Value>,
        given: Option<&Member>,
        pipeline: Option<&Pipeline>,
    ) {
        let Some(pipeline) = pipeline else { return };
        let at = given.map_or(&self.body.key_at, |member| &member.key_at).clone();
        let of_template = pipeline
            .template
            .default_root()
            .map(|root| (root.to_owned(), "the template's defaultPipelineRoot"));
        let of_wrapper = || {
            let root = wrapped.get("gcsOutputDirectory").and_then(Value::as_str);
            root.map(|root| (root.to_owned(), "the template's runtimeConfig"))
        };
        let of_file = || {
            let root = self.around.vertex.and_then(|vertex| vertex.pipeline_root.clone());
            root.map(|root| (root, "vertex.pipelineRoot"))
        };
        let found = of_template.filter(|(root, _)| !root.is_empty()).or_else(of_wrapper).or_else(of_file);
        let Some((root, source)) = found else {
            let message = "expected a pipeline root, found none in runtimeConfig, the template or `vertex`";
            self.error("no-pipeline-root", &at, message).fix("add `gcsOutputDirectory: gs://BUCKET/FOLDER`");
            return;
        };
        if !scalar::is_gcs(&root) {
            let message = format!("expected gs://BUCKET/FOLDER as pipeline root, found `{root}` in {source}");
            self.error("bad-root", &at, message).fix("set `runtimeConfig.gcsOutputDirectory`");
            return;
        }
        self.comma();
        self.key("gcsOutputDirectory");
        self.json(&Value::String(root));
    }

    /// Writes parameters and artifacts, and holds them against the pipeline's inputs as far as they are
    /// known. Gives the sample of the artifacts.
    fn inputs(
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
                    Reason::ParameterType => "parameter-type",
                    _ => "parameter",
                };
                let finding = self.error(code, &at, error.message);
                if let Some(fix) = error.fix {
                    finding.fix(fix);
                }
            }
        }
        artifacts.map(|_| samples)
    }

    /// The file's values over the wrapped template's; a null counts as not given.
    fn given(&mut self, member: Option<&Member>, wrapped: Option<&Value>, as_text: bool) -> Vec<Given> {
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
            if list.iter().any(|given| given.name == member.key) {
                continue;
            }
            if let Some(value) = self.form(&member.value, &member.key, as_text) {
                list.push(Given { name: member.key.clone(), value });
            }
        }
        list
    }

    /// Writes the values where they are all known, else the hole they come through.
    fn write_given(&mut self, key: &'static str) {
        let (list, hole) = match key {
            "parameterValues" => (&self.parameters, Piece::Parameters),
            _ => (&self.artifacts, Piece::Artifacts),
        };
        let literals = list.iter().map(|one| match &one.value {
            Form::Literal(value) => Some((one.name.clone(), value.clone())),
            _ => None,
        });
        match literals.collect::<Option<Vec<_>>>() {
            Some(members) => {
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
            None => {
                self.comma();
                self.key(key);
                self.text("{");
                self.pieces.push(hole);
                self.text("}");
            }
        }
    }

    fn form(&mut self, node: &Node, name: &str, as_text: bool) -> Option<Form> {
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

    // -- remarks ------------------------------------------------------------------------------

    /// What `lint` warns of: not wrong, but worth a look.
    fn remarks(&mut self) {
        let account = match self.kind {
            LaunchKind::PipelineJob | LaunchKind::BatchPredictionJob => self.body.value.get("serviceAccount"),
            LaunchKind::CustomJob => {
                self.body.value.get("jobSpec").and_then(|spec| spec.get("serviceAccount"))
            }
            LaunchKind::HyperparameterTuningJob => {
                self.body.value.get("trialJobSpec").and_then(|spec| spec.get("serviceAccount"))
            }
        };
        if account.is_none() {
            let message = "no `serviceAccount`: the job runs as the project's default service account, which may do far more than it needs";
            self.remark(
                "default-service-account",
                &self.body.key_at.clone(),
                message,
                "name a service account made for this job",
            );
        }
        let mut images = Vec::new();
        find_images(&self.body.value, &mut images);
        for (image, at) in images {
            if !image.contains("@sha256:") && !image.contains("${") {
                let message =
                    format!("the image `{image}` is named by tag: what runs can change without a review");
                self.remark("image-by-tag", &at, message, "name it by digest: `…@sha256:…`");
            }
        }
    }

    fn remark(&mut self, code: &'static str, at: &At, message: impl Into<String>, fix: &str) {
        let mut finding = Finding::new(code, Severity::Warning, message);
        if let At::Bytes(range) = at {
            finding.place = Some(self.findings.source.place(range));
        }
        finding.fix(fix);
        self.remarks.push(finding);
    }
}

/// A template ready to be sent.
struct Pipeline {
    template: Template,
    /// The spec as it is sent, caching applied.
    spec_text: String,
    /// Where the file names it.
    at: At,
}

fn find_images(node: &Node, images: &mut Vec<(String, At)>) {
    match &node.shape {
        Shape::Map(members) => {
            for member in members {
                match &member.value.shape {
                    Shape::Text(text) if member.key == "imageUri" => {
                        images.push((text.clone(), member.value.at.clone()))
                    }
                    _ => find_images(&member.value, images),
                }
            }
        }
        Shape::List(items) => items.iter().for_each(|item| find_images(item, images)),
        _ => {}
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

/// A text without expressions, its `$${` turned into `${`.
fn literal_text(text: &Interpolated) -> String {
    let parts = text.parts().iter().map(|part| match part {
        Part::Literal(text) => text.as_str(),
        Part::Expression(_) => "",
    });
    parts.collect()
}

/// `REGISTRY/REPOSITORY`, complete: a host and a path.
fn is_repository(text: &str) -> bool {
    let plain = text.bytes().all(|b| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_' | b'/' | b':')
    });
    plain
        && matches!(text.split_once('/'), Some((host, path)) if host.contains('.') && !path.is_empty() && !path.ends_with('/') && !path.contains(':'))
}

/// KFP 1 wrote 2.0.0 and below, whose parameters are another format.
fn is_legacy(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) < (2, 1)
}

fn camel(snake: &str) -> String {
    let mut upper = false;
    let mut name = String::new();
    for c in snake.chars() {
        match c {
            '_' => upper = true,
            c if std::mem::take(&mut upper) => name.push(c.to_ascii_uppercase()),
            c => name.push(c),
        }
    }
    name
}
