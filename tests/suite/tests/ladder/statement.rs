//! What was signed.

use launchgate_outcome::Reason as R;
use serde_json::{Value, json};

use super::{
    case::{Case, refused},
    hold,
};

fn subjects(count: usize) -> Value {
    (0..count)
        .map(|number| json!({"name": format!("n-{number}"), "digest": {"sha256": "ab".repeat(32)}}))
        .collect()
}

/// As many triggers as make 32 subjects too many.
fn nine_triggers() -> Vec<Value> {
    let trigger = |number: usize| {
        json!({
            "name": format!("retrain-{number}"),
            "match": {"pipeline": "fraud-train"},
            "require": {"signers": {"anyOf": ["release-key"]}},
            "launch": {"pipelineJob": {
                "template": "pipelines/retrain.json",
                "displayName": "retrain",
                "runtimeConfig": {
                    "parameterValues": {"train_image": "x", "base_model_uri": "x", "learning_rate": 0.1},
                    "inputArtifacts": {"dataset": {"artifactId": "1"}},
                },
            }},
        })
    };
    (0..9).map(trigger).collect()
}

pub(super) fn cases() -> Vec<Case> {
    let other_digest = format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{}", "cd".repeat(32));
    let twin = json!({"name": "n", "digest": {"sha256": "ab".repeat(32)}});
    vec![
        refused(R::StatementNotJson, "statement", "a payload that is no JSON").payload("hello"),
        refused(R::StatementNotJson, "statement", "a member twice").payload(r#"{"_type":1,"_type":2}"#),
        refused(R::StatementShape, "statement", "no predicate").statement("/predicate", Value::Null),
        refused(R::StatementType, "statement", "a statement v0.1")
            .statement("/_type", "https://in-toto.io/Statement/v0.1"),
        refused(R::PredicateType, "statement", "another predicate")
            .statement("/predicateType", "https://slsa.dev/provenance/v0.2"),
        refused(R::BuildType, "statement", "another build type")
            .statement("/predicate/buildDefinition/buildType", "https://example.com/build/v1"),
        refused(R::NoSubject, "statement", "no subject").statement("/subject", json!([])),
        refused(R::NoSubject, "statement", "33 subjects").statement("/subject", subjects(33)),
        refused(R::SubjectDigest, "statement", "no sha256")
            .statement("/subject/0/digest", json!({"sha1": "x"})),
        refused(R::SubjectDigest, "statement", "another digest in the uri")
            .statement("/subject/0/uri", other_digest),
        refused(R::DuplicateSubject, "statement", "a subject twice")
            .statement("/subject", json!([twin, twin])),
        refused(R::SelfContradiction, "statement", "another build in the invocation id").statement(
            "/predicate/runDetails/metadata/invocationId",
            "https://buildkite.com/acme/fraud-train/builds/43#0184990a-477b-4fa8-9968-496074483cee",
        ),
        refused(R::TooManyDecisions, "decisions", "32 subjects for nine triggers")
            .file("/triggers", nine_triggers())
            .statement("/subject", subjects(32)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_statement_that_is_wrong_in_one_thing_is_refused() {
    hold(cases()).await;
}
