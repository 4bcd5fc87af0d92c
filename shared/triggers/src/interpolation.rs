//! `${CEL}` inside strings.

use serde_json::Value;

use crate::{
    expression::{Expression, ExpressionError},
    scope::Scope,
};

/// A string with its `${…}` parts compiled. `$${` is a literal `${`.
#[derive(Debug)]
pub(crate) struct Interpolated {
    parts: Vec<Part>,
}

/// A piece of the string.
#[derive(Debug)]
pub(crate) enum Part {
    /// As written.
    Literal(String),
    /// A compiled `${…}`.
    Expression(Expression),
}

impl Interpolated {
    /// Finds and compiles the `${…}` of `text`; errors carry byte ranges within `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        let _ = text;
        unimplemented!("interpolation")
    }

    /// Whether it holds no expression.
    pub(crate) fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The parts, for the rules about what may stand where.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The value for an event: a string that is exactly one `${…}` keeps its type, anything else is text.
    pub(crate) fn render(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        let _ = scope;
        unimplemented!("interpolation")
    }
}
