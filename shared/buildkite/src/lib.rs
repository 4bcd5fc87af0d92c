//! Buildkite's side of launchgate: what a job knows of its own build, the tokens its agent gives it, and the shape
//! of its webhooks.
//!
//! Promises: nothing read here counts as proven; that is for signers and HMACs (`launchgate-trust`).
//! Does not: read the environment (a map is handed in), or verify anything.

mod agent_api;
mod job;
mod webhook;

pub use agent_api::{AgentApi, AgentApiError, TokenWanted};
pub use job::{Job, JobError};
pub use webhook::{EVENT_HEADER, SIGNATURE_HEADER, TOKEN_HEADER, WebhookClass, WebhookEvent, classify};
