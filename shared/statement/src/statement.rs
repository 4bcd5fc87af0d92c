//! The in-toto Statement v1.

use serde_json::{Map, Value};

use crate::{Artifact, Build, StatementError, Timestamp};

/// The only statement type accepted.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The only predicate type accepted.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// A statement that is complete, unambiguous and does not contradict itself. Whether it is true is
/// for signers to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// 1 to 32 artifacts, no two with equal name and digest.
    pub artifacts: Vec<Artifact>,
    /// What the statement claims of its build. Organization, pipeline and number are always there.
    pub build: Build,
    /// `runDetails.builder.id`.
    pub builder: String,
    /// `runDetails.metadata.startedOn`.
    pub started_on: Option<Timestamp>,
    /// The whole predicate, for the expression variable `provenance`.
    pub predicate: Map<String, Value>,
}

impl Statement {
    /// Reads a signed payload.
    ///
    /// # Errors
    /// Every error is `rejected_statement` with its reason.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        let _ = payload;
        unimplemented!("statement")
    }
}
