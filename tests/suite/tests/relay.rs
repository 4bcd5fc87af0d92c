//! The webhook relay: Buildkite's signature at the door, the raw body on a Pub/Sub topic.

use launchgate_statement::Sha256;
use launchgate_suite::{
    Binary, Folder, PATIENCE, PubSubEmulator, Service, a_key, client, eventually, now, run, skip,
};
use ring::hmac;

const SECRET: &str = "309c9c842g8565adecpd7469x6005989";
/// Bytes that a relay which parses and writes JSON again would change.
const BODY: &str =
    "{\"event\": \"build.finished\",  \"build\": {\"number\": 42, \"b\":1.0,\"ü\":\"\\u00fc\"}}\n";

fn signature(secret: &str, body: &str, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let tag = Sha256::from_bytes(tag.as_ref().try_into().unwrap());
    format!("timestamp={at},signature={tag}")
}

fn start(folder: &Folder) -> Service {
    Service::start(folder.command(Binary::Webhook).args(["--listen", "127.0.0.1:0"]))
}

async fn post(relay: &Service, event: &str, signatures: &[&str], body: &str) -> u16 {
    let mut request = client().post(relay.url("/buildkite/webhook")).header("x-buildkite-event", event);
    for signature in signatures {
        request = request.header("x-buildkite-signature", *signature);
    }
    request.body(body.to_owned()).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_webhook_reaches_the_topic_as_it_came_and_nothing_else_does() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let topic = emulator.topic().await;
    let subscription = emulator.pull_from(&topic).await;
    let folder = Folder::trusting(&a_key())
        .variable("LAUNCHGATE_PUBSUB_ENDPOINT", emulator.endpoint())
        .variable("LAUNCHGATE_BUILDS_TOPIC", &topic)
        .variable("BUILDKITE_WEBHOOK_SECRET", &format!("{SECRET},the-next-secret"));
    let relay = start(&folder);
    let at = now().seconds();
    let good = signature(SECRET, BODY, at);

    let refused = [
        ("another secret", vec![signature("guess", BODY, at)]),
        ("another body", vec![signature(SECRET, "{}", at)]),
        ("ten minutes old", vec![signature(SECRET, BODY, at - 600)]),
        ("of the future", vec![signature(SECRET, BODY, at + 600)]),
        ("another time than signed", vec![good.replace(&at.to_string(), &(at + 1).to_string())]),
        ("none", vec![]),
        ("two", vec![good.clone(), good.clone()]),
        ("nonsense", vec!["x".to_owned()]),
    ];
    for (what, signatures) in refused {
        let signatures: Vec<_> = signatures.iter().map(String::as_str).collect();
        assert_eq!(post(&relay, "build.finished", &signatures, BODY).await, 401, "{what}");
    }
    let ping = r#"{"event":"ping","service":{"id":"1"},"organization":{"slug":"acme"}}"#;
    assert_eq!(post(&relay, "ping", &[&signature(SECRET, ping, at)], ping).await, 200);
    assert_eq!(post(&relay, "build.finished", &[&good], BODY).await, 204);
    let next = signature("the-next-secret", BODY, at);
    // The header is not signed: it can neither hide a build nor rename it.
    assert_eq!(post(&relay, "ping", &[&next], BODY).await, 204);

    let mut pulled = Vec::new();
    eventually("both webhooks come", PATIENCE, async || {
        pulled.extend(emulator.pull(&subscription).await);
        (pulled.len() >= 2).then_some(())
    })
    .await;
    assert_eq!(pulled.len(), 2);
    for (data, attributes) in &pulled {
        assert_eq!(data, BODY.as_bytes());
        assert_eq!(attributes["buildkite-event"], "build.finished");
        let signature = attributes["buildkite-signature"].as_str().unwrap();
        assert!([&good, &next].iter().any(|known| *known == signature), "{signature}");
    }
    assert!(!relay.log().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_cannot_be_published_is_answered_503() {
    // Nobody listens on a port that was just let go.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = Folder::trusting(&a_key())
        .variable("LAUNCHGATE_PUBSUB_ENDPOINT", &format!("http://127.0.0.1:{port}"))
        .variable("LAUNCHGATE_BUILDS_TOPIC", "projects/acme-ml/topics/builds")
        .variable("BUILDKITE_WEBHOOK_SECRET", SECRET);
    let relay = start(&folder);

    assert_eq!(post(&relay, "build.finished", &[&signature(SECRET, BODY, now().seconds())], BODY).await, 503);
}

#[test]
fn a_relay_without_a_secret_does_not_start() {
    for secret in ["", " ", "one,,two"] {
        let folder = Folder::trusting(&a_key())
            .variable("LAUNCHGATE_BUILDS_TOPIC", "projects/acme-ml/topics/builds")
            .variable("BUILDKITE_WEBHOOK_SECRET", secret);
        let mut command = folder.command(Binary::Webhook);

        let ended = run(command.args(["--listen", "127.0.0.1:0"]), b"");

        assert_eq!(ended.code, 2, "{secret:?}: {ended:?}");
        assert!(ended.stderr.contains("BUILDKITE_WEBHOOK_SECRET"), "{secret:?}: {ended:?}");
    }
}
