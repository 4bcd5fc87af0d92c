//! What the integration tests stand on: the product's binaries as processes, emulators, signed events.
//!
//! Promises: every process it starts ends with the test run; every port comes from the system; whatever a
//! test waits for is something that can be observed, with a deadline. A test that cannot run here says so in
//! one line and is a failure where `CI=true`.
//! Does not: know the product's insides. It speaks to it as its users do: files, arguments, HTTP, signals.
#![allow(clippy::unwrap_used, reason = "a harness ends the test at the first surprise")]

mod binaries;
mod docker_registry;
mod event;
mod eventually;
mod gcs_server;
mod http;
mod job_event;
mod ladder;
mod lambda_runtime;
mod process;
mod pubsub_emulator;
mod push;
mod python;
mod recorded;
mod shelf;
mod skip;
mod triggers_file;
mod vertex;

pub use binaries::{Binary, Profile};
pub use docker_registry::{DockerRegistry, PushedImage};
pub use event::{EventDraft, a_key, an_event};
pub use eventually::{PATIENCE, eventually};
pub use gcs_server::GcsServer;
pub use http::client;
pub use job_event::JobEvent;
pub use ladder::RecordedLadder;
pub use lambda_runtime::LambdaRuntime;
pub use process::{Finished, Service, run};
pub use pubsub_emulator::{Delivery, PubSubEmulator};
pub use push::{Push, a_push, now, post};
pub use python::Python;
pub use shelf::shelf;
pub use skip::{must_not_skip, say_skipped};
pub use triggers_file::{Folder, a_custom_job, a_pipeline_job};
pub use vertex::{a_vertex, launch_ids};
