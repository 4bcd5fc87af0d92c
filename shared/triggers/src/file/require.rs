//! `require`.

use std::collections::HashMap;

use launchgate_statement::FactName;
use launchgate_trust::{Repository, SignerId};

use super::{
    findings::Findings,
    match_section::Reads,
    nearest::nearest,
    node::{Member, Node},
    scalar,
    section::Section,
    signers::SignerList,
};
use crate::{
    ArtifactRule,
    requirements::{PullRequestRule, Requirements},
};

pub(super) const KEYS: &[&str] =
    &["signers", "sources", "pullRequest", "repository", "maxAge", "artifact", "build", "trustsCluster"];
pub(super) const SIGNERS_KEYS: &[&str] = &["anyOf", "atLeast"];

/// How Buildkite says a build was started. Source: buildkite.com/docs/apis/rest-api/builds, `source`.
const SOURCES: &[&str] = &["webhook", "schedule", "ui", "api", "trigger_job"];

/// An event older than a day launches nothing unless the file says so.
const MAX_AGE_SECONDS: u64 = 86_400;

pub(super) fn read(
    member: &Member,
    signers: &SignerList,
    sets: &mut HashMap<Vec<SignerId>, usize>,
    reads: &mut Vec<Reads>,
    findings: &mut Findings,
) -> Option<Requirements> {
    let section = Section::open("require", KEYS, &member.value, &member.key_at, findings)?;
    let fix = "add `signers: { anyOf: [ID] }`: whose signature counts for this trigger";
    let permitted = section.need("signers", fix, findings).and_then(|it| permitted(it, signers, findings));
    let sources = section.get("sources").map(|it| sources(it, reads, findings));
    let repository = section.get("repository").map(|it| repository(it, reads, findings));
    let pull_request =
        section.get("pullRequest").map(|it| scalar::choice(it, &["none", "sameRepository", "any"], findings));
    let artifact =
        section.get("artifact").map(|it| scalar::choice(it, &["none", "exists", "content"], findings));
    let build = section.get("build").map(|it| scalar::choice(it, &["none", "passed"], findings));
    let max_age = section.get("maxAge").map(|it| scalar::duration(it, findings));
    let trusts_cluster = section.get("trustsCluster").map(|it| scalar::text(it, findings));
    let (any_of, at_least) = permitted?;
    let next = sets.len();
    let signer_set = *sets.entry(any_of.clone()).or_insert(next);
    Some(Requirements {
        any_of,
        signer_set,
        at_least,
        sources: sources.map_or(Some(None), |read| read.map(Some))?,
        repository: repository.map_or(Some(None), |read| read.map(Some))?,
        pull_request: match pull_request {
            None => PullRequestRule::Any,
            Some(word) => match word? {
                "none" => PullRequestRule::None,
                "sameRepository" => PullRequestRule::SameRepository,
                _ => PullRequestRule::Any,
            },
        },
        artifact: match artifact.unwrap_or(Some("none"))? {
            "exists" => Some(ArtifactRule::Exists),
            "content" => Some(ArtifactRule::Content),
            _ => None,
        },
        build_passed: build.unwrap_or(Some("none"))? == "passed",
        trusts_cluster: trusts_cluster.map_or(Some(None), |read| read.map(Some))?.map(str::to_owned),
        max_age_seconds: max_age.unwrap_or(Some(MAX_AGE_SECONDS))?,
    })
}

fn permitted(
    member: &Member,
    signers: &SignerList,
    findings: &mut Findings,
) -> Option<(Vec<SignerId>, usize)> {
    let section = Section::open("require.signers", SIGNERS_KEYS, &member.value, &member.key_at, findings)?;
    let at_least = section.get("atLeast").map(|it| (scalar::count(it, findings), it));
    let any_of = section.need("anyOf", "list the ids of the signers that count", findings)?;
    let texts = scalar::texts(any_of, findings)?;
    let mut ids: Vec<SignerId> = Vec::new();
    let mut sound = true;
    for (name, node) in &texts {
        sound &= known(name, node, signers, findings);
        let id = SignerId::new(*name);
        if ids.contains(&id) {
            findings.warning(
                "repeated-signer",
                &node.at,
                format!("the signer `{name}` stands twice and counts once"),
            );
        } else {
            ids.push(id);
        }
    }
    let count = match at_least {
        Some((count, _)) => usize::try_from(count?).ok()?,
        None => 1,
    };
    let roots: Vec<_> = ids.iter().map(|id| signers.root(id.as_str())).collect();
    // With a broken signer in the list the number of roots is not known, and its own error stands already.
    if roots.iter().all(Option::is_some) && sound {
        let mut roots: Vec<_> = roots.into_iter().flatten().collect();
        roots.sort();
        roots.dedup();
        if count > roots.len() {
            let at = at_least.map_or(&any_of.value.at, |(_, member)| &member.value.at);
            let message = format!(
                "`atLeast: {count}` cannot be reached: `anyOf` holds {} distinct signers",
                roots.len()
            );
            findings
                .error("threshold-unreachable", at, message)
                .fix("two ids with one key count once; permit more signers or ask for fewer");
            return None;
        }
    }
    sound.then_some((ids, count))
}

fn known(name: &str, node: &Node, signers: &SignerList, findings: &mut Findings) -> bool {
    let names: Vec<&str> = signers.names.iter().map(String::as_str).collect();
    if names.contains(&name) {
        return true;
    }
    let finding =
        findings.error("unknown-signer", &node.at, format!("expected the id of a signer, found `{name}`"));
    match nearest(name, &names) {
        Some(near) => finding.fix(format!("did you mean `{near}`?")),
        None => finding.fix(format!("the signers of this file are: {}", names.join(", "))),
    }
    false
}

fn sources(member: &Member, reads: &mut Vec<Reads>, findings: &mut Findings) -> Option<Vec<&'static str>> {
    reads.push(Reads::of(FactName::Source, &member.key_at));
    let texts = scalar::texts(member, findings)?;
    let words = texts.iter().map(|(_, node)| scalar::choice_of(node, "sources", SOURCES, findings));
    words.collect::<Vec<_>>().into_iter().collect()
}

fn repository(member: &Member, reads: &mut Vec<Reads>, findings: &mut Findings) -> Option<Repository> {
    reads.push(Reads::of(FactName::Repository, &member.key_at));
    let text = scalar::text(member, findings)?;
    let repository = Repository::normalise(text);
    if repository.is_address() {
        return Some(repository);
    }
    let message = format!("expected a repository's address for `repository`, found `{text}`");
    findings
        .error("bad-repository", &member.value.at, message)
        .fix("write it as https://github.com/ORG/REPOSITORY");
    None
}
