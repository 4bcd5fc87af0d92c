//! The engine's Buildkite API, over Buildkite's own REST client.

use async_trait::async_trait;
use launchgate_buildkite::{BuildAddress, RestApi, RestError};
use launchgate_engine::{
    BuildKey,
    ports::{AnsweredBuild, BuildkiteApi, BuildkiteApiError},
};
use launchgate_google::Endpoints;
use launchgate_triggers::Config;

use crate::{Environment, clock::now};

/// Buildkite's REST API, as the owner of the file's token.
pub(crate) struct AskedBuildkite(RestApi);

impl AskedBuildkite {
    /// The API that the file gives a token for; `None` when it gives none.
    ///
    /// # Errors
    /// A sentence for people when the variable is not set or what it holds is no token.
    pub(crate) fn of(
        config: &Config,
        endpoints: &Endpoints,
        environment: &Environment,
    ) -> Result<Option<Self>, String> {
        let named = config.buildkite.as_ref().and_then(|buildkite| buildkite.api_token_env.as_deref());
        let Some(name) = named else { return Ok(None) };
        let token = environment.get(name).ok_or_else(|| {
            format!(
                "set {name} to a Buildkite API access token with the scope read_builds, or leave out \
                 `buildkite.apiTokenEnv`"
            )
        })?;
        let api = RestApi::new(endpoints.buildkite_api().as_str(), token);
        api.map(|api| Some(Self(api))).map_err(|error| format!("{name}: {error}"))
    }
}

#[async_trait]
impl BuildkiteApi for AskedBuildkite {
    async fn build(&self, build: &BuildKey) -> Result<AnsweredBuild, BuildkiteApiError> {
        let BuildKey { organization, pipeline, number } = build;
        let address = BuildAddress { organization, pipeline, number: *number };
        match self.0.build(address).await {
            Ok(body) => Ok(AnsweredBuild { body, at: now() }),
            Err(error) => Err(unanswered(&error)),
        }
    }
}

fn unanswered(error: &RestError) -> BuildkiteApiError {
    let message = error.to_string();
    if error.is_not_found() {
        BuildkiteApiError::NotFound(message)
    } else if error.is_transient() {
        BuildkiteApiError::Later { message, wait: error.wait() }
    } else {
        BuildkiteApiError::Refused(message)
    }
}
