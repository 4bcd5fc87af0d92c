//! Artifacts that are looked at before a launch, in a real bucket server and a real registry.

use launchgate_standin::VertexStandin;
use launchgate_statement::{Artifact, Sha256};
use launchgate_suite::{
    DockerRegistry, Folder, GcsServer, PATIENCE, RecordedLadder, a_key, a_pipeline_job, a_push, a_vertex,
    an_event, skip,
};
use launchgate_trust::SigningKey;
use serde_json::{Map, Value, json};

const REPOSITORY: &str = "acme/ml/fraud-train";
const LAYER: &[u8] = b"what the build made";
const BUCKET: &str = "acme-models";
const MODEL: &[u8] = b"weights";

macro_rules! or_skip {
    ($started:expr) => {
        match $started {
            Ok(started) => started,
            Err(why) => skip!("{why}"),
        }
    };
}

/// A service whose one trigger asks for the artifact.
struct Gate {
    folder: Folder,
    vertex: VertexStandin,
    key: SigningKey,
}

impl Gate {
    async fn asking(rule: &str, service: &str, endpoint: &str) -> Self {
        let (key, vertex) = (a_key(), a_vertex().await);
        let mut trigger = a_pipeline_job("retrain");
        trigger["require"]["artifact"] = json!(rule);
        let folder = Folder::trusting(&key)
            .triggers(vec![trigger])
            .vertex_at(&vertex.endpoint())
            .variable(&format!("LAUNCHGATE_{service}_ENDPOINT"), endpoint);
        Self { folder, vertex, key }
    }

    async fn asking_registry(rule: &str, registry: &DockerRegistry) -> Self {
        Self::asking(rule, "REGISTRY", &registry.endpoint()).await
    }

    async fn asking_bucket(rule: &str, storage: &GcsServer) -> Self {
        Self::asking(rule, "STORAGE", storage.endpoint()).await
    }

    fn event(&self, artifact: Artifact) -> Vec<u8> {
        an_event().of_artifact(artifact).signed_by(&self.key).to_json().into_bytes()
    }

    /// Delivers an event of this artifact and waits until it stands so.
    async fn comes_to(&self, artifact: Artifact, outcome: &str) -> Value {
        let service = self.folder.start();
        assert_eq!(a_push(self.event(artifact)).deliver(&service).await.as_u16(), 204);
        let event = self.folder.only_record()["event"].as_str().unwrap().to_owned();
        self.folder.wait_for_outcome(&event, outcome, PATIENCE).await
    }

    fn rung(&self) -> launchgate_outcome::Check {
        let ladder: RecordedLadder = self.folder.recorded_ladder();
        ladder.checks.into_iter().find(|check| check.name == "require.artifact").unwrap()
    }
}

fn an_image(digest: Sha256) -> Artifact {
    Artifact {
        name: "fraud-train".to_owned(),
        sha256: digest,
        uri: Some(format!("us-docker.pkg.dev/{REPOSITORY}@sha256:{digest}")),
        media_type: None,
        annotations: Map::new(),
    }
}

/// The object as `emit` describes it: generation, checksum and size beside the digest.
async fn an_object(storage: &GcsServer, name: &str) -> Artifact {
    let lies = storage.describe(BUCKET, name).await;
    let text = |member: &str| lies[member].as_str().unwrap().to_owned();
    Artifact {
        name: name.to_owned(),
        sha256: Sha256::of(MODEL),
        uri: Some(format!("gs://{BUCKET}/{name}#{}", text("generation"))),
        media_type: None,
        annotations: Map::from_iter([
            ("crc32c".to_owned(), text("crc32c").into()),
            ("size".to_owned(), text("size").into()),
        ]),
    }
}

async fn a_bucket() -> Result<GcsServer, String> {
    let storage = GcsServer::start(&[BUCKET]).await?;
    storage.put(BUCKET, "model.bin", MODEL).await;
    Ok(storage)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_in_the_registry_is_launched() {
    let registry = or_skip!(DockerRegistry::start().await);
    let image = registry.push(REPOSITORY, LAYER).await;

    for (rule, seen) in [("exists", "manifest sha256:"), ("content", "2 blobs")] {
        let gate = Gate::asking_registry(rule, &registry).await;
        gate.comes_to(an_image(image.digest), "launched").await;

        assert_eq!(gate.vertex.jobs().len(), 1);
        let rung = gate.rung();
        assert_eq!(rung.status, launchgate_outcome::CheckStatus::Passed);
        assert!(rung.actual.as_deref().unwrap().contains(seen), "{rung:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_in_the_bucket_is_launched() {
    let storage = or_skip!(a_bucket().await);

    for (rule, seen) in [("exists", "7 bytes"), ("content", "sha256")] {
        let gate = Gate::asking_bucket(rule, &storage).await;
        gate.comes_to(an_object(&storage, "model.bin").await, "launched").await;

        assert_eq!(gate.vertex.jobs().len(), 1);
        let rung = gate.rung();
        assert_eq!(rung.status, launchgate_outcome::CheckStatus::Passed);
        assert!(rung.actual.as_deref().unwrap().contains(seen), "{rung:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_never_pushed_or_was_deleted_is_denied() {
    let registry = or_skip!(DockerRegistry::start().await);
    let deleted = registry.push(REPOSITORY, LAYER).await.digest;
    registry.delete(REPOSITORY, deleted).await;

    for (rule, digest) in [("exists", Sha256::of(b"never")), ("exists", deleted), ("content", deleted)] {
        let gate = Gate::asking_registry(rule, &registry).await;
        let record = gate.comes_to(an_image(digest), "denied_policy").await;

        assert_eq!(record["reason"], "artifact_missing");
        assert!(gate.vertex.jobs().is_empty());
        let shown = gate.folder.launchgate(&["events", "show", record["event"].as_str().unwrap()]);
        assert!(shown.stdout.contains("roles/artifactregistry.reader"), "{}", shown.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_overwritten_or_deleted_is_denied() {
    let storage = or_skip!(a_bucket().await);
    storage.put(BUCKET, "gone.bin", MODEL).await;
    let (overwritten, gone) = (an_object(&storage, "model.bin").await, an_object(&storage, "gone.bin").await);
    storage.put(BUCKET, "model.bin", MODEL).await;
    storage.delete(BUCKET, "gone.bin").await;

    for artifact in [overwritten, gone] {
        for rule in ["exists", "content"] {
            let gate = Gate::asking_bucket(rule, &storage).await;
            let record = gate.comes_to(artifact.clone(), "denied_policy").await;

            assert_eq!(record["reason"], "artifact_missing");
            assert!(gate.vertex.jobs().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_what_the_statement_says_is_denied() {
    let storage = or_skip!(a_bucket().await);
    let object = an_object(&storage, "model.bin").await;
    let saying = |name: &str, value: Value| {
        let mut artifact = object.clone();
        artifact.annotations.insert(name.to_owned(), value);
        artifact
    };
    let other_bytes = Artifact { sha256: Sha256::of(b"other"), ..object.clone() };

    for (rule, artifact) in [
        ("exists", saying("crc32c", json!("AAAAAA=="))),
        ("exists", saying("size", json!(8))),
        ("content", other_bytes),
    ] {
        let gate = Gate::asking_bucket(rule, &storage).await;
        let record = gate.comes_to(artifact, "denied_policy").await;

        assert_eq!(record["reason"], "artifact_differs");
        assert_eq!(gate.rung().status, launchgate_outcome::CheckStatus::Failed);
        assert!(gate.vertex.jobs().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_is_not_what_was_pushed_is_found_by_reading_it() {
    let registry = or_skip!(DockerRegistry::start().await);
    let image = registry.push(REPOSITORY, LAYER).await;
    registry.spoil(image.layer);

    let gate = Gate::asking_registry("exists", &registry).await;
    gate.comes_to(an_image(image.digest), "launched").await;
    let gate = Gate::asking_registry("content", &registry).await;
    let record = gate.comes_to(an_image(image.digest), "denied_policy").await;

    assert_eq!(record["reason"], "artifact_differs");
    assert!(gate.rung().actual.unwrap().starts_with("blob sha256:"));
    assert!(gate.vertex.jobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down_is_waited_for_over_a_crash_and_launches_once() {
    let mut registry = or_skip!(DockerRegistry::start().await);
    for rule in ["exists", "content"] {
        let image = registry.push(REPOSITORY, LAYER).await;
        registry.down();
        let gate = Gate::asking_registry(rule, &registry).await;
        let service = gate.folder.start();
        let push = a_push(gate.event(an_image(image.digest)));
        assert_eq!(push.deliver(&service).await.as_u16(), 204);
        let record = gate.folder.only_record();
        assert_eq!(
            (&record["outcome"], &record["reason"]),
            (&json!("waiting_artifact"), &json!("artifact_check_pending"))
        );
        service.kill();

        registry.up().await;
        let service = gate.folder.start();
        assert_eq!(push.deliver(&service).await.as_u16(), 204);
        let event = record["event"].as_str().unwrap();
        gate.folder.wait_for_outcome(event, "launched", 2 * PATIENCE).await;

        assert_eq!(gate.vertex.jobs().len(), 1, "{rule}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_stays_down_ends_unchecked() {
    let mut registry = or_skip!(DockerRegistry::start().await);
    let image = registry.push(REPOSITORY, LAYER).await;
    registry.down();
    let mut gate = Gate::asking_registry("exists", &registry).await;
    gate.folder = gate.folder.set("/triggers/0/waitFor", json!({"artifact": "2s"}));

    let record = gate.comes_to(an_image(image.digest), "denied_policy").await;

    assert_eq!(record["reason"], "artifact_unchecked");
    assert!(gate.rung().detail.unwrap().contains("no connection"));
    assert!(gate.vertex.jobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_looks_at_nothing_and_says_so() {
    let gate = Gate::asking("content", "REGISTRY", "http://127.0.0.1:9").await;
    gate.folder.write("event.json", gate.event(an_image(Sha256::of(b"x"))));

    let explained = gate.folder.launchgate(&["explain", "event.json", "--output", "json"]).success().json();

    assert_eq!(explained["outcome"], "launched");
    let rungs = explained["checks"]
        .as_array()
        .unwrap()
        .iter()
        .chain(explained["decisions"][0]["checks"].as_array().into_iter().flatten());
    let rung = rungs.into_iter().find(|rung| rung["name"] == "require.artifact").unwrap();
    assert_eq!(rung["status"], "skipped");
}
