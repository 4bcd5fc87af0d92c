//! Google's side of launchgate: Vertex AI, Pub/Sub, issuers' key sets, artifacts in buckets and registries,
//! and signatures by keys in Cloud KMS.
//!
//! Promises: every call is bounded in time and size; errors are told apart by what they mean for a launch;
//! nothing that is logged or returned holds a token; real credentials never go to a replaced address on
//! this machine unless they were named on purpose.
//! Does not: decide, retry launches (the engine does), keep anything, or read the environment (a map is handed in).

mod artifacts;
mod callers;
mod classification;
mod credentials;
mod endpoints;
mod error;
mod http;
mod iam_fixes;
mod impersonation;
mod key_set;
mod kms;
mod pubsub;
mod redaction;
mod retry_after;
mod run;
mod templates;
mod vertex;

pub use artifacts::{ArtifactReader, BucketObject, Image, Progress, Tags, object_address};
pub use credentials::{Account, CredentialSettings, Credentials};
pub use endpoints::{Endpoint, Endpoints, Override};
pub use error::GoogleError;
pub use http::{USER_AGENT, install_crypto};
pub use iam_fixes::{FixContext, iam_fix};
pub use key_set::{Freshness, KeySet};
pub use kms::{KeyVersion, Kms, KmsKey, KmsRole};
pub use pubsub::{FailureTopic, PubSub};
pub use run::console_link;
pub use templates::{TemplateFault, TemplateReader};
pub use vertex::VertexClient;
