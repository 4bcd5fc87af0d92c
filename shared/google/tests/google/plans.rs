//! Launch plans as a ledger gives them back.

use launchgate_triggers::LaunchPlan;
use serde_json::{Value, json};

/// The id of every plan here; tests use a stand-in of their own.
pub(crate) const ID: &str = "lg-retrain-fraud-0123456789abcdef0123456789abcdef";

/// A body with spaces that no serializer would write: what is sent must be this text.
pub(crate) const PIPELINE_BODY: &str = r#"{ "displayName":  "fraud-retrain-7",
  "labels": {"launchgate-id": "lg-retrain-fraud-0123456789abcdef0123456789abcdef"},
  "pipelineSpec": {"pipelineInfo": {"name": "fraud"}, "root": {"dag": {"tasks": {}}}, "schemaVersion": "2.1.0", "sdkVersion": "kfp-2.7.0"},
  "runtimeConfig": {"gcsOutputDirectory": "gs://acme-pipelines/root"} }"#;

pub(crate) const CUSTOM_BODY: &str = r#"{"displayName": "train", "labels": {"launchgate-id": "lg-retrain-fraud-0123456789abcdef0123456789abcdef"},
  "jobSpec": {"workerPoolSpecs": [{"machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": "1",
  "containerSpec": {"imageUri": "us-docker.pkg.dev/acme/ml/train@sha256:0000000000000000000000000000000000000000000000000000000000000000"}}]}}"#;

pub(crate) fn pipeline() -> LaunchPlan {
    plan("pipelineJob", "pipelineJobs", &json!([["pipelineJobId", ID]]), PIPELINE_BODY)
}

pub(crate) fn custom() -> LaunchPlan {
    plan("customJob", "customJobs", &json!([]), CUSTOM_BODY)
}

/// The pipeline job in another place, asked for as `account`.
pub(crate) fn elsewhere(project: &str, location: &str, account: Option<&str>) -> LaunchPlan {
    let mut plan = serde_json::to_value(pipeline()).unwrap();
    plan["project"] = project.into();
    plan["location"] = location.into();
    plan["request"]["path"] = format!("/v1/projects/{project}/locations/{location}/pipelineJobs").into();
    if let Some(account) = account {
        plan["impersonate"] = account.into();
    }
    serde_json::from_value(plan).unwrap()
}

fn plan(kind: &str, collection: &str, query: &Value, body: &str) -> LaunchPlan {
    serde_json::from_value(json!({
        "launchId": ID,
        "trigger": "retrain-fraud",
        "event": "ev-0123456789abcdef0123456789abcdef",
        "kind": kind,
        "project": "acme-ml",
        "location": "us-central1",
        "request": {
            "method": "POST",
            "path": format!("/v1/projects/acme-ml/locations/us-central1/{collection}"),
            "query": query,
            "body": body,
        },
    }))
    .unwrap()
}
