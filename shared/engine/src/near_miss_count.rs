//! How often one clause alone kept a trigger from matching, as the ledger counts it.

use launchgate_statement::{EventId, Timestamp};
use launchgate_triggers::{MissedClause, TriggerName};
use serde::{Deserialize, Serialize};

/// The events that a trigger would have matched but for one clause. Times are of the ledger's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct NearMissCount {
    /// The trigger, whether or not today's file still has it.
    pub trigger: TriggerName,
    /// The clause.
    pub clause: MissedClause,
    /// How many events.
    pub events: u64,
    /// When the first one was recorded.
    pub first: Timestamp,
    /// When the last one was recorded.
    pub last: Timestamp,
    /// The last one.
    pub last_event: EventId,
}
