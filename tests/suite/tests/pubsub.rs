//! The whole way with Google's own Pub/Sub emulator: `emit` or a publisher by hand, a push subscription,
//! the service, a run.

use std::collections::BTreeSet;

use launchgate_standin::{Fault, FaultRule, VertexStandin};
use launchgate_suite::{
    Delivery, Folder, PATIENCE, PubSubEmulator, a_key, a_pipeline_job, a_vertex, an_event, client,
    eventually, launch_ids, skip,
};
use serde_json::{Value, json};

/// The emulator, or the end of the test.
macro_rules! emulator {
    () => {
        match PubSubEmulator::get().await {
            Ok(emulator) => emulator,
            Err(why) => skip!("{why}"),
        }
    };
}

fn run_names(vertex: &VertexStandin) -> BTreeSet<String> {
    vertex.jobs().iter().map(|job| job["displayName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_emit_publishes_becomes_a_run() {
    let emulator = emulator!();
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key)
        .vertex_at(&vertex.endpoint())
        .variable("LAUNCHGATE_PUBSUB_ENDPOINT", emulator.endpoint())
        .variable("BUILDKITE_ORGANIZATION_SLUG", "acme")
        .variable("BUILDKITE_PIPELINE_SLUG", "fraud-train")
        .variable("BUILDKITE_BUILD_NUMBER", "42")
        .variable("BUILDKITE_JOB_ID", "0184990a-477b-4fa8-9968-496074483cee")
        .variable("BUILDKITE_BRANCH", "main")
        .variable("BUILDKITE_COMMIT", &"3f".repeat(20));
    folder.write("release.key", key.to_pem());
    folder.write("model.tar.gz", b"weights");
    let service = folder.start();
    let topic = emulator.topic().await;
    let subscription = emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;
    let emit = [
        "emit",
        "--key",
        "release.key",
        "--artifact",
        "fraud-train=model.tar.gz",
        "--uri",
        "gs://acme-models/fraud/model.tar.gz#17",
        "--topic",
        &topic,
        "--output",
        "json",
    ];

    let emitted = folder.launchgate(&emit).success().json();
    let again = folder.launchgate(&emit).success().json();

    let event = emitted["event"].as_str().unwrap();
    assert_eq!(again["event"], event, "a step that is retried emits the same event");
    folder.wait_for_outcome(event, "launched", PATIENCE).await;
    eventually("both messages are recorded", PATIENCE, async || {
        (folder.only_record()["receipts"] == 2).then_some(())
    })
    .await;
    assert_eq!(vertex.jobs().len(), 1);
    let parameters = &vertex.jobs()[0]["runtimeConfig"]["parameterValues"];
    assert_eq!(parameters["train_image"], "gs://acme-models/fraud/model.tar.gz#17");
    let stored = folder.launchgate(&["events", "show", event, "--output", "json"]).success().json();
    assert_eq!(stored["receipts"][0]["subscription"].as_str().unwrap_or(&subscription), subscription);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_published_by_hand_needs_no_attributes() {
    let emulator = emulator!();
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;

    emulator.publish(&topic, &[an_event().signed_by(&key).to_json().into_bytes()]).await;

    vertex.wait_jobs(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwrapped_subscription_works_with_the_subscription_pinned() {
    let emulator = emulator!();
    let (key, vertex) = (a_key(), a_vertex().await);
    let topic = emulator.topic().await;
    // The subscription's name is needed before the service runs, and the service's port before the subscription.
    let first = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let address = first.start().address();
    let url = format!("http://{address}/pubsub/events");
    let pinned = emulator.push_to(&url, &topic, Delivery::Unwrapped).await;
    let other = emulator.push_to(&url, &topic, Delivery::Unwrapped).await;
    let folder = Folder::trusting(&key)
        .vertex_at(&vertex.endpoint())
        .set("/ingress/events", json!({"auth": "none", "subscription": pinned}));
    let service = folder.restart_at(address);

    let event = an_event().signed_by(&key);
    emulator.publish(&topic, &[event.to_json().into_bytes()]).await;

    folder.wait_for_outcome(event.event_digest().id().as_str(), "launched", PATIENCE).await;
    service.wait_for_line(&other, |line| line["reason"] == "wrong_subscription");
    assert_eq!(folder.only_record()["receipts"], 1);
}

/// One value of the service's metrics.
async fn metric(url: &str, name: &str) -> Option<f64> {
    let text = client().get(url).send().await.ok()?.text().await.ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_answered_503_comes_again_and_becomes_one_run() {
    let emulator = emulator!();
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;
    // Another process holds the ledger's write lock: a backup that hangs, a shell left open.
    let ledger = rusqlite::Connection::open(folder.path().join("launchgate.db")).unwrap();
    ledger.execute_batch("BEGIN IMMEDIATE").unwrap();

    emulator.publish(&topic, &[an_event().signed_by(&key).to_json().into_bytes()]).await;
    eventually("the delivery is answered 503", PATIENCE, async || {
        metric(&service.url("/metrics"), "launchgate_undecided_total").await.filter(|count| *count >= 1.0)
    })
    .await;
    assert_eq!(vertex.request_count(), 0, "nothing is launched that is not recorded");
    assert_eq!(client().get(service.url("/readyz")).send().await.unwrap().status(), 503);
    ledger.execute_batch("ROLLBACK").unwrap();

    vertex.wait_jobs(1).await;
    assert_eq!(folder.only_record()["receipts"], 1);
    assert_eq!(vertex.creates().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_service_was_killed_comes_again_and_becomes_one_run() {
    let emulator = emulator!();
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key)
        .vertex_at(&vertex.endpoint())
        .set("/vertex/callTimeout", json!("1s"))
        .release();
    let service = folder.start();
    let address = service.address();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;
    let hold = vertex.add_fault(FaultRule::once(Fault::HoldBefore)).unwrap();
    let event = an_event().signed_by(&key);

    emulator.publish(&topic, &[event.to_json().into_bytes()]).await;
    vertex.wait_held(&hold, 1).await;
    service.kill();
    vertex.discard(&hold);
    let service = folder.restart_at(address);

    let record = folder.wait_for_outcome(event.event_digest().id().as_str(), "launched", PATIENCE).await;
    assert_eq!(vertex.jobs().len(), 1);
    // The delivery that died was never acknowledged: Pub/Sub itself brought it again.
    assert_eq!(record["receipts"], 2, "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_published_while_the_service_is_down_waits_for_it() {
    let emulator = emulator!();
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let address = service.address();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;

    service.kill();
    emulator.publish(&topic, &[an_event().signed_by(&key).to_json().into_bytes()]).await;
    let _service = folder.restart_at(address);

    vertex.wait_jobs(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_events_with_duplicates_become_exactly_their_runs() {
    const EVENTS: u64 = 200;
    let emulator = emulator!();
    let (key, stranger, vertex) = (a_key(), a_key(), a_vertex().await);
    let mut only_even = a_pipeline_job("even");
    only_even["match"]["when"] = json!("build.number % 2 == 0");
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint()).triggers(vec![only_even]);
    let service = folder.start();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;
    let events: Vec<_> = (1..=EVENTS).map(|number| an_event().number(number).signed_by(&key)).collect();
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        messages.push(event.to_json().into_bytes());
        // Every third again, right away and once more at a distance; a forgery of every tenth.
        if index % 3 == 0 {
            messages.push(event.to_json().into_bytes());
            messages.push(events[index / 2].to_json().into_bytes());
        }
        if index % 10 == 0 {
            messages.push(an_event().number(1000 + index as u64).signed_by(&stranger).to_json().into_bytes());
        }
    }

    for batch in messages.chunks(50) {
        emulator.publish(&topic, batch).await;
    }

    let published = messages.len() as u64;
    eventually("every message is recorded", PATIENCE * 2, async || {
        let receipts: u64 = folder.recorded().iter().map(|one| one["receipts"].as_u64().unwrap_or(0)).sum();
        (receipts >= published).then_some(())
    })
    .await;
    let expected: BTreeSet<_> =
        (1..=EVENTS).filter(|n| n % 2 == 0).map(|n| format!("fraud-retrain-{n}")).collect();
    assert_eq!(run_names(&vertex), expected);
    let mut ids = launch_ids(&vertex);
    ids.dedup();
    assert_eq!(ids.len(), expected.len());
    let recorded = folder.recorded();
    let count = |outcome: &str| recorded.iter().filter(|one: &&Value| one["outcome"] == outcome).count();
    assert_eq!((count("launched"), count("no_match"), count("rejected_signature")), (100, 100, 20));
    drop(service);
}
