//! Push deliveries as Pub/Sub makes them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use launchgate_statement::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Service, client};

/// This machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// A delivery in the making: acceptable as it stands, each setter changes one thing.
#[derive(Clone, Debug)]
pub struct Push {
    data: Vec<u8>,
    message_id: String,
    subscription: String,
    publish_time: String,
    attributes: Vec<(String, String)>,
}

/// A delivery of these data, published now by the subscription `launchgate-events` of `acme-ml`.
pub fn a_push(data: impl Into<Vec<u8>>) -> Push {
    Push {
        data: data.into(),
        message_id: "11".to_owned(),
        subscription: "projects/acme-ml/subscriptions/launchgate-events".to_owned(),
        publish_time: now().to_string(),
        attributes: Vec::new(),
    }
}

impl Push {
    /// Its message id.
    #[must_use]
    pub fn message_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.message_id);
        self
    }

    /// Delivered by this subscription.
    #[must_use]
    pub fn subscription(mut self, full_name: &str) -> Self {
        full_name.clone_into(&mut self.subscription);
        self
    }

    /// Published then.
    #[must_use]
    pub fn published(mut self, at: Timestamp) -> Self {
        self.publish_time = at.to_string();
        self
    }

    /// With an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The wrapped body as the service sends it.
    pub fn wrapped(&self) -> Value {
        let attributes: serde_json::Map<_, _> =
            self.attributes.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        json!({
            "subscription": self.subscription,
            "message": {
                "data": STANDARD.encode(&self.data),
                "messageId": self.message_id,
                "message_id": self.message_id,
                "publishTime": self.publish_time,
                "publish_time": self.publish_time,
                "attributes": attributes,
            },
        })
    }

    /// The unwrapped form: the data as the body, metadata and attributes as headers.
    pub fn unwrapped(&self) -> (Vec<(String, String)>, Vec<u8>) {
        let metadata = [
            ("x-goog-pubsub-subscription-name", &self.subscription),
            ("x-goog-pubsub-message-id", &self.message_id),
            ("x-goog-pubsub-publish-time", &self.publish_time),
        ];
        let metadata = metadata.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
        (metadata.chain(self.attributes.iter().cloned()).collect(), self.data.clone())
    }

    /// Delivers it wrapped and answers the status.
    pub async fn deliver(&self, service: &Service) -> StatusCode {
        post(service, &[], self.wrapped().to_string()).await
    }

    /// Delivers it wrapped to another push route and answers the status.
    pub async fn deliver_to(&self, service: &Service, route: &str) -> StatusCode {
        let request = client().post(service.url(route)).body(self.wrapped().to_string());
        request.send().await.unwrap().status()
    }

    /// Delivers it unwrapped and answers the status.
    pub async fn deliver_unwrapped(&self, service: &Service) -> StatusCode {
        let (headers, body) = self.unwrapped();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        post(service, &headers, body).await
    }
}

/// `POST /pubsub/events` with these headers, each as often as it is given.
pub async fn post(service: &Service, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> StatusCode {
    let mut request = client().post(service.url("/pubsub/events"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).send().await.unwrap().status()
}
