//! The engine's errors in words for people, with byte ranges.

use cel::{ExecutionError, ParseErrors};

use super::{ExpressionError, result::shown};

/// The first of a parser's errors.
pub(super) fn parse(source: &str, errors: &ParseErrors) -> ExpressionError {
    let Some(error) = errors.errors.first() else {
        return ExpressionError {
            message: "this is no CEL expression".to_owned(),
            at: 0..source.len(),
            fix: None,
        };
    };
    let at = offset(source, error.pos);
    let said = error.msg.trim_start_matches("Syntax error: ");
    let message = if let Some(token) = quoted(said, "token recognition error at: ") {
        format!("`{}` is nothing that CEL knows; is a quote missing?", shown(token))
    } else if let Some(token) =
        quoted(said, "mismatched input ").or_else(|| quoted(said, "extraneous input "))
    {
        if token == "<EOF>" {
            "the expression ends too early".to_owned()
        } else {
            format!("unexpected `{}`", shown(token))
        }
    } else {
        shown(&said.replace("'<EOF>'", "the end"))
    };
    let end = source[at..].chars().next().map_or(at, |letter| at + letter.len_utf8());
    ExpressionError { message, at: at..end, fix: None }
}

/// The token between the quotes after `prefix`.
fn quoted<'a>(said: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = said.strip_prefix(prefix)?.strip_prefix('\'')?;
    Some(
        rest.split_once("' expecting")
            .map_or_else(|| rest.strip_suffix('\'').unwrap_or(rest), |(token, _)| token),
    )
}

/// The parser counts lines from 1 and columns in characters from 1; of its nonsense the end is made.
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let (Ok(line), Ok(column)) = (usize::try_from(line - 1), usize::try_from(column - 1)) else {
        return source.len();
    };
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.chars().take(column).map(char::len_utf8).sum::<usize>()
}

/// What went wrong with an event's values. They are a stranger's, so little of them is shown.
pub(super) fn execution(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(error) => shown(&error.to_string()),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` does not take {} and {}", left.type_of(), right.type_of())
        }
        ExecutionError::IndexOutOfBounds(_) => "a list has no item at the index".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "a division by zero".to_owned()
        }
        ExecutionError::Overflow(operator, ..) => format!("`{operator}` overflows 64 bits"),
        ExecutionError::DuplicateKey(_) => "a mapping names a key twice".to_owned(),
        ExecutionError::FunctionError { function, message } => format!("{function}: {}", shown(message)),
        other => shown(&other.to_string()),
    }
}

/// What to do about it, where that is known.
pub(super) fn execution_fix(error: &ExecutionError) -> Option<String> {
    match error {
        ExecutionError::NoSuchOverload(_) | ExecutionError::UnsupportedBinaryOperator(..) => {
            Some("convert one side: `string(…)`, `int(…)`, `double(…)`".to_owned())
        }
        _ => None,
    }
}
