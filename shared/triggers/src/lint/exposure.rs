//! What a file allows that its reviewers may not have meant to.

use launchgate_statement::FactName;

use super::{place_of, warning};
use crate::{Config, Finding, Mode, Trigger};

/// Names that branches of releases go by. Whoever works on a feature branch starts its builds by hand, and
/// should; a build of one of these decides what production runs.
const PRODUCTION: [&str; 11] = [
    "main",
    "master",
    "trunk",
    "production",
    "prod",
    "stable",
    "release",
    "release/1.0",
    "release-1.0",
    "releases/1.0",
    "hotfix/1.0",
];

/// Beyond this, `maxAge` no longer says that an event belongs to a build of now.
const LONG_AGE_SECONDS: u64 = 30 * 86_400;

/// About one trigger. One that only observes launches nothing.
pub(super) fn of(trigger: &Trigger) -> Vec<Finding> {
    if trigger.mode != Mode::Enforce {
        return Vec::new();
    }
    [sources(trigger), age(trigger), overwritable(trigger)].into_iter().flatten().collect()
}

/// Anyone who may start a build by hand can start one of a protected branch.
fn sources(trigger: &Trigger) -> Option<Finding> {
    let branch = trigger.matching.clauses.iter().find(|clause| clause.fact == FactName::Branch)?;
    let production = PRODUCTION.iter().find(|name| branch.patterns.matches(name))?;
    let message = format!(
        "the trigger `{}` takes builds of a branch like `{production}` and does not ask how they were started",
        trigger.name
    );
    let fix = "add `sources: [webhook]`, else builds started by hand or by the API count as well";
    trigger.require.sources.is_none().then(|| warning("sources-open", trigger.place.as_ref(), message, fix))
}

fn age(trigger: &Trigger) -> Option<Finding> {
    let days = trigger.require.max_age_seconds / 86_400;
    let message = format!(
        "the trigger `{}` takes events that are up to {days} days old: whoever finds an old one can have it launch",
        trigger.name
    );
    let fix = "write a `maxAge` that a late delivery needs, such as 24h; an operator can replay older events";
    (trigger.require.max_age_seconds > LONG_AGE_SECONDS)
        .then(|| warning("long-max-age", trigger.place.as_ref(), message, fix))
}

/// An object is one name for many contents, unless its generation is named or looked at.
fn overwritable(trigger: &Trigger) -> Option<Finding> {
    let patterns = trigger.matching.artifact.as_ref()?;
    let open = patterns.positive.iter().map(|pattern| pattern.pattern.as_str());
    let open = open.into_iter().find(|text| text.starts_with("gs://") && !text.contains('#'))?;
    let message = format!(
        "the trigger `{}` takes `{open}` without a generation: the object can be overwritten between build and run",
        trigger.name
    );
    let fix = "end the pattern with `#*`, so that only events which name the object's generation match, or add `artifact: exists` to `require`";
    (!trigger.asks_for_artifact)
        .then(|| warning("overwritable-artifact", trigger.place.as_ref(), message, fix))
}

/// A signer that no trigger permits proves events that launch nothing: a key that is kept for no use.
pub(super) fn unused_signers(config: &Config) -> Vec<Finding> {
    let permitted: std::collections::HashSet<_> =
        config.triggers.iter().flat_map(|trigger| &trigger.require.any_of).collect();
    let unused = config.signers.iter().filter(|signer| !signer.revoked && !permitted.contains(&signer.id));
    unused
        .map(|signer| {
            let message = format!("no trigger permits the signer `{}`", signer.id);
            let fix = "name it in a trigger's `anyOf`, or take it out of `signers`";
            warning("unused-signer", place_of(config, &signer.id), message, fix)
        })
        .collect()
}
