//! Google's label rule, and `labelSafe` that makes a text fit it.
//!
//! Promises: what `check_key` and `check_value` accept, Vertex AI accepts; `label_safe` never gives a value
//! that `check_value` refuses. Does not: know which labels a launch carries.
//! Source: cloud.google.com/resource-manager/docs/labels-overview, "Requirements for labels": at most 63
//! characters and fewer than 128 bytes of `\p{Ll}\p{Lo}\p{N}_-`; keys are never empty and start with a letter.

use std::sync::LazyLock;

use regex::Regex;

/// Characters a key or value may have.
const MAX_CHARS: usize = 63;

/// Bytes a key or value may have. Several-byte letters reach this before they reach `MAX_CHARS`.
const MAX_BYTES: usize = 127;

/// Keys with this prefix are launchgate's own: a run is found again by them.
pub(crate) const OWN_PREFIX: &str = "launchgate-";

/// Vertex AI's server sets this key itself and overrides what a user gives.
pub(crate) const BILLING_KEY: &str = "vertex-ai-pipelines-run-billing-id";

static ALLOWED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[\p{Ll}\p{Lo}\p{N}_-]*$").expect("a constant pattern that the tests compile")
});

static LETTER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\p{Ll}\p{Lo}]").expect("a constant pattern that the tests compile"));

/// Checks a label key of the triggers file: Google's rule, and that it is not a reserved one.
///
/// # Errors
/// A sentence for people: what is wrong and what the rule asks for.
pub(crate) fn check_key(key: &str) -> Result<(), String> {
    if key.starts_with(OWN_PREFIX) {
        return Err(format!(
            "label key `{key}`: the prefix `{OWN_PREFIX}` is reserved for launchgate's own labels"
        ));
    }
    if key == BILLING_KEY {
        return Err(format!("label key `{key}` is set by Vertex AI itself"));
    }
    if key.is_empty() {
        return Err("a label key may not be empty".to_owned());
    }
    check_text(key).map_err(|fault| format!("label key `{}` {fault}", shown(key)))?;
    if !LETTER.is_match(key) {
        return Err(format!("label key `{key}` does not start with a lower-case letter"));
    }
    Ok(())
}

/// Checks a label value; the empty value is allowed.
///
/// # Errors
/// A sentence for people: what is wrong and what the rule asks for.
pub(crate) fn check_value(value: &str) -> Result<(), String> {
    check_text(value).map_err(|fault| format!("label value `{}` {fault}", shown(value)))
}

/// Makes any text a label value: lower-cases it, turns every character that a label may not have into `-`,
/// and cuts it. Different texts may become the same label.
pub(crate) fn label_safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(MAX_BYTES));
    let mut buffer = [0; 4];
    for (count, letter) in text.chars().flat_map(char::to_lowercase).enumerate() {
        let letter = if is_allowed(letter, &mut buffer) { letter } else { '-' };
        if count == MAX_CHARS || safe.len() + letter.len_utf8() > MAX_BYTES {
            break;
        }
        safe.push(letter);
    }
    safe
}

fn is_allowed(letter: char, buffer: &mut [u8; 4]) -> bool {
    match letter {
        'a'..='z' | '0'..='9' | '-' | '_' => true,
        _ => !letter.is_ascii() && ALLOWED.is_match(letter.encode_utf8(buffer)),
    }
}

fn check_text(text: &str) -> Result<(), String> {
    let mut buffer = [0; 4];
    if let Some(letter) = text.chars().find(|letter| !is_allowed(*letter, &mut buffer)) {
        return Err(format!(
            "has `{}`; a label has lower-case letters, digits, `-` and `_` only",
            letter.escape_debug()
        ));
    }
    let count = text.chars().count();
    if count > MAX_CHARS {
        return Err(format!("has {count} characters; a label has at most {MAX_CHARS}"));
    }
    if text.len() > MAX_BYTES {
        return Err(format!("has {} bytes in UTF-8; a label has at most {MAX_BYTES}", text.len()));
    }
    Ok(())
}

/// The start of a text for a message: values come from strangers and may be long.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_has_at_most_63_lower_case_letters_digits_dashes_and_underscores() {
        for good in ["", "a", "1", "-", "main", "v1_2-3", "größe", "日本語", &"x".repeat(63)] {
            assert_eq!(check_value(good), Ok(()), "{good}");
        }
        for bad in ["A", "a b", "a/b", "a.b", "ǅ", "e\u{301}", "a\n", &"x".repeat(64), &"日".repeat(43)] {
            assert!(check_value(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_starts_with_a_letter_and_is_not_reserved() {
        for good in ["team", "größe", "日本", "a1"] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
        for bad in ["", "1a", "-a", "_a", "Team", "launchgate-id", "vertex-ai-pipelines-run-billing-id"] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn label_safe_lower_cases_replaces_and_cuts() {
        assert_eq!(label_safe("Feature/ABC-1"), "feature-abc-1");
        assert_eq!(label_safe("GRÖSSE 1.5"), "grösse-1-5");
        assert_eq!(label_safe(&"X".repeat(99)), "x".repeat(63));
        assert_eq!(label_safe(&"日".repeat(99)), "日".repeat(42));
        assert_eq!(label_safe(""), "");
    }

    proptest! {
        #[test]
        fn label_safe_always_fits_and_changes_nothing_that_fits(text in "\\PC{0,200}") {
            let safe = label_safe(&text);
            prop_assert_eq!(check_value(&safe), Ok(()));
            prop_assert_eq!(label_safe(&safe), safe.clone());
            if check_value(&text).is_ok() {
                prop_assert_eq!(safe, text);
            }
        }
    }
}
