//! The exact request that a decision comes to.

use launchgate_statement::EventId;
use serde::{Deserialize, Serialize};

use crate::{LaunchConditions, LaunchId, TriggerName};

/// What a trigger may launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LaunchKind {
    /// A Vertex AI pipeline run; we choose its id.
    PipelineJob,
    /// A training job; the server chooses its id.
    CustomJob,
    /// A search over training jobs; the server chooses its id.
    HyperparameterTuningJob,
    /// A model run over stored instances; the server chooses its id.
    BatchPredictionJob,
}

impl LaunchKind {
    /// The REST collection.
    pub fn collection(self) -> &'static str {
        match self {
            Self::PipelineJob => "pipelineJobs",
            Self::CustomJob => "customJobs",
            Self::HyperparameterTuningJob => "hyperparameterTuningJobs",
            Self::BatchPredictionJob => "batchPredictionJobs",
        }
    }

    /// Whether the id is ours: only then does asking twice yield the same run.
    pub fn has_client_id(self) -> bool {
        matches!(self, Self::PipelineJob)
    }
}

/// One launch, complete: what `explain` prints, what the ledger keeps, what is sent, byte for byte.
/// Made only by `decide`; the ledger gives back what `decide` made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaunchPlan {
    pub(crate) launch_id: LaunchId,
    pub(crate) trigger: TriggerName,
    pub(crate) event: EventId,
    pub(crate) kind: LaunchKind,
    pub(crate) project: String,
    pub(crate) location: String,
    /// Absent in plans that were recorded before there was a choice: the service's own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) impersonate: Option<String>,
    pub(crate) request: Request,
    #[serde(default, skip_serializing_if = "LaunchConditions::is_empty")]
    pub(crate) conditions: LaunchConditions,
}

/// An HTTP request to the regional Vertex AI endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// From the root, `/v1/projects/…`.
    pub path: String,
    /// `pipelineJobId` for pipeline jobs, else empty.
    pub query: Vec<(String, String)>,
    /// JSON text, sent as it is.
    pub body: String,
}

impl LaunchPlan {
    /// The launch id; for pipeline jobs also the job id.
    pub fn launch_id(&self) -> &LaunchId {
        &self.launch_id
    }

    /// The trigger that allows it.
    pub fn trigger(&self) -> &TriggerName {
        &self.trigger
    }

    /// The event that asks for it.
    pub fn event(&self) -> &EventId {
        &self.event
    }

    /// What it launches.
    pub fn kind(&self) -> LaunchKind {
        self.kind
    }

    /// Project id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Region.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// E-mail of the service account that asks; `None` is the service's own identity.
    pub fn impersonate(&self) -> Option<&str> {
        self.impersonate.as_deref()
    }

    /// What must be true when it becomes a launch; empty where nothing is asked.
    pub fn conditions(&self) -> &LaunchConditions {
        &self.conditions
    }

    /// What is sent.
    pub fn request(&self) -> &Request {
        &self.request
    }
}
