//! Why a text is not an envelope, or a payload not a statement.

use launchgate_outcome::{Reason, Refusal};

/// Why bytes are not an event's envelope. Each is `rejected_malformed`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EnvelopeError {
    /// The stable code.
    pub reason: Reason,
    /// What was expected, what was found, where.
    pub message: String,
}

/// Why a signed payload is not an acceptable statement. Each is `rejected_statement`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StatementError {
    /// The stable code.
    pub reason: Reason,
    /// What was expected, what was found, where.
    pub message: String,
}

impl From<EnvelopeError> for Refusal {
    fn from(error: EnvelopeError) -> Self {
        Self::new(error.reason, error.message)
    }
}

impl From<StatementError> for Refusal {
    fn from(error: StatementError) -> Self {
        Self::new(error.reason, error.message)
    }
}
