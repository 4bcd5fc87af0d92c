//! SLSA provenance v1 with Buildkite's build type, and how `emit` and `sign` write it.

use serde_json::Value;

use crate::{Artifact, Build, Timestamp};

/// Buildkite's own SLSA build type. Source: buildkite/slsa-buildtypes job/v1.
pub const BUILD_TYPE: &str = "https://buildkite.github.io/slsa-buildtypes/job/v1";

/// The builder id that launchgate's own statements carry. Source: DESIGN §2.
pub const BUILDER_ID: &str = "urn:launchgate:emit:v1";

/// What a new statement is written from.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenanceDraft {
    /// What is known of the build; organization, pipeline, number and job are required.
    pub build: Build,
    /// 1 to 32 artifacts.
    pub artifacts: Vec<Artifact>,
    /// The step's command, when known.
    pub command: Option<String>,
    /// `startedOn`; absent in keyless statements, which hold no clock.
    pub started_on: Option<Timestamp>,
}

impl ProvenanceDraft {
    /// The statement as compact JSON with members in a fixed order: the same draft gives the same
    /// bytes, hence the same event id.
    ///
    /// # Errors
    /// Whatever `Statement::parse` would say of the result.
    pub fn to_statement(&self) -> Result<Vec<u8>, crate::StatementError> {
        let _: Option<Value> = None;
        unimplemented!("provenance")
    }
}
