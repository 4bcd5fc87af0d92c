//! What platforms and operators look at: `/healthz`, `/readyz`, `/metrics`.

use launchgate_suite::{Folder, a_key, a_push, a_vertex, an_event, client};
use serde_json::Value;

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
