//! What `lint` says of a job that is not wrong, but worth a look.

use super::Job;
use crate::{
    Finding, LaunchKind, Severity,
    file::{
        findings::At,
        node::{Node, Shape},
    },
};

impl Job<'_, '_> {
    /// What `lint` warns of: not wrong, but worth a look.
    pub(super) fn remarks(&mut self) {
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

    pub(super) fn remark(&mut self, code: &'static str, at: &At, message: impl Into<String>, fix: &str) {
        let mut finding = Finding::new(code, Severity::Warning, message);
        if let At::Bytes(range) = at {
            finding.place = Some(self.findings.source.place(range));
        }
        finding.fix(fix);
        self.remarks.push(finding);
    }
}

fn find_images(node: &Node, images: &mut Vec<(String, At)>) {
    match &node.shape {
        Shape::Map(members) => {
            for member in members {
                match &member.value.shape {
                    Shape::Text(text) if member.key == "imageUri" => {
                        images.push((text.clone(), member.value.at.clone()));
                    }
                    _ => find_images(&member.value, images),
                }
            }
        }
        Shape::List(items) => items.iter().for_each(|item| find_images(item, images)),
        _ => {}
    }
}
