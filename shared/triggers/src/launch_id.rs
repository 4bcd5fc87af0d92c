//! The name of a launch. Rule and vectors: `tests/vectors/trust/launch-id.json`.

use launchgate_statement::{EventDigest, Sha256};
use serde::{Deserialize, Serialize};

use crate::{TriggerName, field_hash::FieldHash};

/// `lg-`, the trigger's first 26 characters, `-`, 32 hex digits: at most 62 characters, so that it is a
/// pipeline job id and a label value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaunchId(String);

impl LaunchId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id as the ledger keeps it or an operator types it; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (front, hex) = text.strip_prefix("lg-")?.rsplit_once('-')?;
        let fits = (1..=26).contains(&front.len())
            && front.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && hex.len() == 32
            && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self(text.to_owned()))
    }
}

impl std::fmt::Display for LaunchId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of event × subject × trigger × ordinal.
pub fn launch_id(
    event: EventDigest,
    subject: &str,
    sha256: Sha256,
    trigger: &TriggerName,
    ordinal: u32,
) -> LaunchId {
    let hash = FieldHash::of("launchgate/launch/v1")
        .field(event.0.as_bytes())
        .field(subject.as_bytes())
        .field(sha256.as_bytes())
        .field(trigger.as_str().as_bytes())
        .field(&ordinal.to_be_bytes())
        .sha256();
    let name = trigger.as_str();
    let front = name[..name.len().min(26)].trim_end_matches('-');
    LaunchId(format!("lg-{front}-{}", &hash.to_hex()[..32]))
}
