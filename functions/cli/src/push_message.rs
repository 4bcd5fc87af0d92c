//! Pub/Sub's wrapped push body: read where `explain` is given one, written where `send` plays Pub/Sub.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_statement::Timestamp;
use serde_json::{Value, json};

/// What matters of a push body.
#[derive(Debug)]
pub(crate) struct PushMessage {
    /// The message's data.
    pub(crate) data: Vec<u8>,
    /// When Pub/Sub took it in, where the body says it.
    pub(crate) publish_time: Option<Timestamp>,
}

impl PushMessage {
    /// The push body in `bytes`, or `None` when they are something else (an envelope, a bundle, no JSON).
    ///
    /// # Errors
    /// It is a push body and says something impossible.
    pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(bytes) else { return Ok(None) };
        let is_event = ["payload", "payloadType", "mediaType"].iter().any(|name| body.contains_key(*name));
        let message = match body.get("message") {
            Some(Value::Object(message)) if !is_event => message,
            _ => return Ok(None),
        };
        let text = |name: &str| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let data = STANDARD
            .decode(text("data").unwrap_or_default())
            .context("`message.data` of the push body is not base64")?;
        let at = match (text("publishTime"), text("publish_time")) {
            (Some(camel), Some(snake)) if camel != snake => {
                bail!("`message.publishTime` and `message.publish_time` of the push body disagree")
            }
            (camel, snake) => camel.or(snake),
        };
        let publish_time = match at {
            None => None,
            Some(at) => Some(
                Timestamp::parse(at)
                    .context("`message.publishTime` of the push body is not an RFC 3339 time")?,
            ),
        };
        Ok(Some(Self { data, publish_time }))
    }
}

/// A wrapped push body, as Pub/Sub writes it.
pub(crate) fn wrapped(
    data: &[u8],
    message_id: &str,
    published: Timestamp,
    subscription: Option<&str>,
    attributes: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut body = json!({
        "message": {
            "attributes": attributes,
            "data": STANDARD.encode(data),
            "messageId": message_id,
            "message_id": message_id,
            "publishTime": published,
            "publish_time": published,
        },
    });
    if let Some(subscription) = subscription {
        body["subscription"] = subscription.into();
    }
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_wrapped_is_read_back() {
        let at = Timestamp::from_seconds(1_795_000_000);
        let body = wrapped(b"data", "7", at, Some("projects/p/subscriptions/s"), &BTreeMap::new());

        let read = PushMessage::read(&body).unwrap().unwrap();

        assert_eq!((read.data.as_slice(), read.publish_time), (b"data".as_slice(), Some(at)));
    }

    #[test]
    fn an_envelope_is_no_push_body_even_with_a_member_called_message() {
        for text in
            [r#"{"payload":"","payloadType":"x","signatures":[],"message":{"data":"e30="}}"#, "[]", "x", "{}"]
        {
            assert!(PushMessage::read(text.as_bytes()).unwrap().is_none(), "{text}");
        }
    }
}
