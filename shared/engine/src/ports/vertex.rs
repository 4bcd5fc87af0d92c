//! Vertex AI.

use std::time::Duration;

use async_trait::async_trait;
use launchgate_outcome::Reason;
use launchgate_triggers::LaunchPlan;
use serde_json::Value;

use crate::Run;

/// Vertex AI as the engine needs it. Every call ends within its own timeout, which is shorter than a lease.
#[async_trait]
pub trait Vertex: Send + Sync + 'static {
    /// Sends the planned request as it is. For kinds whose id is ours, asking twice yields one job.
    async fn create(&self, plan: &LaunchPlan) -> Result<Run, CallError>;

    /// The pipeline job that has the plan's launch id, as the server holds it.
    async fn get(&self, plan: &LaunchPlan) -> Result<Value, CallError>;

    /// The jobs of the plan's kind that carry its label `launchgate-id`. Eventually consistent: a job that
    /// was just created may be missing.
    async fn find(&self, plan: &LaunchPlan) -> Result<Vec<Value>, CallError>;

    /// A run that the plan launched, as the server holds it now.
    async fn look(&self, plan: &LaunchPlan, run: &Run) -> Result<Value, CallError>;

    /// A job of the plan's kind, as the server holds it, as a run.
    fn run_of(&self, plan: &LaunchPlan, job: &Value) -> Option<Run>;

    /// Whether an access token can be had of anyone that plans are sent as; for `/readyz`.
    async fn ready(&self) -> Result<(), CallError>;

    /// The service accounts that plans are sent as and no token can be had of, each with the reason. What the
    /// others launch goes on.
    async fn without_token(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a call did not succeed. Never holds a token.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CallError {
    /// What it means for the decision.
    pub kind: CallErrorKind,
    /// HTTP status, when there was an answer.
    pub http_status: Option<u16>,
    /// google.rpc code, or a word for what cut the call off (`TIMEOUT`, `CONNECT`, `RESET`, …).
    pub code: String,
    /// Google's text with, where the IAM table knows it, the `gcloud` line that mends it.
    pub message: String,
    /// The call is known not to have been accepted: name resolution, connect, TLS, 4xx.
    pub not_accepted: bool,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// What a failed call means for the decision. Source: DESIGN §6, "Errors".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallErrorKind {
    /// A job with this id exists: fetch and compare.
    AlreadyExists,
    /// Worth another attempt within the budget; `vertex_unavailable`, `vertex_rate_limited` or
    /// `credentials_unavailable`.
    Transient(Reason),
    /// Worth at most 5 attempts: some internal errors are permanent.
    Internal,
    /// Worth one more attempt with a fresh token.
    Unauthenticated,
    /// A quota is used up: slow backoff.
    QuotaUsedUp,
    /// The end, with its reason.
    Terminal(Reason),
}
