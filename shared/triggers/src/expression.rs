//! CEL, compiled once at load and kept from hanging the handler.

use serde_json::Value;

use crate::scope::Scope;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
}

/// Why a text is no expression, or why it has no value for an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ExpressionError {
    /// What was expected and found; for a missing member the path and what exists there.
    pub(crate) message: String,
    /// Byte range within the expression's source.
    pub(crate) at: std::ops::Range<usize>,
    /// What to do.
    pub(crate) fix: Option<String>,
}

impl Expression {
    /// Parses, checks variables and functions by name, refuses what could run long.
    pub(crate) fn compile(source: &str) -> Result<Self, ExpressionError> {
        Ok(Self { source: source.to_owned() })
    }

    /// The member paths it reads: `["build", "branch"]`; for voucher and field checks at load.
    pub(crate) fn reads(&self) -> Vec<Vec<String>> {
        unimplemented!("expression {}", self.source)
    }

    /// Its value as JSON; CEL ints stay integers.
    pub(crate) fn evaluate(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        let _ = scope;
        unimplemented!("expression")
    }
}
