//! JSON as CEL values that borrow their texts.

use std::{any::Any, collections::HashMap, fmt};

use cel::common::{
    types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, Type},
    value::{CowVal, StaticVal, Val},
};
use serde_json::{Map, Number, Value};

/// Items a list or members a mapping may have to be computed with: a macro inside an operator is quadratic.
const MAX_ITEMS: usize = 1_000;

/// Bytes a text may have to be computed with.
const MAX_TEXT: usize = 16 * 1024;

/// Stands for a value that is too large to compute with: no function or operator takes it, so that what it
/// meets is an error with this type's name in it. Whole, as `${artifact.annotations.files}`, it can be passed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

impl TooLarge {
    /// Whether expressions see this in the place of `value`.
    pub(crate) fn stands_for(value: &Value) -> bool {
        match value {
            Value::String(text) => text.len() > MAX_TEXT,
            Value::Array(items) => items.len() > MAX_ITEMS,
            Value::Object(members) => members.len() > MAX_ITEMS,
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

static TOO_LARGE: Type =
    Type::new_unspecified_type("value too large for expressions (over 1000 items or 16384 bytes)");

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value has over {MAX_ITEMS} items or {MAX_TEXT} bytes, too many for an expression")
    }
}

impl Val for TooLarge {
    fn get_type(&self) -> &Type {
        &TOO_LARGE
    }

    fn cel_type() -> &'static Type {
        &TOO_LARGE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for TooLarge {}

/// A plain value; `None` for lists and mappings.
pub(super) fn scalar(value: &Value) -> Option<CowVal<'_, '_>> {
    match value {
        Value::Array(_) | Value::Object(_) => None,
        plain => Some(CowVal::Owned(boxed(plain))),
    }
}

/// Any value.
pub(super) fn boxed<'v>(value: &'v Value) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => numeric(number),
        value if TooLarge::stands_for(value) => Box::new(TooLarge),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(boxed).collect::<Vec<_>>())),
        Value::Object(members) => Box::new(object(members)),
    }
}

/// A mapping, whatever its size.
pub(super) fn object(members: &Map<String, Value>) -> CelMap<'_> {
    map_of(members.iter().map(|(name, value)| (name.as_str(), boxed(value))))
}

/// A mapping of named values.
pub(super) fn map_of<'v>(members: impl IntoIterator<Item = (&'v str, Box<dyn Val + 'v>)>) -> CelMap<'v> {
    let members = members.into_iter().map(|(name, value)| (CelMapKey::from(name), value));
    CelMap::from(members.collect::<HashMap<_, _>>())
}

/// A text.
pub(super) fn text(text: &str) -> CowVal<'_, '_> {
    CowVal::Owned(text_value(text))
}

/// A text of its own.
pub(super) fn owned_text<'v>(text: &str) -> Box<dyn Val + 'v> {
    if text.len() > MAX_TEXT { Box::new(TooLarge) } else { Box::new(CelString::from(text.to_owned())) }
}

/// An int, unless it is beyond CEL's ints.
pub(super) fn unsigned<'b>(value: u64) -> CowVal<'b, 'b> {
    match i64::try_from(value) {
        Ok(value) => CowVal::owned(CelInt::from(value)),
        Err(_) => CowVal::owned(CelUInt::from(value)),
    }
}

fn text_value(text: &str) -> Box<dyn Val + '_> {
    if text.len() > MAX_TEXT { Box::new(TooLarge) } else { Box::new(CelString::from(text)) }
}

fn numeric<'v>(number: &Number) -> Box<dyn Val + 'v> {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), ..) => Box::new(CelInt::from(value)),
        (None, Some(value), _) => Box::new(CelUInt::from(value)),
        (None, None, Some(value)) => Box::new(CelDouble::from(value)),
        (None, None, None) => Box::new(CelNull),
    }
}
