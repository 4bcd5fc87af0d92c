//! A Pub/Sub push request as a delivery, wrapped or unwrapped. Source: DESIGN §8,
//! cloud.google.com/pubsub/docs/push and …/payload-unwrapping.

use std::{borrow::Cow, collections::BTreeMap};

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use launchgate_engine::Receipt;
use launchgate_outcome::{Reason, Refusal};
use launchgate_statement::Timestamp;
use serde::Deserialize;

/// The header that only an unwrapped delivery has.
const UNWRAPPED: &str = "x-goog-pubsub-message-id";

/// The attribute in which the relay hands on Buildkite's signature header; unwrapped it is a header itself.
const BUILDKITE_SIGNATURE: &str = "buildkite-signature";

/// A request that is no delivery, with the message id when that much could be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) message_id: Option<String>,
    pub(crate) refusal: Refusal,
}

impl Unreadable {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { message_id: None, refusal: Refusal::new(reason, message) }
    }
}

/// Reads a delivery. The content type is ignored: the emulator sends unwrapped bodies as a form.
pub(crate) fn read(headers: &HeaderMap, body: Bytes) -> Result<Receipt, Unreadable> {
    if headers.contains_key(UNWRAPPED) { unwrapped(headers, body) } else { wrapped(&body) }
}

/// The body is the data; metadata stands in headers. A publisher's attributes become headers too, so one
/// given twice may be an attempt to speak as Pub/Sub.
fn unwrapped(headers: &HeaderMap, data: Bytes) -> Result<Receipt, Unreadable> {
    let one = |name: &str| -> Result<Option<String>, Unreadable> {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() {
            let message =
                format!("the header {name} stands twice; attributes may not be named like metadata");
            return Err(Unreadable::new(Reason::DuplicateMetadata, message));
        }
        let text = first.map(|value| value.to_str().map(str::to_owned)).transpose();
        text.map_err(|_| Unreadable::new(Reason::PushBody, format!("the header {name} is not text")))
    };
    let message_id = one(UNWRAPPED)?;
    let subscription = one("x-goog-pubsub-subscription-name")?;
    let published = one("x-goog-pubsub-publish-time")?;
    let attempt = one("x-goog-pubsub-delivery-attempt")?;
    // One given twice proves nothing, as one that is not there.
    let [traceparent, buildkite_signature] =
        ["traceparent", BUILDKITE_SIGNATURE].map(|name| one(name).unwrap_or_default());
    let message_id = message_id.unwrap_or_default();
    let publish_time = publish_time(published.as_deref()).map_err(|error| error.of(&message_id))?;
    Ok(Receipt {
        publish_time,
        subscription,
        delivery_attempt: attempt.and_then(|text| text.parse().ok()),
        traceparent,
        buildkite_signature,
        data,
        message_id,
    })
}

/// The JSON around a wrapped delivery. Known members are refused when they stand twice; unknown ones are
/// Pub/Sub's to add.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(borrow, default)]
    subscription: Option<Cow<'a, str>>,
    #[serde(default)]
    delivery_attempt: Option<u32>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "messageId")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "message_id")]
    id_snake: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "publishTime")]
    publish_time: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "publish_time")]
    publish_time_snake: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    attributes: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
}

fn wrapped(body: &[u8]) -> Result<Receipt, Unreadable> {
    let wrapped: Wrapped<'_> = serde_json::from_slice(body).map_err(|error| {
        let duplicate = error.to_string().starts_with("duplicate field");
        let reason = if duplicate { Reason::DuplicateMetadata } else { Reason::PushBody };
        Unreadable::new(reason, format!("the body is not a Pub/Sub push message: {error}"))
    })?;
    let Message { data, id, id_snake, publish_time: at, publish_time_snake, attributes } = wrapped.message;
    let message_id = agreeing("messageId", id, id_snake)?.unwrap_or_default().into_owned();
    let at = agreeing("publishTime", at, publish_time_snake).map_err(|error| error.of(&message_id))?;
    let publish_time = publish_time(at.as_deref()).map_err(|error| error.of(&message_id))?;
    let data = STANDARD.decode(data.unwrap_or_default().as_bytes()).map_err(|error| {
        Unreadable::new(Reason::PushBody, format!("`message.data` is not base64: {error}")).of(&message_id)
    })?;
    let attribute = |name| attributes.as_ref()?.get(name).map(|text| text.clone().into_owned());
    let (traceparent, buildkite_signature) = (attribute("traceparent"), attribute(BUILDKITE_SIGNATURE));
    Ok(Receipt {
        publish_time,
        subscription: wrapped.subscription.map(Cow::into_owned),
        delivery_attempt: wrapped.delivery_attempt,
        traceparent,
        buildkite_signature,
        data: data.into(),
        message_id,
    })
}

/// Pub/Sub's emulator sends both spellings; two that differ are somebody else's work.
fn agreeing<'a>(
    name: &str,
    camel: Option<Cow<'a, str>>,
    snake: Option<Cow<'a, str>>,
) -> Result<Option<Cow<'a, str>>, Unreadable> {
    match (camel, snake) {
        (Some(camel), Some(snake)) if camel != snake => {
            let message = format!("the two spellings of `{name}` disagree");
            Err(Unreadable::new(Reason::DuplicateMetadata, message))
        }
        (camel, snake) => Ok(camel.or(snake)),
    }
}

fn publish_time(text: Option<&str>) -> Result<Timestamp, Unreadable> {
    let text = text.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Unreadable::new(Reason::NoPublishTime, Reason::NoPublishTime.meaning()))?;
    Timestamp::parse(text)
        .ok_or_else(|| Unreadable::new(Reason::NoPublishTime, "the publish time is not an RFC 3339 time"))
}

impl Unreadable {
    fn of(mut self, message_id: &str) -> Self {
        self.message_id = Some(message_id.to_owned()).filter(|id| !id.is_empty());
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::HeaderValue;

    use super::*;

    const AT: &str = "2026-11-18T11:06:40Z";

    fn reason(headers: &HeaderMap, body: &str) -> Reason {
        read(headers, Bytes::copy_from_slice(body.as_bytes())).unwrap_err().refusal.reason
    }

    #[test]
    fn a_wrapped_delivery_is_read_with_either_spelling_or_both() {
        for times in [
            format!(r#""publishTime":"{AT}","messageId":"7""#),
            format!(r#""publish_time":"{AT}","message_id":"7""#),
            format!(r#""publishTime":"{AT}","publish_time":"{AT}","messageId":"7","message_id":"7""#),
        ] {
            let body = format!(
                r#"{{"subscription":"projects/p/subscriptions/s","deliveryAttempt":3,"message":{{"data":"aGVsbG8=",{times},"attributes":{{"traceparent":"00-x","buildkite-signature":"timestamp=1"}},"orderingKey":"k"}}}}"#
            );
            let receipt = read(&HeaderMap::new(), Bytes::from(body)).unwrap();

            assert_eq!(receipt.data, "hello");
            assert_eq!(receipt.message_id, "7");
            assert_eq!(receipt.publish_time, Timestamp::parse(AT).unwrap());
            assert_eq!(receipt.subscription.as_deref(), Some("projects/p/subscriptions/s"));
            assert_eq!(receipt.delivery_attempt, Some(3));
            assert_eq!(receipt.traceparent.as_deref(), Some("00-x"));
            assert_eq!(receipt.buildkite_signature.as_deref(), Some("timestamp=1"));
        }
    }

    #[test]
    fn every_unreadable_wrapped_body_has_its_reason() {
        let none = HeaderMap::new();
        for (body, expected) in [
            ("", Reason::PushBody),
            ("[]", Reason::PushBody),
            ("{}", Reason::PushBody),
            (r#"{"message":"x"}"#, Reason::PushBody),
            (r#"{"message":{"data":"aGVsbG8="}}"#, Reason::NoPublishTime),
            (r#"{"message":{"data":"aGVsbG8=","publishTime":""}}"#, Reason::NoPublishTime),
            (r#"{"message":{"data":"aGVsbG8=","publishTime":"noon"}}"#, Reason::NoPublishTime),
            (r#"{"message":{"data":"a b","publishTime":"2026-11-18T11:06:40Z"}}"#, Reason::PushBody),
            (r#"{"message":{"data":7,"publishTime":"2026-11-18T11:06:40Z"}}"#, Reason::PushBody),
            (
                r#"{"message":{"data":"","data":"","publishTime":"2026-11-18T11:06:40Z"}}"#,
                Reason::DuplicateMetadata,
            ),
            (
                r#"{"message":{"publishTime":"2026-11-18T11:06:40Z","publish_time":"2026-11-18T11:06:41Z"}}"#,
                Reason::DuplicateMetadata,
            ),
            (
                r#"{"message":{"messageId":"1","message_id":"2","publishTime":"2026-11-18T11:06:40Z"}}"#,
                Reason::DuplicateMetadata,
            ),
            (r#"{"message":{"publishTime":"2026-11-18T11:06:40Z"},"deliveryAttempt":"x"}"#, Reason::PushBody),
            (r#"{"message":{"publishTime":"2026-11-18T11:06:40Z"},"subscription":5}"#, Reason::PushBody),
            (r#"{"message":{"publishTime":"2026-11-18T11:06:40Z","attributes":{"a":1}}}"#, Reason::PushBody),
            (r#"{"message":{"publishTime":"2026-11-18T11:06:40Z"}} trailing"#, Reason::PushBody),
        ] {
            assert_eq!(reason(&none, body), expected, "{body}");
        }
    }

    fn unwrapped_headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-goog-pubsub-message-id", HeaderValue::from_static("7"));
        headers.insert("x-goog-pubsub-publish-time", HeaderValue::from_static(AT));
        headers.insert(
            "x-goog-pubsub-subscription-name",
            HeaderValue::from_static("projects/p/subscriptions/s"),
        );
        headers
    }

    #[test]
    fn an_unwrapped_body_is_the_data_whatever_its_content_type() {
        let mut headers = unwrapped_headers();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));

        let receipt = read(&headers, Bytes::from_static(b"{\"message\":{}}")).unwrap();

        assert_eq!(receipt.data, "{\"message\":{}}");
        assert_eq!(receipt.message_id, "7");
    }

    #[test]
    fn a_buildkite_signature_stands_in_a_header_when_unwrapped_and_once() {
        let mut headers = unwrapped_headers();
        headers.insert(BUILDKITE_SIGNATURE, HeaderValue::from_static("timestamp=1"));
        let signature = |headers: &HeaderMap| read(headers, Bytes::new()).unwrap().buildkite_signature;

        assert_eq!(signature(&headers).as_deref(), Some("timestamp=1"));
        headers.append(BUILDKITE_SIGNATURE, HeaderValue::from_static("timestamp=2"));
        assert_eq!(signature(&headers), None);
    }

    #[test]
    fn metadata_given_twice_is_refused_for_each_header() {
        for name in
            ["x-goog-pubsub-message-id", "x-goog-pubsub-publish-time", "x-goog-pubsub-subscription-name"]
        {
            let mut headers = unwrapped_headers();
            headers.append(name, HeaderValue::from_static(AT));

            assert_eq!(reason(&headers, ""), Reason::DuplicateMetadata, "{name}");
        }
    }

    #[test]
    fn an_unwrapped_delivery_without_publish_time_is_refused() {
        let mut headers = unwrapped_headers();
        headers.remove("x-goog-pubsub-publish-time");

        assert_eq!(reason(&headers, ""), Reason::NoPublishTime);
    }
}
