//! A pipeline job's template: found, held against its digest, read, made ready to be sent.

use launchgate_statement::Sha256;
use serde_json::Value;

use super::Job;
use crate::{
    Template,
    file::{
        findings::At,
        node::{Member, Shape},
        scalar,
    },
    launch_template::Piece,
};

/// A template ready to be sent.
pub(super) struct Pipeline {
    pub(super) template: Template,
    /// The spec as it is sent, caching applied.
    pub(super) spec_text: String,
    /// Where the file names it.
    pub(super) at: At,
}

impl Job<'_, '_> {
    pub(super) fn pipeline_spec(&mut self, pipeline: Option<&Pipeline>) {
        self.key("pipelineSpec");
        self.text(pipeline.map_or("{}", |pipeline| pipeline.spec_text.as_str()));
    }

    /// The template, or the spec that stands in the file itself.
    pub(super) fn template(&mut self) -> Option<Pipeline> {
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

    pub(super) fn read_template(&mut self, member: &Member) -> Option<Vec<u8>> {
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
    pub(super) fn inline_spec(&mut self, member: &Member) -> Option<Vec<u8>> {
        let mut scratch = std::mem::take(&mut self.pieces);
        let value = self.value(&member.value, &mut vec![member.key.clone()]);
        std::mem::swap(&mut self.pieces, &mut scratch);
        let text: String =
            scratch.iter().map(|piece| if let Piece::Json(text) = piece { text } else { "" }).collect();
        value.map(|_| text.into_bytes())
    }

    pub(super) fn template_digest(&mut self, member: &Member, bytes: &[u8]) {
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
}

/// KFP 1 wrote 2.0.0 and below, whose parameters are another format.
fn is_legacy(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) < (2, 1)
}
