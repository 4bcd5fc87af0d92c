//! One rule of the triggers file, compiled.

use launchgate_statement::Sha256;
use serde::{Deserialize, Serialize};

use crate::{
    Finding, Place, build_word::BuildReads, launch_template::LaunchTemplate, matching::Match,
    requirements::Requirements, turns::TurnRules,
};

/// `[a-z]([a-z0-9-]{0,61}[a-z0-9])?`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TriggerName(String);

impl TriggerName {
    /// A name; `None` when it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let fits = matches!(bytes.len(), 1..=63)
            && bytes[0].is_ascii_lowercase()
            && bytes[bytes.len() - 1] != b'-'
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TriggerName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("expected a lower-case letter, then letters, digits or dashes, at most 63")
    }
}

impl From<TriggerName> for String {
    fn from(name: TriggerName) -> Self {
        name.0
    }
}

impl std::fmt::Display for TriggerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a trigger does with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Launch it.
    Enforce,
    /// Decide, record, never launch.
    Observe,
    /// Decide that it is paused.
    Paused,
}

/// One trigger. Its compiled clauses and launch are private to this crate.
#[derive(Debug)]
pub struct Trigger {
    /// Its name.
    pub name: TriggerName,
    /// What it does with a plan.
    pub mode: Mode,
    pub(crate) matching: Match,
    pub(crate) require: Requirements,
    pub(crate) launch: LaunchTemplate,
    /// What it asks of other launches.
    pub(crate) turns: TurnRules,
    /// What it reads of the build, for knowing whether Buildkite's own word is needed.
    pub(crate) reads: BuildReads,
    /// `waitFor.build` in seconds.
    pub(crate) wait_for_build: u64,
    /// `waitFor.artifact` in seconds.
    pub(crate) wait_for_artifact: u64,
    /// The `match` block as JSON, for telling two triggers that match the same.
    pub(crate) match_text: String,
    /// The `launch` block as JSON, digested, for telling two triggers that launch the same.
    pub(crate) launch_digest: Sha256,
    /// `require.artifact` asks for a look at the artifact itself.
    pub(crate) asks_for_artifact: bool,
    /// Warnings about it that `lint` shows.
    pub(crate) remarks: Vec<Finding>,
    /// Where its name stands.
    pub(crate) place: Option<Place>,
}
