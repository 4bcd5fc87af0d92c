//! The HTTP side: routers, who may push, health, metrics, logs, and the wiring of the gate's parts.
//!
//! Promises: nothing reaches the gate whose sender is not proven; every answer follows DESIGN §5 (204 for
//! every recorded outcome, 503 only when nothing was decided); shutdown loses nothing.
//! Does not: decide, verify events, speak to Vertex; that is the engine and its adapters.

mod asked;
mod buildkite_api;
mod buildkite_keys;
mod clock;
mod environment;
mod gate_service;
mod health;
mod listen;
mod logs;
mod metrics;
mod push;
mod push_auth;
mod relay;
mod remote_templates;
mod routes;
mod triggers_file;

pub use environment::Environment;
pub use gate_service::{GateService, open_ledger};
pub use launchgate_google::install_crypto;
pub use listen::{listen, serve, terminated};
pub use logs::{LogFormat, init_logs};
pub use relay::RelayService;
pub use remote_templates::TemplateSource;
pub use triggers_file::{TriggersFile, Unusable};
