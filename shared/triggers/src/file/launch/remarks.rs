//! What `lint` says of a job that is not wrong, but worth a look.

use serde_json::Value;

use super::{Job, pipeline::Pipeline};
use crate::{
    Finding, LaunchKind, Severity,
    file::{
        findings::At,
        node::{Node, Shape},
    },
};

impl Job<'_, '_> {
    /// What `lint` warns of: not wrong, but worth a look.
    pub(super) fn remarks(&mut self, pipeline: Option<&Pipeline>) {
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
        if let Some(account) = account
            && let Shape::Text(text) = &account.shape
            && is_default(text)
        {
            let message = format!(
                "`{text}` is a default service account, which every workload of the project may run as and which may do far more than this job needs"
            );
            self.remark(
                "default-service-account",
                &account.at.clone(),
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
        if let Some(pipeline) = pipeline {
            self.moving_images_of(pipeline);
        }
        self.moving_images_of_parameters();
    }

    /// Images of the template's own steps. Those with a version are what KFP writes by itself
    /// (`python:3.11`, Google's components), and a warning about every template would be read by nobody; `latest`
    /// says that what runs is left open.
    fn moving_images_of(&mut self, pipeline: &Pipeline) {
        let executors = pipeline.template.spec.get("deploymentSpec").and_then(|it| it.get("executors"));
        let executors = executors.and_then(Value::as_object).into_iter().flatten();
        let images = executors.filter_map(|(_, executor)| executor.get("container")?.get("image")?.as_str());
        let mut moving: Vec<&str> = images.filter(|image| is_moving(image)).collect();
        moving.sort_unstable();
        moving.dedup();
        if !moving.is_empty() {
            let message = format!(
                "steps of the template run `latest`, whatever that is on the day: {}",
                moving.join(", ")
            );
            let fix = "name the images by digest where the pipeline is written, and compile it again";
            self.remark("image-by-tag", &pipeline.at.clone(), message, fix);
        }
    }

    /// Images that reach the pipeline as literal parameters.
    fn moving_images_of_parameters(&mut self) {
        let values = self.body.value.get("runtimeConfig").and_then(|it| it.get("parameterValues"));
        let Some(Node { shape: Shape::Map(members), .. }) = values else { return };
        for member in members {
            if let Shape::Text(text) = &member.value.shape
                && is_in_registry(text)
                && is_moving(text)
            {
                let message = format!("the image `{text}` is whatever `latest` is on the day");
                self.remark("image-by-tag", &member.value.at, message, "name it by digest: `…@sha256:…`");
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

/// Named without a digest, and by the tag that moves by custom.
fn is_moving(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    let tag = name.split_once(':').map_or("latest", |(_, tag)| tag);
    !image.contains(['@', '$', '{']) && tag == "latest"
}

/// A text that is an address in one of Google's registries, and so an image.
fn is_in_registry(text: &str) -> bool {
    let host = text.split_once('/').map_or("", |(host, _)| host);
    host.ends_with("-docker.pkg.dev") || host == "gcr.io" || host.ends_with(".gcr.io")
}

/// Compute Engine's (`NUMBER-compute@…`) and App Engine's. Source: cloud.google.com/iam/docs/service-account-types#default.
fn is_default(account: &str) -> bool {
    let compute = account.strip_suffix("-compute@developer.gserviceaccount.com");
    compute.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        || account.ends_with("@appspot.gserviceaccount.com")
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
