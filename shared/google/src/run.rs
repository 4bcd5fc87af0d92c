//! A job at Vertex AI as a run: its name, state, and the page where people look at it.

use launchgate_engine::Run;
use launchgate_triggers::{LaunchKind, LaunchPlan};
use serde::Deserialize;

/// The members of a job that make a run; the rest (a pipeline's whole specification, mostly) is skipped
/// without being built.
#[derive(Debug, Deserialize)]
pub(crate) struct JobHead {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) state: Option<String>,
}

impl JobHead {
    /// The run, if the name is that of a job of the plan's kind.
    pub(crate) fn into_run(self, plan: &LaunchPlan) -> Option<Run> {
        let (parent, id) = self.name.rsplit_once('/')?;
        if id.is_empty() || parent.rsplit('/').next() != Some(plan.kind().collection()) {
            return None;
        }
        let console = console_link(plan.kind(), plan.project(), plan.location(), id);
        Some(Run { name: self.name, console, state: self.state, end: None, error: None })
    }
}

/// The page of a job in the Cloud console.
pub fn console_link(kind: LaunchKind, project: &str, location: &str, id: &str) -> String {
    let pages = "https://console.cloud.google.com/vertex-ai/locations";
    match kind {
        LaunchKind::PipelineJob => format!("{pages}/{location}/pipelines/runs/{id}?project={project}"),
        LaunchKind::CustomJob => format!("{pages}/{location}/training/{id}?project={project}"),
        LaunchKind::HyperparameterTuningJob => {
            format!("{pages}/{location}/training/hyperparameter-tuning-jobs/{id}?project={project}")
        }
        LaunchKind::BatchPredictionJob => {
            format!("{pages}/{location}/batch-predictions/{id}?project={project}")
        }
    }
}
