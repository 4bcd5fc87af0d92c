//! One key follows another: both count while their windows overlap, each alone outside of it, and whoever
//! watches is told in time.

use launchgate_statement::Timestamp;
use launchgate_suite::{Folder, Service, a_key, a_pipeline_job, a_push, a_vertex, an_event, client, now};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

fn days_from_now(days: i64) -> Timestamp {
    now().plus_micros(days * 86_400_000_000)
}

/// The old key ends in ten days, the new one began yesterday, a third one leaked.
fn rotating(old: &SigningKey, new: &SigningKey, leaked: &SigningKey) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["require"]["signers"]["anyOf"] = json!(["release-key", "next-key", "leaked-key"]);
    let leaked_dates = json!({
        "notBefore": days_from_now(-90).to_string(), "notAfter": days_from_now(5).to_string(), "revoked": true,
    });
    Folder::trusting(old)
        .set("/signers/0/notBefore", json!(days_from_now(-60).to_string()))
        .set("/signers/0/notAfter", json!(days_from_now(10).to_string()))
        .signer("next-key", &new.public_pem(), json!({"notBefore": days_from_now(-1).to_string()}))
        .signer("leaked-key", &leaked.public_pem(), leaked_dates)
        .triggers(vec![trigger])
}

/// The outcome and reason of a build of that day, signed by `key` and published at once.
async fn outcome(folder: &Folder, service: &Service, number: u64, key: &SigningKey, at: Timestamp) -> String {
    let event = an_event().number(number).started_on(at).signed_by(key);
    let push = a_push(event.to_json()).message_id(&number.to_string()).published(at);
    assert_eq!(push.deliver(service).await, 204);
    let newest = &folder.recorded()[0];
    [&newest["outcome"], &newest["reason"]].map(|word| word.as_str().unwrap_or_default()).join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_count_at_once_while_their_windows_overlap() {
    let (old, new, leaked, vertex) = (a_key(), a_key(), a_key(), a_vertex().await);
    let folder = rotating(&old, &new, &leaked).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let told = async |number, key, days| outcome(&folder, &service, number, key, days_from_now(days)).await;

    assert_eq!(told(1, &old, 0).await, "launched ");
    assert_eq!(told(2, &new, 0).await, "launched ");
    assert_eq!(told(3, &new, -2).await, "rejected_signature signer_not_yet_valid");
    assert_eq!(told(4, &old, -2).await, "launched ");
    assert_eq!(told(5, &old, 11).await, "rejected_signature signer_expired");
    assert_eq!(told(6, &new, 11).await, "launched ");
    assert_eq!(told(7, &leaked, 0).await, "rejected_signature revoked_signer");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_is_told_of_ends_and_ages_and_never_of_a_revoked_key() {
    let (old, new, leaked, vertex) = (a_key(), a_key(), a_key(), a_vertex().await);
    let folder = rotating(&old, &new, &leaked).vertex_at(&vertex.endpoint());
    let service = folder.start();

    let linted = folder.launchgate(&["lint", "--output", "json"]);
    let ready = client().get(service.url("/readyz")).send().await.unwrap();
    let status = ready.status();
    let ready: Value = serde_json::from_str(&ready.text().await.unwrap()).unwrap();
    let metrics = client().get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();

    let linted = linted.success().json();
    let about_keys = linted
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"].as_str().is_some_and(|code| code.starts_with("key-")));
    let about_keys: Vec<_> = about_keys.map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!(about_keys, ["key-expiring", "key-old"], "{linted}");

    assert_eq!((status.as_u16(), &ready["ready"]), (200, &json!(true)), "{ready}");
    let warnings = ready["warnings"].to_string();
    assert!(warnings.contains("`release-key` counts until"), "{warnings}");
    assert!(warnings.contains("`release-key` should have been replaced"), "{warnings}");
    assert!(!warnings.contains("next-key") && !warnings.contains("leaked-key"), "{warnings}");

    let value = |metric: &str, signer: &str| {
        let start = format!("launchgate_signer_{metric}_timestamp_seconds{{signer=\"{signer}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&start))?;
        Some(line.parse::<i64>().unwrap())
    };
    let near = |seconds: Option<i64>, days| {
        seconds.is_some_and(|seconds| (seconds - days_from_now(days).seconds()).abs() < 3600)
    };
    assert!(near(value("expires", "release-key"), 10), "{metrics}");
    assert!(near(value("rotate_after", "release-key"), -30), "{metrics}");
    assert!(near(value("rotate_after", "next-key"), 29), "{metrics}");
    assert_eq!(value("expires", "next-key"), None);
    assert!(!metrics.contains("leaked-key"), "{metrics}");
    for key in [&old, &new] {
        let body: String = key.public_pem().lines().filter(|line| !line.starts_with('-')).collect();
        assert!(!metrics.contains(&body) && !ready.to_string().contains(&body));
    }
}
