//! `${CEL}` inside strings.
//!
//! Promises: finds the end of an expression whatever strings, braces and comments it holds; a text that is
//! exactly one `${…}` keeps the value's type; nothing that is missing, null or structured ends up inside a
//! longer text. Does not: know where `${…}` may stand.

use serde_json::Value;

use crate::{
    expression::{Expression, ExpressionError, end_of_expression},
    scope::Scope,
};

/// A string with its `${…}` parts compiled. `$${` is a literal `${`.
#[derive(Debug)]
pub(crate) struct Interpolated {
    parts: Vec<Part>,
    /// Where each part stands in the text as written.
    offsets: Vec<usize>,
}

/// A piece of the string.
#[derive(Debug)]
pub(crate) enum Part {
    /// As written.
    Literal(String),
    /// A compiled `${…}`.
    Expression(Expression),
}

impl Interpolated {
    /// Finds and compiles the `${…}` of `text`; errors carry byte ranges within `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut parts = Vec::new();
        let mut offsets = Vec::new();
        let mut literal = String::new();
        let mut literal_from = 0;
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if rest.starts_with("$${") {
                literal.push_str("${");
                at += 3;
            } else if let Some(inner) = rest.strip_prefix("${") {
                let Some(end) = end_of_expression(inner) else {
                    return Err(ExpressionError {
                        message: "this `${` has no end".to_owned(),
                        at: at..text.len(),
                        fix: Some(
                            "close it with `}`, or write `$${` for the two characters themselves".to_owned(),
                        ),
                    });
                };
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                    offsets.push(literal_from);
                }
                let from = at + 2;
                parts.push(Part::Expression(
                    Expression::compile(&inner[..end]).map_err(|error| moved(error, from))?,
                ));
                offsets.push(from);
                at = from + end + 1;
                literal_from = at;
            } else {
                let step = rest
                    .char_indices()
                    .skip(1)
                    .find(|(_, letter)| *letter == '$')
                    .map_or(rest.len(), |(at, _)| at);
                literal.push_str(&rest[..step]);
                at += step;
            }
        }
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(literal));
            offsets.push(literal_from);
        }
        Ok(Self { parts, offsets })
    }

    /// Whether it holds no expression.
    pub(crate) fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The parts, for the rules about what may stand where.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The value for an event: a string that is exactly one `${…}` keeps its type, anything else is text.
    pub(crate) fn render(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        if let ([Part::Expression(expression)], [from]) = (self.parts.as_slice(), self.offsets.as_slice()) {
            return expression.evaluate(scope).map_err(|error| moved(error, *from));
        }
        let mut text = String::new();
        for (part, from) in self.parts.iter().zip(&self.offsets) {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(expression) => {
                    let value = expression.evaluate(scope).map_err(|error| moved(error, *from))?;
                    push_text(&mut text, &value).map_err(|found| ExpressionError {
                        message: format!(
                            "`{}` is {found}, which cannot stand inside a longer text",
                            expression.source()
                        ),
                        at: *from..*from + expression.source().len(),
                        fix: Some("let it stand alone, as the whole value, or convert it to text".to_owned()),
                    })?;
                }
            }
        }
        Ok(Value::String(text))
    }
}

/// Text as it is; numbers and booleans as JSON writes them.
fn push_text(text: &mut String, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::String(part) => text.push_str(part),
        Value::Number(_) | Value::Bool(_) => text.push_str(&value.to_string()),
        Value::Null => return Err("null"),
        Value::Array(_) => return Err("a list"),
        Value::Object(_) => return Err("a mapping"),
    }
    Ok(())
}

fn moved(mut error: ExpressionError, by: usize) -> ExpressionError {
    error.at = error.at.start + by..error.at.end + by;
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scope::tests::an_event;

    fn render(text: &str) -> Result<Value, ExpressionError> {
        let event = an_event();
        Interpolated::parse(text)?.render(&event.scope())
    }

    #[test]
    fn exactly_one_expression_keeps_its_type() {
        assert_eq!(render("${build.number}"), Ok(json!(42)));
        assert_eq!(render("${[1, 2.5]}"), Ok(json!([1, 2.5])));
        assert_eq!(render("${artifact.annotations}").unwrap()["dataset"], json!("2026-11"));
        assert_eq!(render("${null}"), Ok(json!(null)));
    }

    #[test]
    fn inside_a_longer_text_a_value_is_text() {
        assert_eq!(render("n-${build.number}-${build.branch}"), Ok(json!("n-42-main")));
        assert_eq!(render("${true}/${0.5}"), Ok(json!("true/0.5")));
        assert_eq!(render("${build.branch}${build.number}"), Ok(json!("main42")));
        for bad in ["x${null}", "x${[1]}", "x${artifact.annotations}"] {
            assert!(render(bad).unwrap_err().message.contains("cannot stand inside"), "{bad}");
        }
    }

    #[test]
    fn braces_quotes_and_comments_inside_do_not_end_it() {
        assert_eq!(render(r#"${{"a": {"b": 1}}.a.b}"#), Ok(json!(1)));
        assert_eq!(render(r#"${"}" + '}' + "\"}"}"#), Ok(json!("}}\"}")));
        assert_eq!(render(r#"${r"\" + "}"}"#), Ok(json!("\\}")));
        assert_eq!(render(r#"${'''a'}''' + """"}"""}"#), Ok(json!("a'}\"}")));
        assert_eq!(render("${1 // }\n+ 1}"), Ok(json!(2)));
    }

    #[test]
    fn a_doubled_dollar_is_a_literal_opening() {
        assert_eq!(render("$${x}"), Ok(json!("${x}")));
        assert_eq!(render("a $${x} ${1}"), Ok(json!("a ${x} 1")));
        assert_eq!(render("$x $ $$ {x} $"), Ok(json!("$x $ $$ {x} $")));
        assert_eq!(render("$$${1}"), Ok(json!("$${1}")));
        assert_eq!(render(""), Ok(json!("")));
        assert!(Interpolated::parse("$${x}").unwrap().is_literal());
        assert!(!Interpolated::parse("${1}").unwrap().is_literal());
    }

    #[test]
    fn errors_point_into_the_whole_text() {
        let error = Interpolated::parse("ü ${build.brunch}").unwrap_err();
        assert_eq!(&"ü ${build.brunch}"[error.at], "brunch");

        let error = Interpolated::parse("a ${1 + (").unwrap_err();
        assert_eq!((error.at, error.message.as_str()), (2..9, "this `${` has no end"));

        let error = render("a ${build.tag}").unwrap_err();
        assert_eq!(&"a ${build.tag}"[error.at], "build.tag");

        assert_eq!(Interpolated::parse("${}").unwrap_err().message, "the expression is empty");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[${}\"'\\\\ra1+/ \n]{0,40}|\\PC{0,40}") {
            let _ = render(&text);
        }

        #[test]
        fn text_without_a_dollar_is_itself(text in "[^$]{0,40}") {
            prop_assert_eq!(render(&text), Ok(json!(text)));
        }
    }
}
