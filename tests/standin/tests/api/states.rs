//! States that move by reads, by time and by hand; cancel and delete.

use launchgate_standin::{Fault, FaultRule, JobState, Schedule};
use serde_json::{Value, json};

use crate::caller::{Caller, PLACE, a_custom_job, a_pipeline_job, a_vertex, with};

async fn state(caller: &Caller, id: &str) -> Value {
    caller.get(&format!("/v1/{PLACE}/pipelineJobs/{id}")).await.json()["state"].clone()
}

#[tokio::test]
async fn nothing_moves_by_itself_under_the_manual_schedule() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let name = caller.create("a", &a_pipeline_job()).await.json()["name"].as_str().unwrap().to_owned();

    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_PENDING");
    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_PENDING");
    vertex.set_state(&name, JobState::Running).unwrap();
    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_RUNNING");
    vertex.fail(&name, "dag_failed").unwrap();

    let shown = caller.get(&format!("/v1/{name}")).await.json();
    assert_eq!((&shown["state"], &shown["error"]["code"]), (&json!("PIPELINE_STATE_FAILED"), &json!(9)));
    assert!(shown["startTime"].is_string() && shown["endTime"].is_string());
    assert!(vertex.set_state("projects/p/locations/l/pipelineJobs/no", JobState::Running).is_err());
    assert!(vertex.fail(&name, "no_such_error").is_err());
}

#[tokio::test]
async fn each_read_moves_one_step() {
    let vertex = a_vertex().await;
    vertex.set_schedule(Schedule::EachRead);
    let caller = Caller::of(vertex.endpoint());
    caller.create("a", &a_pipeline_job()).await;

    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(state(&caller, "a").await);
    }

    let states = ["PENDING", "RUNNING", "SUCCEEDED", "SUCCEEDED"]
        .map(|state| json!(format!("PIPELINE_STATE_{state}")));
    assert_eq!(seen, states);
}

#[tokio::test]
async fn time_moves_a_job_to_where_the_schedule_says() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    caller.create("a", &a_pipeline_job()).await;

    vertex.set_schedule(Schedule::Timed { running_after_ms: 3_600_000, finished_after_ms: 7_200_000 });
    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_PENDING");
    vertex.set_schedule(Schedule::Timed { running_after_ms: 0, finished_after_ms: 7_200_000 });
    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_RUNNING");
    vertex.set_schedule(Schedule::Timed { running_after_ms: 0, finished_after_ms: 0 });
    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_SUCCEEDED");
}

#[tokio::test]
async fn a_job_can_be_made_to_fail_later() {
    let vertex = a_vertex().await;
    vertex.set_schedule(Schedule::EachRead);
    vertex.add_fault(FaultRule::once(Fault::FailLater { id: "image_missing".into() })).unwrap();
    let caller = Caller::of(vertex.endpoint());

    assert_eq!(caller.create("a", &a_pipeline_job()).await.status, 200);
    state(&caller, "a").await;
    state(&caller, "a").await;

    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_FAILED");
    assert_eq!(vertex.jobs()[0]["error"]["code"], 9);
}

#[tokio::test]
async fn the_legacy_parameters_field_beside_a_new_spec_is_taken_and_fails_later() {
    let vertex = a_vertex().await;
    vertex.set_schedule(Schedule::Timed { running_after_ms: 0, finished_after_ms: 0 });
    let body = with(a_pipeline_job(), "/runtimeConfig/parameters", &json!({"image": {"stringValue": "i"}}));
    let caller = Caller::of(vertex.endpoint());

    assert_eq!(caller.create("a", &body).await.status, 200);

    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_FAILED");
}

#[tokio::test]
async fn cancel_stops_a_job_and_a_finished_one_cannot_be_cancelled() {
    let vertex = a_vertex().await;
    vertex.set_schedule(Schedule::EachRead);
    let caller = Caller::of(vertex.endpoint());
    caller.create("a", &a_pipeline_job()).await;
    let cancel = format!("/v1/{PLACE}/pipelineJobs/a:cancel");

    let refused = caller.post(&cancel, &json!({"reason": "x"})).await;
    let cancelled = caller.post(&cancel, &json!({})).await;

    assert_eq!(refused.status, 400);
    assert_eq!((cancelled.status, cancelled.json()), (200, json!({})));
    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_CANCELLING");
    assert_eq!(state(&caller, "a").await, "PIPELINE_STATE_CANCELLED");
    assert_eq!(caller.post(&cancel, &json!({})).await.code(), "FAILED_PRECONDITION");
}

#[tokio::test]
async fn only_a_finished_job_is_deleted_and_its_id_is_free_again() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let name = caller.create("a", &a_pipeline_job()).await.json()["name"].as_str().unwrap().to_owned();
    let path = format!("/v1/{PLACE}/pipelineJobs/a");

    let too_early = caller.send("DELETE", &path, None).await;
    vertex.set_state(&name, JobState::Succeeded).unwrap();
    let deleted = caller.send("DELETE", &path, None).await;

    assert_eq!(too_early.code(), "FAILED_PRECONDITION");
    assert_eq!(deleted.json()["done"], true);
    assert_eq!(caller.get(&path).await.status, 404);
    assert_eq!(caller.create("a", &a_pipeline_job()).await.status, 200);
}

#[tokio::test]
async fn the_other_kinds_have_their_own_state_names() {
    let vertex = a_vertex().await;
    vertex.set_schedule(Schedule::Timed { running_after_ms: 0, finished_after_ms: 0 });
    let caller = Caller::of(vertex.endpoint());

    let name = caller.post(&format!("/v1/{PLACE}/customJobs"), &a_custom_job()).await.json()["name"]
        .as_str()
        .unwrap()
        .to_owned();

    assert_eq!(caller.get(&format!("/v1/{name}")).await.json()["state"], "JOB_STATE_SUCCEEDED");
}
