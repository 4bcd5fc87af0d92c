//! The engine's source of Buildkite's keys, over the cache that fetches them.

use std::sync::Arc;

use async_trait::async_trait;
use launchgate_engine::ports::BuildkiteKeySource;
use launchgate_google::KeySet;
use launchgate_trust::Jwks;

/// Buildkite's published key set.
pub(crate) struct FetchedKeys(pub(crate) KeySet);

#[async_trait]
impl BuildkiteKeySource for FetchedKeys {
    fn current(&self) -> Option<Arc<Jwks>> {
        self.0.current()
    }

    async fn refresh_for(&self, kid: &str) -> Result<Arc<Jwks>, String> {
        self.0.settled_for(kid).await.map_err(|error| error.to_string())
    }
}
