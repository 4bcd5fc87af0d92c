//! A hash over fields that no two different lists of fields share.

use launchgate_statement::Sha256;

/// SHA-256 over fields, each preceded by its length: no two different lists hash the same bytes.
pub(crate) struct FieldHash(Vec<u8>);

impl FieldHash {
    /// Starts with what is named, such as `launchgate/launch/v1`, so that no two kinds of name collide.
    pub(crate) fn of(kind: &str) -> Self {
        Self(Vec::with_capacity(192)).field(kind.as_bytes())
    }

    /// Adds one field.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        // Names are bounded by the envelope's 256 KiB, so a length always fits.
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// The hash.
    pub(crate) fn sha256(&self) -> Sha256 {
        Sha256::of(&self.0)
    }
}
