//! What must be true at the moment a plan becomes a launch, for the ledger to find out.
//!
//! A plan is made of one event alone; whether another event was faster is known only where all of them are
//! recorded. So the plan carries the question, and the ledger answers it in the commit that would make the
//! decision an intent. Does not: ask anything (`decide` makes these, the ledger's port says how they are met).

use std::num::NonZeroU32;

use launchgate_statement::Sha256;
use serde::{Deserialize, Serialize};

/// The conditions of one launch. None of them is asked of a forced replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaunchConditions {
    /// `oncePer`: no other launch may hold this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<OnceKey>,
    /// `order: newest`: no newer build of this line may have been launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<OrderKey>,
    /// `maxLaunchesPerHour`: fewer than this many launches of the trigger within the last 60 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<NonZeroU32>,
}

impl LaunchConditions {
    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What at most one launch may hold: a hash of the trigger and what it launches once for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OnceKey(pub(crate) Sha256);

impl OnceKey {
    /// The 32 bytes that the ledger compares.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// A build's place in the line of builds of one trigger, pipeline and branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderKey {
    /// The line: a hash of trigger, organization, pipeline and branch. Builds of no branch are a line of their own.
    pub line: Sha256,
    /// The build's number, by which builds of one line are older or newer.
    pub number: u64,
}
