//! `waitFor`: how long a decision waits before it ends.

use super::{findings::Findings, later, node::Member, scalar, section::Section};

pub(super) const KEYS: &[&str] = &["build", "turn", "quota", "artifact"];

/// Builds that take longer than a day are rare; a webhook that has not come by then was lost.
pub(super) const BUILD_SECONDS: u64 = 86_400;

/// Seconds that a decision waits for Buildkite's own word on the build.
pub(super) fn read(member: Option<&Member>, findings: &mut Findings) -> Option<u64> {
    let Some(member) = member else { return Some(BUILD_SECONDS) };
    let section = Section::open("waitFor", KEYS, &member.value, &member.key_at, findings)?;
    for key in ["turn", "quota", "artifact"] {
        later::refuse(section.get(key), "this waiting", findings);
    }
    match section.get("build") {
        Some(build) => scalar::duration(build, findings),
        None => Some(BUILD_SECONDS),
    }
}
