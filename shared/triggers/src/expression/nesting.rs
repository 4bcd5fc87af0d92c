//! Brackets and strings of CEL text, before it is parsed: where an expression inside `${…}` ends, and whether
//! brackets are nested deeper than the parser's recursion bears.

use super::ExpressionError;

/// Levels of brackets. The parser descends a dozen functions for each level, and a thread of an unoptimised
/// build overflows its stack before 20; nothing that people can review has so many.
const MAX_BRACKETS: usize = 12;

/// Refuses brackets that are nested too deep.
pub(super) fn check(source: &str) -> Result<(), ExpressionError> {
    let mut depth = 0_usize;
    for (at, byte) in code(source) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACKETS {
            return Err(ExpressionError {
                message: format!("brackets are nested deeper than {MAX_BRACKETS} levels"),
                at: at..at + 1,
                fix: Some("simplify the expression".to_owned()),
            });
        }
    }
    Ok(())
}

/// The offset of the `}` that ends an expression whose text starts `text`; `None` when nothing ends it.
pub(crate) fn end_of_expression(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in code(text) {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// The bytes that are code: neither in a string nor in a comment. A string that does not end hides the rest.
fn code(source: &str) -> impl Iterator<Item = (usize, u8)> {
    let bytes = source.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let byte = *bytes.get(at)?;
            match byte {
                b'"' | b'\'' => at = end_of_string(bytes, at)?,
                b'/' if bytes.get(at + 1) == Some(&b'/') => {
                    at += bytes[at..].iter().position(|byte| *byte == b'\n')?;
                }
                _ => {
                    at += 1;
                    return Some((at - 1, byte));
                }
            }
        }
    })
}

/// Past the string that starts with the quote at `start`: single or triple quotes, raw or with escapes.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = bytes[start];
    let raw = is_raw(bytes, start);
    let triple = bytes[start..].starts_with(&[quote, quote, quote]);
    let mut at = start + if triple { 3 } else { 1 };
    loop {
        let byte = *bytes.get(at)?;
        if byte == b'\\' && !raw {
            at += 2;
        } else if byte != quote {
            at += 1;
        } else if !triple {
            return Some(at + 1);
        } else if bytes[at..].starts_with(&[quote, quote, quote]) {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
}

/// Whether `r`, `R` or such a one beside `b` stands before the quote as a prefix, not as the end of a name.
fn is_raw(bytes: &[u8], quote: usize) -> bool {
    let letters =
        bytes[..quote].iter().rev().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let prefix = &bytes[quote - letters..quote];
    matches!(prefix, [b'r' | b'R'] | [b'b' | b'B', b'r' | b'R'] | [b'r' | b'R', b'b' | b'B'])
}
