//! CEL, compiled once at load and kept from hanging the handler.
//!
//! Promises: an `Expression` names only variables, members and functions that exist, reads no clock, and ends
//! soon whatever an event holds; a value that an event lacks is an error, never an empty text.
//! Types are checked before there are values as far as they are certain (the language's own checker does not
//! exist in Rust). Does not: know who may read what (`reads` tells the caller).

mod environment;
mod fault;
mod guard;
mod nesting;
mod result;
mod types;
mod version;

use cel::{Context, ExecutionError, Program};
use serde_json::Value;

use self::{environment::ENVIRONMENT, guard::Read};
pub(crate) use self::{nesting::end_of_expression, types::Type};
use crate::scope::{Missing, Scope, TooLarge};

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
    program: Program,
    /// What it reads, in the order of the text.
    reads: Vec<Read>,
    /// The whole expression is one path, such as `artifact.uri`: its value is taken as it is.
    is_path: bool,
    certain_type: Option<Type>,
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

/// Bytes an expression may have. Reviewed lines are far shorter; everything else here is bounded by it.
const MAX_BYTES: usize = 4096;

impl Expression {
    /// Parses, checks variables and functions by name, refuses what could run long.
    pub(crate) fn compile(source: &str) -> Result<Self, ExpressionError> {
        let whole = 0..source.len();
        if source.trim().is_empty() {
            return Err(ExpressionError {
                message: "the expression is empty".to_owned(),
                at: whole,
                fix: None,
            });
        }
        if source.len() > MAX_BYTES {
            return Err(ExpressionError {
                message: format!("the expression has {} bytes, at most {MAX_BYTES} are read", source.len()),
                at: whole,
                fix: Some("split the trigger, or compute the value in the build".to_owned()),
            });
        }
        nesting::check(source)?;
        let program = ENVIRONMENT.compile(source).map_err(|errors| fault::parse(source, &errors))?;
        let guard::Guarded { reads, is_path, certain_type } = guard::check(source, &program)?;
        Ok(Self { source: source.to_owned(), program, reads, is_path, certain_type })
    }

    /// The type of its value, when it is the same for every event.
    pub(crate) fn certain_type(&self) -> Option<Type> {
        self.certain_type
    }

    /// The member paths it reads: `["build", "branch"]`; for voucher and field checks at load. A path may end
    /// early, at `["build"]`, when the member is only known with an event (`build[x]`).
    pub(crate) fn reads(&self) -> Vec<Vec<String>> {
        self.reads.iter().map(|read| read.path.clone()).collect()
    }

    /// The text as written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Its value as JSON; CEL ints stay integers.
    pub(crate) fn evaluate(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        if self.is_path {
            let read = &self.reads[0];
            return scope.get(&read.path).map_err(|missing| missing_error(read, &missing));
        }
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.set_variable_resolver(scope);
        let value = cel::Value::resolve_val(self.program.expression(), &context);
        let value = value.map_err(|error| self.explain(&error, scope))?;
        result::to_json(&*value).map_err(|message| self.error(message, None))
    }

    /// The engine names only the last member of a path that is missing; people need the whole of it.
    fn explain(&self, error: &ExecutionError, scope: &Scope) -> ExpressionError {
        if let ExecutionError::NoSuchKey(key) = error {
            for read in self.reads.iter().filter(|read| !read.only_tested) {
                if let Err(missing) = scope.get(&read.path)
                    && read.path.get(missing.depth).is_some_and(|name| *name == **key)
                {
                    return missing_error(read, &missing);
                }
            }
            return self.error(format!("there is no member `{}`", result::shown(key)), None);
        }
        // What the engine says of such a value names another type, or nothing at all.
        let too_large = |read: &&Read| scope.get(&read.path).is_ok_and(|value| TooLarge::stands_for(&value));
        if let Some(read) = self.reads.iter().find(too_large) {
            let message = format!("`{}`: {TooLarge}", read.path.join("."));
            let fix = Some("pass it on whole, as `${…}` alone, or compute with it in the build".to_owned());
            return ExpressionError { message, at: read.at.clone(), fix };
        }
        self.error(fault::execution(error), fault::execution_fix(error))
    }

    fn error(&self, message: String, fix: Option<String>) -> ExpressionError {
        ExpressionError { message, at: 0..self.source.len(), fix }
    }
}

fn missing_error(read: &Read, missing: &Missing) -> ExpressionError {
    let path = read.path[..=missing.depth.min(read.path.len() - 1)].join(".");
    let parent = read.path[..missing.depth].join(".");
    let exists = if missing.exist.is_empty() {
        format!("`{parent}` has no members here")
    } else {
        format!("`{parent}` has {}", missing.exist.join(", "))
    };
    let of_identity = read.path.first().is_some_and(|root| root == "identity");
    let why = if of_identity {
        "no token or certificate of a permitted signer says it"
    } else if missing.unvouched {
        "the trigger's signers do not vouch for it"
    } else if missing.scalar {
        "there are no members inside a plain value"
    } else {
        "the event does not have it"
    };
    let fix = if of_identity {
        format!("guard it with `has({path})`, or have the build's token ask for the claim")
    } else if missing.unvouched && missing.claimed {
        format!(
            "permit a signer that vouches for it; in parameters, `claimed.{path}` reads the job's own word"
        )
    } else {
        format!("guard it with `has({path})`, or let the build send it")
    };
    ExpressionError {
        message: format!("`{path}` has no value: {why}; {exists}"),
        at: read.at.clone(),
        fix: Some(fix),
    }
}

#[cfg(test)]
mod tests;
