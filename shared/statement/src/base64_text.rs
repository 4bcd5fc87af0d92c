//! Base64 as DESIGN §2 reads it: either alphabet, never both in one text, exact padding, no whitespace.
//!
//! Promises: two different texts of one alphabet never decode to the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Decodes `text`; the error says what is wrong with it, not where the text came from.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    // Both engines ask for canonical padding and zero trailing bits; the other alphabet's characters are
    // plain errors to each, which is what refuses a mixture.
    let decoded = STANDARD.decode(text).or_else(|error| URL_SAFE.decode(text).map_err(|_| error));
    decoded.map_err(|error| {
        let has = |alphabet: [char; 2]| text.contains(alphabet);
        if has(['+', '/']) && has(['-', '_']) {
            "both base64 alphabets in one text".to_owned()
        } else if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            "whitespace in base64".to_owned()
        } else {
            format!("not base64: {error}")
        }
    })
}

/// Encodes in the standard alphabet, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_way_of_writing_it_wrongly_is_named() {
        for (text, said) in [
            ("+_8=", "both"),
            ("-/8=", "both"),
            ("aGk=\n", "whitespace"),
            ("aG k=", "whitespace"),
            ("aGk", "not base64"),
            ("a/k", "not base64"),
            ("a_k", "not base64"),
            ("aGk==", "not base64"),
            ("aGl=", "not base64"),
            ("a===", "not base64"),
            ("=", "not base64"),
            ("%%%", "not base64"),
            ("aGk=aGk=", "not base64"),
        ] {
            let error = decode(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn both_alphabets_give_the_bytes_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(&decode(&encode(&bytes)).unwrap(), &bytes);
            prop_assert_eq!(&decode(&URL_SAFE.encode(&bytes)).unwrap(), &bytes);
        }

        #[test]
        fn what_is_accepted_is_the_one_text_for_its_bytes(text in "[A-Za-z0-9+/_=\n-]{0,12}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert!(text == STANDARD.encode(&bytes) || text == URL_SAFE.encode(&bytes));
            }
        }
    }
}
