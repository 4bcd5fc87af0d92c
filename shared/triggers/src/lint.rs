//! Warnings that need a clock or a second look at a sound file.

use std::collections::HashMap;

use launchgate_statement::Timestamp;
use launchgate_trust::{Signer, SignerId};

use crate::{Config, Finding, Mode, Place, Severity, Trigger};

/// What to look at in a sound file: signers that are over or about to end (30 days), keys older than their
/// `rotateAfter`, triggers that match the same builds or that no signer can reach, default service accounts, images by tag, branch triggers without `sources`.
pub fn lint(config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config
        .rotation_notices(now)
        .iter()
        .map(|notice| {
            warning(notice.code, place_of(config, &notice.signer), notice.message.clone(), notice.fix)
        })
        .collect();
    let mut matches = HashMap::new();
    for trigger in &config.triggers {
        findings.extend(same_match(&mut matches, trigger));
        findings.extend(signers_at_an_end(config, trigger, now));
        findings.extend(out_of_reach(config, trigger));
        findings.extend(branch_without_sources(trigger));
        findings.extend(trigger.remarks.iter().cloned());
    }
    findings.sort_by_key(|finding| finding.place.as_ref().map_or(0, |place| place.bytes.start));
    findings
}

fn warning(code: &'static str, place: Option<&Place>, message: String, fix: &str) -> Finding {
    let mut finding = Finding::new(code, Severity::Warning, message);
    finding.place = place.cloned();
    finding.fix(fix);
    finding
}

fn place_of<'c>(config: &'c Config, signer: &SignerId) -> Option<&'c Place> {
    config.signer_places.iter().find(|(id, _)| id == signer).and_then(|(_, place)| place.as_ref())
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

/// A trigger for a pipeline that none of its signers may speak for never launches.
fn out_of_reach(config: &Config, trigger: &Trigger) -> Option<Finding> {
    let pipeline = trigger.matching.literal_pipeline.as_deref()?;
    let speaks = |signer: &Signer| signer.pipelines.as_ref().is_none_or(|list| list.matches(pipeline));
    let reached = trigger.require.any_of.iter().any(|id| config.signers.get(id).is_some_and(speaks));
    let message = format!(
        "no signer that the trigger `{}` permits may speak for the pipeline `{pipeline}`",
        trigger.name
    );
    let fix = "add the pipeline to a signer's `pipelines`, or correct `match.pipeline`";
    (!reached).then(|| warning("unreachable-trigger", trigger.place.as_ref(), message, fix))
}

/// `earlier` holds the first trigger of each `match` block so far.
fn same_match<'c>(earlier: &mut HashMap<&'c str, &'c Trigger>, trigger: &'c Trigger) -> Option<Finding> {
    let twin = *earlier.entry(&trigger.match_text).or_insert(trigger);
    if twin.name == trigger.name {
        return None;
    }
    let message = format!(
        "the triggers `{}` and `{}` match the same builds: both will launch",
        twin.name, trigger.name
    );
    Some(warning(
        "same-match",
        trigger.place.as_ref(),
        message,
        "narrow one of them, or keep both on purpose",
    ))
}

/// Anyone who may start a build by hand can start one of a protected branch.
fn branch_without_sources(trigger: &Trigger) -> Option<Finding> {
    let by_branch = trigger.matching.clauses.iter().any(|clause| clause.rung == "match.branch");
    let open = by_branch && trigger.require.sources.is_none() && trigger.mode == Mode::Enforce;
    let message =
        format!("the trigger `{}` asks for a branch and not for how the build was started", trigger.name);
    let fix = "add `sources: [webhook]`, else builds started by hand or by the API count as well";
    open.then(|| warning("sources-open", trigger.place.as_ref(), message, fix))
}
