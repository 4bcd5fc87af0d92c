//! `defaults`: what triggers share, laid under each of them before it is read.
//!
//! Promises: a trigger with defaults is read exactly as one that has them written out, and what is wrong with a
//! default is said at the default, once. What a trigger says itself always goes before; of `require`,
//! `waitFor`, `vertex` and `labels` it replaces a default key by key, each with its whole value.
//! Does not: check values, which is done where they are read; share what makes a trigger the one it is.

use std::collections::BTreeSet;

use super::{
    findings::{At, Findings},
    node::{Member, Node, Shape},
    scalar,
    section::Section,
};

pub(super) const KEYS: &[&str] = &[
    "require",
    "mode",
    "oncePer",
    "order",
    "concurrency",
    "maxLaunchesPerHour",
    "waitFor",
    "onAmbiguous",
    "vertex",
    "labels",
    "serviceAccount",
];

/// Mappings that are laid under the trigger's own key by key.
const BY_KEY: &[&str] = &["require", "waitFor", "vertex"];

/// What each trigger says for itself: a reader finds in one place what a trigger matches and what it starts.
const OWN: &[&str] = &[
    "name",
    "match",
    "launch",
    "template",
    "templateSha256",
    "pipelineJob",
    "customJob",
    "hyperparameterTuningJob",
    "batchPredictionJob",
];

/// The members of `defaults`.
#[derive(Default)]
pub(super) struct Defaults<'n> {
    members: Vec<&'n Member>,
    /// Where the defaults stand that some trigger has not said itself.
    taken: BTreeSet<usize>,
}

impl<'n> Defaults<'n> {
    pub(super) fn read(member: Option<&'n Member>, findings: &mut Findings) -> Self {
        let Some(member) = member else { return Self::default() };
        let mut others = member.value.clone();
        if let Shape::Map(members) = &mut others.shape {
            for own in members.extract_if(.., |member| OWN.contains(&member.key.as_str())) {
                let message = format!("`{}` cannot be a default", own.key);
                findings.error("no-default", &own.key_at, message).fix(
                    "write it in each trigger: it says which builds the trigger is about and what they start",
                );
            }
        }
        // For what it says of unknown keys.
        if Section::open("defaults", KEYS, &others, &member.key_at, findings).is_none() {
            return Self::default();
        }
        let Shape::Map(members) = &member.value.shape else { return Self::default() };
        let members = members.iter().filter(|it| KEYS.contains(&it.key.as_str()) && is_sound(it, findings));
        Self { members: members.collect(), taken: BTreeSet::new() }
    }

    /// The trigger with the defaults written out; `None` where nothing changes.
    pub(super) fn under(&mut self, trigger: &Node) -> Option<Node> {
        let Shape::Map(_) = &trigger.shape else { return None };
        if self.members.is_empty() {
            return None;
        }
        // What is missing in a mapping that the trigger does not have is missing in the trigger.
        let at = trigger.get("name").map_or(&trigger.at, |name| &name.at).clone();
        let mut whole = trigger.clone();
        for default in self.members.clone() {
            let target = match default.key.as_str() {
                "labels" => body(&mut whole).map(|(_, body)| body),
                "serviceAccount" => body(&mut whole).and_then(|(kind, body)| job(&kind, body)),
                _ => Some(&mut whole),
            };
            let Some(Shape::Map(members)) = target.map(|node| &mut node.shape) else { continue };
            if BY_KEY.contains(&default.key.as_str()) || default.key == "labels" {
                self.lay_members(default, members, &at);
            } else if !members.iter().any(|own| own.key == default.key) {
                members.push(default.clone());
                self.take(default);
            }
        }
        Some(whole)
    }

    fn lay_members(&mut self, default: &Member, members: &mut Vec<Member>, at: &At) {
        let Shape::Map(shared) = &default.value.shape else { return };
        let index = members.iter().position(|own| own.key == default.key).unwrap_or_else(|| {
            let value = Node { shape: Shape::Map(Vec::new()), at: at.clone() };
            members.push(Member { key: default.key.clone(), key_at: at.clone(), value });
            members.len() - 1
        });
        // A mapping of the wrong type stays as it is: the trigger's own error is the one to show.
        let Shape::Map(own) = &mut members[index].value.shape else { return };
        for member in shared {
            if !own.iter().any(|known| known.key == member.key) {
                own.push(member.clone());
                self.take(member);
            }
        }
    }

    fn take(&mut self, member: &Member) {
        self.taken.extend(start(&member.key_at));
    }

    /// Whether a value stands here rather than in the trigger that it is read for.
    pub(super) fn hold(&self, at: &At) -> bool {
        let is_at = |member: &Member| member.key_at == *at || member.value.at == *at;
        self.leaves().any(|member| is_at(member) || matches!(&member.value.shape, Shape::List(items) if items.iter().any(|item| item.at == *at)))
    }

    /// A default that every trigger says otherwise does nothing, and its value was never looked at.
    pub(super) fn warn_of_unused(&self, findings: &mut Findings) {
        for member in self.leaves() {
            if start(&member.key_at).is_some_and(|start| !self.taken.contains(&start)) {
                let message = format!("no trigger takes the default `{}`: each says its own", member.key);
                findings
                    .warning("unused-default", &member.key_at, message)
                    .fix("leave it out, or let the triggers that agree with it leave theirs out");
            }
        }
    }

    /// What can be taken by itself: a key, or the keys of a mapping that is laid under key by key.
    fn leaves(&self) -> impl Iterator<Item = &'n Member> {
        self.members.iter().flat_map(|member| match &member.value.shape {
            Shape::Map(inner) if BY_KEY.contains(&member.key.as_str()) || member.key == "labels" => {
                inner.iter().collect()
            }
            _ => vec![*member],
        })
    }
}

/// Whether a default has the form that laying it under a trigger takes.
fn is_sound(member: &Member, findings: &mut Findings) -> bool {
    let is_map = matches!(member.value.shape, Shape::Map(_));
    if (BY_KEY.contains(&member.key.as_str()) || member.key == "labels") && !is_map {
        let message = format!("expected a mapping for `{}`, found {}", member.key, member.value.kind());
        findings.error("wrong-type", &member.value.at, message);
        return false;
    }
    if member.key != "serviceAccount" {
        return true;
    }
    let text = scalar::text(member, findings);
    if text.is_some_and(|text| text.contains("${")) {
        let message = "expected a literal for `serviceAccount`, found `${…}`: an event may not choose it";
        findings.error("expression-not-allowed", &member.value.at, message);
        return false;
    }
    text.is_some()
}

/// The job's body, where the trigger has exactly one.
fn body(trigger: &mut Node) -> Option<(String, &mut Node)> {
    let launch = member(trigger, "launch")?;
    let Shape::Map(kinds) = &mut launch.shape else { return None };
    let [kind] = &mut kinds[..] else { return None };
    Some((kind.key.clone(), &mut kind.value))
}

/// Where a job of this kind names its service account.
fn job<'n>(kind: &str, body: &'n mut Node) -> Option<&'n mut Node> {
    match kind {
        "pipelineJob" | "batchPredictionJob" => Some(body),
        "customJob" => member(body, "jobSpec"),
        "hyperparameterTuningJob" => member(body, "trialJobSpec"),
        _ => None,
    }
}

fn member<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let Shape::Map(members) = &mut node.shape else { return None };
    members.iter_mut().find(|member| member.key == key).map(|member| &mut member.value)
}

fn start(at: &At) -> Option<usize> {
    match at {
        At::Bytes(range) => Some(range.start),
        At::Variable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::trigger;

    #[test]
    fn whatever_a_trigger_may_say_may_be_shared_but_what_makes_it_the_one_it_is() {
        let shared = trigger::KEYS.iter().filter(|key| !OWN.contains(key));
        let expected: BTreeSet<&str> = shared.copied().chain(["labels", "serviceAccount"]).collect();

        assert_eq!(KEYS.iter().copied().collect::<BTreeSet<_>>(), expected);
    }
}
