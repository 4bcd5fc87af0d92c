//! How a receipt, event or decision ended.

use std::fmt;

/// The end (or the durable waiting place) of a receipt, event or decision. Stable: DESIGN §5.
///
/// Declared in the order in which one event with several decisions is summed up:
/// the event's outcome is the first of its decisions' outcomes in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A run exists at Vertex under the decision's launch id.
    Launched,
    /// Decided and durable; Vertex failed for now and the ledger owns the retry.
    Retrying,
    /// Waits for Buildkite's own word on the build.
    WaitingBuild,
    /// Waits for the artifact check.
    WaitingArtifact,
    /// Waits for a free concurrency slot.
    WaitingTurn,
    /// Waits for quota at Vertex.
    WaitingQuota,
    /// A kind whose id the server assigns may or may not have been created.
    LaunchUnknown,
    /// Vertex gave a terminal answer, or the retry budget ran out.
    FailedLaunch,
    /// A requirement of the trigger failed.
    DeniedPolicy,
    /// An expression or a template input cannot be satisfied by this event.
    InvalidParameters,
    /// Decided and recorded; the trigger's mode is `observe`, nothing is launched.
    Observed,
    /// The trigger is paused.
    SkippedPaused,
    /// The concurrency limit was reached and the trigger says `skip`.
    SkippedConcurrency,
    /// A newer build was launched first.
    Superseded,
    /// `maxLaunchesPerHour` was reached.
    RateCapped,
    /// No trigger matches the event.
    NoMatch,
    /// The same event again, or a decision whose launch another one holds (`oncePer`); it points at the other.
    Duplicate,
    /// The sender of the delivery is not proven; nothing is stored.
    RejectedAuth,
    /// The body is not an event.
    RejectedMalformed,
    /// No configured signer vouches for the statement.
    RejectedSignature,
    /// The statement is genuine but not acceptable.
    RejectedStatement,
}

impl Outcome {
    /// Every outcome, in declaration order.
    pub const ALL: [Self; 21] = [
        Self::Launched,
        Self::Retrying,
        Self::WaitingBuild,
        Self::WaitingArtifact,
        Self::WaitingTurn,
        Self::WaitingQuota,
        Self::LaunchUnknown,
        Self::FailedLaunch,
        Self::DeniedPolicy,
        Self::InvalidParameters,
        Self::Observed,
        Self::SkippedPaused,
        Self::SkippedConcurrency,
        Self::Superseded,
        Self::RateCapped,
        Self::NoMatch,
        Self::Duplicate,
        Self::RejectedAuth,
        Self::RejectedMalformed,
        Self::RejectedSignature,
        Self::RejectedStatement,
    ];

    /// The stable `snake_case` code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launched => "launched",
            Self::Retrying => "retrying",
            Self::WaitingBuild => "waiting_build",
            Self::WaitingArtifact => "waiting_artifact",
            Self::WaitingTurn => "waiting_turn",
            Self::WaitingQuota => "waiting_quota",
            Self::LaunchUnknown => "launch_unknown",
            Self::FailedLaunch => "failed_launch",
            Self::DeniedPolicy => "denied_policy",
            Self::InvalidParameters => "invalid_parameters",
            Self::Observed => "observed",
            Self::SkippedPaused => "skipped_paused",
            Self::SkippedConcurrency => "skipped_concurrency",
            Self::Superseded => "superseded",
            Self::RateCapped => "rate_capped",
            Self::NoMatch => "no_match",
            Self::Duplicate => "duplicate",
            Self::RejectedAuth => "rejected_auth",
            Self::RejectedMalformed => "rejected_malformed",
            Self::RejectedSignature => "rejected_signature",
            Self::RejectedStatement => "rejected_statement",
        }
    }

    /// The outcome of a stable code; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == code)
    }

    /// The exit code a command ends with when this is its answer. Source: DESIGN §8.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Launched | Self::Duplicate => 0,
            Self::RejectedAuth
            | Self::RejectedMalformed
            | Self::RejectedSignature
            | Self::RejectedStatement => 3,
            Self::DeniedPolicy | Self::InvalidParameters | Self::FailedLaunch => 4,
            Self::NoMatch => 5,
            Self::WaitingBuild
            | Self::WaitingArtifact
            | Self::WaitingTurn
            | Self::WaitingQuota
            | Self::LaunchUnknown
            | Self::Observed
            | Self::SkippedPaused
            | Self::SkippedConcurrency
            | Self::Superseded
            | Self::RateCapped => 6,
            Self::Retrying => 7,
        }
    }

    /// Whether the ledger or the sweep still has work to do on a decision with this outcome.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Retrying
                | Self::WaitingBuild
                | Self::WaitingArtifact
                | Self::WaitingTurn
                | Self::WaitingQuota
                | Self::LaunchUnknown
        )
    }

    /// Whether a replay `if-not-launched` may decide again what ended so. Source: DESIGN §5, §7.
    pub fn is_replayable(self) -> bool {
        matches!(
            self,
            Self::NoMatch
                | Self::DeniedPolicy
                | Self::InvalidParameters
                | Self::FailedLaunch
                | Self::SkippedConcurrency
                | Self::SkippedPaused
                | Self::Duplicate
                | Self::Superseded
                | Self::RateCapped
        )
    }

    /// One sentence for people, for `docs/` and `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Launched => "A run exists at Vertex AI under the decision's launch id.",
            Self::Retrying => "Decided and durable; Vertex AI failed for now. The ledger owns the retry.",
            Self::WaitingBuild => "Waits for Buildkite's own word on the build.",
            Self::WaitingArtifact => "Waits for the artifact check.",
            Self::WaitingTurn => "Waits for a free concurrency slot.",
            Self::WaitingQuota => "Waits for quota at Vertex AI.",
            Self::LaunchUnknown => "A job whose id the server assigns may or may not have been created.",
            Self::FailedLaunch => "Vertex AI gave a terminal answer, or the retry budget ran out.",
            Self::DeniedPolicy => "A requirement of the trigger failed.",
            Self::InvalidParameters => "An expression or a template input cannot be satisfied by this event.",
            Self::Observed => "Decided and recorded; the trigger only observes.",
            Self::SkippedPaused => "The trigger is paused.",
            Self::SkippedConcurrency => "The concurrency limit was reached and the trigger skips.",
            Self::Superseded => "A newer build was launched first.",
            Self::RateCapped => "The trigger's hourly launch limit was reached.",
            Self::NoMatch => "No trigger matches the event.",
            Self::Duplicate => {
                "The same event again, or one whose launch another holds (`oncePer`); it points at the other."
            }
            Self::RejectedAuth => "The sender of the delivery is not proven; nothing is stored.",
            Self::RejectedMalformed => "The body is not an event.",
            Self::RejectedSignature => "No configured signer vouches for the statement.",
            Self::RejectedStatement => "The statement is genuine but not acceptable.",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Outcome {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_code(&code).ok_or_else(|| serde::de::Error::custom(format!("unknown outcome `{code}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_found_by_its_own_code_and_listed_once() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(Outcome::from_code(outcome.as_str()), Some(outcome));
            assert_eq!(outcome as usize, index);
        }
    }

    #[test]
    fn an_event_with_a_launch_and_a_denial_is_summed_up_as_launched() {
        assert_eq!([Outcome::DeniedPolicy, Outcome::Launched].into_iter().min(), Some(Outcome::Launched));
    }
}
