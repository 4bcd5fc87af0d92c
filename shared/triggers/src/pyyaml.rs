//! Plain YAML scalars as `PyYAML` resolves them: the reading KFP's own tool meant.
//!
//! Promises: the same type and value as `yaml.safe_load` of `PyYAML` 6 for every scalar that JSON can hold;
//! `tests/vectors/pyyaml/scalars.json` holds what the real one says. Does not: read documents (see `template`).
//! Two readings differ on purpose: a date stays the text it is written as (JSON has no dates, and where KFP
//! writes one plain, a text is meant), and infinities, NaN and integers beyond 64 bits are errors.
//! Source: `PyYAML` `resolver.py`, `constructor.py` (YAML 1.1 types).

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Number, Value};

/// Why a scalar has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ScalarError(String);

/// What a plain scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, and dates, which stay text.
    Text,
    /// `yes`, `no`, `on`, `off`, `true`, `false` in three spellings each.
    Boolean,
    /// Decimal, `0x`, `0b`, octal by leading zero, base 60 by colons.
    Integer,
    /// With a dot; an exponent needs a sign.
    Float,
    /// Empty, `~`, `null`.
    Null,
    /// `<<`, which as a key merges mappings.
    Merge,
}

/// The patterns in the order in which `PyYAML` asks them; the first that fits decides.
static RESOLVERS: LazyLock<[(Kind, Regex); 5]> = LazyLock::new(|| {
    let pattern = |text: &str| Regex::new(text).expect("a constant pattern that the tests compile");
    [
        (
            Kind::Boolean,
            pattern("^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
        ),
        (
            Kind::Float,
            pattern(concat!(
                r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?",
                r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?",
                r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*",
                r"|[-+]?\.(?:inf|Inf|INF)",
                r"|\.(?:nan|NaN|NAN))$",
            )),
        ),
        (
            Kind::Integer,
            pattern(concat!(
                r"^(?:[-+]?0b[0-1_]+",
                r"|[-+]?0[0-7_]+",
                r"|[-+]?(?:0|[1-9][0-9_]*)",
                r"|[-+]?0x[0-9a-fA-F_]+",
                r"|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
            )),
        ),
        (Kind::Merge, pattern("^<<$")),
        (Kind::Null, pattern("^(?:~|null|Null|NULL|)$")),
    ]
});

/// What `PyYAML` takes a plain scalar for.
pub(crate) fn kind_of(text: &str) -> Kind {
    // Most plain scalars are words that no pattern can fit: PyYAML, too, asks by the first character.
    let asks = text.bytes().next().is_none_or(|first| b"yYnNtTfFoO-+0123456789.<~".contains(&first));
    if !asks {
        return Kind::Text;
    }
    RESOLVERS.iter().find(|(_, pattern)| pattern.is_match(text)).map_or(Kind::Text, |(kind, _)| *kind)
}

/// The value of a plain scalar.
///
/// # Errors
/// `.inf`, `.nan`, integers beyond 64 bits, `=` and digits that `PyYAML` itself stumbles over (`0x_`).
pub(crate) fn plain(text: &str) -> Result<Value, ScalarError> {
    if text == "=" {
        return Err(ScalarError(
            "a plain `=` is YAML 1.1's default-value mark, which has no value; quote it".to_owned(),
        ));
    }
    typed(kind_of(text), text)
}

/// The value of a text read as `kind`, as an explicit tag asks.
pub(crate) fn typed(kind: Kind, text: &str) -> Result<Value, ScalarError> {
    match kind {
        Kind::Merge => Err(ScalarError("a plain `<<` merges mappings and has no value; quote it".to_owned())),
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Null => Ok(Value::Null),
        Kind::Boolean => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Ok(Value::Bool(true)),
            "no" | "false" | "off" => Ok(Value::Bool(false)),
            _ => Err(ScalarError(format!("`{text}` is no boolean"))),
        },
        Kind::Integer => integer(text),
        Kind::Float => float(text),
    }
}

fn integer(text: &str) -> Result<Value, ScalarError> {
    let digits = text.replace('_', "");
    let (negative, digits) = sign(&digits);
    let magnitude = if let Some(bits) = digits.strip_prefix("0b") {
        i128::from_str_radix(bits, 2).ok()
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i128::from_str_radix(hex, 16).ok()
    } else if digits.len() > 1 && digits.starts_with('0') {
        i128::from_str_radix(digits, 8).ok()
    } else {
        digits.split(':').try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
    };
    let value = magnitude.map(|magnitude| if negative { -magnitude } else { magnitude });
    let number = value.and_then(|value| {
        i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from)).ok()
    });
    number.map(Value::Number).ok_or_else(|| {
        ScalarError(format!("`{text}` reads as an integer that does not fit 64 bits; quote it if it is text"))
    })
}

fn float(text: &str) -> Result<Value, ScalarError> {
    let digits = text.replace('_', "").to_ascii_lowercase();
    let (negative, digits) = sign(&digits);
    // Horner's rule rounds otherwise than PyYAML's sum from the right; this must be its sum.
    let mut base = 1.0;
    let mut magnitude = 0.0;
    for part in digits.rsplit(':') {
        let Ok(part) = part.parse::<f64>() else {
            return Err(ScalarError(format!("`{text}` is no number")));
        };
        magnitude = if digits.contains(':') { magnitude + part * base } else { part };
        base *= 60.0;
    }
    let value = if negative { -magnitude } else { magnitude };
    let number =
        if digits.starts_with(".inf") || digits.starts_with(".nan") { None } else { Number::from_f64(value) };
    number.map(Value::Number).ok_or_else(|| {
        ScalarError(format!(
            "`{text}` reads as an infinity or NaN, which JSON cannot hold; quote it if it is text"
        ))
    })
}

fn sign(digits: &str) -> (bool, &str) {
    match digits.as_bytes().first() {
        Some(b'-') => (true, &digits[1..]),
        Some(b'+') => (false, &digits[1..]),
        _ => (false, digits),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// What the real `PyYAML` says of each scalar; `tests/vectors/pyyaml/README.md` says how it was made.
    const SCALARS: &str = include_str!("../../../tests/vectors/pyyaml/scalars.json");

    #[test]
    fn every_scalar_reads_as_pyyaml_reads_it() {
        let vectors: Value = serde_json::from_str(SCALARS).unwrap();
        let scalars = vectors["scalars"].as_array().unwrap();
        assert!(scalars.len() > 150);
        for scalar in scalars {
            let text = scalar["text"].as_str().unwrap();
            let found = plain(text);
            let expected = &scalar["value"];
            match scalar["type"].as_str().unwrap() {
                "date" => assert_eq!(found, Ok(Value::String(text.to_owned())), "{text}"),
                "error" | "infinity" | "nan" | "big" => assert!(found.is_err(), "{text}: {found:?}"),
                // The value is the double's own bits, so that no JSON reader can blur the comparison.
                "float" => {
                    let bits = u64::from_str_radix(expected.as_str().unwrap(), 16).unwrap();
                    let found = found.unwrap();
                    assert!(found.is_f64(), "{text}");
                    assert_eq!(found.as_f64().unwrap().to_bits(), bits, "{text}");
                }
                "int" => {
                    let found = found.unwrap();
                    assert!(found.is_i64() || found.is_u64(), "{text}: {found}");
                    assert_eq!(found.to_string(), expected.as_str().unwrap(), "{text}");
                }
                _ => assert_eq!(found.as_ref(), Ok(expected), "{text}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_scalar_panics(text in "[-+0-9a-fxob_.:eE~<=yYnN]{0,12}|\\PC{0,20}") {
            let _ = plain(&text);
        }

        #[test]
        fn what_is_read_as_a_number_starts_like_one(text in "\\PC{1,20}") {
            if plain(&text).is_ok_and(|value| value.is_number()) {
                prop_assert!(text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)));
            }
        }
    }
}
