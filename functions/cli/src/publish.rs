//! One message onto a Pub/Sub topic.

use std::collections::BTreeMap;

use launchgate_google::{CredentialSettings, Endpoints, PubSub};
use launchgate_service::Environment;

use crate::{failure::Failure, remote_artifact::failed};

/// Publishes and waits for Google's word that the message is kept; answers its id.
pub(crate) async fn publish(
    topic: &str,
    data: String,
    attributes: &BTreeMap<String, String>,
    environment: &Environment,
) -> Result<String, Failure> {
    let variables = environment.variables();
    let endpoints = Endpoints::from_variables(variables).map_err(|error| failed(&error))?;
    let pubsub = PubSub::new(endpoints, CredentialSettings::from_variables(variables));
    pubsub.publish(topic, data, attributes).await.map_err(|error| failed(&error))
}
