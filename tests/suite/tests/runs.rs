//! Runs after their launch: log entries as hints, through the real routes.

use launchgate_standin::{Fault, FaultRule, JobState, Operation, VertexStandin};
use launchgate_suite::{
    Delivery, Folder, PATIENCE, PubSubEmulator, Service, a_key, a_pipeline_job, a_push, a_vertex, an_event,
    client, eventually, skip,
};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

fn a_folder(vertex: &VertexStandin, key: &SigningKey) -> Folder {
    Folder::trusting(key)
        .set("/ingress/runs", json!({"auth": "none"}))
        .triggers(vec![a_pipeline_job("retrain")])
        .vertex_at(&vertex.endpoint())
}

/// A service, and the job that it launched.
async fn launched(vertex: &VertexStandin) -> (Folder, Service, Value) {
    let key = a_key();
    let folder = a_folder(vertex, &key);
    let service = folder.start();
    assert_eq!(a_push(an_event().signed_by(&key).to_json()).deliver(&service).await.as_u16(), 204);
    (folder, service, vertex.jobs().into_iter().next().unwrap())
}

/// What Cloud Logging writes when a pipeline job changes.
fn an_entry(job: &Value, state: &str) -> Value {
    let id = job["name"].as_str().unwrap().rsplit('/').next().unwrap();
    json!({
        "insertId": "run1", "severity": "INFO", "timestamp": "2026-11-24T12:00:04.120Z",
        "logName": "projects/acme-ml/logs/aiplatform.googleapis.com%2Fpipeline_job_events",
        "jsonPayload": {
            "@type": "type.googleapis.com/google.cloud.aiplatform.logging.PipelineJobLogEntry",
            "pipelineName": "retrain", "state": state,
        },
        "resource": {
            "type": "aiplatform.googleapis.com/PipelineJob",
            "labels": {"location": "us-central1", "pipeline_job_id": id, "resource_container": "acme-ml"},
        },
    })
}

async fn hint(service: &Service, entry: &Value) {
    assert_eq!(a_push(entry.to_string()).deliver_to(service, "/pubsub/runs").await.as_u16(), 204);
}

fn name(job: &Value) -> &str {
    job["name"].as_str().unwrap()
}

fn run_of(folder: &Folder) -> Value {
    let event = folder.only_record()["event"].as_str().unwrap().to_owned();
    folder.launchgate(&["events", "show", &event, "--output", "json"]).json()["decisions"][0]["run"].clone()
}

async fn counted(service: &Service, answer: &str) -> u64 {
    let text = client().get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let line = format!("launchgate_run_entries_total{{answer=\"{answer}\"}} ");
    text.lines().find_map(|it| it.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_entry_says_is_never_believed_and_an_end_stays() {
    let vertex = a_vertex().await;
    let (folder, service, job) = launched(&vertex).await;

    hint(&service, &an_entry(&job, "PIPELINE_STATE_SUCCEEDED")).await;
    assert_eq!(run_of(&folder)["end"], Value::Null, "the run goes on, whatever a forged entry says");
    vertex.fail(name(&job), "dag_failed").unwrap();
    hint(&service, &an_entry(&job, "PIPELINE_STATE_RUNNING")).await;
    hint(&service, &an_entry(&job, "PIPELINE_STATE_FAILED")).await;

    let run = run_of(&folder);
    assert_eq!((&run["end"], &run["state"]), (&"failed".into(), &"PIPELINE_STATE_FAILED".into()), "{run}");
    assert!(run["error"].as_str().unwrap().contains("The DAG failed"), "{run}");
    let counts = (
        counted(&service, "running").await,
        counted(&service, "failed").await,
        counted(&service, "not_followed").await,
    );
    assert_eq!(counts, (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_other_jobs_and_other_shapes_are_counted_and_ask_vertex_nothing() {
    let vertex = a_vertex().await;
    let (_folder, service, job) = launched(&vertex).await;
    vertex.clear_requests();
    let with = |pointer: &str, value: &str| {
        let mut entry = an_entry(&job, "PIPELINE_STATE_SUCCEEDED");
        *entry.pointer_mut(pointer).unwrap() = value.into();
        entry
    };

    hint(&service, &with("/resource/labels/pipeline_job_id", "somebody-elses-20261124")).await;
    hint(&service, &with("/resource/labels/pipeline_job_id", "lg-retrain-00000000000000000000000000000000"))
        .await;
    hint(
        &service,
        &with("/logName", "projects/acme-ml/logs/aiplatform.googleapis.com%2Fpipeline_job_task_events"),
    )
    .await;
    hint(&service, &with("/jsonPayload/@type", "type.googleapis.com/x")).await;
    hint(&service, &json!("hello")).await;

    assert!(vertex.requests().is_empty(), "{:?}", vertex.requests());
    for (answer, count) in [("not_followed", 2), ("other_log", 1), ("other_entry", 1), ("unreadable", 1)] {
        assert_eq!(counted(&service, answer).await, count, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_looked_at_now_is_left_to_a_later_look() {
    let vertex = a_vertex().await;
    let (folder, service, job) = launched(&vertex).await;
    vertex.set_state(name(&job), JobState::Succeeded).unwrap();
    vertex.add_fault(FaultRule::once(Fault::unavailable()).on(Operation::Get)).unwrap();

    hint(&service, &an_entry(&job, "PIPELINE_STATE_SUCCEEDED")).await;
    assert_eq!((run_of(&folder)["end"].clone(), counted(&service, "later").await), (Value::Null, 1));
    hint(&service, &an_entry(&job, "PIPELINE_STATE_SUCCEEDED")).await;

    assert_eq!(run_of(&folder)["end"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_come_through_pubsub() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let vertex = a_vertex().await;
    let (folder, service, job) = launched(&vertex).await;
    vertex.set_state(name(&job), JobState::Cancelled).unwrap();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/runs"), &topic, Delivery::Wrapped).await;

    emulator.publish(&topic, &[an_entry(&job, "PIPELINE_STATE_CANCELLED").to_string().into_bytes()]).await;

    eventually("the run's end", PATIENCE, async || (run_of(&folder)["end"] == "cancelled").then_some(()))
        .await;
}
