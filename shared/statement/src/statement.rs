//! The in-toto Statement v1.

use launchgate_outcome::Reason;
use serde_json::{Map, Value};

use crate::claims::Claims;
use crate::members::{Members, excerpt, shape};
use crate::{Artifact, Build, Envelope, StatementError, Timestamp, parse_object};

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
    /// Artifacts one statement may name: each is matched with every trigger.
    pub const MAX_ARTIFACTS: usize = 32;

    /// Reads a signed payload.
    ///
    /// # Errors
    /// Every error is `rejected_statement` with its reason.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        let mut statement = parse_object(payload, Envelope::MAX_DEPTH).map_err(|error| StatementError {
            reason: Reason::StatementNotJson,
            message: error.to_string(),
        })?;
        {
            let members = Members::of("statement", &statement);
            expect(&members, "_type", STATEMENT_TYPE, Reason::StatementType)?;
            expect(&members, "predicateType", PREDICATE_TYPE, Reason::PredicateType)?;
        }
        let artifacts = read_artifacts(statement.remove("subject"))?;
        let Some(Value::Object(predicate)) = statement.remove("predicate") else {
            return Err(shape("expected `predicate` to be an object".to_owned()));
        };
        let Claims { build, builder, started_on } = Claims::read(&predicate)?;
        Ok(Self { artifacts, build, builder, started_on, predicate })
    }
}

fn expect(
    members: &Members<'_, '_>,
    name: &str,
    expected: &str,
    reason: Reason,
) -> Result<(), StatementError> {
    let found = members.text(name)?;
    if found == expected {
        return Ok(());
    }
    Err(StatementError {
        reason,
        message: format!("expected `{name}` {expected}, found `{}`", excerpt(found)),
    })
}

fn read_artifacts(subjects: Option<Value>) -> Result<Vec<Artifact>, StatementError> {
    let subjects = match subjects {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(subjects)) => subjects,
        Some(_) => return Err(shape("expected `subject` to be a list".to_owned())),
    };
    if !(1..=Statement::MAX_ARTIFACTS).contains(&subjects.len()) {
        let message =
            format!("expected 1 to {} subjects, found {}", Statement::MAX_ARTIFACTS, subjects.len());
        return Err(StatementError { reason: Reason::NoSubject, message });
    }
    let mut artifacts: Vec<Artifact> = Vec::with_capacity(subjects.len());
    for (index, subject) in subjects.into_iter().enumerate() {
        let artifact = Artifact::read(subject, index)?;
        if artifacts.iter().any(|other| other.name == artifact.name && other.sha256 == artifact.sha256) {
            let message =
                format!("`{}` with sha256 {} stands twice", excerpt(&artifact.name), artifact.sha256);
            return Err(StatementError { reason: Reason::DuplicateSubject, message });
        }
        artifacts.push(artifact);
    }
    Ok(artifacts)
}
