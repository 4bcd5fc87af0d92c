//! Envelopes that a build's jobs left in its meta-data.

use launchgate_engine::{BuildEnd, FactsKept};
use launchgate_outcome::{Outcome, Reason};
use serde_json::json;

use crate::world::{SECRET, World, header, leaving, outcomes, published, receipt, signed, signed_by_job};

#[tokio::test]
async fn what_a_builds_jobs_left_in_its_meta_data_is_launched_once() {
    let world = World::asking(json!({"build": "passed"}));
    let left = leaving(json!({"launchgate:event:j-1": signed(&world.key), "release": "7"}));

    let told = world.webhook(&left).await;
    let again = world.webhook(&left).await;
    let mut retried = left.clone();
    retried["build"]["finished_at"] = json!("2026-11-18T11:06:20Z");
    let later = world.webhook(&retried).await;
    let as_message = world.event().await;

    assert_eq!(outcomes(&told), [(Outcome::Launched, None)]);
    assert_eq!(outcomes(&again), [(Outcome::Duplicate, None)]);
    assert_eq!(
        (later.end, outcomes(&later)),
        (BuildEnd::Facts(FactsKept::Newest), vec![(Outcome::Duplicate, None)])
    );
    assert_eq!(as_message.outcome, Outcome::Duplicate);
    assert_eq!(world.jobs(), 1);
    let stored = world.gate.ledger().event(&told.events[0].event.clone().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.receipts[0].message_id, "1/launchgate:event:j-1");
}

#[tokio::test]
async fn only_a_build_that_has_finished_hands_its_meta_data_over() {
    let world = World::asking(json!({}));
    let mut running = leaving(json!({"launchgate:event:j-1": signed(&world.key)}));
    running["event"] = json!("build.running");

    assert!(world.webhook(&running).await.events.is_empty());
    assert_eq!(world.jobs(), 0);
}

#[tokio::test]
async fn another_builds_envelope_is_recorded_as_foreign_and_spoils_nothing() {
    let world = World::asking(json!({}));
    let of_another = signed_by_job(&world.key, "j-2", 43);
    let left = leaving(json!({
        "launchgate:event:a": of_another, "launchgate:event:b": "no envelope", "launchgate:event:c": signed(&world.key),
    }));

    let told = world.webhook(&left).await;

    let expected = [
        (Outcome::RejectedSignature, Some(Reason::ForeignMetadata)),
        (Outcome::RejectedMalformed, Some(Reason::NotJson)),
        (Outcome::Launched, None),
    ];
    assert_eq!(outcomes(&told), expected);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn more_envelopes_than_a_build_may_leave_are_told_and_the_first_are_taken() {
    let world = World::asking(json!({}));
    let mut metadata = json!({"launchgate:event:a": signed(&world.key)});
    for index in 0..40 {
        metadata[format!("launchgate:event:x{index:02}")] = json!("x");
    }

    let told = world.webhook(&leaving(metadata)).await;

    assert_eq!(told.events.len(), 33);
    assert_eq!(outcomes(&told)[0], (Outcome::Launched, None));
    assert_eq!(outcomes(&told)[32], (Outcome::RejectedMalformed, Some(Reason::TooManyInMetadata)));
}

#[tokio::test]
async fn a_webhook_that_was_cut_off_among_its_envelopes_loses_none_when_it_comes_again() {
    let world = World::asking(json!({}));
    let left = leaving(json!({
        "launchgate:event:a": signed_by_job(&world.key, "a", 42), "launchgate:event:b": signed_by_job(&world.key, "b", 42),
        "launchgate:event:c": signed_by_job(&world.key, "c", 42),
    }));
    world.ledger.before_the_next_admission(async { panic!("as a process that is killed") });
    let (body, at) = (left.to_string(), published().seconds());
    let cut_off = world.gate.receive_build(receipt(body.as_bytes(), Some(header(SECRET, at, &body)))).await;
    assert!(cut_off.is_err(), "nothing is answered before all of it is durable: {cut_off:?}");

    let again = world.webhook(&left).await;
    world.gate.sweep().await.unwrap();

    assert_eq!(again.events.len(), 3);
    assert!(outcomes(&again).iter().all(|one| matches!(one.0, Outcome::Launched | Outcome::Duplicate)));
    assert_eq!(world.jobs(), 3);
}
