//! What comes together from several copies, and what changes between decision and launch.

use launchgate_standin::{Fault, FaultRule};
use launchgate_statement::Envelope;
use launchgate_suite::{
    Folder, PATIENCE, Service, a_key, a_pipeline_job, a_push, a_vertex, an_event, launch_ids,
};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

/// Trusts each of `keys` under its name; the trigger permits `any_of` and wants `at_least` of them.
fn a_folder(keys: &[(&str, &SigningKey)], any_of: &[&str], at_least: usize) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["require"]["signers"] = json!({"anyOf": any_of, "atLeast": at_least});
    let folder = Folder::trusting(&a_key()).set("/signers", json!([])).triggers(vec![trigger]);
    keys.iter().fold(folder, |folder, (name, key)| folder.signer(name, &key.public_pem(), json!({})))
}

async fn status(service: &Service, copy: &Envelope, message: &str) -> u16 {
    a_push(copy.to_json()).message_id(message).deliver(service).await.as_u16()
}

fn stands(folder: &Folder, event: &Envelope) -> Value {
    let id = event.event_digest().id().to_string();
    folder.recorded().into_iter().find(|one| one["event"] == id.as_str()).expect("the event is recorded")
}

#[tokio::test(flavor = "multi_thread")]
async fn three_signers_that_come_in_three_copies_two_of_them_at_once_launch_exactly_once() {
    let (a, b, c, vertex) = (a_key(), a_key(), a_key(), a_vertex().await);
    let names = ["a", "b", "c"];
    let folder = a_folder(&[("a", &a), ("b", &b), ("c", &c)], &names, 3).vertex_at(&vertex.endpoint());
    let service = folder.start();

    for number in 1..=20 {
        let event = an_event().number(number);
        let [first, second, third] = [&a, &b, &c].map(|key| event.signed_by(key));
        assert_eq!(status(&service, &first, "1").await, 204);
        let before = stands(&folder, &first);
        assert_eq!(
            (&before["outcome"], &before["reason"]),
            (&json!("denied_policy"), &json!("threshold_not_met"))
        );

        let both = tokio::join!(status(&service, &second, "2"), status(&service, &third, "3"));

        assert_eq!(both, (204, 204));
        let record = folder.wait_for_outcome(first.event_digest().id().as_str(), "launched", PATIENCE).await;
        assert_eq!(record["receipts"], 3);
        assert_eq!(launch_ids(&vertex).len() as u64, number, "build {number}");
    }
    assert_eq!(vertex.creates().len(), 20, "a call more than there are runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_lesser_signer_that_comes_first_stands_in_nobodys_way() {
    let (low, high, vertex) = (a_key(), a_key(), a_vertex().await);
    let folder = a_folder(&[("low", &low), ("high", &high)], &["high"], 1).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let [lesser, full] = [&low, &high].map(|key| an_event().signed_by(key));
    let stranger = an_event().signed_by(&a_key());

    assert_eq!(status(&service, &stranger, "1").await, 204);
    assert_eq!(status(&service, &lesser, "2").await, 204);
    assert_eq!(stands(&folder, &lesser)["reason"], "signer_not_permitted");
    assert_eq!(vertex.request_count(), 0);
    assert_eq!(status(&service, &full, "3").await, 204);
    // Stripped again, and whole again: both are copies of what was launched.
    assert_eq!(status(&service, &lesser, "4").await, 204);
    assert_eq!(status(&service, &full, "5").await, 204);

    assert_eq!(stands(&folder, &full)["outcome"], "launched");
    assert_eq!((vertex.jobs().len(), vertex.creates().len()), (1, 1));
}

/// The event's record after its launch was put off by an outage and the service came back with another file.
async fn after_an_outage(change: impl FnOnce(Folder) -> Folder) -> (Value, usize) {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let outage = vertex.add_fault(FaultRule::always(Fault::unavailable())).unwrap();
    let event = an_event().signed_by(&key);
    assert_eq!(status(&service, &event, "1").await, 204);
    let address = service.address();
    service.kill();
    vertex.remove_fault(&outage);

    let folder = change(folder);
    let _service = folder.restart_at(address);
    let id = event.event_digest().id().to_string();
    let record = folder.wait_for_outcome(&id, "denied_policy", PATIENCE).await;
    (record, vertex.jobs().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_revoked_before_the_launch_stops_it() {
    let (record, runs) = after_an_outage(|folder| folder.set("/signers/0/revoked", json!(true))).await;

    assert_eq!((&record["reason"], runs), (&json!("signer_revoked"), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_removed_before_the_launch_stops_it() {
    let other = vec![a_pipeline_job("another")];
    let (record, runs) = after_an_outage(|folder| folder.triggers(other)).await;

    assert_eq!((&record["reason"], runs), (&json!("trigger_removed"), 0));
}
