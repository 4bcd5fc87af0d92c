//! A pipeline job's `runtimeConfig`: the file's, a wrapped template's, and the root.

use serde_json::{Map, Value};

use super::{Job, pipeline::Pipeline};
use crate::file::{
    node::{Member, Shape},
    scalar,
};

impl Job<'_, '_> {
    /// The file's members, then what a wrapped template brings, then the root from where it is found.
    pub(super) fn runtime_config(
        &mut self,
        given: Option<&Member>,
        pipeline: Option<&Pipeline>,
    ) -> Option<Value> {
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
    pub(super) fn found_root(
        &mut self,
        wrapped: &Map<String, Value>,
        given: Option<&Member>,
        pipeline: Option<&Pipeline>,
    ) {
        // Without them the root is not known, and their own errors stand already.
        let (Some(pipeline), Some(vertex)) = (pipeline, self.around.vertex) else { return };
        let at = given.map_or(&self.body.key_at, |member| &member.key_at).clone();
        let of_template = pipeline
            .template
            .default_root()
            .map(|root| (root.to_owned(), "the template's defaultPipelineRoot"));
        let of_wrapper = || {
            let root = wrapped.get("gcsOutputDirectory").and_then(Value::as_str);
            root.map(|root| (root.to_owned(), "the template's runtimeConfig"))
        };
        let of_file = || vertex.pipeline_root.clone().map(|root| (root, "vertex.pipelineRoot"));
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
}
