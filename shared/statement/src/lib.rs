//! The event: a DSSE envelope around an in-toto Statement v1 with Buildkite's SLSA provenance v1.
//!
//! Promises: text of strangers becomes one of these types or a clear error; two readers of the same
//! bytes read the same event (each JSON member once, nothing after the end, one base64 reading).
//! Does not: verify signatures, know signers, read clocks, files or the network.

mod artifact;
mod artifact_note;
mod artifact_place;
mod base64_text;
mod build;
mod bundle;
mod claims;
mod digest;
mod envelope;
mod error;
mod invocation;
mod members;
mod pae;
mod provenance;
mod repository;
mod statement;
mod strict_json;
mod timestamp;

pub use artifact::Artifact;
pub use artifact_note::{ArtifactNote, NotedBuild, WEBHOOK_BUILDER_ID};
pub use artifact_place::{ImageReference, ImageVersion, ObjectAddress};
pub use build::{Build, FactName};
pub use claims::is_commit_id;
pub use digest::{EventDigest, EventId, Sha256};
pub use envelope::{Envelope, Signature};
pub use error::{EnvelopeError, StatementError};
pub use invocation::{Invocation, PipelineUrl};
pub use pae::{PAYLOAD_TYPE, pae};
pub use provenance::{BUILD_TYPE, BUILDER_ID, BuildkiteIds, ProvenanceDraft};
pub use repository::repository_name;
pub use statement::{PREDICATE_TYPE, STATEMENT_TYPE, Statement};
pub use strict_json::{JsonError, parse_object};
pub use timestamp::Timestamp;
