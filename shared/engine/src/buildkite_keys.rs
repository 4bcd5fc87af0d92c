//! Judging with Buildkite's keys: those at hand, those kept with the event, and fresh ones where a token names
//! one that is not among them.

use std::sync::Arc;

use launchgate_statement::Envelope;
use launchgate_trust::{BuildkiteKeys, Jwk, Jwks, KeyWanted, VerifiedSignature};

use crate::{Gate, NothingDecided};

impl Gate {
    /// The keys that verified the recorded event in `data`; none when it is not recorded.
    pub(crate) async fn kept_keys(&self, data: &[u8]) -> Result<Vec<Jwk>, NothingDecided> {
        let Ok(envelope) = Envelope::parse(data) else { return Ok(Vec::new()) };
        let stored = self.ledger().event(&envelope.event_digest().id()).await?;
        Ok(stored.map(|stored| kept_keys(&stored.event.signatures)).unwrap_or_default())
    }

    /// What `ask` answers with the keys at hand; where a token names one that is not among them, with keys
    /// fetched afresh. `kept` are those that verified this very event before; Buildkite may have rotated
    /// them away.
    ///
    /// # Errors
    /// `NothingDecided` when a key is wanted and Buildkite's keys cannot be fetched: that is no fault of the
    /// event, so it is never a rejection.
    pub(crate) async fn with_buildkite_keys<T>(
        &self,
        kept: &[Jwk],
        ask: impl Fn(BuildkiteKeys<'_>) -> Result<T, KeyWanted> + Send + Sync,
    ) -> Result<T, NothingDecided> {
        let source = self.buildkite_keys();
        let held = together(source.current(), kept);
        let wanted = match ask(held.as_deref().map_or(BuildkiteKeys::Missing, BuildkiteKeys::Held)) {
            Ok(answer) => return Ok(answer),
            Err(wanted) => wanted,
        };
        let fresh = source.refresh_for(&wanted.kid).await.map_err(|error| {
            tracing::error!(%error, "Buildkite's keys could not be fetched");
            NothingDecided(format!("Buildkite's keys could not be fetched: {error}"))
        })?;
        let fresh = together(Some(fresh), kept).unwrap_or_default();
        ask(BuildkiteKeys::Complete(&fresh)).map_err(|wanted| NothingDecided(wanted.to_string()))
    }
}

/// The keys of Buildkite's that are kept with these signatures.
pub(crate) fn kept_keys(signatures: &[VerifiedSignature]) -> Vec<Jwk> {
    signatures
        .iter()
        .filter_map(|signature| signature.token.as_ref())
        .map(|token| token.key.clone())
        .collect()
}

/// The keys at hand with those kept beside an event.
fn together(keys: Option<Arc<Jwks>>, kept: &[Jwk]) -> Option<Arc<Jwks>> {
    if kept.is_empty() {
        return keys;
    }
    let base = keys.as_deref().cloned().unwrap_or_default();
    match base.with(kept) {
        Ok(all) => Some(Arc::new(all)),
        Err(error) => {
            tracing::error!(%error, "a key kept with an event cannot be read");
            keys
        }
    }
}
