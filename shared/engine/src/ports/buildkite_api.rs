//! Buildkite's REST API, for what its webhooks did not bring.

use std::time::Duration;

use async_trait::async_trait;
use launchgate_statement::Timestamp;

use crate::BuildKey;

/// What Buildkite's REST API says of builds. Every call ends within its own timeout.
#[async_trait]
pub trait BuildkiteApi: Send + Sync + 'static {
    /// The build as it is now.
    async fn build(&self, build: &BuildKey) -> Result<AnsweredBuild, BuildkiteApiError>;
}

/// An answer of the API, over a connection that proves the server.
#[derive(Clone, Debug)]
pub struct AnsweredBuild {
    /// The build, as JSON.
    pub body: Vec<u8>,
    /// When the answer came.
    pub at: Timestamp,
}

/// Why there is no answer. Never holds the token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildkiteApiError {
    /// No such build, or none that the token's owner may see.
    #[error("{0}")]
    NotFound(String),
    /// The token is not accepted, or lacks a scope: somebody has to mend that.
    #[error("{0}")]
    Refused(String),
    /// The same may work later: no connection, a limit, an outage.
    #[error("{message}")]
    Later {
        /// What happened.
        message: String,
        /// When Buildkite wants to be asked again, if it says so.
        wait: Option<Duration>,
    },
}
