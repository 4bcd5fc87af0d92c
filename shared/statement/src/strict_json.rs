//! JSON that two readers cannot read differently.
//!
//! Promises: each member once, nothing after the end, bounded depth, integers exact. Does not: know any
//! schema.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// Why a text is not strict JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum JsonError {
    #[error("not JSON: {0}")]
    Syntax(String),
    #[error("the member `{name}` stands twice (line {line}, column {column})")]
    DuplicateMember { name: String, line: usize, column: usize },
    #[error("nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("the integer {digits} does not fit 64 bits and would be rounded silently; write it as text")]
    IntegerTooLarge { digits: String },
    #[error("expected one JSON object, found {found}")]
    NotAnObject { found: &'static str },
}

/// Reads exactly one JSON object in UTF-8: no member twice, no trailing data, at most `depth` levels,
/// no integer that a double would change silently.
///
/// `serde_json` alone keeps the last of two equal members, so a verifier and a launcher could read two
/// different events out of one signed text.
pub fn parse_object(bytes: &[u8], depth: usize) -> Result<Map<String, Value>, JsonError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError::Syntax(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    let notes = RefCell::new(Notes { refusal: None, rounded: false });
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Strict { left: depth, limit: depth, notes: &notes }.deserialize(&mut reader);
    let value = read.and_then(|value| reader.end().map(|()| value));
    let Notes { refusal, rounded } = notes.into_inner();
    let value = value.map_err(|error| placed(refusal, &error))?;
    if rounded && let Some(digits) = oversized_integer(text) {
        return Err(JsonError::IntegerTooLarge { digits });
    }
    match value {
        Value::Object(members) => Ok(members),
        other => Err(JsonError::NotAnObject { found: kind(&other) }),
    }
}

/// What a JSON value is, in a reader's words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What the visitors saw beside the value: serde's errors carry text only.
struct Notes {
    refusal: Option<JsonError>,
    /// Some number came as a double beyond 64-bit integers; was it written as an integer?
    rounded: bool,
}

/// What the visitors refused, with the place that only the reader's own error knows.
fn placed(refusal: Option<JsonError>, error: &serde_json::Error) -> JsonError {
    match refusal {
        Some(JsonError::DuplicateMember { name, .. }) => {
            JsonError::DuplicateMember { name, line: error.line(), column: error.column() }
        }
        Some(refusal) => refusal,
        None => JsonError::Syntax(error.to_string()),
    }
}

#[derive(Clone, Copy)]
struct Strict<'n> {
    left: usize,
    limit: usize,
    notes: &'n RefCell<Notes>,
}

impl<'n> Strict<'n> {
    /// The reader of what lies one level deeper; an empty container is a level too.
    fn inner<E: de::Error>(self) -> Result<Strict<'n>, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Strict { left, limit: self.limit, notes: self.notes }),
            None => Err(self.refuse(JsonError::TooDeep { limit: self.limit })),
        }
    }

    fn refuse<E: de::Error>(self, refusal: JsonError) -> E {
        let error = E::custom(&refusal);
        self.notes.borrow_mut().refusal = Some(refusal);
        error
    }
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
        f.write_str("a JSON value")
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

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // 2^63; only from here on can an integer literal have become a double.
        if value.abs() >= 9_223_372_036_854_775_808.0 {
            self.notes.borrow_mut().rounded = true;
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            match map.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(members.next_value_seed(inner)?);
                }
                Entry::Occupied(place) => {
                    let name = place.key().clone();
                    return Err(self.refuse(JsonError::DuplicateMember { name, line: 0, column: 0 }));
                }
            }
        }
        Ok(Value::Object(map))
    }
}

/// The first integer literal of a valid JSON text that fits neither `i64` nor `u64`.
fn oversized_integer(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &text[at..];
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
                let literal = &rest[..end.unwrap_or(rest.len())];
                let integer = !literal.contains(['.', 'e', 'E']);
                if integer && literal.parse::<i64>().is_err() && literal.parse::<u64>().is_err() {
                    return Some(literal.chars().take(64).collect());
                }
                at += literal.len();
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_where_it_stands_also_when_escaped_or_deep() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"x":[{"a":1,"b":{},"a":null}]}"#] {
            let error = parse_object(text.as_bytes(), 64).unwrap_err();
            assert!(
                matches!(&error, JsonError::DuplicateMember { name, .. } if name == "a"),
                "{text}: {error}"
            );
        }
        let place = parse_object(b"{\n \"a\": 1,\n \"a\": 2}", 64).unwrap_err();
        assert!(matches!(place, JsonError::DuplicateMember { line: 3, .. }), "{place:?}");
    }

    #[test]
    fn one_object_and_nothing_else_is_read() {
        for (text, said) in [
            ("", "not JSON"),
            ("{} {}", "not JSON"),
            ("{}x", "not JSON"),
            ("\u{feff}{}", "not JSON"),
            ("{\"a\":1,}", "not JSON"),
            ("{'a':1}", "not JSON"),
            ("{\"a\":NaN}", "not JSON"),
            ("{\"a\":1e999}", "not JSON"),
            ("{\"a\":\"\\ud800\"}", "not JSON"),
            ("[]", "found an array"),
            ("null", "found null"),
            ("\"{}\"", "found a string"),
            ("7", "found a number"),
        ] {
            let error = parse_object(text.as_bytes(), 64).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}", 64).unwrap_err().to_string().contains("UTF-8"));
        assert!(parse_object(b" \r\n{} \t", 64).unwrap().is_empty());
    }

    #[test]
    fn depth_is_counted_in_containers() {
        assert!(parse_object(br#"{"a":[1]}"#, 2).is_ok());
        assert_eq!(parse_object(br#"{"a":[{}]}"#, 2), Err(JsonError::TooDeep { limit: 2 }));
        assert_eq!(parse_object(br#"{"a":[[]]}"#, 2), Err(JsonError::TooDeep { limit: 2 }));
        assert_eq!(parse_object(b"{}", 0), Err(JsonError::TooDeep { limit: 0 }));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse_object(deep.as_bytes(), 64), Err(JsonError::TooDeep { limit: 64 }));
    }

    #[test]
    fn an_integer_keeps_every_digit_or_is_refused() {
        let exact =
            parse_object(br#"{"a":18446744073709551615,"b":-9223372036854775808,"c":9007199254740993}"#, 9);
        let exact = exact.unwrap();
        assert_eq!(exact["a"].as_u64(), Some(u64::MAX));
        assert_eq!(exact["b"].as_i64(), Some(i64::MIN));
        assert_eq!(exact["c"].as_i64(), Some(9_007_199_254_740_993));

        for text in ["18446744073709551616", "-9223372036854775809", "100000000000000000000000"] {
            let error = parse_object(format!(r#"{{"x":"\"1","a":[1.5,{text}]}}"#).as_bytes(), 9).unwrap_err();
            assert_eq!(error, JsonError::IntegerTooLarge { digits: text.to_owned() });
        }
        // Written as a double, or as text, it means what it says.
        for text in ["18446744073709551616", "-118446744073709551616", r#"\"118446744073709551616"#] {
            let text = format!(r#"{{"a":1e30,"b":18446744073709551616.0,"c":"{text}"}}"#);
            assert!(parse_object(text.as_bytes(), 9).is_ok(), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e15..1e15f64).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_object(&bytes, 8);
        }

        #[test]
        fn almost_json_never_panics_and_is_read_as_serde_json_reads_it(text in r#"[\{\}\[\]",:0-9eE.\\a-c -]{0,40}"#) {
            if let Ok(members) = parse_object(text.as_bytes(), 64) {
                prop_assert_eq!(Value::Object(members), serde_json::from_str::<Value>(&text).unwrap());
            }
        }

        #[test]
        fn without_duplicates_it_reads_what_serde_json_reads(value in any_json(), pretty in any::<bool>()) {
            let whole = serde_json::json!({ "v": value });
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) };
            let text = text.unwrap();
            prop_assert_eq!(
                parse_object(text.as_bytes(), 64).map(Value::Object).unwrap(),
                serde_json::from_str::<Value>(&text).unwrap()
            );
        }
    }
}
