//! Warnings that need a clock or a second look at a sound file.
//!
//! Promises: a warning is true of the file as it stands; where it cannot be certain it says nothing.
//! Does not: refuse a file (that is `load`), know what Google Cloud or Buildkite hold.

mod doubles;
mod exposure;
mod unreachable;

use launchgate_statement::Timestamp;
use launchgate_trust::SignerId;

use crate::{Config, Finding, Place, Severity};

/// What to look at in a sound file: signers that are over, about to end, old or unused; triggers that cannot
/// launch, or launch what another one launches too; what may be started, exchanged or kept for too long;
/// and the remarks of `load` (default service accounts, images by tag).
pub fn lint(config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config
        .rotation_notices(now)
        .iter()
        .map(|notice| {
            warning(notice.code, place_of(config, &notice.signer), notice.message.clone(), notice.fix)
        })
        .collect();
    for trigger in &config.triggers {
        findings.extend(unreachable::of(config, trigger, now));
        findings.extend(exposure::of(trigger));
        findings.extend(trigger.remarks.iter().cloned());
    }
    findings.extend(doubles::of(&config.triggers));
    findings.extend(exposure::unused_signers(config));
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
