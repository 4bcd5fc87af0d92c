//! Triggers that can never launch: no signer that could speak for the build, or clauses that nothing satisfies.

use launchgate_statement::{FactName, Timestamp};
use launchgate_trust::{Signer, SignerKind};

use super::warning;
use crate::{Config, Finding, Trigger};

/// The first reason, since one is enough; beside it whether the signers are over, which is mended elsewhere.
pub(super) fn of(config: &Config, trigger: &Trigger, now: Timestamp) -> Vec<Finding> {
    let reason = contradiction(trigger)
        .or_else(|| pipeline_out_of_reach(config, trigger))
        .or_else(|| organization_out_of_reach(config, trigger));
    let unreachable =
        reason.map(|(message, fix)| warning("unreachable-trigger", trigger.place.as_ref(), message, fix));
    signers_at_an_end(config, trigger, now).into_iter().chain(unreachable).collect()
}

/// A trigger whose permitted signers are all over matches builds and denies every one.
fn signers_at_an_end(config: &Config, trigger: &Trigger, now: Timestamp) -> Option<Finding> {
    let over = |signer: &Signer| signer.revoked || signer.not_after.is_some_and(|end| end <= now);
    let all_over = trigger.require.any_of.iter().all(|id| config.signers.get(id).is_none_or(over));
    let message = format!("no signer that the trigger `{}` permits is in force", trigger.name);
    all_over.then(|| {
        warning("no-signer-in-force", trigger.place.as_ref(), message, "permit a signer that is in force")
    })
}

/// A clause whose negations take out whatever it lets in.
fn contradiction(trigger: &Trigger) -> Option<(String, &'static str)> {
    let of_build = trigger.matching.clauses.iter().filter(|clause| clause.patterns.is_contradiction());
    let artifact = trigger.matching.artifact.iter().filter(|patterns| patterns.list().is_contradiction());
    let mut clauses = of_build
        .map(|clause| (clause.rung, &clause.text))
        .chain(artifact.map(|patterns| ("match.artifact", &patterns.text)));
    let (rung, text) = clauses.next()?;
    let message = format!(
        "nothing can match the trigger `{}`: in `{rung}` ({text}) the negations take out whatever is let in",
        trigger.name
    );
    Some((message, "take out the negation, or let in more than it takes out"))
}

/// A trigger for a pipeline that none of its signers may speak for never launches.
fn pipeline_out_of_reach(config: &Config, trigger: &Trigger) -> Option<(String, &'static str)> {
    let pipeline = trigger.matching.literal_pipeline.as_deref()?;
    let speaks = |signer: &Signer| signer.pipelines.as_ref().is_none_or(|list| list.matches(pipeline));
    let reached = trigger.require.any_of.iter().any(|id| config.signers.get(id).is_some_and(speaks));
    let message = format!(
        "no signer that the trigger `{}` permits may speak for the pipeline `{pipeline}`",
        trigger.name
    );
    let fix = "add the pipeline to a signer's `pipelines`, or correct `match.pipeline`";
    (!reached).then_some((message, fix))
}

/// Every permitted signer is of Buildkite organizations that `match.organization` keeps out.
fn organization_out_of_reach(config: &Config, trigger: &Trigger) -> Option<(String, &'static str)> {
    let clause = trigger.matching.clauses.iter().find(|clause| clause.fact == FactName::Organization)?;
    let signers = trigger.require.any_of.iter().filter_map(|id| config.signers.get(id));
    let organizations = signers.map(|signer| match &signer.kind {
        SignerKind::BuildkiteOidc(oidc) => Some(&*oidc.organization),
        SignerKind::Sigstore(sigstore) => Some(&*sigstore.organization),
        _ => None,
    });
    let organizations: Vec<&str> = organizations.collect::<Option<_>>()?;
    let reached = organizations.iter().any(|organization| clause.patterns.matches(organization));
    let message = format!(
        "the trigger `{}` asks for the organization {}, and its signers speak for {} only",
        trigger.name,
        clause.text,
        organizations.join(", ")
    );
    (!reached)
        .then_some((message, "correct `match.organization`, or leave it out: the signers say it already"))
}
