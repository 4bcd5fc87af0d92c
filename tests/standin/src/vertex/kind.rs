//! The four job collections this stand-in serves, and what differs between them.

use serde::{Deserialize, Serialize};

/// A collection of jobs under `projects/P/locations/L`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobKind {
    /// `pipelineJobs`: the only one whose id the client may choose.
    PipelineJobs,
    /// `customJobs`
    CustomJobs,
    /// `hyperparameterTuningJobs`
    HyperparameterTuningJobs,
    /// `batchPredictionJobs`
    BatchPredictionJobs,
}

impl JobKind {
    /// Every collection served.
    pub const ALL: [Self; 4] =
        [Self::PipelineJobs, Self::CustomJobs, Self::HyperparameterTuningJobs, Self::BatchPredictionJobs];

    /// The name in paths and in list answers.
    pub fn collection(self) -> &'static str {
        match self {
            Self::PipelineJobs => "pipelineJobs",
            Self::CustomJobs => "customJobs",
            Self::HyperparameterTuningJobs => "hyperparameterTuningJobs",
            Self::BatchPredictionJobs => "batchPredictionJobs",
        }
    }

    pub(crate) fn from_collection(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.collection() == name)
    }

    /// The resource's message name without its package, also used in Google's error texts.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::PipelineJobs => "PipelineJob",
            Self::CustomJobs => "CustomJob",
            Self::HyperparameterTuningJobs => "HyperparameterTuningJob",
            Self::BatchPredictionJobs => "BatchPredictionJob",
        }
    }

    /// The field of the create request that the body is bound to, as error texts name it.
    pub(crate) fn body_field(self) -> &'static str {
        match self {
            Self::PipelineJobs => "pipeline_job",
            Self::CustomJobs => "custom_job",
            Self::HyperparameterTuningJobs => "hyperparameter_tuning_job",
            Self::BatchPredictionJobs => "batch_prediction_job",
        }
    }

    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::PipelineJobs => "google.cloud.aiplatform.v1.PipelineService",
            _ => "google.cloud.aiplatform.v1.JobService",
        }
    }

    /// What stands before the state's own word in its enum.
    pub(crate) fn state_prefix(self) -> &'static str {
        match self {
            Self::PipelineJobs => "PIPELINE_STATE_",
            _ => "JOB_STATE_",
        }
    }
}
