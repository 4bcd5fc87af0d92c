//! Who may push: Google's token of one service account, by one subscription; or loopback, typed out.

use launchgate_standin::{GoogleCerts, PushToken, SigningKey as GoogleKey};
use launchgate_suite::{
    Binary, Folder, PATIENCE, Service, a_key, a_push, a_vertex, an_event, client, eventually, post, skip,
};
use serde_json::{Value, json};

const AUDIENCE: &str = "https://launchgate.example.com/pubsub/events";
const EMAIL: &str = "pubsub-push@acme-ml.iam.gserviceaccount.com";
const SUBSCRIPTION: &str = "projects/acme-ml/subscriptions/launchgate-events";

fn with_oidc(folder: Folder, certs: &GoogleCerts) -> Folder {
    let route = json!({"auth": "oidc", "audience": AUDIENCE, "email": EMAIL, "subscription": SUBSCRIPTION});
    folder.set("/ingress/events", route).variable("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", &certs.endpoint())
}

fn a_token() -> PushToken {
    PushToken::new(AUDIENCE, EMAIL)
}

async fn push_with(service: &Service, body: &Value, authorizations: &[&str]) -> u16 {
    let headers: Vec<_> = authorizations.iter().map(|value| ("authorization", *value)).collect();
    post(service, &headers, body.to_string()).await.as_u16()
}

async fn push_as(service: &Service, body: &Value, token: &PushToken) -> u16 {
    push_with(service, body, &[&format!("Bearer {}", token.mint())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_token_of_the_right_account_opens_the_gate() {
    let (key, vertex, certs) = (a_key(), a_vertex().await, GoogleCerts::start().await.unwrap());
    let folder = with_oidc(Folder::trusting(&key).vertex_at(&vertex.endpoint()), &certs);
    let service = folder.start();
    let body = a_push(an_event().signed_by(&key).to_json()).wrapped();

    assert_eq!(push_as(&service, &body, &a_token()).await, 204);

    assert_eq!(vertex.jobs().len(), 1);
    assert_eq!(folder.only_record()["outcome"], "launched");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_sender_is_refused_with_its_reason_and_leaves_nothing() {
    let (key, vertex, certs) = (a_key(), a_vertex().await, GoogleCerts::start().await.unwrap());
    let folder = with_oidc(Folder::trusting(&key).vertex_at(&vertex.endpoint()), &certs);
    let service = folder.start();
    let body = a_push(an_event().signed_by(&key).to_json()).wrapped();

    let hour = 3600;
    let cases = [
        ("another issuer", a_token().claim("iss", "https://accounts.example.com"), 401, "token_issuer"),
        ("no issuer", a_token().claim("iss", Value::Null), 401, "token_issuer"),
        (
            "another audience",
            a_token().claim("aud", "https://launchgate.example.com/pubsub/builds"),
            401,
            "token_audience",
        ),
        ("several audiences", a_token().claim("aud", json!([AUDIENCE, "x"])), 401, "token_audience"),
        ("no audience", a_token().claim("aud", Value::Null), 401, "token_audience"),
        (
            "another account",
            a_token().claim("email", "someone@acme-ml.iam.gserviceaccount.com"),
            403,
            "token_email",
        ),
        ("no account", a_token().claim("email", Value::Null), 403, "token_email"),
        ("an account that is not verified", a_token().claim("email_verified", false), 403, "token_email"),
        ("verified as text", a_token().claim("email_verified", "true"), 403, "token_email"),
        ("expired", a_token().shifted(-2 * hour), 401, "token_expired"),
        ("not yet valid", a_token().shifted(2 * hour), 401, "token_expired"),
        ("no end", a_token().claim("exp", Value::Null), 401, "token_expired"),
        (
            "a forger's key under a known name",
            a_token().forged_by(GoogleKey::Stranger),
            401,
            "token_signature",
        ),
        ("a key that is not published", a_token().signed_by(GoogleKey::Stranger), 401, "token_signature"),
        ("no algorithm", a_token().header("alg", "none"), 401, "token_malformed"),
        ("a symmetric algorithm", a_token().header("alg", "HS256"), 401, "token_malformed"),
        ("stripped by Cloud Run", a_token().stripped(), 401, "signature_stripped_by_cloud_run"),
    ];
    for (what, token, status, reason) in cases {
        assert_eq!(push_as(&service, &body, &token).await, status, "{what}");
        service.wait_for_line(what, |line| line["reason"] == reason && line["outcome"] == "rejected_auth");
    }
    let token = format!("Bearer {}", a_token().mint());
    let malformed: [(&str, &[&str]); 6] = [
        ("no header", &[]),
        ("two headers", &[&token, &token]),
        ("another scheme", &["Basic dXNlcjp3b3Jk"]),
        ("a scheme alone", &["Bearer "]),
        ("no token", &["Bearer a.b"]),
        ("a token of 100 kB", &[&format!("Bearer {}", "x".repeat(100_000))]),
    ];
    for (what, authorizations) in malformed {
        let status = push_with(&service, &body, authorizations).await;
        assert!(status == 401 || status == 431, "{what}: {status}");
    }
    assert!(folder.recorded().is_empty(), "{:#?}", folder.recorded());
    assert_eq!(vertex.request_count(), 0);
    let metrics = client().get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains(r#"outcome="rejected_auth",reason="token_audience""#), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_subscription_is_forbidden_wrapped_and_unwrapped() {
    let (key, certs) = (a_key(), GoogleCerts::start().await.unwrap());
    let folder = with_oidc(Folder::trusting(&key), &certs);
    let service = folder.start();
    let push =
        a_push(an_event().signed_by(&key).to_json()).subscription("projects/acme-ml/subscriptions/another");
    let token = format!("Bearer {}", a_token().mint());

    assert_eq!(push_as(&service, &push.wrapped(), &a_token()).await, 403);
    let (headers, body) = push.unwrapped();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<_> = headers.chain([("authorization", token.as_str())]).collect();
    assert_eq!(post(&service, &headers, body).await, 403);
    let mut without = push.wrapped();
    without.as_object_mut().unwrap().remove("subscription");
    assert_eq!(push_as(&service, &without, &a_token()).await, 403);

    assert!(folder.recorded().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_google_is_fetched_when_a_token_first_names_it() {
    let (key, vertex, certs) = (a_key(), a_vertex().await, GoogleCerts::start().await.unwrap());
    let folder = with_oidc(Folder::trusting(&key).vertex_at(&vertex.endpoint()), &certs);
    let service = folder.start();
    let body = |number| a_push(an_event().number(number).signed_by(&key).to_json()).wrapped();
    assert_eq!(push_as(&service, &body(1), &a_token()).await, 204);

    certs.rotate();

    // Strangers can make up key names, so Google is asked every ten seconds at most; Pub/Sub comes again.
    let second = a_token().signed_by(GoogleKey::Second);
    eventually("the new key is known", PATIENCE, async || {
        (push_as(&service, &body(2), &second).await == 204).then_some(())
    })
    .await;
    assert_eq!(push_as(&service, &body(3), &a_token()).await, 204);
    assert_eq!(vertex.jobs().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_certificates_cannot_be_had_nothing_is_decided() {
    let (key, vertex, certs) = (a_key(), a_vertex().await, GoogleCerts::start().await.unwrap());
    certs.set_failing(true);
    let folder = with_oidc(Folder::trusting(&key).vertex_at(&vertex.endpoint()), &certs);
    let service = folder.start();
    let body = a_push(an_event().signed_by(&key).to_json()).wrapped();

    let token = format!("Bearer {}", a_token().mint());
    let request = client().post(service.url("/pubsub/events")).header("authorization", &token);
    let answer = request.body(body.to_string()).send().await.unwrap();

    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(folder.recorded().is_empty());
    assert_eq!(client().get(service.url("/readyz")).send().await.unwrap().status(), 503);
    assert_eq!(vertex.request_count(), 0);

    certs.set_failing(false);
    eventually("the certificates are fetched again", PATIENCE, async || {
        (push_as(&service, &body, &a_token()).await == 204).then_some(())
    })
    .await;
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_fails_for_an_unknown_key_is_no_rejection() {
    let (key, certs) = (a_key(), GoogleCerts::start().await.unwrap());
    let folder = with_oidc(Folder::trusting(&key), &certs);
    let service = folder.start();
    let body = a_push(an_event().signed_by(&a_key()).to_json()).wrapped();
    assert_eq!(push_as(&service, &body, &a_token()).await, 204);

    certs.set_failing(true);

    // Within ten seconds of a good fetch its answer stands; after that only a fetch could tell.
    let second = a_token().signed_by(GoogleKey::Second);
    eventually("the failed fetch shows", PATIENCE, async || match push_as(&service, &body, &second).await {
        503 => Some(()),
        status => {
            assert_eq!(status, 401);
            None
        }
    })
    .await;
    // The keys at hand go on counting.
    assert_eq!(push_as(&service, &body, &a_token()).await, 204);
}

#[test]
fn auth_none_on_another_address_than_loopback_refuses_callers_from_there() {
    // The peer's address decides; from this machine to its own outside address the peer is that address.
    let Some(own) = outside_address() else {
        skip!("this machine has no address beyond loopback");
    };
    let folder = Folder::trusting(&a_key());
    let service = Service::start(folder.command(Binary::Trigger).args([
        "--config",
        "launchgate.yaml",
        "--listen",
        "0.0.0.0:0",
    ]));
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let post = |host: std::net::IpAddr| {
        let url =
            format!("http://{}/pubsub/events", std::net::SocketAddr::new(host, service.address().port()));
        runtime.block_on(async { client().post(url).body("{}").send().await.unwrap().status().as_u16() })
    };

    assert_eq!(post(own), 403);
    assert_eq!(post(std::net::Ipv4Addr::LOCALHOST.into()), 204);
    assert_eq!(folder.recorded().len(), 1);
}

/// The address this machine would speak from; nothing is sent.
fn outside_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}
