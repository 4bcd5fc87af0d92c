//! The meta-data of the job's build, through `buildkite-agent` on PATH or, where there is none, the agent API.
//!
//! Does not: believe what it reads; every job of the cluster can write it.

use launchgate_buildkite::{AgentApi, AgentApiError};
use launchgate_service::Environment;

use crate::{
    failure::Failure,
    job_agent::{Ended, call},
};

/// The build's meta-data.
pub(crate) struct MetaData {
    /// `None` when the job lacks the access token.
    api: Option<AgentApi>,
}

impl MetaData {
    pub(crate) fn new(environment: &Environment) -> Result<Self, Failure> {
        let api = AgentApi::from_variables(environment.variables()).map_err(|error| failed(&error))?;
        Ok(Self { api })
    }

    /// What stands under `key`.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<String>, Failure> {
        // A default, so that a key that is not there is told from an agent that fails; no value is empty.
        let arguments = ["meta-data", "get", key, "--default", ""].map(str::to_owned).to_vec();
        match call(arguments, None).await? {
            Some(Ended::Well(value)) => Ok(Some(value).filter(|value| !value.is_empty())),
            Some(Ended::Badly(said)) => {
                Err(Failure::Transient(format!("buildkite-agent did not read the meta-data {key}: {said}")))
            }
            None => self.api()?.meta_data(key).await.map_err(|error| failed(&error)),
        }
    }

    /// Puts `value` under `key`.
    pub(crate) async fn set(&self, key: &str, value: &str) -> Result<(), Failure> {
        // On stdin: other processes of the machine see arguments.
        let arguments = ["meta-data", "set", key].map(str::to_owned).to_vec();
        match call(arguments, Some(value.to_owned())).await? {
            Some(Ended::Well(_)) => Ok(()),
            Some(Ended::Badly(said)) => {
                Err(Failure::Transient(format!("buildkite-agent did not keep the meta-data {key}: {said}")))
            }
            None => self.api()?.set_meta_data(key, value).await.map_err(|error| failed(&error)),
        }
    }

    fn api(&self) -> Result<&AgentApi, Failure> {
        self.api.as_ref().ok_or_else(|| {
            Failure::usage(
                "--via meta-data needs `buildkite-agent` on PATH, or BUILDKITE_AGENT_ACCESS_TOKEN to ask the agent \
                 API itself; does the step's container have either?",
            )
        })
    }
}

/// What a mistake of the agent API's side means for the command: whether the same one may work later.
pub(crate) fn failed(error: &AgentApiError) -> Failure {
    let message = error.to_string();
    if error.is_transient() { Failure::Transient(message) } else { Failure::Usage(message) }
}
