//! `labels`: the file's, held against Google's rule, and launchgate's own three.

use serde_json::{Map, Value};

use super::Job;
use crate::{
    file::node::{Member, Shape},
    labels,
    launch_template::Piece,
};

impl Job<'_, '_> {
    pub(super) fn labels(&mut self, given: Option<&Member>) -> Option<Value> {
        let mut sample = Map::new();
        self.key("labels");
        self.text("{");
        if let Some(given) = given {
            let Shape::Map(members) = &given.value.shape else {
                let message = format!("expected a mapping for `labels`, found {}", given.value.kind());
                self.error("wrong-type", &given.value.at, message);
                return None;
            };
            // Google allows 64 labels; three are ours.
            if members.len() > 61 {
                let message = format!("expected at most 61 labels, found {}", members.len());
                self.error("too-many-labels", &given.key_at, message);
            }
            for member in members {
                self.comma();
                self.label(member, &mut sample);
            }
        }
        self.comma();
        self.text("\"launchgate-id\":\"");
        self.pieces.push(Piece::LaunchId);
        self.text("\",\"launchgate-event\":\"");
        self.pieces.push(Piece::EventHex);
        let trigger = self.around.trigger.unwrap_or_default();
        self.text(&format!("\",\"launchgate-trigger\":\"{trigger}\"}}"));
        Some(Value::Object(sample))
    }

    pub(super) fn label(&mut self, member: &Member, sample: &mut Map<String, Value>) {
        self.fixed_key(member);
        if let Err(message) = labels::check_key(&member.key) {
            self.error("bad-label", &member.key_at, message);
        }
        if !matches!(member.value.shape, Shape::Text(_)) {
            let message =
                format!("expected text for the label `{}`, found {}", member.key, member.value.kind());
            let finding = self.error("bad-label", &member.value.at, message);
            if matches!(member.value.shape, Shape::Number(_) | Shape::Bool(_)) {
                finding.fix("write it in quotes");
            }
            return;
        }
        self.key(&member.key);
        let path = ["labels".to_owned(), member.key.clone()];
        let Shape::Text(text) = &member.value.shape else { return };
        if let Some(value) = self.string(text, &member.value, &path) {
            sample.insert(member.key.clone(), value);
        }
    }
}
