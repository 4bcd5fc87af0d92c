//! The rungs on Buildkite's own word: that it is here, whose branch was built, how the build ended.
//!
//! Promises: what is not at hand is waited for and never guessed; each rung says who proves it.

use launchgate_outcome::{Check, Reason};
use launchgate_statement::Build;
use launchgate_trust::{BuildFacts, FactsOrigin, PullRequest};

use super::{Evidence, PullRequestRule, Requirements, Rung};
use crate::build_word::{BuildWord, awaiting};

/// Whether Buildkite's word is here and agrees with the signers.
pub(super) fn facts(_: &Requirements, evidence: &Evidence) -> Rung {
    let name = "buildFacts";
    let of = build_name(evidence.claimed);
    match evidence.word {
        BuildWord::NotAsked => (Check::skipped(name), None),
        BuildWord::Awaited { .. } => {
            let message = format!("waits for Buildkite's webhook on {of}");
            let rung = awaiting(name, format!("Buildkite's word on {of}")).actual("nothing yet");
            (rung, Some((Reason::BuildFactsAwaited, message)))
        }
        BuildWord::Otherwise { facts, differs } => {
            let fact = differs.as_str();
            let [said, found] = [evidence.facts.build(), facts.build()]
                .map(|build| format!("{fact} {}", build.fact(differs).unwrap_or("none".into())));
            let message = format!("expected Buildkite to say {said} of {of}, found {found}");
            let rung = Check::failed(name).expected(said).actual(found);
            (by_buildkite(rung, facts), Some((Reason::BuildFactsMismatch, message)))
        }
        BuildWord::Said { facts, .. } => {
            let state = facts.build().state.as_deref().unwrap_or("of no state");
            let rung = Check::passed(name).expected(format!("of {of}"));
            (by_buildkite(rung.actual(format!("id {}, {state}", facts.id())), facts), None)
        }
    }
}

/// Whether branch and tag are names that the pipeline's own people chose.
pub(super) fn forks(_: &Requirements, evidence: &Evidence) -> Rung {
    let (name, expected) = ("forkBuilds", "no pull request from a fork");
    let BuildWord::Said { facts, .. } = evidence.word else {
        return (awaiting(name, expected.to_owned()), None);
    };
    let fork = facts.pull_request() == PullRequest::Fork;
    let failed = fork.then(|| {
        let message = format!(
            "expected {expected} where branch or tag are read, found {}; a fork chooses their names",
            pull_request_name(facts)
        );
        (Reason::ForkBuild, message)
    });
    judged(name, expected, pull_request_name(facts), facts, failed)
}

pub(super) fn pull_request(asked: &Requirements, evidence: &Evidence) -> Rung {
    let name = "require.pullRequest";
    let expected = match asked.pull_request {
        PullRequestRule::None => "none",
        PullRequestRule::SameRepository => "sameRepository",
        PullRequestRule::Any => "any",
    };
    let BuildWord::Said { facts, .. } = evidence.word else {
        return (awaiting(name, expected.to_owned()), None);
    };
    let actual = pull_request_name(facts);
    let reason = match (asked.pull_request, facts.pull_request()) {
        (PullRequestRule::Any, _)
        | (_, PullRequest::None)
        | (PullRequestRule::SameRepository, PullRequest::SameRepository) => None,
        (_, PullRequest::Fork) => Some(Reason::ForkBuild),
        (PullRequestRule::None, PullRequest::SameRepository) => Some(Reason::PullRequestNotAllowed),
    };
    let failed = reason.map(|reason| (reason, format!("expected `pullRequest: {expected}`, found {actual}")));
    judged(name, expected, actual, facts, failed)
}

/// Whether the build passed. One that runs, or waits to be unblocked, may still pass.
pub(super) fn passed(_: &Requirements, evidence: &Evidence) -> Rung {
    let (name, expected) = ("require.build", "passed");
    let BuildWord::Said { facts, .. } = evidence.word else {
        return (awaiting(name, expected.to_owned()), None);
    };
    let state = facts.build().state.as_deref().unwrap_or("of no state");
    let actual = if facts.blocked() { format!("{state}, blocked") } else { state.to_owned() };
    let message = format!("expected a build that passed, found one that is {actual}");
    match state {
        "passed" if !facts.blocked() && facts.finished_at().is_some() => {
            judged(name, expected, actual, facts, None)
        }
        // What a build ends in. Source: buildkite.com/docs/apis/rest-api/builds, `state`.
        "failed" | "canceled" | "skipped" | "not_run" => {
            judged(name, expected, actual, facts, Some((Reason::BuildNotPassed, message)))
        }
        _ => {
            let rung = awaiting(name, expected.to_owned()).actual(actual);
            (by_buildkite(rung, facts), Some((Reason::BuildNotFinished, message)))
        }
    }
}

/// Whether the build ran where the trigger trusts every job not to speak for another build.
pub(super) fn cluster(asked: &Requirements, evidence: &Evidence) -> Rung {
    let name = "require.trustsCluster";
    let expected = asked.trusts_cluster.as_deref().unwrap_or_default();
    let BuildWord::Said { facts, .. } = evidence.word else {
        return (awaiting(name, expected.to_owned()), None);
    };
    let actual = facts.cluster().unwrap_or("none");
    let failed = (facts.cluster() != Some(expected)).then(|| {
        let message = format!("expected a build of the cluster {expected}, found {actual}");
        (Reason::ClusterNotTrusted, message)
    });
    judged(name, expected, actual.to_owned(), facts, failed)
}

/// A rung on Buildkite's own word.
fn judged(
    name: &'static str,
    expected: &str,
    actual: String,
    facts: &BuildFacts,
    failed: Option<(Reason, String)>,
) -> Rung {
    let rung = if failed.is_some() { Check::failed(name) } else { Check::passed(name) };
    (by_buildkite(rung.expected(expected).actual(actual), facts), failed)
}

/// Says who proves it: Buildkite's webhook, or nobody but the operator who asks.
fn by_buildkite(rung: Check, facts: &BuildFacts) -> Check {
    let rung = rung.voucher(facts.voucher());
    match facts.origin() {
        FactsOrigin::Webhook(_) | FactsOrigin::Rest(_) => rung,
        FactsOrigin::Operator => rung.detail("given by the operator"),
    }
}

fn build_name(build: &Build) -> String {
    let [organization, pipeline] =
        [&build.organization, &build.pipeline].map(|slug| slug.as_deref().unwrap_or("?"));
    let number = build.number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    format!("{organization}/{pipeline} #{number}")
}

fn pull_request_name(facts: &BuildFacts) -> String {
    let number = facts.build().pull_request.as_deref().unwrap_or("of no number");
    match facts.pull_request() {
        PullRequest::None => "no pull request".to_owned(),
        PullRequest::SameRepository => format!("pull request {number} of the same repository"),
        PullRequest::Fork => format!("pull request {number} from a fork"),
    }
}
