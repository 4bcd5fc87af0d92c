//! Templates that lie elsewhere: fetched at start, held against the reviewed digest, sent as Google's SDK sends them.

use std::{net::TcpListener, path::Path};

use launchgate_standin::{KfpRegistryStandin, RegistryFault};
use launchgate_statement::Sha256;
use launchgate_suite::{
    Binary, Finished, Folder, GcsServer, a_key, a_pipeline_job, a_push, a_vertex, an_event, run, skip,
};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

const OBJECT: &str = "gs://acme-pipelines/fraud/retrain v3.json";
/// The same as a URL holds it.
const IN_URL: &str = "fraud%2Fretrain%20v3.json";
const PACKAGE: &str = "acme-ml/pipelines/fraud-retrain/sha256:\
                       4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f";

fn the_template() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/vertex/specs/retrain.json")).unwrap()
}

/// A folder whose trigger names the template at an address; its cache is its own.
fn naming(address: &str, key: &SigningKey) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["launch"]["pipelineJob"]["template"] = json!(address);
    trigger["launch"]["pipelineJob"]["templateSha256"] = json!(Sha256::of(&the_template()).to_hex());
    let folder = Folder::trusting(key).triggers(vec![trigger]);
    let cache = folder.path().join("cache").to_str().unwrap().to_owned();
    std::fs::remove_file(folder.path().join("pipelines/retrain.json")).unwrap();
    folder.variable("XDG_CACHE_HOME", &cache)
}

fn by_package(registry: &KfpRegistryStandin, key: &SigningKey) -> Folder {
    naming(&format!("https://europe-west1-kfp.pkg.dev/{PACKAGE}"), key)
        .variable("LAUNCHGATE_REGISTRY_ENDPOINT", &registry.endpoint())
}

fn in_bucket(storage: &GcsServer, key: &SigningKey) -> Folder {
    naming(OBJECT, key).variable("LAUNCHGATE_STORAGE_ENDPOINT", storage.endpoint())
}

/// A start that is refused.
fn refused_start(folder: &Folder) -> Finished {
    let mut command = folder.command(Binary::Trigger);
    run(command.args(["--config", "launchgate.yaml", "--listen", "127.0.0.1:0"]), b"")
}

fn codes(lint: &Finished) -> Vec<String> {
    let findings = lint.json();
    let of = |finding: &Value| finding["code"].as_str().unwrap().to_owned();
    findings.as_array().unwrap().iter().map(of).filter(|code| code.starts_with("template")).collect()
}

fn an_event_file(folder: &Folder, key: &SigningKey) {
    folder.write("event.json", an_event().signed_by(key).to_json());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_in_a_bucket_is_fetched_at_start_and_its_spec_is_sent() {
    let storage = match GcsServer::start(&["acme-pipelines"]).await {
        Ok(storage) => storage,
        Err(why) => skip!("{why}"),
    };
    let (key, vertex) = (a_key(), a_vertex().await);
    storage.put("acme-pipelines", IN_URL, the_template()).await;
    let folder = in_bucket(&storage, &key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    // What lies there later is nothing to a service that runs.
    storage.put("acme-pipelines", IN_URL, "another").await;

    let status = a_push(an_event().signed_by(&key).to_json()).deliver(&service).await;

    assert_eq!(status.as_u16(), 204);
    let job = vertex.jobs().remove(0);
    let spec: Value = serde_json::from_slice(&the_template()).unwrap();
    assert_eq!(job["pipelineSpec"]["pipelineInfo"], spec["pipelineInfo"]);
    assert_eq!(job.get("templateUri"), None, "Google's SDK sends one for registries only");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changed_since_it_was_reviewed_is_refused_before_anything_runs() {
    let storage = match GcsServer::start(&["acme-pipelines"]).await {
        Ok(storage) => storage,
        Err(why) => skip!("{why}"),
    };
    let folder = in_bucket(&storage, &a_key());
    storage.put("acme-pipelines", IN_URL, "something else").await;
    let found = Sha256::of(b"something else").to_hex();

    let (lint, start) = (folder.launchgate(&["lint", "--output", "json"]), refused_start(&folder));

    assert_eq!((lint.code, codes(&lint)), (2, vec!["template-digest".to_owned()]), "{lint:?}");
    assert_eq!(start.code, 2, "{start:?}");
    for said in [OBJECT, "14 bytes", &found, "launchgate.yaml:"] {
        assert!(start.stderr.contains(said), "{said}: {start:?}");
    }
    assert!(!folder.path().join("cache/launchgate/templates").exists(), "only what was reviewed is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_once_is_kept_by_its_digest_and_a_spoiled_cache_is_not_believed() {
    let storage = match GcsServer::start(&["acme-pipelines"]).await {
        Ok(storage) => storage,
        Err(why) => skip!("{why}"),
    };
    let key = a_key();
    let folder = in_bucket(&storage, &key);
    an_event_file(&folder, &key);
    storage.put("acme-pipelines", IN_URL, the_template()).await;
    folder.launchgate(&["explain", "event.json"]).success();
    storage.put("acme-pipelines", IN_URL, "another").await;

    let kept = folder.launchgate(&["explain", "event.json", "--offline", "--output", "json"]);

    assert_eq!(kept.success().json()["outcome"], "launched");
    let file = Sha256::of(&the_template()).to_hex();
    folder.write(&format!("cache/launchgate/templates/{file}"), "spoiled");
    let spoiled = folder.launchgate(&["explain", "event.json", "--offline"]);
    assert_eq!(spoiled.code, 2, "{spoiled:?}");
    assert!(spoiled.stderr.contains("is not in the cache"), "{spoiled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_there_says_how_to_look() {
    let storage = match GcsServer::start(&["acme-pipelines"]).await {
        Ok(storage) => storage,
        Err(why) => skip!("{why}"),
    };
    let folder = in_bucket(&storage, &a_key());

    let lint = folder.launchgate(&["lint"]);

    assert_eq!(lint.code, 2, "{lint:?}");
    assert!(
        lint.stderr.contains("HTTP 404") && lint.stderr.contains("gcloud storage ls gs://acme-pipelines")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lint_without_a_network_warns_and_everything_else_refuses() {
    let key = a_key();
    // Asked for and let go: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder =
        naming(OBJECT, &key).variable("LAUNCHGATE_STORAGE_ENDPOINT", &format!("http://127.0.0.1:{port}"));
    an_event_file(&folder, &key);

    for arguments in [&["lint", "--output", "json"][..], &["lint", "--offline", "--output", "json"]] {
        let lint = folder.launchgate(arguments);
        assert_eq!((lint.code, codes(&lint)), (0, vec!["template-not-looked-at".to_owned()]), "{lint:?}");
    }
    let explained = folder.launchgate(&["explain", "event.json"]);
    assert_eq!(explained.code, 2, "{explained:?}");
    assert!(explained.stderr.contains("the template cannot be had"), "{explained:?}");
    assert_eq!(refused_start(&folder).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_fetched_with_a_token_and_sent_with_its_uri() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let registry = KfpRegistryStandin::start().await.unwrap();
    registry.put(PACKAGE, the_template());
    // A registry may send its callers on within itself.
    registry.faults([RegistryFault::Redirect(format!("/{PACKAGE}"))]);
    let folder = by_package(&registry, &key).vertex_at(&vertex.endpoint());
    let service = folder.start();

    let status = a_push(an_event().signed_by(&key).to_json()).deliver(&service).await;

    assert_eq!(status.as_u16(), 204);
    assert_eq!(registry.asked(), [(format!("/{PACKAGE}"), true), (format!("/{PACKAGE}"), true)]);
    let job = vertex.jobs().remove(0);
    assert_eq!(job["templateUri"], format!("https://europe-west1-kfp.pkg.dev/{PACKAGE}"));
    assert_eq!(job["pipelineSpec"]["schemaVersion"], "2.1.0");
    // The same event by hand plans the same job.
    an_event_file(&folder, &key);
    folder.launchgate(&["explain", "event.json"]).success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_says_no_comes_with_the_line_that_mends_it() {
    let registry = KfpRegistryStandin::start().await.unwrap();
    let folder = by_package(&registry, &a_key());
    let line = "gcloud artifacts repositories add-iam-policy-binding pipelines --location=europe-west1 \
                --project=acme-ml --member=serviceAccount:SERVICE_ACCOUNT --role=roles/artifactregistry.reader";

    registry.faults([RegistryFault::Denied]);
    let denied = folder.launchgate(&["lint"]);
    let missing = folder.launchgate(&["lint"]);
    registry.faults([RegistryFault::Unavailable]);
    let down = folder.launchgate(&["lint"]);

    assert_eq!(denied.code, 2, "{denied:?}");
    assert!(denied.stderr.contains(line), "{denied:?}");
    assert!(missing.stderr.contains("gcloud artifacts versions list --package=fraud-retrain"), "{missing:?}");
    assert_eq!(down.code, 0, "nobody said no: {down:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_a_registry_to_a_plain_address_elsewhere() {
    let (registry, elsewhere) =
        (KfpRegistryStandin::start().await.unwrap(), KfpRegistryStandin::start().await.unwrap());
    elsewhere.put(PACKAGE, the_template());
    registry.faults([RegistryFault::Redirect(format!("{}/{PACKAGE}", elsewhere.endpoint()))]);

    let lint = by_package(&registry, &a_key()).launchgate(&["lint"]);

    assert_eq!(lint.code, 2, "{lint:?}");
    assert!(lint.stderr.contains("not https"), "{lint:?}");
    assert_eq!(elsewhere.asked(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_beyond_eight_mebibytes_is_cut_off() {
    let registry = KfpRegistryStandin::start().await.unwrap();
    registry.put(PACKAGE, vec![b' '; 8 * 1024 * 1024 + 1]);

    let lint = by_package(&registry, &a_key()).launchgate(&["lint"]);

    assert_eq!(lint.code, 2, "{lint:?}");
    assert!(lint.stderr.contains("larger than 8388608 bytes"), "{lint:?}");
}
