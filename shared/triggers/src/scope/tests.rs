#![allow(clippy::unwrap_used)]

use launchgate_statement::Sha256;
use serde_json::json;

use super::*;

/// The parts of an event, without a signature: what expressions see does not depend on one.
pub(crate) struct Event {
    pub(crate) build: Build,
    pub(crate) claimed: Build,
    pub(crate) artifact: Artifact,
    pub(crate) predicate: Map<String, Value>,
}

/// A vouched build 42 of main, whose tag is only claimed.
pub(crate) fn an_event() -> Event {
    let build = Build {
        pipeline: Some("fraud-train".to_owned()),
        number: Some(42),
        branch: Some("main".to_owned()),
        source: Some("schedule".to_owned()),
        ..Build::default()
    };
    let annotations = json!({
        "kind": "container", "dataset": "2026-11", "size": 123, "ratio": 0.5, "none": null, "big": u64::MAX,
        "list": ["a", "b", {"c": 1}], "map": {"x": {"y": "z"}}, "long": vec![1; 1001], "text": "t".repeat(20_000),
    });
    Event {
        claimed: Build { tag: Some("v1".to_owned()), ..build.clone() },
        build,
        artifact: Artifact {
            name: "fraud-train".to_owned(),
            sha256: Sha256::from_bytes([7; 32]),
            uri: Some("us-docker.pkg.dev/acme/ml/fraud-train@sha256:07".to_owned()),
            media_type: None,
            annotations: annotations.as_object().cloned().unwrap(),
        },
        predicate: json!({"buildDefinition": {"resolvedDependencies": [{"uri": "git+x"}], "n": 3}})
            .as_object()
            .cloned()
            .unwrap(),
    }
}

impl Event {
    pub(crate) fn scope(&self) -> Scope<'_> {
        let digest = EventDigest(Sha256::from_bytes([9; 32]));
        Scope::of(&self.build, &self.claimed, &self.artifact, digest, &self.predicate)
    }
}

fn get(path: &str) -> Result<Value, Missing> {
    let path: Vec<_> = path.split('.').map(str::to_owned).collect();
    an_event().scope().get(&path)
}

#[test]
fn every_variable_has_its_members() {
    let hex = "07".repeat(32);
    for (path, value) in [
        ("build.number", json!(42)),
        ("build.branch", json!("main")),
        ("claimed.build.tag", json!("v1")),
        ("artifact.name", json!("fraud-train")),
        ("artifact.digest", json!(format!("sha256:{hex}"))),
        ("artifact.sha256", json!(hex)),
        ("artifact.kind", json!("container")),
        ("artifact.annotations.map.x.y", json!("z")),
        ("event.id", json!(format!("ev-{}", "09".repeat(16)))),
        ("event.digest", json!("09".repeat(32))),
        ("provenance.buildDefinition.n", json!(3)),
        ("identity", json!({})),
    ] {
        assert_eq!(get(path), Ok(value), "{path}");
    }
    assert_eq!(get("claimed").unwrap()["build"]["tag"], "v1");
    assert_eq!(get("build").unwrap().get("tag"), None);
    assert_eq!(get("artifact").unwrap()["annotations"]["size"], 123);
}

#[test]
fn what_is_missing_says_where_and_what_is_there() {
    let missing = get("build.tag").unwrap_err();
    assert!(missing.unvouched && missing.claimed);
    assert_eq!(missing.exist, ["pipeline", "number", "branch", "source"]);

    let missing = get("claimed.build.commit").unwrap_err();
    assert!(!missing.unvouched);
    assert_eq!(missing.depth, 2);

    assert_eq!(get("artifact.mediaType").unwrap_err().depth, 1);
    assert_eq!(get("artifact.annotations.map.w.y").unwrap_err(), Missing::new(3, ["x"]));
    assert!(get("artifact.annotations.dataset.x").unwrap_err().scalar);
    assert_eq!(get("identity.x").unwrap_err().depth, 1);
}
