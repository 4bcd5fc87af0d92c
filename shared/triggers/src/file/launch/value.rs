//! Members of a job's body: written as they stand, with holes where `${…}` is allowed.

use serde_json::{Map, Value};

use super::{
    Job, bad_expression,
    place::{Place, place},
};
use crate::{
    file::{
        node::{Member, Node, Shape},
        scalar,
        trigger::note_reads,
    },
    interpolation::{Interpolated, Part},
    launch_template::{Field, Piece},
};

impl Job<'_, '_> {
    /// Writes a value; gives its sample, or `None` when it was refused.
    pub(super) fn value(&mut self, node: &Node, path: &mut Vec<String>) -> Option<Value> {
        match &node.shape {
            Shape::Text(text) => self.string(text, node, path),
            Shape::List(items) => {
                self.text("[");
                let mut sample = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    self.comma_in_list(index);
                    path.push(index.to_string());
                    sample.push(self.value(item, path).unwrap_or_else(|| item.to_json()));
                    path.pop();
                }
                self.text("]");
                Some(Value::Array(sample))
            }
            Shape::Map(members) => {
                self.text("{");
                let mut sample = Map::new();
                for (index, member) in members.iter().enumerate() {
                    self.comma_in_list(index);
                    self.fixed_key(member);
                    self.key(&member.key);
                    path.push(member.key.clone());
                    if let Some(value) = self.value(&member.value, path) {
                        sample.insert(member.key.clone(), value);
                    }
                    path.pop();
                }
                self.text("}");
                Some(Value::Object(sample))
            }
            Shape::Null | Shape::Bool(_) | Shape::Number(_) | Shape::NotFinite => {
                let value = node.to_json();
                self.json(&value);
                Some(value)
            }
        }
    }

    pub(super) fn comma_in_list(&mut self, index: usize) {
        if index > 0 {
            self.text(",");
        }
    }

    pub(super) fn fixed_key(&mut self, member: &Member) {
        if member.key.contains("${") {
            let message = format!("expected a literal key, found `{}`", member.key);
            self.error("expression-not-allowed", &member.key_at, message)
                .fix("`${…}` may stand in values only");
        }
    }

    pub(super) fn string(&mut self, text: &str, node: &Node, path: &[String]) -> Option<Value> {
        if !text.contains("${") {
            return self.literal(text.to_owned(), node, path);
        }
        let place = place(self.kind, path);
        let parsed = match Interpolated::parse(text) {
            Ok(parsed) if parsed.is_literal() => return self.literal(literal_text(&parsed), node, path),
            Ok(parsed) => parsed,
            Err(error) if place != Place::Fixed => {
                bad_expression(text, &error, node, self.findings);
                self.sound = false;
                return None;
            }
            Err(_) => {
                self.not_allowed(node, path);
                return None;
            }
        };
        match place {
            Place::Fixed => {
                self.not_allowed(node, path);
                None
            }
            Place::Image => {
                self.image(text, node);
                Some(self.hole(Field::Other(path.join(".")), parsed, node))
            }
            Place::Text(field) => {
                if field == Field::Root {
                    self.root_prefix(&parsed, node);
                }
                Some(self.hole(field, parsed, node))
            }
        }
    }

    pub(super) fn literal(&mut self, text: String, node: &Node, path: &[String]) -> Option<Value> {
        if let Place::Text(field) = place(self.kind, path) {
            if field == Field::Root && !scalar::is_gcs(&text) {
                let message = format!("expected gs://BUCKET/FOLDER for `gcsOutputDirectory`, found `{text}`");
                self.error("bad-root", &node.at, message);
                return None;
            }
            if let Err(message) = field.check(&text) {
                let code = if matches!(field, Field::Label(_)) { "bad-label" } else { "bad-value" };
                self.error(code, &node.at, format!("{}: {message}", field.name()));
                return None;
            }
        }
        let value = Value::String(text);
        self.json(&value);
        Some(value)
    }

    pub(super) fn hole(&mut self, field: Field, text: Interpolated, node: &Node) -> Value {
        self.note(&text, node);
        self.pieces.push(Piece::Text(field, text));
        Value::String("x".to_owned())
    }

    pub(super) fn note(&mut self, text: &Interpolated, node: &Node) {
        for part in text.parts() {
            if let Part::Expression(expression) = part {
                note_reads(expression, &node.at, self.reads);
            }
        }
    }

    pub(super) fn not_allowed(&mut self, node: &Node, path: &[String]) {
        let message = format!(
            "expected a literal for `{}`, found `${{…}}`: an event may not choose it",
            path.join(".")
        );
        let fix = "`${…}` may stand in displayName, label values, parameterValues, inputArtifacts, container env and \
                   args, imageUri and gcsOutputDirectory; `$${` is a literal `${`";
        self.error("expression-not-allowed", &node.at, message).fix(fix);
    }

    pub(super) fn root_prefix(&mut self, text: &Interpolated, node: &Node) {
        let front = match text.parts().first() {
            Some(Part::Literal(front)) => front.as_str(),
            _ => "",
        };
        let bucket =
            front.strip_prefix("gs://").and_then(|rest| rest.split_once('/')).map(|(bucket, _)| bucket);
        if !bucket.is_some_and(scalar::is_bucket) {
            let message = "expected a literal `gs://BUCKET/` before the first `${…}` of `gcsOutputDirectory`";
            self.error("bad-root", &node.at, message).fix("an event may not choose the bucket");
        }
    }

    /// The API also takes `snake_case` names; one spelling keeps every rule here complete.
    pub(super) fn is_snake(&mut self, member: &Member) -> bool {
        let snake = member.key.contains('_');
        if snake {
            let message = format!("unknown key `{}` in the job's body", member.key);
            let fix = format!("did you mean `{}`?", camel(&member.key));
            self.error("unknown-key", &member.key_at, message).fix(fix);
        }
        snake
    }
}

/// A text without expressions, its `$${` turned into `${`.
pub(super) fn literal_text(text: &Interpolated) -> String {
    let parts = text.parts().iter().map(|part| match part {
        Part::Literal(text) => text.as_str(),
        Part::Expression(_) => "",
    });
    parts.collect()
}

fn camel(snake: &str) -> String {
    let mut upper = false;
    let mut name = String::new();
    for c in snake.chars() {
        match c {
            '_' => upper = true,
            c if std::mem::take(&mut upper) => name.push(c.to_ascii_uppercase()),
            c => name.push(c),
        }
    }
    name
}
