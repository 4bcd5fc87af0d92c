//! Buildkite's side of launchgate: what a job knows of its own build, the tokens its agent gives it, the shape
//! of its webhooks, and the REST API.
//!
//! Promises: nothing read here counts as proven; that is for signers and HMACs (`launchgate-trust`).
//! Does not: read the environment (a map is handed in), or verify anything.

mod agent_api;
mod http;
mod job;
mod rest;
mod webhook;

pub use agent_api::{AgentApi, AgentApiError, TokenWanted};
pub use job::{Job, JobError};
pub use rest::{ANNOTATION_LIMIT, Annotation, AnnotationStyle, BuildAddress, RestApi, RestError};
pub use webhook::{EVENT_HEADER, SIGNATURE_HEADER, TOKEN_HEADER, WebhookClass, WebhookEvent, classify};
