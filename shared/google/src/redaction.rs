//! Keeps secrets and floods out of what others say before it is logged, stored or shown.

/// Characters of somebody else's text that are kept; enough for Google's longest known error.
const KEPT: usize = 2000;

/// The text, bounded, with everything that looks like a token replaced.
///
/// Servers echo what they were sent, some of them with the token in it.
pub(crate) fn redacted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(KEPT));
    let mut word = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == KEPT {
            word.push('…');
            break;
        }
        if is_token_character(c) {
            word.push(c);
        } else {
            push_word(&mut kept, &word);
            word.clear();
            kept.push(if c.is_control() { ' ' } else { c });
        }
    }
    push_word(&mut kept, &word);
    kept
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn push_word(kept: &mut String, word: &str) {
    // Google's access tokens begin with `ya29.`, JWTs with the base64 of `{"`, refresh tokens with `1//`
    // (cut into words here, hence the length rule).
    let is_token = word.starts_with("ya29.") || (word.starts_with("eyJ") && word.len() > 40);
    kept.push_str(if is_token { "[token]" } else { word });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced_and_everything_else_is_kept() {
        let jwt = format!("eyJhbGciOiJSUzI1NiJ9.{}.sig-_", "e".repeat(60));

        let shown = redacted(&format!("bad token <ya29.a0-Secret_x>, or {jwt} (see a.b-c_d)\u{1b}[31m"));

        assert_eq!(shown, "bad token <[token]>, or [token] (see a.b-c_d) [31m");
    }

    #[test]
    fn a_flood_is_cut() {
        assert!(redacted(&"x y ".repeat(5000)).chars().count() <= KEPT + 1);
    }
}
