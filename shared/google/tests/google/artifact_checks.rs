//! What a look at an artifact comes to: what ends a decision, what is no answer yet, and whom our token is shown.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use launchgate_engine::ports::{ArtifactCheck, ArtifactSeen};
use launchgate_google::{ArtifactReader, CredentialSettings, Endpoints};
use launchgate_outcome::Reason;
use launchgate_statement::Sha256;
use launchgate_triggers::{
    ArtifactDemand, ArtifactPlace,
    ArtifactRule::{self, Content, Exists},
    PinnedObject,
};

use crate::artifacts::serve;

const PATIENCE: Duration = Duration::from_secs(30);
const GOOGLES: &str = "europe-west1-docker.pkg.dev";
const OURS: &str = "Bearer launchgate-loopback";

/// What was asked: method, path with query, and the Authorization header.
type Asked = (String, String, Option<String>);

type Answering = dyn Fn(&Asked) -> Response + Send + Sync;

/// A server that writes down what it is asked.
#[derive(Clone)]
struct Server {
    answer: Arc<Answering>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Its address and itself.
    async fn start(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> (String, Self) {
        let server = Self { answer: Arc::new(answer), asked: Arc::default() };
        let taking = |State(server): State<Self>, request: Request| async move { server.take(&request) };
        let router = Router::new().fallback(taking).with_state(server.clone());
        (serve(router).await, server)
    }

    fn take(&self, request: &Request) -> Response {
        let shown = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let asked = (request.method().to_string(), request.uri().to_string(), shown);
        self.asked.lock().unwrap().push(asked.clone());
        (self.answer)(&asked)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

fn with_digest(digest: Sha256) -> Response {
    [("docker-content-digest", format!("sha256:{digest}"))].into_response()
}

fn redirect(to: &str) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [("location", to.to_owned())]).into_response()
}

fn reader(service: &str, address: &str) -> ArtifactReader {
    let variables = BTreeMap::from([(format!("LAUNCHGATE_{service}_ENDPOINT"), address.to_owned())]);
    let endpoints = Endpoints::from_variables(&variables).unwrap();
    ArtifactReader::new(endpoints, &CredentialSettings::default())
}

fn an_image(rule: ArtifactRule, host: &str, digest: Sha256) -> ArtifactDemand {
    let place = ArtifactPlace::Image { host: host.to_owned(), repository: "acme/ml/train".to_owned() };
    ArtifactDemand { rule, place, sha256: digest, wait_seconds: 60 }
}

fn an_object(rule: ArtifactRule, sha256: Sha256) -> ArtifactDemand {
    let (bucket, object) = ("acme-models".to_owned(), "fraud/model.bin".to_owned());
    let place =
        ArtifactPlace::Object(PinnedObject { bucket, object, generation: 17, crc32c: None, size: None });
    ArtifactDemand { rule, place, sha256, wait_seconds: 60 }
}

async fn seen(service: &str, address: &str, demand: &ArtifactDemand) -> ArtifactSeen {
    reader(service, address).look(demand, PATIENCE).await
}

#[track_caller]
fn is_unanswered(seen: &ArtifactSeen, said: &str) {
    let ArtifactSeen::Unanswered { message, .. } = seen else { panic!("{seen:?}") };
    assert!(message.contains(said), "{message}");
}

#[track_caller]
fn is_otherwise(seen: &ArtifactSeen, expected: Reason, said: &str) {
    let ArtifactSeen::Otherwise { reason, message, .. } = seen else { panic!("{seen:?}") };
    assert_eq!(*reason, expected, "{message}");
    assert!(message.contains(said), "{message}");
}

#[track_caller]
fn is_equal(seen: &ArtifactSeen) {
    assert!(matches!(seen, ArtifactSeen::Equal { .. }), "{seen:?}");
}

/// An image of one layer, as a registry holds it: paths and bodies.
struct Image {
    digest: Sha256,
    layer: Sha256,
    paths: BTreeMap<String, Vec<u8>>,
}

fn image(layer: &[u8]) -> Image {
    let (config, layer_digest) = (b"{}".to_vec(), Sha256::of(layer));
    let descriptor = |bytes: &[u8]| serde_json::json!({"digest": format!("sha256:{}", Sha256::of(bytes)), "size": bytes.len()});
    let manifest =
        serde_json::json!({"config": descriptor(&config), "layers": [descriptor(layer)]}).to_string();
    let digest = Sha256::of(manifest.as_bytes());
    let blob = |bytes: &[u8]| format!("/v2/acme/ml/train/blobs/sha256:{}", Sha256::of(bytes));
    let paths = BTreeMap::from([
        (format!("/v2/acme/ml/train/manifests/sha256:{digest}"), manifest.into_bytes()),
        (blob(&config), config),
        (blob(layer), layer.to_vec()),
    ]);
    Image { digest, layer: layer_digest, paths }
}

fn held(paths: &BTreeMap<String, Vec<u8>>, asked: &Asked) -> Response {
    paths.get(&asked.1).map_or_else(|| status(404), |body| body.clone().into_response())
}

#[tokio::test]
async fn a_manifest_is_there_when_the_registry_names_its_digest() {
    let digest = Sha256::of(b"manifest");
    let (address, server) = Server::start(move |_| with_digest(digest)).await;

    is_equal(&seen("REGISTRY", &address, &an_image(Exists, GOOGLES, digest)).await);

    let path = format!("/v2/acme/ml/train/manifests/sha256:{digest}");
    assert_eq!(server.asked(), [("HEAD".to_owned(), path, Some(OURS.to_owned()))]);
}

#[tokio::test]
async fn a_registry_that_names_another_digest_or_none_is_not_believed() {
    let (digest, other) = (Sha256::of(b"manifest"), Sha256::of(b"other"));

    let (address, _) = Server::start(move |_| with_digest(other)).await;
    let differs = seen("REGISTRY", &address, &an_image(Exists, GOOGLES, digest)).await;
    is_otherwise(&differs, Reason::ArtifactDiffers, &other.to_hex());

    for (body, there) in [("manifest", true), ("another", false)] {
        let (address, server) = Server::start(move |_| body.into_response()).await;
        let nameless = seen("REGISTRY", &address, &an_image(Exists, GOOGLES, digest)).await;
        assert_eq!(matches!(nameless, ArtifactSeen::Equal { .. }), there, "{nameless:?}");
        assert_eq!(server.asked().len(), 2, "its bytes were read instead");
    }
}

#[tokio::test]
async fn what_is_not_there_ends_it_and_whatever_may_change_does_not() {
    let digest = Sha256::of(b"x");
    let line =
        "gcloud artifacts repositories add-iam-policy-binding ml --project=acme --location=europe-west1";
    for (service, demand, grant) in [
        ("REGISTRY", an_image(Exists, GOOGLES, digest), line),
        ("REGISTRY", an_image(Content, GOOGLES, digest), line),
        (
            "STORAGE",
            an_object(Exists, digest),
            "gcloud storage buckets add-iam-policy-binding gs://acme-models",
        ),
    ] {
        for (code, said) in [
            (401, grant),
            (403, grant),
            (429, "HTTP 429"),
            (500, "HTTP 500"),
            (503, "HTTP 503"),
            (307, "HTTP 307"),
        ] {
            let (address, _) = Server::start(move |_| status(code)).await;
            is_unanswered(&seen(service, &address, &demand).await, said);
        }
        let (address, _) = Server::start(|_| status(404)).await;
        is_otherwise(&seen(service, &address, &demand).await, Reason::ArtifactMissing, grant);
        is_unanswered(&seen(service, "http://127.0.0.1:9", &demand).await, "no connection");
    }
}

#[tokio::test]
async fn the_other_side_may_say_when_to_come_back() {
    let busy = |_: &Asked| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "42")]).into_response();
    let (address, _) = Server::start(busy).await;

    for demand in [an_object(Exists, Sha256::of(b"x")), an_image(Exists, GOOGLES, Sha256::of(b"x"))] {
        let service = if matches!(demand.place, ArtifactPlace::Object(_)) { "STORAGE" } else { "REGISTRY" };
        let ArtifactSeen::Unanswered { retry_after, .. } = seen(service, &address, &demand).await else {
            panic!()
        };
        assert_eq!(retry_after, Some(Duration::from_secs(42)));
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_with_the_limit() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let demand = an_object(Exists, Sha256::of(b"x"));

    let seen = reader("STORAGE", &address).look(&demand, Duration::from_millis(50)).await;

    is_unanswered(&seen, "not done within");
    drop(listener);
}

/// A registry that wants a token and gives it to anybody, at this realm (`None`: at itself).
async fn public_registry(digest: Sha256, realm: Option<&'static str>) -> (String, Server) {
    let own: Arc<Mutex<String>> = Arc::default();
    let known = own.clone();
    let (address, server) = Server::start(move |(_, path, shown)| {
        if path.starts_with("/token?") {
            return r#"{"token": "for-anybody"}"#.into_response();
        }
        if shown.as_deref() == Some("Bearer for-anybody") {
            return with_digest(digest);
        }
        let realm = realm.map_or_else(|| format!("{}/token", known.lock().unwrap()), str::to_owned);
        let challenge =
            format!(r#"Bearer realm="{realm}",service="registry",scope="repository:acme/ml/train:pull""#);
        (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
    })
    .await;
    own.lock().unwrap().clone_from(&address);
    (address, server)
}

#[tokio::test]
async fn a_registry_of_somebody_else_is_asked_by_the_token_it_gives_to_anybody() {
    let digest = Sha256::of(b"manifest");
    let (address, server) = public_registry(digest, None).await;

    is_equal(&seen("REGISTRY", &address, &an_image(Exists, "ghcr.io", digest)).await);

    let asked = server.asked();
    let shown: Vec<_> = asked.iter().map(|(_, _, shown)| shown.as_deref()).collect();
    assert_eq!(shown, [None, None, Some("Bearer for-anybody")], "ours is shown to nobody");
    assert_eq!(asked[1].1, "/token?service=registry&scope=repository%3Aacme%2Fml%2Ftrain%3Apull");
}

#[tokio::test]
async fn a_registry_that_gives_nobody_a_token_is_no_answer_and_must_be_public() {
    let digest = Sha256::of(b"manifest");
    let (address, _) = Server::start(|_| status(401)).await;
    let closed = seen("REGISTRY", &address, &an_image(Exists, "ghcr.io", digest)).await;
    is_unanswered(&closed, "must be public");

    for realm in ["http://auth.example.com/token", "ftp://127.0.0.1/token", "no address"] {
        let (address, server) = public_registry(digest, Some(realm)).await;
        let sent = seen("REGISTRY", &address, &an_image(Exists, "ghcr.io", digest)).await;
        is_unanswered(&sent, "the realm");
        assert_eq!(server.asked().len(), 1, "{realm}");
    }
}

#[tokio::test]
async fn googles_registries_are_sent_to_no_other_realm() {
    let digest = Sha256::of(b"manifest");
    let (address, server) = public_registry(digest, None).await;

    let denied = seen("REGISTRY", &address, &an_image(Exists, GOOGLES, digest)).await;

    is_unanswered(&denied, "roles/artifactregistry.reader");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn everything_a_manifest_names_is_read_and_hashed() {
    let image = image(b"layer");
    let (digest, paths) = (image.digest, image.paths);
    let (address, server) = Server::start({
        let paths = paths.clone();
        move |asked| held(&paths, asked)
    })
    .await;

    is_equal(&seen("REGISTRY", &address, &an_image(Content, GOOGLES, digest)).await);
    let asked: Vec<_> = server.asked().into_iter().map(|(_, path, _)| path).collect();
    assert!(paths.keys().all(|path| asked.contains(path)), "{asked:?}");

    let layer = format!("/v2/acme/ml/train/blobs/sha256:{}", image.layer);
    for (bytes, comes_to) in [
        (Some(b"lAyer".to_vec()), Some(Reason::ArtifactDiffers)),
        (Some(b"layer and more".to_vec()), Some(Reason::ArtifactDiffers)),
        (None, Some(Reason::ArtifactMissing)),
        (Some(b"lay".to_vec()), None),
    ] {
        let mut paths = paths.clone();
        paths.remove(&layer);
        paths.extend(bytes.map(|bytes| (layer.clone(), bytes)));
        let (address, _) = Server::start(move |asked| held(&paths, asked)).await;
        let seen = seen("REGISTRY", &address, &an_image(Content, GOOGLES, digest)).await;
        match comes_to {
            Some(reason) => is_otherwise(&seen, reason, &image.layer.to_hex()),
            None => is_unanswered(&seen, "expected 5 bytes, read 3"),
        }
    }
}

#[tokio::test]
async fn every_manifest_of_an_index_is_followed() {
    let (one, two) = (image(b"one"), image(b"two"));
    let manifests = [&one, &two]
        .map(|image| serde_json::json!({"digest": format!("sha256:{}", image.digest), "size": 1}));
    let index = serde_json::json!({"manifests": manifests}).to_string();
    let digest = Sha256::of(index.as_bytes());
    let mut paths = one.paths;
    paths.extend(two.paths);
    paths.insert(format!("/v2/acme/ml/train/manifests/sha256:{digest}"), index.into_bytes());
    let spoiled = format!("/v2/acme/ml/train/blobs/sha256:{}", two.layer);

    for spoil in [false, true] {
        let mut paths = paths.clone();
        if spoil {
            paths.insert(spoiled.clone(), b"owt".to_vec());
        }
        let (address, _) = Server::start(move |asked| held(&paths, asked)).await;
        let seen = seen("REGISTRY", &address, &an_image(Content, GOOGLES, digest)).await;
        if spoil {
            is_otherwise(&seen, Reason::ArtifactDiffers, &two.layer.to_hex());
        } else {
            is_equal(&seen);
        }
    }
}

#[tokio::test]
async fn a_blob_on_another_server_is_fetched_there_without_our_token() {
    let image = image(b"layer");
    let (other, elsewhere) = Server::start(|_| b"layer".as_slice().into_response()).await;
    let layer = format!("/v2/acme/ml/train/blobs/sha256:{}", image.layer);
    let own_move = "/moved";
    let paths = image.paths;
    let (address, server) = Server::start(move |asked| {
        if asked.1 == layer {
            redirect(own_move)
        } else if asked.1 == own_move {
            redirect(&format!("{other}/signed?x=1"))
        } else {
            held(&paths, asked)
        }
    })
    .await;

    is_equal(&seen("REGISTRY", &address, &an_image(Content, GOOGLES, image.digest)).await);

    let moved: Vec<_> = server.asked().into_iter().filter(|(_, path, _)| path == own_move).collect();
    assert_eq!(moved[0].2.as_deref(), Some(OURS), "the same server");
    assert_eq!(elsewhere.asked(), [("GET".to_owned(), "/signed?x=1".to_owned(), None)]);
}

#[tokio::test]
async fn a_blob_is_not_followed_to_plain_http_elsewhere_or_for_ever() {
    let image = image(b"layer");
    for (to, said) in
        [("http://example.com/layer", "plain http"), ("/v2/again", "more than"), ("http://[", "address")]
    {
        let paths = image.paths.clone();
        let (address, _) =
            Server::start(
                move |asked| {
                    if asked.1.contains("/manifests/") { held(&paths, asked) } else { redirect(to) }
                },
            )
            .await;
        is_unanswered(&seen("REGISTRY", &address, &an_image(Content, GOOGLES, image.digest)).await, said);
    }
}

/// A bucket that says this size of its object and holds these bytes.
async fn bucket(size: u64, bytes: &'static [u8]) -> String {
    let answer = move |(_, path, _): &Asked| {
        if path.contains("alt=media") {
            return bytes.into_response();
        }
        format!(r#"{{"generation": "17", "size": "{size}", "crc32c": "AAAAAA=="}}"#).into_response()
    };
    Server::start(answer).await.0
}

#[tokio::test]
async fn an_objects_bytes_are_the_subjects_or_it_is_another_one() {
    let content = |bytes: &'static [u8]| an_object(Content, Sha256::of(bytes));
    is_equal(&seen("STORAGE", &bucket(5, b"model").await, &content(b"model")).await);

    let differs = seen("STORAGE", &bucket(5, b"mOdel").await, &content(b"model")).await;
    is_otherwise(&differs, Reason::ArtifactDiffers, "sha256");
    let longer = seen("STORAGE", &bucket(4, b"model").await, &content(b"model")).await;
    is_otherwise(&longer, Reason::ArtifactDiffers, "sha256");
    let cut_off = seen("STORAGE", &bucket(6, b"model").await, &content(b"model")).await;
    is_unanswered(&cut_off, "expected 6 bytes, read 5");
    let huge = seen("STORAGE", &bucket(60 << 30, b"model").await, &content(b"model")).await;
    is_otherwise(&huge, Reason::ArtifactNotCheckable, "artifact: exists");
    is_equal(&seen("STORAGE", &bucket(60 << 30, b"model").await, &an_object(Exists, Sha256::of(b""))).await);
}

#[tokio::test]
async fn no_artifact_can_have_the_services_own_machine_called() {
    let reader = ArtifactReader::new(Endpoints::default(), &CredentialSettings::default());
    for host in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
        let seen = reader.look(&an_image(Exists, host, Sha256::of(b"x")), PATIENCE).await;
        is_otherwise(&seen, Reason::ArtifactNotCheckable, "own machine");
    }
}
