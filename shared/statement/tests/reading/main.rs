//! Envelopes and statements of strangers: what is read, and by which reason everything else is refused.
#![allow(clippy::unwrap_used, missing_docs)]

mod envelope;
mod names;
mod provenance;
mod statement;

use serde_json::{Value, json};

/// The statement of a Buildkite job as `emit` writes it.
fn a_statement() -> Value {
    let sha256 = "1db0b625cd2091818881ffd0b00b2e490d618bda82f7d9faab988eb36f6ccf98";
    let commit = "d18aac96b905b4b3c839891b7a91c9414149514c";
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": "fraud-train",
            "digest": {"sha256": sha256},
            "uri": format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}"),
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "annotations": {"kind": "container", "size": 9_007_199_254_740_993_u64},
        }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://buildkite.github.io/slsa-buildtypes/job/v1",
                "externalParameters": {
                    "pipeline": "https://buildkite.com/acme/fraud-train",
                    "repository": "https://github.com/acme/fraud-train.git",
                    "build": {"branch": "main", "tag": null, "commit": commit},
                    "step": {"key": "build", "command": "make image"},
                    "job": {"id": "0184990a-477b-4fa8-9968-496074483cee"},
                },
                "internalParameters": {"buildkite": {
                    "build_number": "42",
                    "source": "webhook",
                    "runner_environment": "self-hosted",
                    "creator": "ada",
                }},
                "resolvedDependencies": [{
                    "uri": "git+https://github.com/acme/fraud-train@refs/heads/main",
                    "digest": {"gitCommit": commit},
                }],
            },
            "runDetails": {
                "builder": {"id": "urn:launchgate:emit:v1"},
                "metadata": {
                    "invocationId":
                        "https://buildkite.com/acme/fraud-train/builds/42#0184990a-477b-4fa8-9968-496074483cee",
                    "startedOn": "2026-11-18T11:01:40Z",
                },
            },
        },
    })
}

/// `value` with what stands at `pointer` replaced; `None` takes the member away.
fn with(mut value: Value, pointer: &str, new: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap_or_else(|| panic!("no {pointer}"));
    let gone = || -> Value { panic!("no {pointer}") };
    match (parent, new) {
        (Value::Object(members), Some(new)) => {
            members.insert(name.to_owned(), new);
        }
        (Value::Object(members), None) => {
            members.remove(name).unwrap_or_else(gone);
        }
        (Value::Array(list), Some(new)) => list[name.parse::<usize>().unwrap()] = new,
        (Value::Array(list), None) => {
            list.remove(name.parse().unwrap());
        }
        _ => {
            gone();
        }
    }
    value
}
