//! From a verified event to decisions.

use launchgate_statement::Timestamp;
use launchgate_trust::VerifiedEvent;

use crate::{Config, Decisions};

/// How to decide.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecideOptions {
    /// The replay ordinal of the launch ids.
    pub ordinal: u32,
    /// A replay: `maxAge` was met at first receipt and is not asked again.
    pub max_age_met: bool,
}

/// Matches every subject against every trigger, checks the requirements of those that match, and plans.
/// `published` is when Pub/Sub took the delivery in.
pub fn decide(config: &Config, event: &VerifiedEvent, published: Timestamp, options: DecideOptions) -> Decisions {
    let _ = (config, event, published, options);
    unimplemented!("decide")
}
