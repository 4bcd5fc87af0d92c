//! Buildkite's public keys, which verify keyless events.

use std::sync::Arc;

use async_trait::async_trait;
use launchgate_trust::Jwks;

/// Buildkite's key set, kept fresh.
#[async_trait]
pub trait BuildkiteKeySource: Send + Sync + 'static {
    /// The keys at hand without waiting, if they still count.
    fn current(&self) -> Option<Arc<Jwks>>;

    /// The keys after having made sure that `kid` is not merely missing because ours are old; without it in
    /// them, Buildkite does not have that key, as a fetch that began after this call has shown.
    ///
    /// # Errors
    /// Why they could not be fetched, or not yet again: nothing may be decided then.
    async fn refresh_for(&self, kid: &str) -> Result<Arc<Jwks>, String>;
}

/// For a file without a keyless signer.
#[derive(Clone, Copy, Debug)]
pub struct NoBuildkiteKeys;

#[async_trait]
impl BuildkiteKeySource for NoBuildkiteKeys {
    fn current(&self) -> Option<Arc<Jwks>> {
        None
    }

    async fn refresh_for(&self, _: &str) -> Result<Arc<Jwks>, String> {
        Err("this gate has no source of Buildkite's keys".to_owned())
    }
}
