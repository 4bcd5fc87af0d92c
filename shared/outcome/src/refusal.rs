//! An outcome that ends a walk early.

use serde::{Deserialize, Serialize};

use crate::{Outcome, Reason};

/// Why something went no further: the outcome, the stable reason, and the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Where it ended.
    pub outcome: Outcome,
    /// The stable code.
    pub reason: Reason,
    /// What was expected, what was found, what to do. Holds payload text: escape before showing.
    pub message: String,
}

impl Refusal {
    /// A refusal with the outcome that the reason belongs to.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { outcome: reason.outcome(), reason, message: message.into() }
    }
}
