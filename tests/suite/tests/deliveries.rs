//! What a push request may look like: wrapped, unwrapped, and everything that is neither.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use launchgate_suite::{Folder, a_key, a_push, a_vertex, an_event, client, launch_ids, post};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_event_starts_one_run_and_its_copies_start_none() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let envelope = an_event().signed_by(&key);

    for (message, push) in ["1", "1", "2"].into_iter().zip([
        a_push(envelope.to_json()),
        a_push(envelope.to_json()),
        a_push(envelope.to_json()),
    ]) {
        assert_eq!(push.message_id(message).deliver(&service).await, 204);
    }

    assert_eq!(vertex.jobs().len(), 1);
    assert_eq!(vertex.creates().len(), 1);
    let record = folder.only_record();
    assert_eq!(record["outcome"], "launched");
    assert_eq!(record["event"], envelope.event_digest().id().as_str());
    assert_eq!(record["receipts"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_artifact_of_an_event_has_a_run_of_its_own() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let event = an_event().and_artifact("fraud-score").signed_by(&key);

    assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);

    let mut ids = launch_ids(&vertex);
    ids.dedup();
    assert_eq!(ids.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwrapped_delivery_is_the_same_event_whatever_its_content_type() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let push = a_push(an_event().signed_by(&key).to_json());

    assert_eq!(push.deliver(&service).await, 204);
    for content_type in
        [None, Some("application/x-www-form-urlencoded"), Some("text/plain"), Some("nonsense")]
    {
        let (headers, body) = push.unwrapped();
        let own = content_type.map(|value| ("content-type", value));
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(own);
        assert_eq!(post(&service, &headers.collect::<Vec<_>>(), body).await, 204);
    }
    let wrapped = push.wrapped().to_string();
    assert_eq!(post(&service, &[("content-type", "application/x-www-form-urlencoded")], wrapped).await, 204);

    assert_eq!(folder.only_record()["receipts"], 6);
    assert_eq!(vertex.jobs().len(), 1);
}

/// Every body that is no delivery, with the reason it is recorded under.
fn unreadable_wrapped(good: &Value) -> Vec<(&'static str, String, &'static str)> {
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let without = |name: &str| {
        let mut body = good.clone();
        let message = body["message"].as_object_mut().unwrap();
        message
            .retain(|known, _| known != name && known.replace('_', "").to_lowercase() != name.to_lowercase());
        body.to_string()
    };
    let text = good.to_string();
    vec![
        ("nothing at all", String::new(), "push_body"),
        ("not JSON", "hello".into(), "push_body"),
        ("an array", "[]".into(), "push_body"),
        ("no message", json!({"subscription": "x"}).to_string(), "push_body"),
        ("a message that is text", json!({"message": "x"}).to_string(), "push_body"),
        ("something after the end", format!("{text}x"), "push_body"),
        ("cut off", text[..text.len() - 2].to_owned(), "push_body"),
        ("data that are not base64", with("/message/data", json!("%%%")), "push_body"),
        ("data that are a number", with("/message/data", json!(7)), "push_body"),
        ("an attribute that is a number", with("/message/attributes", json!({"a": 1})), "push_body"),
        ("no publish time", without("publishTime"), "no_publish_time"),
        (
            "spellings of the publish time that disagree",
            with("/message/publish_time", json!("2026-01-01T00:00:00Z")),
            "duplicate_metadata",
        ),
        (
            "spellings of the message id that disagree",
            with("/message/message_id", json!("999")),
            "duplicate_metadata",
        ),
        ("data given twice", text.replacen("\"data\"", "\"data\":\"\",\"data\"", 1), "duplicate_metadata"),
        ("data that are no envelope", with("/message/data", json!(STANDARD.encode("hello"))), "not_json"),
        ("data that are empty", with("/message/data", json!("")), "not_json"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_delivery_is_acknowledged_and_recorded_with_its_reason() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let good = a_push(an_event().signed_by(&key).to_json()).wrapped();

    for (what, body, reason) in unreadable_wrapped(&good) {
        let before = folder.recorded().len();
        assert_eq!(post(&service, &[], body).await, 204, "{what}");
        let recorded = folder.recorded();
        assert_eq!(recorded.len(), before + 1, "{what}");
        assert_eq!(recorded[0]["outcome"], "rejected_malformed", "{what}");
        assert_eq!(recorded[0]["reason"], reason, "{what}");
    }
    assert_eq!(vertex.request_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unwrapped_metadata_given_twice_or_missing_is_recorded_as_malformed() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let push = a_push(an_event().signed_by(&key).to_json());

    for name in ["x-goog-pubsub-message-id", "x-goog-pubsub-publish-time", "x-goog-pubsub-subscription-name"]
    {
        // A publisher's attributes become headers: this is how one would try to speak as Pub/Sub.
        assert_eq!(push.clone().attribute(name, "x").deliver_unwrapped(&service).await, 204, "{name}");
        assert_eq!(folder.recorded()[0]["reason"], "duplicate_metadata", "{name}");
    }
    let (mut headers, body) = push.unwrapped();
    headers.retain(|(name, _)| name != "x-goog-pubsub-publish-time");
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(post(&service, &headers, body).await, 204);
    assert_eq!(folder.recorded()[0]["reason"], "no_publish_time");
    assert_eq!(vertex.request_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_acknowledged_and_bounded() {
    let key = a_key();
    let folder = Folder::trusting(&key);
    let service = folder.start();

    let envelope = an_event().annotated("padding", "x".repeat(300 * 1024)).signed_by(&key).to_json();
    assert_eq!(a_push(envelope).deliver(&service).await, 204);
    assert_eq!(folder.recorded()[0]["reason"], "too_large");
    // As much as Pub/Sub can carry, in base64.
    assert_eq!(a_push(vec![b'x'; 10_000_000]).deliver(&service).await, 204);
    assert_eq!(folder.recorded()[0]["reason"], "too_large");
    assert_eq!(folder.recorded().len(), 2);
    let size = std::fs::metadata(folder.path().join("launchgate.db")).unwrap().len()
        + std::fs::metadata(folder.path().join("launchgate.db-wal")).map_or(0, |wal| wal.len());
    assert!(size < 2_000_000, "the ledger took in {size} bytes of two rejected bodies");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_arrive_is_given_up_and_leaves_nothing() {
    let folder = Folder::trusting(&a_key());
    let service = folder.start();

    let mut stream = TcpStream::connect(service.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
        .write_all(b"POST /pubsub/events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{\"message\"")
        .unwrap();
    let mut answer = String::new();
    // Until the server closes, or the deadline: a connection that stays open for ever is the failure.
    let _ = stream.read_to_string(&mut answer);

    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(status.starts_with('4'), "{answer:?}");
    assert!(folder.recorded().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_not_configured_is_not_there() {
    let folder = Folder::trusting(&a_key());
    let service = folder.start();

    for path in
        ["/pubsub/builds", "/pubsub/runs", "/pubsub/deadletters", "/internal/sweep", "/", "/pubsub/events/"]
    {
        assert_eq!(client().post(service.url(path)).body("{}").send().await.unwrap().status(), 404, "{path}");
    }
    assert_eq!(client().get(service.url("/pubsub/events")).send().await.unwrap().status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_or_foreign_event_is_recorded_and_starts_nothing() {
    let (key, other, vertex) = (a_key(), a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let good = an_event().signed_by(&key);
    let mut tampered = good.clone();
    tampered.payload = an_event().number(43).statement();

    for (what, envelope) in [("of another key", an_event().signed_by(&other)), ("tampered with", tampered)] {
        assert_eq!(a_push(envelope.to_json()).deliver(&service).await, 204);
        assert_eq!(folder.recorded()[0]["outcome"], "rejected_signature", "{what}");
        assert_eq!(folder.recorded()[0]["reason"], "unknown_signer", "{what}");
    }
    // A rejected copy does not stand in the way of the genuine one.
    assert_eq!(a_push(good.to_json()).deliver(&service).await, 204);
    assert_eq!(vertex.jobs().len(), 1);
}
