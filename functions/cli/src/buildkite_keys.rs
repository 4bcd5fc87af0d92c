//! Buildkite's keys for a command that judges events: from a file, or fetched when a token asks for one.

use std::path::PathBuf;

use clap::Args;
use launchgate_google::{Endpoints, Freshness, KeySet};
use launchgate_service::Environment;
use launchgate_trust::{BuildkiteKeys, Jwks, KeyWanted};

use crate::{command_line::block_on, event_source::read_bounded, failure::Failure};

#[derive(Debug, Args)]
pub(crate) struct KeysArgument {
    /// Buildkite's key set (JWKS) for keyless events, in the place of the fetched one
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

impl KeysArgument {
    /// What `ask` answers with the keys that it needs: nothing is fetched for an event without a token.
    pub(crate) fn answer<T>(
        &self,
        ask: impl Fn(BuildkiteKeys<'_>) -> Result<T, KeyWanted>,
    ) -> Result<T, Failure> {
        let keys = if let Some(path) = &self.jwks {
            let wrong = |error| Failure::usage(format!("{}: {error}", path.display()));
            Jwks::parse(&read_bounded(path)?).map_err(wrong)?
        } else {
            match ask(BuildkiteKeys::Missing) {
                Ok(answer) => return Ok(answer),
                Err(wanted) => fetched(&wanted)?,
            }
        };
        // A complete set leaves nothing to be wanted.
        ask(BuildkiteKeys::Complete(&keys)).map_err(|wanted| Failure::Internal(wanted.into()))
    }
}

fn fetched(wanted: &KeyWanted) -> Result<Jwks, Failure> {
    let environment = Environment::of_process();
    block_on(async {
        let endpoints = Endpoints::from_variables(environment.variables())
            .map_err(|error| Failure::usage(error.to_string()))?;
        let keys = KeySet::buildkite(&endpoints, Freshness::default()).map_err(anyhow::Error::from)?;
        let keys = keys.refresh_for(&wanted.kid).await.map_err(|error| {
            Failure::Transient(format!(
                "Buildkite's keys could not be fetched; give them with --jwks: {error}"
            ))
        })?;
        Ok(Jwks::clone(&keys))
    })
}
