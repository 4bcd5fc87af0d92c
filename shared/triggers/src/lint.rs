//! Warnings that need a clock or a second look at a sound file.

use launchgate_statement::Timestamp;

use crate::{Config, Finding};

/// What to look at in a sound file: keys about to expire (30 days), unreachable triggers, default
/// compute service account, unpinned images, …
pub fn lint(config: &Config, now: Timestamp) -> Vec<Finding> {
    let _ = (config, now);
    unimplemented!("lint")
}
