//! One rung of the checks ladder.

use serde::{Deserialize, Serialize};

/// One thing that was looked at on the way to an outcome; the ordered list of them is the ladder
/// that `explain`, the console and the audit export show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked: `envelope`, `signature`, `statement`, `match.branch`, `require.maxAge`, …
    pub name: String,
    /// How it ended.
    pub status: CheckStatus,
    /// What the rule asks for, as people write it in the triggers file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found. Payload text: escape before showing it anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// A sentence more, mostly the fix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Who proves the fact that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<Voucher>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Looked at and in order.
    Passed,
    /// Looked at and not in order; the outcome's reason names the first of these.
    Failed,
    /// Not looked at, on purpose (offline, or the trigger does not ask for it).
    Skipped,
    /// An earlier failure ended the walk.
    NotReached,
}

/// What proves a fact about the build. Source: DESIGN §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// A public key configured as signer: all it says, for its pipelines.
    Key,
    /// A Buildkite OIDC token.
    Token,
    /// A Fulcio certificate.
    Certificate,
    /// A Buildkite webhook's HMAC.
    Webhook,
    /// Buildkite's REST API.
    Rest,
    /// The job's own word: proves nothing.
    Statement,
    /// The artifact, which every signer binds.
    #[serde(rename = "the signer's word")]
    SignersWord,
}

impl Check {
    /// A rung that passed.
    pub fn passed(name: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Passed)
    }

    /// A rung that failed.
    pub fn failed(name: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Failed)
    }

    /// A rung that was left out on purpose.
    pub fn skipped(name: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Skipped)
    }

    /// A rung above the one that failed.
    pub fn not_reached(name: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::NotReached)
    }

    fn new(name: impl Into<String>, status: CheckStatus) -> Self {
        Self { name: name.into(), status, expected: None, actual: None, detail: None, voucher: None }
    }

    /// Adds what the rule asks for.
    #[must_use]
    pub fn expected(mut self, text: impl Into<String>) -> Self {
        self.expected = Some(text.into());
        self
    }

    /// Adds what was found.
    #[must_use]
    pub fn actual(mut self, text: impl Into<String>) -> Self {
        self.actual = Some(text.into());
        self
    }

    /// Adds a sentence more.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Some(text.into());
        self
    }

    /// Adds who proves the fact.
    #[must_use]
    pub fn voucher(mut self, voucher: Voucher) -> Self {
        self.voucher = Some(voucher);
        self
    }
}
