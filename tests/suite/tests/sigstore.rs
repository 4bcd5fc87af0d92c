//! Sigstore bundles through the real service.

use launchgate_standin::{Attestation, BuildkiteStandin, SigstoreStandin, VertexStandin};
use launchgate_statement::{Envelope, PAYLOAD_TYPE};
use launchgate_suite::{EventDraft, Folder, Service, a_key, a_pipeline_job, a_push, a_vertex, an_event, now};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

/// Trusts bundles of jobs of acme under the instance's root, and a key beside it.
fn a_folder(sigstore: &SigstoreStandin, key: &SigningKey, vertex: &VertexStandin, at_least: u64) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["require"] = json!({
        "signers": {"anyOf": ["sigstore", "release-key"], "atLeast": at_least}, "sources": ["webhook"],
    });
    let folder = Folder::trusting(key);
    folder.write("keys/trusted_root.json", sigstore.trusted_root());
    let pinned =
        json!({"organization": "acme", "trustedRoot": "keys/trusted_root.json", "forkBuilds": "disabled"});
    let signers = json!([
        {"id": "release-key", "publicKey": "keys/release-key.pem"},
        {"id": "sigstore", "sigstore": pinned},
    ]);
    trigger["launch"]["pipelineJob"]["labels"] = json!({"team": "fraud"});
    folder.set("/signers", signers).triggers(vec![trigger]).vertex_at(&vertex.endpoint())
}

fn an_instance() -> SigstoreStandin {
    SigstoreStandin::new(now().seconds() - 86_400)
}

/// The job that `an_event` is of.
fn its_job() -> Value {
    let mut job = BuildkiteStandin::a_job("fraud-train", 42);
    job["job_id"] = "0184990a-477b-4fa8-9968-496074483cee".into();
    job
}

fn bundle(sigstore: &SigstoreStandin, event: &EventDraft, job: &Value) -> Vec<u8> {
    let attestation = Attestation::of_job(job, now().seconds() - 2);
    sigstore.attest(&event.statement(), &attestation).to_string().into_bytes()
}

async fn status(service: &Service, data: Vec<u8>) -> u16 {
    a_push(data).deliver(service).await.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_launches_and_the_same_statement_in_an_envelope_is_a_duplicate() {
    let (sigstore, key, vertex) = (an_instance(), a_key(), a_vertex().await);
    let folder = a_folder(&sigstore, &key, &vertex, 1);
    let service = folder.start();
    let event = an_event();

    assert_eq!(status(&service, bundle(&sigstore, &event, &its_job())).await, 204);
    assert_eq!(status(&service, event.signed_by(&key).to_json().into_bytes()).await, 204);

    assert_eq!(vertex.jobs().len(), 1);
    let record = folder.only_record();
    assert_eq!(record["outcome"], "launched", "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_bundle_is_refused_with_its_own_reason_and_launches_nothing() {
    let (sigstore, vertex) = (an_instance(), a_vertex().await);
    let folder = a_folder(&sigstore, &a_key(), &vertex, 1);
    let service = folder.start();
    let event = an_event();
    let good: Value = serde_json::from_slice(&bundle(&sigstore, &event, &its_job())).unwrap();
    let bent = |bend: fn(&mut Attestation)| {
        let mut attestation = Attestation::of_job(&its_job(), now().seconds() - 2);
        bend(&mut attestation);
        sigstore.attest(&event.statement(), &attestation)
    };
    let mut other = good.clone();
    let foreign: Value =
        serde_json::from_slice(&bundle(&sigstore, &event.clone().number(43), &its_job())).unwrap();
    other["dsseEnvelope"] = foreign["dsseEnvelope"].clone();
    let mut unlogged = good.clone();
    unlogged["verificationMaterial"]["tlogEntries"] = json!([]);
    let mut of_another_build = its_job();
    of_another_build["build_number"] = 43.into();

    for (reason, data) in [
        ("bundle_signature", other),
        ("bundle_material", unlogged),
        ("bundle_certificate", bent(|it| it.in_certificate_log = false)),
        ("bundle_certificate", bent(|it| it.valid = 0)),
        ("bundle_issuer", bent(|it| it.issuer = "https://accounts.google.com".to_owned())),
        ("bundle_time", bent(|it| it.logged += 2)),
        ("identity_mismatch", serde_json::from_slice(&bundle(&sigstore, &event, &of_another_build)).unwrap()),
        (
            "bundle_shape",
            json!({"mediaType": good["mediaType"], "verificationMaterial": {}, "messageSignature": {}}),
        ),
    ] {
        // The clock of Pub/Sub lies before the log's in one of them.
        let published = if reason == "bundle_time" { now().seconds() - 120 } else { now().seconds() };
        let push =
            a_push(data.to_string()).published(launchgate_statement::Timestamp::from_seconds(published));
        assert_eq!(push.deliver(&service).await.as_u16(), 204, "{reason}");
        let said = |line: &Value| line["fields"]["reason"] == reason || line["reason"] == reason;
        service.wait_for_line(reason, said);
    }
    assert!(vertex.jobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_first_and_the_bundle_later_reach_a_threshold_of_two_together() {
    let (sigstore, key, vertex) = (an_instance(), a_key(), a_vertex().await);
    let folder = a_folder(&sigstore, &key, &vertex, 2);
    let service = folder.start();
    let event = an_event();

    assert_eq!(status(&service, event.signed_by(&key).to_json().into_bytes()).await, 204);
    assert!(vertex.jobs().is_empty(), "one of two");
    assert_eq!(status(&service, bundle(&sigstore, &event, &its_job())).await, 204);

    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_and_inspect_read_a_bundle() {
    let (sigstore, vertex) = (an_instance(), a_vertex().await);
    let folder = a_folder(&sigstore, &a_key(), &vertex, 1);
    folder.write("bundle.json", bundle(&sigstore, &an_event(), &its_job()));

    let shown = folder.launchgate(&["verify", "bundle.json", "--output", "json"]).success().json();
    assert_eq!(shown["signatures"][0]["voucher"], "certificate", "{shown}");
    let shown = folder.launchgate(&["inspect", "bundle.json", "--output", "json"]).success().json();
    assert_eq!(shown["certificate"]["verified"], false);
    assert_eq!(shown["certificate"]["claims"]["identity"], "https://buildkite.com/acme/fraud-train");
    let text = folder.launchgate(&["inspect", "bundle.json"]).success().stdout.clone();
    assert!(text.contains("certificate claims (not verified)"), "{text}");

    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, an_event().statement());
    envelope.signatures.clear();
    folder.write("bare.json", envelope.to_json());
    assert_eq!(folder.launchgate(&["verify", "bare.json"]).code, 3);
}
