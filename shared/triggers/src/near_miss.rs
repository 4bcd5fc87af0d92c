//! What kept a trigger from matching, when it was one clause alone.
//!
//! Promises: one near miss for each event, trigger and clause, however many subjects the event has; names come
//! from the reviewed file and from `MissedClause` alone. Does not: count (the ledger and the metrics do).

use serde::{Deserialize, Serialize};

use crate::TriggerName;

/// An event that a trigger would have matched but for one clause.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NearMiss {
    /// The trigger.
    pub trigger: TriggerName,
    /// The clause.
    pub clause: MissedClause,
}

impl NearMiss {
    /// Near misses kept of one event: each is a row that the commit of the event writes. A file in which more
    /// triggers miss one event by a hair is not read one by one.
    pub const MAX: usize = 32;
}

/// A clause of `match` that can be the only one to fail. Not `pipeline`: a trigger of another pipeline is
/// not near, and almost every trigger of a file would be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedClause {
    /// `match.organization`
    Organization,
    /// `match.branch`
    Branch,
    /// `match.tag`
    Tag,
    /// `match.step`
    Step,
    /// `match.artifact`
    Artifact,
    /// `match.when`
    When,
}

impl MissedClause {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Organization, Self::Branch, Self::Tag, Self::Step, Self::Artifact, Self::When];

    /// Its key in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Branch => "branch",
            Self::Tag => "tag",
            Self::Step => "step",
            Self::Artifact => "artifact",
            Self::When => "when",
        }
    }

    /// The clause of a key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|clause| clause.as_str() == key)
    }

    /// The clause of a rung of the ladder: `match.branch`, `when`.
    pub(crate) fn of_rung(rung: &str) -> Option<Self> {
        Self::from_key(rung.strip_prefix("match.").unwrap_or(rung))
    }
}

impl std::fmt::Display for MissedClause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
