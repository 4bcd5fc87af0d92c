//! A pipeline job's template: found, held against its digest, read, made ready to be sent.
//!
//! A remote one is handed in as it was fetched; without its bytes nothing can be launched.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use launchgate_statement::Sha256;
use serde_json::Value;

use super::Job;
use crate::{
    Template, TemplateError,
    file::{
        Remote,
        findings::At,
        node::{Member, Shape},
        scalar,
    },
    launch_template::Piece,
    template_address::{RemoteTemplate, TemplateAddress},
};

/// A template ready to be sent.
pub(super) struct Pipeline {
    pub(super) template: Arc<Template>,
    /// The spec as it is sent, caching applied.
    pub(super) spec_text: String,
    /// Where the file names it.
    pub(super) at: At,
    /// `templateUri`, for a template out of a registry.
    uri: Option<String>,
}

/// A template's bytes and where they came from.
struct Content {
    bytes: Vec<u8>,
    /// Set when it does not lie beside the triggers file.
    address: Option<TemplateAddress>,
}

/// The templates of one file. Many triggers may name the same one, and reading it is most of what loading them costs.
#[derive(Default)]
pub(in crate::file) struct Templates(RefCell<HashMap<Sha256, Arc<Template>>>);

impl Templates {
    fn parsed(&self, bytes: &[u8]) -> Result<Arc<Template>, TemplateError> {
        let digest = Sha256::of(bytes);
        if let Some(known) = self.0.borrow().get(&digest) {
            return Ok(known.clone());
        }
        let template = Arc::new(Template::parse(bytes)?);
        self.0.borrow_mut().insert(digest, template.clone());
        Ok(template)
    }
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
        let (content, at) = match (body.member("template"), body.member("pipelineSpec")) {
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
            (Some(template), None) => (self.read_template(template, sha256)?, template.value.at.clone()),
            (None, Some(inline)) => {
                (Content { bytes: self.inline_spec(inline)?, address: None }, inline.key_at.clone())
            }
        };
        let reviewed = sha256.is_none_or(|member| self.template_digest(member, &content));
        if !reviewed && content.address.is_some() {
            // What anyone may have put there is not worth another finding.
            return None;
        }
        let template = match self.around.templates.parsed(&content.bytes) {
            Ok(template) => template,
            Err(error) => {
                let finding = self.error("bad-template", &at, error.message);
                if let Some(fix) = error.fix {
                    finding.fix(fix);
                }
                return None;
            }
        };
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
        let uri = content.address.as_ref().and_then(TemplateAddress::template_uri);
        Some(Pipeline { template, spec_text, at, uri })
    }

    /// Google's SDK sends the spec and, for a registry, where it is from; the server shows that to people.
    pub(super) fn template_uri(&mut self, pipeline: Option<&Pipeline>) {
        let Some(uri) = pipeline.and_then(|pipeline| pipeline.uri.as_ref()) else { return };
        match self.body.value.member("templateUri") {
            None => {
                self.comma();
                self.key("templateUri");
                self.json(&Value::String(uri.clone()));
            }
            Some(given) if matches!(&given.value.shape, Shape::Text(text) if text == uri) => {}
            Some(given) => {
                let message = format!("expected the template's own address for `templateUri`, {uri}");
                self.error("template-uri", &given.value.at, message).fix("leave `templateUri` out");
            }
        }
    }

    fn read_template(&mut self, member: &Member, sha256: Option<&Member>) -> Option<Content> {
        if let Shape::Text(text) = &member.value.shape {
            if text.contains("${") {
                self.not_allowed(&member.value, &["template".to_owned()]);
                return None;
            }
            if text.contains("://") {
                return self.remote_template(text, member, sha256);
            }
        }
        let path = scalar::path(member, self.findings);
        self.sound &= path.is_some();
        let path = path?;
        match self.around.files.read(path) {
            Ok(bytes) => Some(Content { bytes, address: None }),
            Err(why) => {
                let message =
                    format!("expected a compiled pipeline in `{path}`, which cannot be read: {why}");
                self.error("unreadable-file", &member.value.at, message);
                None
            }
        }
    }

    /// What was fetched for an address. Nobody else's word is taken for what lies there: the digest must be given.
    fn remote_template(&mut self, text: &str, member: &Member, sha256: Option<&Member>) -> Option<Content> {
        let at = &member.value.at;
        let address = match TemplateAddress::parse(text) {
            Ok(address) => address,
            Err(bad) => {
                self.error(bad.code, at, bad.message).fix(bad.fix);
                return None;
            }
        };
        let Some(sha256) = sha256 else {
            let message =
                format!("the template `{text}` lies elsewhere, and nothing pins what was reviewed of it");
            self.error("template-unpinned", at, message)
                .fix("add `templateSha256` with the SHA-256 of the reviewed file (`sha256sum FILE`)");
            return None;
        };
        let sha256 = self.digest(sha256)?;
        match self.around.files.remote(&RemoteTemplate { address: address.clone(), sha256 }) {
            Remote::Fetched(bytes) => Some(Content { bytes, address: Some(address) }),
            Remote::NotLooked(why) => {
                let message =
                    format!("the template `{text}` was not looked at, so its inputs are unchecked: {why}");
                self.findings
                    .warning("template-not-looked-at", at, message)
                    .fix("run lint once where the template can be fetched; it is kept for the next time");
                self.unseen = true;
                None
            }
            Remote::Failed { why, fix } => {
                let finding =
                    self.error("template-unavailable", at, format!("the template cannot be had: {why}"));
                if let Some(fix) = fix {
                    finding.fix(fix);
                }
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

    fn digest(&mut self, member: &Member) -> Option<Sha256> {
        let rule = "64 lower-case hex digits";
        let is_hex = |text: &str| Sha256::from_hex(text).is_some();
        let wanted = scalar::ruled(member, "bad-digest", rule, is_hex, self.findings);
        self.sound &= wanted.is_some();
        wanted.and_then(Sha256::from_hex)
    }

    /// Whether the content is the one that was reviewed.
    fn template_digest(&mut self, member: &Member, content: &Content) -> bool {
        let Some(wanted) = self.digest(member) else { return false };
        let found = Sha256::of(&content.bytes);
        if wanted == found {
            return true;
        }
        let (message, fix) = match &content.address {
            None => (
                format!("expected the template that `templateSha256` names, found one with SHA-256 {found}"),
                "review the template and write its digest here",
            ),
            Some(address) => (
                format!(
                    "expected the template that `templateSha256` names at {address}, found {} bytes with SHA-256 {found}",
                    content.bytes.len()
                ),
                "somebody put another file there: review it and write its digest here, or put the reviewed one back",
            ),
        };
        self.error("template-digest", &member.value.at, message).fix(fix);
        false
    }
}
