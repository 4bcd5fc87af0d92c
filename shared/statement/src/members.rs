//! The members of one JSON object of a statement, read with their path at hand.
//!
//! Promises: a member of the wrong type is an error that names its whole path; null, and for texts `""`,
//! mean absent, as in-toto's own JSON form has it. Does not: refuse members it is not asked for.

use std::fmt;

use launchgate_outcome::Reason;
use serde_json::{Map, Value};

use crate::StatementError;
use crate::strict_json::kind;

/// A JSON object and the way to it.
#[derive(Clone, Copy)]
pub(crate) struct Members<'p, 'm> {
    name: &'p str,
    parent: Option<&'p Members<'p, 'm>>,
    map: &'m Map<String, Value>,
}

impl<'p, 'm> Members<'p, 'm> {
    /// The members of `map`, which stands at `name`.
    pub(crate) fn of(name: &'p str, map: &'m Map<String, Value>) -> Self {
        Self { name, parent: None, map }
    }

    /// The object `name`, which must be there.
    pub(crate) fn object(&'p self, name: &'p str) -> Result<Members<'p, 'm>, StatementError> {
        self.optional_object(name)?.ok_or_else(|| self.shape(name, "an object"))
    }

    /// The object `name`; absent or null is `None`.
    pub(crate) fn optional_object(
        &'p self,
        name: &'p str,
    ) -> Result<Option<Members<'p, 'm>>, StatementError> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Members { name, parent: Some(self), map })),
            Some(_) => Err(self.shape(name, "an object")),
        }
    }

    /// The text `name`, which must be there and not be empty.
    pub(crate) fn text(&self, name: &str) -> Result<&'m str, StatementError> {
        self.optional_text(name)?.ok_or_else(|| self.shape(name, "a text"))
    }

    /// The text `name`; absent, null or `""` is `None`.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&'m str>, StatementError> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.shape(name, "a text")),
        }
    }

    /// The list `name`; absent or null is empty.
    pub(crate) fn list(&self, name: &str) -> Result<&'m [Value], StatementError> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(self.shape(name, "a list")),
        }
    }

    /// The member `name` as it stands; null is `None`.
    pub(crate) fn value(&self, name: &str) -> Option<&'m Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// The error that the member `name` is not what it has to be.
    pub(crate) fn shape(&self, name: &str, expected: &str) -> StatementError {
        let found = match self.map.get(name) {
            None => "nothing".to_owned(),
            Some(Value::String(text)) => format!("`{}`", excerpt(text)),
            Some(Value::Number(number)) => number.to_string(),
            Some(value) => kind(value).to_owned(),
        };
        shape(format!("expected `{self}.{name}` to be {expected}, found {found}"))
    }
}

impl fmt::Display for Members<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent {
            Some(parent) => write!(f, "{parent}.{}", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// A `statement_shape` error.
pub(crate) fn shape(message: String) -> StatementError {
    StatementError { reason: Reason::StatementShape, message }
}

/// The start of a text that a stranger chose, short enough for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
