//! Buildkite's side of launchgate: what a job knows of its own build, and the shape of its webhooks.
//!
//! Promises: nothing read here counts as proven; that is for signers and HMACs (`launchgate-trust`).
//! Does not: read the environment (a map is handed in), call Buildkite, or verify anything.

mod job;
mod webhook;

pub use job::{Job, JobError};
pub use webhook::{EVENT_HEADER, SIGNATURE_HEADER, TOKEN_HEADER, WebhookClass, WebhookEvent, classify};
