//! The real `launchgate-lambda` as AWS runs it: a process that asks the Runtime API for its next invocation.

use base64::{Engine, engine::general_purpose::STANDARD};
use launchgate_standin::GoogleCerts;
use launchgate_suite::{Binary, Folder, LambdaRuntime, PATIENCE, a_key, a_push, a_vertex, an_event};
use serde_json::{Value, json};

const AUDIENCE: &str = "https://launchgate.example.com/pubsub/events";
const EMAIL: &str = "pubsub-push@acme-ml.iam.gserviceaccount.com";
const SUBSCRIPTION: &str = "projects/acme-ml/subscriptions/launchgate-events";

/// The process; it ends with the test.
struct Function(std::process::Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_folder(key: &launchgate_trust::SigningKey, certs: &GoogleCerts) -> Folder {
    Folder::trusting(key)
        .set(
            "/ingress/events",
            json!({"auth": "oidc", "audience": AUDIENCE, "email": EMAIL, "subscription": SUBSCRIPTION}),
        )
        .set("/ledger", json!({"sqlite": "launchgate.db", "ephemeralDisk": "allowed"}))
        .variable("LAUNCHGATE_CONFIG", "launchgate.yaml")
        .variable("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", &certs.endpoint())
}

fn start(folder: &Folder, runtime: &LambdaRuntime) -> Function {
    let mut command = folder.command(Binary::Lambda);
    command.envs(runtime.variables()).stdout(std::process::Stdio::null());
    Function(command.spawn().unwrap())
}

/// An invocation by a function URL (payload format 2.0).
fn invocation(method: &str, path: &str, authorization: Option<&str>, body: &[u8], encoded: bool) -> Value {
    let mut headers =
        json!({"content-type": "application/json", "host": "launchgate.lambda-url.eu-central-1.on.aws"});
    if let Some(token) = authorization {
        headers["authorization"] = token.into();
    }
    let body = if encoded { STANDARD.encode(body) } else { String::from_utf8(body.to_vec()).unwrap() };
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "anonymous", "apiId": "launchgate", "domainName": "launchgate.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "launchgate", "requestId": "r1", "routeKey": "$default", "stage": "$default",
            "time": "25/Nov/2026:10:00:00 +0000", "timeEpoch": 1_795_600_800_000_i64,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "APIs-Google"},
        },
        "body": body, "isBase64Encoded": encoded,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_with_a_signed_event_becomes_a_run_and_its_copy_none() {
    let (key, vertex, certs) = (a_key(), a_vertex().await, GoogleCerts::start().await.unwrap());
    let (folder, runtime) =
        (a_folder(&key, &certs).vertex_at(&vertex.endpoint()), LambdaRuntime::start().await);
    let _function = start(&folder, &runtime);
    let event = an_event().signed_by(&key);
    let body = a_push(event.to_json()).wrapped().to_string();
    let token = format!("Bearer {}", certs.mint(AUDIENCE, EMAIL));

    for encoded in [false, true] {
        let push = invocation("POST", "/pubsub/events", Some(&token), body.as_bytes(), encoded);
        assert_eq!(runtime.invoke(push).await["statusCode"], 204);
    }

    assert_eq!(vertex.jobs().len(), 1);
    let record = folder.wait_for_outcome(event.event_digest().id().as_str(), "launched", PATIENCE).await;
    assert_eq!(record["receipts"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_not_proven_is_refused_there_too() {
    let (key, certs) = (a_key(), GoogleCerts::start().await.unwrap());
    let (folder, runtime) = (a_folder(&key, &certs), LambdaRuntime::start().await);
    let _function = start(&folder, &runtime);
    let body = a_push(an_event().signed_by(&key).to_json()).wrapped().to_string();
    let wrong = format!("Bearer {}", certs.mint("https://example.com", EMAIL));

    for authorization in [None, Some(wrong.as_str())] {
        let push = invocation("POST", "/pubsub/events", authorization, body.as_bytes(), false);
        assert_eq!(runtime.invoke(push).await["statusCode"], 401);
    }
    let health = runtime.invoke(invocation("GET", "/healthz", None, b"", false)).await;
    assert_eq!((health["statusCode"].clone(), health["body"].clone()), (json!(200), json!("ok\n")));
    assert!(folder.recorded().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_on_a_disk_that_forgets_is_refused_unless_typed_out() {
    let (key, certs) = (a_key(), GoogleCerts::start().await.unwrap());
    let folder = a_folder(&key, &certs).set("/ledger", json!({"sqlite": "launchgate.db"}));
    let runtime = LambdaRuntime::start().await;

    let mut command = folder.command(Binary::Lambda);
    let ended = launchgate_suite::run(command.envs(runtime.variables()), b"");

    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("ephemeralDisk"), "{ended:?}");
}
