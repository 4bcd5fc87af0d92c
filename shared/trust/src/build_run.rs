//! When a build ran, for tokens that lay in its meta-data until it finished.

use launchgate_statement::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds by which Buildkite's issuer and its builds may differ.
const SKEW_MICROS: i64 = 60_000_000;

/// From the start of a build's first job to its end. Kept with a token that counted by it, so that the same
/// rule holds whenever the event is verified again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildRun {
    /// `started_at`.
    pub started: Timestamp,
    /// `finished_at`; a retried job makes it later.
    pub finished: Timestamp,
}

impl BuildRun {
    /// Whether a token of this build can have been issued then. Source: DESIGN §3, "Meta-data way".
    pub(crate) fn covers(&self, issued: Timestamp) -> bool {
        issued.micros_since(self.started) >= -SKEW_MICROS && issued.micros_since(self.finished) <= SKEW_MICROS
    }
}
