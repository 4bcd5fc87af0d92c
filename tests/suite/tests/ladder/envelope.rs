//! What is delivered, before any signature is looked at.

use launchgate_outcome::Reason as R;
use serde_json::{Value, json};

use super::{
    case::{Case, refused, turned_away},
    hold,
};

/// The message data as JSON, bent.
fn member(name: &'static str, value: Value) -> impl Fn(String) -> String {
    move |data| {
        let mut envelope: Value = serde_json::from_str(&data).unwrap();
        envelope[name] = value.clone();
        envelope.to_string()
    }
}

fn bundle(media_type: &'static str) -> impl Fn(String) -> String {
    move |data| {
        let envelope: Value = serde_json::from_str(&data).unwrap();
        json!({"mediaType": media_type, "verificationMaterial": {}, "dsseEnvelope": envelope}).to_string()
    }
}

pub(super) fn cases() -> Vec<Case> {
    let cut = |mut body: Value| {
        body.as_object_mut().unwrap().remove("message");
        body
    };
    let undated = |mut body: Value| {
        body["message"].as_object_mut().unwrap().retain(|name, _| !name.starts_with("publish"));
        body
    };
    let disagreeing = |mut body: Value| {
        body["message"]["message_id"] = "999".into();
        body
    };
    vec![
        turned_away(R::PushBody, "a body without a message").body(cut),
        turned_away(R::NoPublishTime, "a message without its time").body(undated),
        turned_away(R::DuplicateMetadata, "two message ids").body(disagreeing),
        refused(R::TooLarge, "envelope", "300 kB").data(member("padding", "x".repeat(300 * 1024).into())),
        refused(R::NotJson, "envelope", "something after the end").data(|data| data + "{}"),
        refused(R::DuplicateMember, "envelope", "two payloads")
            .data(|data| data.replacen('{', r#"{"payload":"e30=","#, 1)),
        refused(R::TooDeep, "envelope", "a hundred levels").data(|data| {
            data.replacen('{', &format!(r#"{{"deep":{}{},"#, "[".repeat(100), "]".repeat(100)), 1)
        }),
        refused(R::EnvelopeShape, "envelope", "signatures that are no list")
            .data(member("signatures", json!({}))),
        refused(R::BundleShape, "envelope", "a bundle v0.1")
            .data(bundle("application/vnd.dev.sigstore.bundle+json;version=0.1")),
        refused(R::Base64, "envelope", "whitespace in the payload").data(member("payload", "e3 0=".into())),
        refused(R::TooManySignatures, "envelope", "33 signatures").envelope(|mut envelope, _| {
            envelope.signatures = vec![envelope.signatures[0].clone(); 33];
            envelope
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_are_no_envelope_in_one_thing_are_refused() {
    hold(cases()).await;
}
