//! Lists: filters, pages, and jobs that appear late.

use std::time::SystemTime;

use launchgate_standin::ListVisibility;
use serde_json::{Value, json};

use crate::caller::{Caller, PLACE, a_custom_job, a_pipeline_job, a_vertex, with};

async fn ids(caller: &Caller, query: &str) -> Vec<String> {
    let answer = caller.get(&format!("/v1/{PLACE}/pipelineJobs?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let jobs = answer.json()["pipelineJobs"].as_array().cloned().unwrap_or_default();
    jobs.iter().map(|job| job["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

fn labelled(id: &str) -> Value {
    with(a_pipeline_job(), "/labels/launchgate-id", &json!(id))
}

#[tokio::test]
async fn a_label_filter_finds_the_job_and_no_other() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    caller.create("a", &labelled("lg-a")).await;
    caller.create("b", &labelled("lg-b")).await;
    caller.create("c", &a_pipeline_job()).await;
    caller
        .post("/v1/projects/acme-ml/locations/us-central1/pipelineJobs?pipelineJobId=d", &labelled("lg-a"))
        .await;
    caller
        .post(
            &format!("/v1/{PLACE}/customJobs"),
            &with(a_custom_job(), "/labels", &json!({"launchgate-id": "lg-a"})),
        )
        .await;

    assert_eq!(ids(&caller, "filter=labels.launchgate-id%3D%22lg-a%22").await, ["a"]);
    assert_eq!(ids(&caller, "filter=labels.launchgate-id%3Dlg-b").await, ["b"]);
    assert_eq!(ids(&caller, "filter=labels.launchgate-id:*&orderBy=create_time").await, ["a", "b"]);
    assert_eq!(ids(&caller, "").await, ["c", "b", "a"]);
    assert_eq!(
        caller.get(&format!("/v1/{PLACE}/pipelineJobs?filter=nonsense")).await.code(),
        "INVALID_ARGUMENT"
    );
}

#[tokio::test]
async fn pages_follow_one_another_without_loss() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    for id in ["a", "b", "c"] {
        caller.create(id, &a_pipeline_job()).await;
    }

    let first = caller.get(&format!("/v1/{PLACE}/pipelineJobs?pageSize=2")).await.json();
    let token = first["nextPageToken"].as_str().unwrap();
    let second = ids(&caller, &format!("pageSize=2&pageToken={token}")).await;

    assert_eq!(first["pipelineJobs"].as_array().unwrap().len(), 2);
    assert_eq!(second, ["a"]);
    let masked = caller.get(&format!("/v1/{PLACE}/pipelineJobs?readMask=name,display_name")).await.json();
    assert_eq!(masked["pipelineJobs"][0].as_object().unwrap().len(), 2);
    assert_eq!(caller.get(&format!("/v1/{PLACE}/pipelineJobs?readMask=nonsense")).await.status, 400);
}

#[tokio::test]
async fn a_job_may_appear_late_in_lists_while_get_shows_it() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    vertex.set_list_visibility(ListVisibility::AfterLists { count: 2 });
    caller.create("a", &a_pipeline_job()).await;

    assert_eq!(caller.get(&format!("/v1/{PLACE}/pipelineJobs/a")).await.status, 200);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(ids(&caller, "").await.len());
    }

    assert_eq!(seen, [0, 0, 1]);
    vertex.set_list_visibility(ListVisibility::After { ms: 3_600_000 });
    assert!(ids(&caller, "").await.is_empty());
    vertex.set_list_visibility(ListVisibility::Never);
    assert!(ids(&caller, "").await.is_empty());
    vertex.set_list_visibility(ListVisibility::AtOnce);
    assert_eq!(ids(&caller, "").await, ["a"]);
}

#[tokio::test]
async fn a_planted_job_is_somebody_elses_with_its_own_time() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());

    vertex.plant(&format!("{PLACE}/pipelineJobs/a"), &a_pipeline_job(), SystemTime::UNIX_EPOCH).unwrap();

    assert_eq!(caller.create("a", &a_pipeline_job()).await.status, 409);
    assert_eq!(
        caller.get(&format!("/v1/{PLACE}/pipelineJobs/a")).await.json()["createTime"],
        "1970-01-01T00:00:00Z"
    );
    assert!(
        vertex.plant(&format!("{PLACE}/pipelineJobs/a"), &a_pipeline_job(), SystemTime::UNIX_EPOCH).is_err()
    );
    assert!(vertex.plant("projects/p", &a_pipeline_job(), SystemTime::UNIX_EPOCH).is_err());
}
