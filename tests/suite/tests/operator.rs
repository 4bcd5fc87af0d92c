//! What an operator does about an event afterwards: hears of failures, replays, lets a scheduler sweep.

use launchgate_standin::{Fault, FaultRule, GoogleCerts, Operation};
use launchgate_suite::{
    Folder, PATIENCE, PubSubEmulator, a_key, a_push, a_vertex, an_event, client, eventually, launch_ids, skip,
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_that_vertex_refuses_is_told_to_the_failures_topic_once() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let (key, vertex, topic) = (a_key(), a_vertex().await, emulator.topic().await);
    let subscription = emulator.pull_from(&topic).await;
    let folder = Folder::trusting(&key)
        .vertex_at(&vertex.endpoint())
        .set("/failures", json!({"topic": topic}))
        .variable("LAUNCHGATE_PUBSUB_ENDPOINT", emulator.endpoint());
    let service = folder.start();
    vertex.add_fault(FaultRule::always(Fault::known("act_as_denied"))).unwrap();
    let event = an_event().signed_by(&key);

    assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);
    assert_eq!(a_push(event.to_json()).message_id("12").deliver(&service).await, 204);

    let mut told = Vec::new();
    eventually("the failure is told", PATIENCE, async || {
        told.extend(emulator.pull(&subscription).await);
        (!told.is_empty()).then_some(())
    })
    .await;
    assert_eq!(told.len(), 1);
    let attributes = &told[0].1;
    assert_eq!(
        (&attributes["outcome"], &attributes["reason"]),
        (&json!("failed_launch"), &json!("act_as_denied"))
    );
    assert_eq!(attributes["event"], event.event_digest().id().as_str());
    let stored =
        folder.launchgate(&["events", "show", attributes["event"].as_str().unwrap(), "--output", "json"]);
    let message = stored.success().json()["decisions"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("gcloud"), "the refusal does not say what mends it: {message}");
    assert_eq!(vertex.creates().len(), 1, "a terminal answer is not retried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_launches_what_failed_and_only_force_launches_again() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let refusal = vertex.add_fault(FaultRule::always(Fault::known("act_as_denied"))).unwrap();
    let event = an_event().signed_by(&key);
    let id = event.event_digest().id().to_string();
    assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);
    assert_eq!(folder.only_record()["outcome"], "failed_launch");
    vertex.remove_fault(&refusal);

    folder.launchgate(&["replay", &id]).success();
    folder.wait_for_outcome(&id, "launched", PATIENCE).await;
    assert_eq!(launch_ids(&vertex).len(), 1);
    folder.launchgate(&["replay", &id]).success();
    assert_eq!(launch_ids(&vertex).len(), 1, "if-not-launched launches nothing that runs");
    assert_eq!(folder.launchgate(&["replay", &id, "--force"]).code, 2, "force needs a reason");
    folder.launchgate(&["replay", &id, "--force", "--why", "bad base image"]).success();
    vertex.wait_jobs(2).await;

    let mut ids = launch_ids(&vertex);
    ids.dedup();
    assert_eq!(ids.len(), 2, "a forced replay has an id of its own");
    let shown = folder.launchgate(&["events", "show", &id, "--output", "json"]).success().json();
    assert_eq!(shown["receipts"].as_array().map(Vec::len), Some(1), "a replay is no delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_vertex_is_waited_out_without_a_second_delivery() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    vertex.add_fault(FaultRule::once(Fault::unavailable()).times(2).on(Operation::Create)).unwrap();
    let event = an_event().signed_by(&key);

    assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);

    let record = folder.wait_for_outcome(event.event_digest().id().as_str(), "launched", PATIENCE).await;
    assert_eq!(record["receipts"], 1);
    assert_eq!((vertex.creates().len(), vertex.jobs().len()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_route_answers_its_scheduler_alone() {
    const AUDIENCE: &str = "https://launchgate.example.com/internal/sweep";
    const EMAIL: &str = "scheduler@acme-ml.iam.gserviceaccount.com";
    let certs = GoogleCerts::start().await.unwrap();
    let folder = Folder::trusting(&a_key())
        .set("/ingress/sweep", json!({"auth": "oidc", "audience": AUDIENCE, "email": EMAIL}))
        .variable("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", &certs.endpoint());
    let service = folder.start();
    let sweep = async |token: Option<String>| {
        let mut request = client().post(service.url("/internal/sweep"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    };

    assert_eq!(sweep(None).await.status(), 401);
    assert_eq!(
        sweep(Some(certs.mint("https://launchgate.example.com/pubsub/events", EMAIL))).await.status(),
        401
    );
    let swept = sweep(Some(certs.mint(AUDIENCE, EMAIL))).await;

    assert_eq!(swept.status(), 200);
    let report: Value = serde_json::from_str(&swept.text().await.unwrap()).unwrap();
    assert_eq!(report["taken_up"], 0);
}
