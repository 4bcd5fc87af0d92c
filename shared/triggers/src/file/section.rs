//! One mapping of the file: its known keys, those that are missing, those nobody knows.

use super::{
    findings::{At, Findings},
    nearest::nearest,
    node::{Member, Node, Shape},
};

/// A mapping being read. `keys` is the whole list of what may stand in it; the published JSON Schema
/// holds the same list.
pub(crate) struct Section<'n> {
    name: &'static str,
    at: At,
    keys: &'static [&'static str],
    members: &'n [Member],
}

impl<'n> Section<'n> {
    /// Opens a mapping and reports the keys that are not known. `at` is where to point when a key is
    /// missing: the section's own key.
    pub(crate) fn open(
        name: &'static str,
        keys: &'static [&'static str],
        node: &'n Node,
        at: &At,
        findings: &mut Findings,
    ) -> Option<Self> {
        let Shape::Map(members) = &node.shape else {
            let message = format!("expected a mapping for {name}, found {}", node.kind());
            findings.error("wrong-type", &node.at, message).fix(format!("its keys are: {}", keys.join(", ")));
            return None;
        };
        for member in members.iter().filter(|member| !keys.contains(&member.key.as_str())) {
            let message = format!("unknown key `{}` in {name}", member.key);
            let finding = findings.error("unknown-key", &member.key_at, message);
            match nearest(&member.key, keys) {
                Some(known) => finding.fix(format!("did you mean `{known}`?")),
                None => finding.fix(format!("its keys are: {}", keys.join(", "))),
            }
        }
        Some(Self { name, at: at.clone(), keys, members })
    }

    /// The member of a key, when it is given.
    pub(crate) fn get(&self, key: &'static str) -> Option<&'n Member> {
        debug_assert!(self.keys.contains(&key), "{key} is not among the keys of {}", self.name);
        self.members.iter().find(|member| member.key == key)
    }

    /// The member of a key that must be given.
    pub(crate) fn need(&self, key: &'static str, fix: &str, findings: &mut Findings) -> Option<&'n Member> {
        let found = self.get(key);
        if found.is_none() {
            let message = format!("expected the key `{key}` in {}, found none", self.name);
            findings.error("missing-key", &self.at, message).fix(fix);
        }
        found
    }

    /// Where to point for the section as a whole.
    pub(crate) fn at(&self) -> &At {
        &self.at
    }
}
