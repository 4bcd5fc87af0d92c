//! Who vouches for an event: signers, signatures, tokens, HMACs, and what each of them proves.
//!
//! Promises: a `VerifiedEvent` exists only if a configured signer in force made a signature over exactly
//! its bytes and may say what it says; times are parameters, so every answer can be given again later.
//! Does not: read clocks, files, environment or network; decide what a build may start.

mod asking_job;
mod build_facts;
mod build_metadata;
mod build_run;
mod buildkite_oidc;
mod buildkite_token;
mod buildkite_webhook;
mod carrier;
mod error;
mod iap_token;
mod identity;
mod jwks;
mod jwt;
mod jwt_algorithm;
mod mismatch;
mod pattern;
mod plugin_mistakes;
mod public_key;
mod push_token;
mod repository;
mod scheme;
mod signer;
mod signing_key;
mod sigstore;
mod union;
mod verified_event;
mod verify;
mod vouched;
mod webhook_hmac;

pub use asking_job::{AskingJob, verify_asking_job};
pub use build_facts::{BUILD_FACTS, BuildFacts, BuildTold, FactsOrigin, PullRequest, WebhookTells};
pub use build_metadata::{BuildMetadata, MetadataEnvelope};
pub use build_run::BuildRun;
pub use buildkite_oidc::{BuildkiteOidc, ForkBuilds, TokenIdentity, TokenProof};
pub use buildkite_token::unverified_token_claims;
pub use buildkite_webhook::{BuildkiteWebhook, NotedEvent, WebhookProof};
pub use carrier::Carrier;
pub use error::TrustError;
pub use iap_token::{IapAudience, IapIdentity, IapTokenError, verify_iap_token};
pub use identity::{IdentityClaims, identity_names, identity_names_a_ref, is_agent_tag};
pub use jwks::{Jwk, Jwks};
pub use jwt_algorithm::JwtAlgorithm;
pub use launchgate_sigstore::{TrustedRoot, TrustedRootError};
pub use pattern::{Pattern, PatternError, PatternList, Wildcards};
pub use public_key::PublicKey;
pub use push_token::{AuthenticatedSender, PushIdentity, PushTokenError, verify_push_token};
pub use repository::Repository;
pub use scheme::Scheme;
pub use signer::{OutOfForce, Signer, SignerId, SignerKind, Signers};
pub use signing_key::SigningKey;
pub use sigstore::{CertificateProof, Sigstore, unverified_certificate_claims};
pub use verified_event::{Root, VerifiedEvent, VerifiedSignature};
pub use verify::{
    BuildkiteKeys, KeyWanted, Rejection, TrustInputs, Unverified, verify, verify_carried, verify_signatures,
};
pub use vouched::{VouchedFacts, VouchedTime, facts_vouched_by};
pub use webhook_hmac::{VerifiedWebhook, WebhookError, WebhookSecrets, verify_webhook};
