//! The service's log: Cloud Logging's shape, no token, no key, no payload.

use launchgate_standin::GoogleCerts;
use launchgate_suite::{Folder, a_key, a_push, a_vertex, an_event, post};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_cloud_loggings_and_hold_no_token_and_no_payload() {
    let (key, vertex, certs) = (a_key(), a_vertex().await, GoogleCerts::start().await.unwrap());
    let audience = "https://launchgate.example.com/pubsub/events";
    let email = "pubsub-push@acme-ml.iam.gserviceaccount.com";
    let subscription = "projects/acme-ml/subscriptions/launchgate-events";
    let folder = Folder::trusting(&key)
        .vertex_at(&vertex.endpoint())
        .set(
            "/ingress/events",
            json!({"auth": "oidc", "audience": audience, "email": email, "subscription": subscription}),
        )
        .variable("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", &certs.endpoint())
        // The most talkative level an operator may turn on.
        .variable("LAUNCHGATE_LOG", "trace");
    let service = folder.start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let event = an_event().annotated("dataset", "hush-hush").signed_by(&key);
    let push = a_push(event.to_json()).attribute("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
    let garbage = a_push("garbage-from-a-stranger");
    let token = certs.mint(audience, email);
    let bearer = format!("Bearer {token}");
    let wrong = certs.mint("https://example.com", email);

    assert_eq!(post(&service, &[("authorization", &bearer)], push.wrapped().to_string()).await, 204);
    assert_eq!(post(&service, &[("authorization", &bearer)], garbage.wrapped().to_string()).await, 204);
    assert_eq!(
        post(&service, &[("authorization", &format!("Bearer {wrong}"))], garbage.wrapped().to_string()).await,
        401
    );
    let launched = service.wait_for_line("launched", |line| line["message"] == "launched");

    assert_eq!(launched["severity"], "INFO");
    assert_eq!(launched["event"], event.event_digest().id().as_str());
    assert_eq!(launched["logging.googleapis.com/trace"], format!("projects/acme-ml/traces/{trace}"));
    let log = service.log();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(line["severity"].is_string() && line["message"].is_string(), "{line}");
    }
    let secrets = [
        &token,
        &wrong,
        token.rsplit('.').next().unwrap(),
        "launchgate-loopback",
        "hush-hush",
        "PRIVATE KEY",
    ];
    let envelope: Value = serde_json::from_str(&event.to_json()).unwrap();
    let texts = [envelope["payload"].as_str().unwrap(), envelope["signatures"][0]["sig"].as_str().unwrap()];
    for secret in secrets.into_iter().chain(texts).chain(["garbage-from-a-stranger"]) {
        assert!(!log.contains(secret), "the log holds {secret}:\n{log}");
    }
}
