//! Strict local imitations of Google's and Buildkite's APIs that have no emulator.
//!
//! - [`VertexStandin`]: Vertex AI's job collections, with faults on demand.
//! - [`GoogleCerts`]: the certificates Google signs push tokens with, and such tokens.
//! - [`BuildkiteStandin`]: Buildkite's issuer of job tokens, and an agent that asks it.
//! - [`BuildkiteRestStandin`]: Buildkite's REST API, for builds and the annotations on them.
//! - [`BuildkiteWebhook`]: Buildkite's webhooks of builds, signed.
//! - [`SigstoreStandin`]: Sigstore's certificate authority and logs, and bundles made with them.
//! - [`KmsStandin`]: Cloud KMS's public keys and signatures over digests.
//! - [`KfpRegistryStandin`]: Artifact Registry's repositories of compiled pipelines.
//! - [`MetadataServer`]: access tokens of a machine's service account.
//! - [`FederationStandin`]: the token exchange and service-account impersonation.
//!
//! They are for tests, the demo and load runs; they listen on 127.0.0.1 only, and no production binary links
//! them. Each refuses what the real API refuses, with its error bodies, so that a test that passes here means
//! something there. They prove nothing about quotas, permissions or timing of the real services.

mod buildkite;
mod buildkite_rest;
mod buildkite_webhook;
mod federation;
mod google_certs;
mod google_error;
mod kfp_registry;
mod kms;
mod loopback;
mod metadata_server;
mod push_token;
mod sigstore;
mod timestamp;
mod tokens;
mod vertex;

pub use buildkite::{AgentFault, BuildkiteStandin};
pub use buildkite_rest::{BuildkiteRestStandin, RestFault, ShownAnnotation};
pub use buildkite_webhook::BuildkiteWebhook;
pub use federation::{FederationOptions, FederationStandin};
pub use google_certs::{GoogleCerts, SigningKey};
pub use kfp_registry::{KfpRegistryStandin, RegistryFault};
pub use kms::{KmsFault, KmsStandin, KmsVersion, SignsDigest};
pub use metadata_server::{MetadataServer, MetadataServerOptions};
pub use push_token::PushToken;
pub use sigstore::{Attestation, SigstoreStandin};
pub use tokens::TokenSet;
pub use vertex::{
    Access, Fault, FaultRule, JobKind, JobState, ListVisibility, Matches, Mistake, Operation, Recorded,
    Schedule, VertexOptions, VertexStandin,
};
