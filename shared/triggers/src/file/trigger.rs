//! `triggers`: which build may start what.

use launchgate_statement::FactName;
use launchgate_trust::{SignerId, SignerKind, facts_vouched_by};

use super::{
    Files,
    findings::{At, Findings},
    later, launch,
    match_section::{self, Reads},
    node::{Member, Node, Shape},
    require, scalar,
    section::Section,
    signers::SignerList,
};
use crate::{Mode, Trigger, TriggerName, Vertex, expression::Expression};

pub(super) const KEYS: &[&str] = &[
    "name",
    "match",
    "require",
    "mode",
    "oncePer",
    "order",
    "concurrency",
    "maxLaunchesPerHour",
    "waitFor",
    "onAmbiguous",
    "launch",
];

/// What the rest of the file gives to a trigger.
pub(super) struct Context<'a> {
    /// `None` when it is broken, which has its own findings.
    pub(super) vertex: Option<&'a Vertex>,
    pub(super) signers: &'a SignerList,
    pub(super) files: &'a dyn Files,
}

/// The sound triggers and the distinct `anyOf` lists.
pub(super) fn read_all(
    member: &Member,
    context: &Context,
    findings: &mut Findings,
) -> (Vec<Trigger>, Vec<Vec<SignerId>>) {
    let (mut triggers, mut sets) = (Vec::new(), Vec::new());
    let Shape::List(items) = &member.value.shape else {
        let message = format!("expected a list for `triggers`, found {}", member.value.kind());
        findings.error("wrong-type", &member.value.at, message);
        return (triggers, sets);
    };
    if items.is_empty() {
        findings.error("empty-value", &member.key_at, "expected at least one trigger, found none");
    }
    let mut names = Vec::new();
    for item in items {
        if let Some(name) = item.get("name")
            && let Shape::Text(text) = &name.shape
        {
            if names.contains(&text) {
                let message = format!("the trigger name `{text}` stands twice");
                findings
                    .error("duplicate-trigger", &name.at, message)
                    .fix("give each trigger a name of its own");
            }
            names.push(text);
        }
        triggers.extend(read(item, context, &mut sets, findings));
    }
    (triggers, sets)
}

fn read(
    item: &Node,
    context: &Context,
    sets: &mut Vec<Vec<SignerId>>,
    findings: &mut Findings,
) -> Option<Trigger> {
    let section = Section::open("a trigger", KEYS, item, &item.at, findings)?;
    let name = section.need("name", "name the trigger; launch ids and labels carry it", findings);
    let rule = "a lower-case letter, then letters, digits or dashes, at most 63, no dash at the end";
    let fits = |text: &str| TriggerName::parse(text).is_some();
    let name_at = name.map(|it| it.value.at.clone());
    let name = name.and_then(|it| scalar::ruled(it, "bad-trigger-name", rule, fits, findings));
    let mode = section.get("mode").map(|it| scalar::choice(it, &["enforce", "observe", "paused"], findings));
    later_work(&section, findings);

    let mut reads = Vec::new();
    let match_block = section.need("match", "add `match: { pipeline: … }`", findings);
    let matching = match_block.and_then(|it| match_section::read(it, &mut reads, findings));
    let require = section.need("require", "add `require: { signers: { anyOf: [ID] } }`", findings);
    let require = require.and_then(|it| require::read(it, context.signers, sets, &mut reads, findings));
    let launch = section.need("launch", "add `launch: { pipelineJob: … }`", findings);
    let around = launch::Around {
        trigger: name,
        vertex: context.vertex,
        artifact: matching.as_ref().and_then(|matching| matching.artifact.as_ref()),
        files: context.files,
    };
    let mut remarks = Vec::new();
    let launch = launch.and_then(|it| launch::read(it, &around, &mut reads, &mut remarks, findings));
    if let Some(require) = &require {
        unvouched(&reads, &require.any_of, context.signers, findings);
    }

    let name_at = name_at.unwrap_or_else(|| item.at.clone());
    let place = match &name_at {
        At::Bytes(range) => Some(findings.source.place(range)),
        At::Variable(_) => None,
    };
    let mode = match mode.unwrap_or(Some("enforce"))? {
        "observe" => Mode::Observe,
        "paused" => Mode::Paused,
        _ => Mode::Enforce,
    };
    Some(Trigger {
        name: TriggerName::parse(name?)?,
        mode,
        matching: matching?,
        require: require?,
        launch: launch?,
        match_text: match_block.map(|it| it.value.to_json().to_string()).unwrap_or_default(),
        place,
        remarks,
    })
}

/// Keys that this version accepts in their neutral form only.
fn later_work(section: &Section, findings: &mut Findings) {
    later::neutral(section.get("oncePer"), "event", &["event", "build", "commit", "artifact"], findings);
    later::neutral(section.get("order"), "any", &["any", "newest"], findings);
    later::neutral(section.get("onAmbiguous"), "hold", &["hold", "relaunch"], findings);
    later::refuse(section.get("concurrency"), "a concurrency limit", findings);
    later::refuse(section.get("maxLaunchesPerHour"), "an hourly limit", findings);
    later::refuse(section.get("waitFor"), "waiting", findings);
}

/// Notes the build facts that an expression reads.
pub(super) fn note_reads(expression: &Expression, at: &At, reads: &mut Vec<Reads>) {
    for path in expression.reads() {
        let [root, name, ..] = &path[..] else { continue };
        if root != "build" {
            continue;
        }
        if let Some(fact) = FactName::ALL.into_iter().find(|fact| fact.as_str() == name) {
            reads.push(Reads { fact, at: at.clone() });
        }
    }
}

/// A fact that no permitted signer can ever prove makes a clause that never holds.
fn unvouched(reads: &[Reads], any_of: &[SignerId], signers: &SignerList, findings: &mut Findings) {
    let kinds: Option<Vec<&SignerKind>> =
        any_of.iter().map(|id| signers.get(id.as_str()).map(|signer| &signer.kind)).collect();
    let Some(kinds) = kinds else { return };
    for read in reads {
        if !kinds.iter().any(|kind| facts_vouched_by(kind.voucher()).contains(&read.fact)) {
            let name = read.fact.as_str();
            let message = format!("no signer in `anyOf` can prove build.{name}, so this never holds");
            findings.error("unvouched-fact", &read.at, message).fix(format!(
                "permit a `publicKey` signer too, which vouches for all it says; in parameters the build's own word can \
                 be read as claimed.build.{name}"
            ));
        }
    }
}
