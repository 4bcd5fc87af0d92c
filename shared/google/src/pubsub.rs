//! Publishing to Pub/Sub, confirmed.
//!
//! Promises: an answer of `Ok` means that Pub/Sub has the message; nothing (no channel, no task, no token)
//! exists before the first message. Does not: order, batch for throughput, or subscribe.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use google_cloud_pubsub::{
    client::{BasePublisher, Publisher},
    error::PublishError,
    model::Message,
};
use launchgate_engine::ports::{FailureNotice, Failures};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::{CredentialSettings, Credentials, Endpoints, GoogleError, http, redaction::redacted};

/// Longest wait for the confirmation. The library retries within it; a message that was confirmed too late
/// is published twice at worst, which the event id makes harmless.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for an access token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to Pub/Sub that is made when it is first needed.
#[derive(Debug)]
pub struct PubSub {
    endpoints: Endpoints,
    credentials: Credentials,
    base: OnceCell<BasePublisher>,
}

impl PubSub {
    /// Costs nothing until the first message.
    pub fn new(endpoints: Endpoints, settings: CredentialSettings) -> Self {
        let credentials = Credentials::new(settings, endpoints.pubsub_override());
        Self { endpoints, credentials, base: OnceCell::new() }
    }

    /// Publishes one message to `projects/P/topics/T` and waits until it is confirmed; answers its id.
    ///
    /// # Errors
    /// With what Pub/Sub said and, where it is known, the `gcloud` line that mends it.
    pub async fn publish(
        &self,
        topic: &str,
        data: impl Into<Bytes> + Send,
        attributes: &BTreeMap<String, String>,
    ) -> Result<String, GoogleError> {
        check_topic(topic)?;
        let message = Message::new().set_data(data).set_attributes(attributes.clone());
        // The library would retry for want of a token until the time is up, and not say why.
        self.credentials.headers(TOKEN_TIMEOUT).await?;
        let confirmed = async {
            // A publisher of its own: its task ends with it, and failures are too rare to keep one.
            let publisher: Publisher = self.base().await?.publisher(topic).build();
            publisher.publish(message).await.map_err(Failed::Refused)
        };
        match tokio::time::timeout(CONFIRM_TIMEOUT, confirmed).await {
            Ok(Ok(id)) => Ok(id),
            Ok(Err(Failed::NotMade(cause))) => Err(GoogleError::Publish { topic: topic.to_owned(), cause }),
            Ok(Err(Failed::Refused(error))) => Err(self.refused(topic, &error).await),
            Err(_) => Err(GoogleError::Publish {
                topic: topic.to_owned(),
                cause: format!(
                    "not confirmed within {} s; is {} reachable from here?",
                    CONFIRM_TIMEOUT.as_secs(),
                    self.endpoints.pubsub_override().map_or("pubsub.googleapis.com:443", |at| at.as_str())
                ),
            }),
        }
    }

    async fn base(&self) -> Result<&BasePublisher, Failed> {
        let make = || async {
            http::install_crypto();
            let credentials =
                self.credentials.for_client_library().map_err(|error| Failed::NotMade(error.to_string()))?;
            let builder = BasePublisher::builder().with_credentials(credentials);
            let builder = match self.endpoints.pubsub_override() {
                Some(endpoint) => builder.with_endpoint(endpoint.as_str()),
                None => builder,
            };
            builder.build().await.map_err(|error| Failed::NotMade(redacted(&http::causes(&error))))
        };
        self.base.get_or_try_init(make).await
    }

    async fn refused(&self, topic: &str, error: &PublishError) -> GoogleError {
        let PublishError::Rpc(rpc) = error else {
            return GoogleError::Publish { topic: topic.to_owned(), cause: error.to_string() };
        };
        let Some(status) = rpc.status() else {
            return GoogleError::Publish { topic: topic.to_owned(), cause: redacted(&http::causes(error)) };
        };
        let code = status.code.name();
        let fix = match (code, topic.split('/').collect::<Vec<_>>().as_slice()) {
            ("PERMISSION_DENIED", [_, project, _, name]) => format!(
                " Fix: gcloud pubsub topics add-iam-policy-binding {name} --project={project} --member={} \
                 --role=roles/pubsub.publisher",
                self.credentials.account().await.member()
            ),
            ("NOT_FOUND", [_, project, _, name]) => {
                format!(" Fix: gcloud pubsub topics create {name} --project={project}")
            }
            _ => String::new(),
        };
        let cause = format!("{code}: {}{fix}", redacted(&status.message));
        GoogleError::Publish { topic: topic.to_owned(), cause }
    }
}

enum Failed {
    NotMade(String),
    Refused(PublishError),
}

/// Source: cloud.google.com/pubsub/docs/pubsub-basics#resource_names, as far as it keeps a name from meaning
/// something else in a line for the shell.
fn check_topic(topic: &str) -> Result<(), GoogleError> {
    let harmless = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'+' | b'%' | b':')
            })
    };
    match topic.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", project, "topics", name] if harmless(project) && harmless(name) => Ok(()),
        _ => Err(GoogleError::Publish {
            topic: topic.to_owned(),
            cause: "expected the full name, projects/PROJECT/topics/TOPIC".to_owned(),
        }),
    }
}

/// The topic on which failed launches are told.
#[derive(Debug)]
pub struct FailureTopic {
    pubsub: Arc<PubSub>,
    topic: String,
}

impl FailureTopic {
    /// `topic` is `failures.topic` of the triggers file.
    pub fn new(pubsub: Arc<PubSub>, topic: impl Into<String>) -> Self {
        Self { pubsub, topic: topic.into() }
    }
}

#[async_trait]
impl Failures for FailureTopic {
    async fn publish(&self, notice: FailureNotice<'_>) -> Result<(), String> {
        let attributes = failure_attributes(notice);
        let body = failure_body(notice).to_string();
        self.pubsub
            .publish(&self.topic, body, &attributes)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

/// What a subscription can filter by.
fn failure_attributes(notice: FailureNotice<'_>) -> BTreeMap<String, String> {
    let decision = notice.decision;
    let reason = decision.reason.map_or("", |reason| reason.as_str());
    let pairs = [
        ("outcome", decision.outcome.as_str()),
        ("reason", reason),
        ("trigger", decision.trigger.as_str()),
        ("event", decision.event.as_str()),
        ("launch_id", decision.launch_id.as_str()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn failure_body(notice: FailureNotice<'_>) -> serde_json::Value {
    let decision = notice.decision;
    json!({
        "outcome": decision.outcome,
        "reason": decision.reason,
        "message": decision.message,
        "trigger": decision.trigger,
        "event": decision.event,
        "launch_id": decision.launch_id,
        "artifact": {"name": decision.subject, "sha256": decision.sha256},
        "project": decision.plan.as_ref().map(launchgate_triggers::LaunchPlan::project),
        "location": decision.plan.as_ref().map(launchgate_triggers::LaunchPlan::location),
        "attempts": decision.attempts.len(),
        "last_call": decision.attempts.last().map(|attempt| &attempt.call),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_topic_is_a_full_name() {
        assert!(check_topic("projects/acme-ml/topics/launchgate-failures").is_ok());
        assert!(check_topic("projects/example.com:acme/topics/t").is_ok());
        for bad in [
            "t",
            "projects/p/topics/",
            "projects/p/topics/a;b",
            "projects/p/subscriptions/s",
            "projects/p/topics/t/x",
        ] {
            let error = check_topic(bad).unwrap_err().to_string();
            assert!(error.contains("projects/PROJECT/topics/TOPIC"), "{error}");
        }
    }

    #[test]
    fn a_failure_is_told_with_what_a_subscription_filters_by() {
        let decision = serde_json::from_value(json!({
            "launch_id": "lg-retrain-fraud-0123456789abcdef0123456789abcdef",
            "event": "ev-0123456789abcdef0123456789abcdef",
            "subject": "fraud-train",
            "sha256": "0000000000000000000000000000000000000000000000000000000000000000",
            "trigger": "retrain-fraud",
            "ordinal": 0,
            "outcome": "failed_launch",
            "reason": "act_as_denied",
            "message": "no",
            "checks": [],
            "plan": null,
            "signers": [],
            "config": "0000000000000000000000000000000000000000000000000000000000000000",
            "attempts": [],
            "run": null
        }))
        .unwrap();
        let notice = FailureNotice { decision: &decision };

        let attributes = failure_attributes(notice);

        assert_eq!(attributes["outcome"], "failed_launch");
        assert_eq!(attributes["reason"], "act_as_denied");
        assert_eq!(attributes["trigger"], "retrain-fraud");
        assert_eq!(attributes["event"], "ev-0123456789abcdef0123456789abcdef");
        assert_eq!(attributes["launch_id"], "lg-retrain-fraud-0123456789abcdef0123456789abcdef");
        assert_eq!(failure_body(notice)["artifact"]["name"], "fraud-train");
    }
}
