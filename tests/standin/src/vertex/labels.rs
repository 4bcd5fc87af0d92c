//! Google's rule for labels.

use serde_json::Value;

use crate::google_error::GoogleError;

/// The server's own text says fewer than 64 characters.
const LONGEST: usize = 63;
/// UTF-8 bytes of a key or value.
const LONGEST_BYTES: usize = 128;
/// The general Google Cloud figure for user labels on one resource.
const MOST: usize = 64;

/// Written by the service; whatever a user sends under it is overridden.
pub(crate) const BILLING_ID: &str = "vertex-ai-pipelines-run-billing-id";

pub(crate) fn check(labels: &Value) -> Result<(), GoogleError> {
    let Some(labels) = labels.as_object() else {
        return Ok(());
    };
    if labels.len() > MOST {
        return Err(GoogleError::invalid(&format!(
            "Too many labels: {}. At most {MOST} are allowed.",
            labels.len()
        )));
    }
    for (key, value) in labels {
        let value = value.as_str().unwrap_or_default();
        if !(fits(key) && key.chars().next().is_some_and(is_lower_letter)) {
            return Err(refused(&format!("key '{key}'")));
        }
        if !fits(value) {
            return Err(refused(&format!("value '{value}' of key '{key}'")));
        }
    }
    Ok(())
}

fn refused(what: &str) -> GoogleError {
    GoogleError::invalid(&format!(
        "Invalid label {what}. Label keys and values must have fewer than 64 characters and may only contain lowercase letters, numeric characters, underscores and dashes. Keys must start with a lowercase letter."
    ))
}

fn fits(text: &str) -> bool {
    text.chars().count() <= LONGEST
        && text.len() <= LONGEST_BYTES
        && text.chars().all(|c| is_lower_letter(c) || c.is_numeric() || c == '-' || c == '_')
}

/// Lower-case letters of any script; scripts without case count as lower-case.
fn is_lower_letter(c: char) -> bool {
    c.is_alphabetic() && !c.is_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_and_values_keep_to_googles_alphabet_and_length() {
        let at_most = "a".repeat(63);
        let too_long = "a".repeat(64);
        for good in [
            json!({"team": ""}),
            json!({"team": "vision-2_b"}),
            json!({&at_most: &at_most}),
            json!({"größe": "日本"}),
            json!({"a": "1"}),
        ] {
            assert!(check(&good).is_ok(), "{good}");
        }
        for bad in [
            json!({"Team": "x"}),
            json!({"team": "X"}),
            json!({"team": "a b"}),
            json!({"team": "a.b"}),
            json!({"": "x"}),
            json!({"1a": "x"}),
            json!({"-a": "x"}),
            json!({&too_long: "x"}),
            json!({"team": &too_long}),
            json!({"team": "日".repeat(43)}),
        ] {
            assert!(check(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_than_64_labels_are_refused() {
        let of = |count: usize| Value::Object((0..count).map(|n| (format!("k{n}"), json!("v"))).collect());

        assert!(check(&of(64)).is_ok());
        assert!(check(&of(65)).is_err());
    }
}
