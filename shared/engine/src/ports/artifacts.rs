//! Where artifacts lie: buckets and registries.

use std::time::Duration;

use async_trait::async_trait;
use launchgate_outcome::Reason;
use launchgate_triggers::ArtifactDemand;

/// Looks at artifacts where they lie.
#[async_trait]
pub trait ArtifactCheck: Send + Sync + 'static {
    /// Looks whether what is there is what is asked for. Changes nothing, so it may be asked again, and may be
    /// dropped at any time. Answers within `limit`.
    async fn look(&self, demand: &ArtifactDemand, limit: Duration) -> ArtifactSeen;
}

/// What was seen. Never holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactSeen {
    /// All of what was asked for.
    Equal {
        /// What was found, in one line.
        actual: String,
    },
    /// Something else, or nothing, and looking again does not change that.
    Otherwise {
        /// `artifact_missing`, `artifact_differs` or `artifact_not_checkable`.
        reason: Reason,
        /// What was found, in one line.
        actual: String,
        /// The sentence for people, with the fix.
        message: String,
    },
    /// Nothing can be said yet: no answer, no permission, no token, no time.
    Unanswered {
        /// What came in between, with the line that mends it where one does.
        message: String,
        /// The other side's own wish.
        retry_after: Option<Duration>,
    },
}

/// For a gate that has no way to look: what asks for it waits, and ends unchecked.
#[derive(Clone, Copy, Debug)]
pub struct NoArtifactCheck;

#[async_trait]
impl ArtifactCheck for NoArtifactCheck {
    async fn look(&self, _: &ArtifactDemand, _: Duration) -> ArtifactSeen {
        ArtifactSeen::Unanswered {
            message: "this gate has no way to look at artifacts".to_owned(),
            retry_after: None,
        }
    }
}
