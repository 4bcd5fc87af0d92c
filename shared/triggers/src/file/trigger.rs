//! `triggers`: which build may start what.

use std::collections::{HashMap, HashSet};

use launchgate_statement::Sha256;
use launchgate_trust::{BUILD_FACTS, SignerId, SignerKind, facts_vouched_by};

use super::{
    Files,
    defaults::Defaults,
    findings::{At, Findings},
    identity, later, launch,
    match_section::{self, Reads},
    node::{Member, Node, Shape},
    require, scalar,
    section::Section,
    signers::SignerList,
    turns, vertex, wait_for, webhook_signer,
};
use crate::{
    Mode, Trigger, TriggerName, Vertex,
    build_word::BuildReads,
    expression::Expression,
    requirements::{PullRequestRule, Requirements},
};

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
    "vertex",
    "launch",
];

/// What the rest of the file gives to a trigger.
pub(super) struct Context<'a> {
    /// `None` when it is broken, which has its own findings.
    pub(super) vertex: Option<&'a Vertex>,
    pub(super) signers: &'a SignerList,
    pub(super) files: &'a dyn Files,
    /// Whether `ingress.builds` is there.
    pub(super) takes_builds: bool,
}

/// The sound triggers and the distinct `anyOf` lists.
pub(super) fn read_all(
    member: &Member,
    defaults: &mut Defaults,
    context: &Context,
    findings: &mut Findings,
) -> (Vec<Trigger>, Vec<Vec<SignerId>>) {
    let (mut triggers, mut sets) = (Vec::new(), HashMap::new());
    let Shape::List(items) = &member.value.shape else {
        let message = format!("expected a list for `triggers`, found {}", member.value.kind());
        findings.error("wrong-type", &member.value.at, message);
        return (triggers, Vec::new());
    };
    if items.is_empty() {
        findings.error("empty-value", &member.key_at, "expected at least one trigger, found none");
    }
    let mut names = HashSet::new();
    for item in items {
        if let Some(name) = item.get("name")
            && let Shape::Text(text) = &name.shape
            && !names.insert(text)
        {
            let message = format!("the trigger name `{text}` stands twice");
            findings.error("duplicate-trigger", &name.at, message).fix("give each trigger a name of its own");
        }
        let whole = defaults.under(item);
        triggers.extend(read(whole.as_ref().unwrap_or(item), defaults, context, &mut sets, findings));
    }
    if items.iter().any(|item| matches!(item.shape, Shape::Map(_))) {
        defaults.warn_of_unused(findings);
    }
    let mut sets: Vec<_> = sets.into_iter().collect();
    sets.sort_unstable_by_key(|(_, place)| *place);
    (triggers, sets.into_iter().map(|(set, _)| set).collect())
}

fn read(
    item: &Node,
    defaults: &Defaults,
    context: &Context,
    sets: &mut HashMap<Vec<SignerId>, usize>,
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
    let wait_for = wait_for::read(section.get("waitFor"), findings);

    let mut reads = Vec::new();
    let turns = turns::read(&section, &mut reads, findings);
    let match_block = section.need("match", "add `match: { pipeline: … }`", findings);
    let matching = match_block.and_then(|it| match_section::read(it, &mut reads, findings));
    let require = section.need("require", "add `require: { signers: { anyOf: [ID] } }`", findings);
    let require_block = require;
    let require = require.and_then(|it| require::read(it, context.signers, sets, &mut reads, findings));
    let vertex = vertex::read_of_trigger(section.get("vertex"), context.vertex, findings);
    let launch = section.need("launch", "add `launch: { pipelineJob: … }`", findings);
    let around = launch::Around {
        trigger: name,
        vertex: vertex.as_ref(),
        artifact: matching.as_ref().and_then(|matching| matching.artifact.as_ref()),
        files: context.files,
    };
    let mut remarks = Vec::new();
    let launch_block = launch;
    let launch = launch.and_then(|it| launch::read(it, &around, &mut reads, &mut remarks, findings));
    if let Some(require) = &require {
        // A place in `defaults` does not say whose clause it is.
        let whose = |at: &At| match name {
            Some(name) if defaults.hold(at) => format!(" (in the trigger `{name}`)"),
            _ => String::new(),
        };
        identity::check(&reads, &require.any_of, context, findings);
        unvouched(&reads, &require.any_of, context, &whose, findings);
        if let Some(block) = require_block {
            build_facts(&BuildPlaces { require: block, reads: &reads }, require, context, &whose, findings);
            let blocks = webhook_signer::Blocks {
                matching: match_block.zip(matching.as_ref()),
                require: (block, require),
            };
            webhook_signer::safeguards(&blocks, context.signers, findings);
        }
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
        turns: turns?,
        reads: BuildReads {
            names_a_branch: reads.iter().any(|read| read.what.names_a_branch),
            identity: Vec::new(),
            facts: reads.into_iter().flat_map(|read| read.what.facts).collect(),
        },
        wait_for_build: wait_for?.build,
        wait_for_artifact: wait_for?.artifact,
        match_text: match_block.map(|it| it.value.to_json().to_string()).unwrap_or_default(),
        launch_digest: Sha256::of(
            launch_block.map(|it| it.value.to_json().to_string()).unwrap_or_default().as_bytes(),
        ),
        asks_for_artifact: require_block
            .and_then(|it| it.value.get("artifact"))
            .is_some_and(|word| matches!(&word.shape, Shape::Text(word) if word != "none")),
        place,
        remarks,
    })
}

/// Keys that this version accepts in their neutral form only.
fn later_work(section: &Section, findings: &mut Findings) {
    later::neutral(section.get("onAmbiguous"), "hold", &["hold", "relaunch"], findings);
    later::refuse(section.get("concurrency"), "a concurrency limit", findings);
}

/// Notes what an expression reads of the build.
pub(super) fn note_reads(expression: &Expression, at: &At, reads: &mut Vec<Reads>) {
    reads.push(Reads { what: BuildReads::of_expression(expression), at: at.clone() });
}

/// What to add where a trigger reads what only Buildkite itself can prove.
const TAKE_BUILDS: &str = "let Buildkite's webhooks in: add `ingress.builds` and `buildkite: { organization: …, \
                           webhookSecretEnv: … }`";

/// A fact that no permitted signer can ever prove makes a clause that never holds.
fn unvouched(
    reads: &[Reads],
    any_of: &[SignerId],
    context: &Context,
    whose: &dyn Fn(&At) -> String,
    findings: &mut Findings,
) {
    let kinds: Option<Vec<&SignerKind>> =
        any_of.iter().map(|id| context.signers.get(id.as_str()).map(|signer| &signer.kind)).collect();
    let Some(kinds) = kinds else { return };
    for read in reads {
        for fact in &read.what.facts {
            let by_buildkite = BUILD_FACTS.contains(fact);
            if by_buildkite && context.takes_builds
                || kinds.iter().any(|kind| facts_vouched_by(kind.voucher()).contains(fact))
            {
                continue;
            }
            let name = fact.as_str();
            let whose = whose(&read.at);
            let message = format!("no signer in `anyOf` can prove build.{name}, so this never holds{whose}");
            let ways = if by_buildkite { format!("{TAKE_BUILDS}; or ") } else { String::new() };
            findings.error("unvouched-fact", &read.at, message).fix(format!(
                "{ways}permit a `publicKey` signer too, which vouches for all it says; in parameters the build's own \
                 word can be read as claimed.build.{name}"
            ));
        }
    }
}

/// Where a trigger asks for Buildkite's own word.
struct BuildPlaces<'a> {
    require: &'a Member,
    reads: &'a [Reads],
}

/// What needs Buildkite's own word must have a way to get it, and a trigger for builds of forks must say
/// which pull requests it takes.
fn build_facts(
    places: &BuildPlaces,
    require: &Requirements,
    context: &Context,
    whose: &dyn Fn(&At) -> String,
    findings: &mut Findings,
) {
    let of_forks = require
        .any_of
        .iter()
        .find(|id| context.signers.get(id.as_str()).is_some_and(|signer| signer.kind.builds_forks()));
    if let Some(id) = of_forks
        && places.require.value.get("pullRequest").is_none()
    {
        let kind = context.signers.get(id.as_str()).map(|signer| &signer.kind);
        let said = match kind {
            Some(SignerKind::BuildkiteWebhook(_)) => "speaks for whatever Buildkite builds",
            _ => "says `forkBuilds: enabled`",
        };
        let message =
            format!("the signer `{id}` {said}, and this trigger does not say which pull requests it takes");
        findings.error("pull-request-unstated", &places.require.key_at, message).fix(
            "add `pullRequest: none` to `require` (builds of branches only), `sameRepository` (no forks) or `any`",
        );
    }
    if context.takes_builds {
        return;
    }
    let mut missing = |at: &At, message: String| {
        let message = format!("{message}{}", whose(at));
        findings.error("no-build-facts", at, message).fix(TAKE_BUILDS);
    };
    if require.pull_request != PullRequestRule::Any
        && let Some(node) = places.require.value.get("pullRequest")
    {
        missing(&node.at, "only Buildkite's webhook says of which pull request a build is".to_owned());
    }
    if require.build_passed
        && let Some(node) = places.require.value.get("build")
    {
        missing(&node.at, "only Buildkite's webhook says whether a build passed".to_owned());
    }
    if require.trusts_cluster.is_some()
        && let Some(node) = places.require.value.get("trustsCluster")
    {
        missing(&node.at, "only Buildkite's webhook says in which cluster a build ran".to_owned());
    }
    if let Some(id) = of_forks
        && let Some(read) = places.reads.iter().find(|read| read.what.names_a_branch)
    {
        let message = format!(
            "branch and tag of a build that `{id}` vouches for may be a fork's choice; only Buildkite's webhook says \
             that they are not"
        );
        missing(&read.at, message);
    }
}
