//! What the server adds and says.

use launchgate_standin::{VertexOptions, VertexStandin};
use serde_json::{Value, json};

use crate::caller::{Caller, PLACE, a_custom_job, a_pipeline_job, a_vertex, with};

#[tokio::test]
async fn get_shows_what_the_server_added() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());

    caller.create("lg-a", &a_pipeline_job()).await;
    let shown = caller.get(&format!("/v1/{PLACE}/pipelineJobs/lg-a")).await.json();

    assert_eq!(shown["name"], "projects/123456789012/locations/europe-west1/pipelineJobs/lg-a");
    assert_eq!(shown["serviceAccount"], "123456789012-compute@developer.gserviceaccount.com");
    assert!(shown["labels"]["vertex-ai-pipelines-run-billing-id"].as_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(shown["labels"]["team"], "fraud");
    assert_eq!(shown["state"], "PIPELINE_STATE_PENDING");
    assert!(shown["createTime"].as_str().unwrap().ends_with('Z') && shown["updateTime"].is_string());
    assert_eq!(shown["runtimeConfig"]["parameterValues"]["epochs"].as_f64(), Some(5.0));
    assert_eq!(
        caller.get("/v1/projects/123456789012/locations/europe-west1/pipelineJobs/lg-a").await.json()["name"],
        shown["name"]
    );
}

#[tokio::test]
async fn the_callers_service_account_stays_and_its_billing_label_does_not() {
    let vertex = a_vertex().await;
    let body = with(a_pipeline_job(), "/serviceAccount", &json!("me@acme-ml.iam.gserviceaccount.com"));
    let body = with(body, "/labels/vertex-ai-pipelines-run-billing-id", &json!("mine"));

    let created = Caller::of(vertex.endpoint()).create("a", &body).await.json();

    assert_eq!(created["serviceAccount"], "me@acme-ml.iam.gserviceaccount.com");
    assert_ne!(created["labels"]["vertex-ai-pipelines-run-billing-id"], "mine");
}

#[tokio::test]
async fn output_only_fields_in_a_request_are_ignored() {
    let vertex = a_vertex().await;
    let body = with(
        with(a_pipeline_job(), "/state", &json!("PIPELINE_STATE_SUCCEEDED")),
        "/createTime",
        &json!("2001-01-01T00:00:00Z"),
    );

    let created = Caller::of(vertex.endpoint()).create("a", &body).await.json();

    assert_eq!(created["state"], "PIPELINE_STATE_PENDING");
    assert!(created["createTime"].as_str().unwrap() > "2020");
}

#[tokio::test]
async fn other_kinds_get_numeric_ids_and_each_create_is_a_new_job() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());

    let first = caller.post(&format!("/v1/{PLACE}/customJobs"), &a_custom_job()).await.json();
    let second = caller.post(&format!("/v1/{PLACE}/customJobs"), &a_custom_job()).await.json();

    let id = |job: &Value| job["name"].as_str().unwrap().rsplit('/').next().unwrap().parse::<u64>().unwrap();
    assert_ne!(id(&first), id(&second));
    assert_eq!(first["state"], "JOB_STATE_PENDING");
}

#[tokio::test]
async fn a_second_create_with_the_same_id_already_exists_and_changes_nothing() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    caller.create("a", &a_pipeline_job()).await;

    let second = caller.create("a", &with(a_pipeline_job(), "/displayName", &json!("other"))).await;
    let elsewhere = caller
        .post("/v1/projects/acme-ml/locations/us-central1/pipelineJobs?pipelineJobId=a", &a_pipeline_job())
        .await;

    assert_eq!((second.status, second.code().as_str()), (409, "ALREADY_EXISTS"));
    assert_eq!(second.json()["error"]["message"], "Pipeline job with the specified ID already exists.");
    assert_eq!(caller.get(&format!("/v1/{PLACE}/pipelineJobs/a")).await.json()["displayName"], "d");
    assert_eq!(elsewhere.status, 200, "another location is another job");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());

    for (method, path) in
        [("GET", "pipelineJobs/a"), ("DELETE", "customJobs/7"), ("POST", "pipelineJobs/a:cancel")]
    {
        let answer = caller.send(method, &format!("/v1/{PLACE}/{path}"), None).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"), "{method} {path}");
    }
}

#[tokio::test]
async fn lean_mode_keeps_ids_and_refuses_doubles_and_broken_json() {
    let vertex =
        VertexStandin::start(VertexOptions { lean: true, ..VertexOptions::default() }).await.unwrap();
    let caller = Caller::of(vertex.endpoint());

    let first = caller.create("a", &a_pipeline_job()).await;
    let second = caller.create("a", &a_pipeline_job()).await;
    let broken = caller
        .send(
            "POST",
            &format!("/v1/{PLACE}/pipelineJobs?pipelineJobId=b"),
            Some("{\"displayName\":\"d\"".into()),
        )
        .await;
    let bad_id = caller.create("A", &a_pipeline_job()).await;
    let anonymous = caller.clone().with_token(None).create("c", &a_pipeline_job()).await;

    assert_eq!(first.json()["name"], "projects/123456789012/locations/europe-west1/pipelineJobs/a");
    assert_eq!((second.status, broken.status, bad_id.status, anonymous.status), (409, 400, 400, 401));
    assert_eq!((vertex.job_count(), vertex.request_count(), vertex.requests().len()), (1, 5, 0));
    assert_eq!(caller.get(&format!("/v1/{PLACE}/pipelineJobs/a")).await.status, 200);
}

#[tokio::test]
async fn a_stopped_stand_in_frees_its_port() {
    let vertex = a_vertex().await;
    let port = vertex.endpoint().rsplit(':').next().unwrap().parse().unwrap();

    vertex.stop().await;

    let again = VertexStandin::start(VertexOptions { port, ..VertexOptions::default() }).await;
    assert!(again.is_ok(), "{again:?}");
}
