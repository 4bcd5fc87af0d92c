//! A template written as JSON: each member once, nothing after the end.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::TemplateError;

/// What came of reading a text as JSON.
pub(super) enum Read {
    /// It is JSON.
    Value(Value),
    /// It is JSON, but says something twice.
    Refused(TemplateError),
    /// It is something else; YAML perhaps.
    NotJson,
}

/// Reads a text that starts like a JSON object. Nesting is bounded by the parser's own limit of 127.
pub(super) fn read(text: &str) -> Read {
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return Read::NotJson;
    }
    let twice = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let value =
        Strict { twice: &twice }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match (value, twice.into_inner()) {
        (Ok(value), _) => Read::Value(value),
        (Err(error), Some(name)) => Read::Refused(TemplateError::new(format!(
            "the member `{name}` stands twice (line {}, column {})",
            error.line(),
            error.column()
        ))),
        (Err(_), None) => Read::NotJson,
    }
}

/// `serde_json` alone keeps the last of two equal members; another reader may keep the first.
#[derive(Clone, Copy)]
struct Strict<'a> {
    twice: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                *self.twice.borrow_mut() = Some(name);
                return Err(serde::de::Error::custom("twice"));
            }
            members.insert(name, object.next_value_seed(self)?);
        }
        Ok(Value::Object(members))
    }
}
