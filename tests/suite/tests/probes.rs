//! What platforms and operators look at: `/healthz`, `/readyz`, `/metrics`.

use launchgate_suite::{Folder, a_key, a_push, a_vertex, an_event, client};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_its_ledger_is_ready_and_names_what_is_replaced() {
    let vertex = a_vertex().await;
    let folder = Folder::trusting(&a_key()).vertex_at(&vertex.endpoint());
    let service = folder.start();

    let health = client().get(service.url("/healthz")).send().await.unwrap();
    let ready = client().get(service.url("/readyz")).send().await.unwrap();

    assert_eq!((health.status().as_u16(), ready.status().as_u16()), (200, 200));
    let ready = ready.text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&ready).unwrap()["ready"], true);
    assert!(ready.contains("LAUNCHGATE_VERTEX_ENDPOINT"), "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_outcomes_and_hold_no_word_of_a_payload() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let event = an_event().branch("a-secret-branch").annotated("dataset", "hush-hush").signed_by(&key);
    a_push(event.to_json()).deliver(&service).await;
    a_push(event.to_json()).deliver(&service).await;

    let metrics = client().get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();

    for line in [
        r#"launchgate_receipts_total{outcome="launched",reason=""} 1"#,
        r#"launchgate_receipts_total{outcome="duplicate",reason=""} 1"#,
        r#"launchgate_decisions_total{trigger="retrain",outcome="launched"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("secret-branch") && !metrics.contains("hush") && !metrics.contains("BEGIN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_miss_is_a_metric_and_is_listed_with_its_last_event() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key)
        .vertex_at(&vertex.endpoint())
        .set("/triggers/0/match", json!({"pipeline": "fraud-train", "branch": "main"}));
    let service = folder.start();
    let first = an_event().branch("a-secret-branch").signed_by(&key);
    let second = an_event().branch("another-branch").signed_by(&key);
    for event in [&first, &first, &second] {
        assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);
    }

    let metrics = client().get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let listed = folder.launchgate(&["events", "near-misses", "--output", "json"]).success().json();
    let text = folder.launchgate(&["events", "near-misses", "--trigger", "retrain"]).success().stdout.clone();
    let none = folder.launchgate(&["events", "near-misses", "--trigger", "another"]);

    let line = r#"launchgate_near_misses_total{trigger="retrain",clause="branch"} 2"#;
    assert!(metrics.contains(line) && !metrics.contains("secret-branch"), "{line} is not in\n{metrics}");
    let last = second.event_digest().id().to_string();
    let count = &listed["items"][0];
    assert_eq!((&count["events"], &count["last_event"]), (&json!(2), &json!(last)), "{listed}");
    let [title, said] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert_eq!(title, "retrain");
    assert!(said.starts_with("  2 events failed only on branch since "), "{said}");
    // How long ago depends on when the command line was built.
    assert!(said.contains(&format!("(last {last} ")), "{said}");
    assert_eq!((none.success().stdout.as_str(), none.stderr.trim()), ("", "no near miss recorded"));
}
