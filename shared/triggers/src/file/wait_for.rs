//! `waitFor`: how long a decision waits before it ends.

use super::{findings::Findings, later, node::Member, scalar, section::Section};

pub(super) const KEYS: &[&str] = &["build", "turn", "quota", "artifact"];

/// Builds that take longer than a day are rare; a webhook that has not come by then was lost.
pub(super) const BUILD_SECONDS: u64 = 86_400;

/// A registry or bucket that has not answered for an hour is not merely busy.
pub(super) const ARTIFACT_SECONDS: u64 = 3600;

/// Seconds that a decision waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitFor {
    /// For Buildkite's own word on the build.
    pub(super) build: u64,
    /// For the artifact check.
    pub(super) artifact: u64,
}

pub(super) fn read(member: Option<&Member>, findings: &mut Findings) -> Option<WaitFor> {
    let Some(member) = member else {
        return Some(WaitFor { build: BUILD_SECONDS, artifact: ARTIFACT_SECONDS });
    };
    let section = Section::open("waitFor", KEYS, &member.value, &member.key_at, findings)?;
    for key in ["turn", "quota"] {
        later::refuse(section.get(key), "this waiting", findings);
    }
    let mut seconds =
        |key, default| section.get(key).map_or(Some(default), |it| scalar::duration(it, findings));
    let (build, artifact) = (seconds("build", BUILD_SECONDS), seconds("artifact", ARTIFACT_SECONDS));
    Some(WaitFor { build: build?, artifact: artifact? })
}
