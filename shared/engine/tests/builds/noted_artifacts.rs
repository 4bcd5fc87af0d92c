//! Webhooks that are events themselves, by the note of their artifacts.

use std::sync::Arc;

use launchgate_engine::{BuildAnswer, Command, CommandKind, DecisionRecord, ports::BuildkiteApiError};
use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_statement::{EventId, Sha256};
use launchgate_trust::{Scheme, SigningKey};
use serde_json::{Value, json};

use crate::world::{Api, World, config_of_webhooks, leaving, outcomes, shown};

/// The finished build with this note of its artifacts.
fn noting(note: &Value) -> Value {
    let mut webhook = leaving(json!({"launchgate:artifact": note.to_string()}));
    webhook["build"]["cluster_id"] = json!("c-1");
    webhook
}

fn an_image(seed: &[u8]) -> Value {
    let sha256 = Sha256::of(seed);
    let uri = format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}");
    json!({"name": "fraud-train", "sha256": sha256, "uri": uri})
}

impl World {
    fn of_webhooks(api: Option<Arc<Api>>) -> Self {
        let key = SigningKey::generate(Scheme::Ed25519).unwrap();
        Self::of(tempfile::tempdir().unwrap(), key, config_of_webhooks(), api)
    }

    async fn only_event(&self, told: &BuildAnswer) -> (EventId, DecisionRecord) {
        let id = told.events[0].event.clone().unwrap();
        let decision = self.gate.ledger().event(&id).await.unwrap().unwrap().decisions.pop().unwrap();
        (id, decision)
    }
}

#[tokio::test]
async fn a_webhook_that_notes_its_artifact_is_an_event_itself_once() {
    let world = World::of_webhooks(None);

    let told = world.webhook(&noting(&an_image(b"one"))).await;
    let again = world.webhook(&noting(&json!([an_image(b"one")]))).await;

    assert_eq!(outcomes(&told), [(Outcome::Observed, None)]);
    assert_eq!(outcomes(&again), [(Outcome::Duplicate, None)]);
    let (id, decision) = world.only_event(&told).await;
    let stored = world.gate.ledger().event(&id).await.unwrap().unwrap();
    let signature = stored.event.checks.iter().find(|rung| rung.name == "signature").unwrap();
    assert!(signature.actual.as_ref().unwrap().contains("weakest"), "{signature:?}");
    let rung = |name: &str| decision.checks.iter().find(|rung| rung.name == name).unwrap().clone();
    assert!(rung("require.maxAge").actual.unwrap().contains("build finished_at"));
    for name in ["match.branch", "artifactSet", "forkBuilds", "require.build", "require.trustsCluster"] {
        assert_eq!(rung(name).status, CheckStatus::Passed, "{name}");
    }
    assert_eq!(rung("match.branch").voucher, Some(Voucher::Webhook));
}

#[tokio::test]
async fn each_safeguard_denies_with_its_reason() {
    let bent = |pointer: &str, value: Value| {
        let mut webhook = noting(&an_image(b"one"));
        *webhook.pointer_mut(pointer).unwrap() = value;
        webhook
    };
    let fork = json!({"id": "7", "repository": "https://github.com/eve/fraud-train"});
    let tagged =
        json!({"name": "x", "sha256": Sha256::of(b"x"), "uri": "us-docker.pkg.dev/acme/ml/fraud-train:new"});
    let note = "/build/meta_data/launchgate:artifact";
    for (webhook, outcome, reason) in [
        (bent("/build/cluster_id", json!("c-2")), Outcome::DeniedPolicy, Reason::ClusterNotTrusted),
        (bent("/build/cluster_id", Value::Null), Outcome::DeniedPolicy, Reason::ClusterNotTrusted),
        (bent("/build/state", json!("failed")), Outcome::DeniedPolicy, Reason::BuildNotPassed),
        (bent("/build/blocked", json!(true)), Outcome::WaitingBuild, Reason::BuildNotFinished),
        (bent("/build/pull_request", fork), Outcome::DeniedPolicy, Reason::ForkBuild),
        (bent("/build/finished_at", json!("2026-11-16T11:05:10Z")), Outcome::DeniedPolicy, Reason::TooOld),
        (bent("/build/branch", json!("try")), Outcome::NoMatch, Reason::NoTriggerMatches),
        (bent(note, json!(tagged.to_string())), Outcome::RejectedStatement, Reason::ArtifactNote),
        (bent(note, json!("x")), Outcome::RejectedStatement, Reason::ArtifactNote),
    ] {
        let world = World::of_webhooks(None);

        let told = world.webhook(&webhook).await;

        assert_eq!(outcomes(&told), [(outcome, Some(reason))]);
        assert_eq!(world.jobs(), 0);
    }
}

#[tokio::test]
async fn a_build_that_names_other_artifacts_later_is_denied_also_in_a_replay() {
    let world = World::of_webhooks(None);
    world.webhook(&noting(&an_image(b"one"))).await;

    let mut retried = noting(&an_image(b"two"));
    retried["build"]["finished_at"] = json!("2026-11-18T11:06:20Z");
    let changed = world.webhook(&retried).await;
    let more = world.webhook(&noting(&json!([an_image(b"one"), an_image(b"two")]))).await;
    let first = world.webhook(&noting(&an_image(b"one"))).await;

    let denied = (Outcome::DeniedPolicy, Some(Reason::ArtifactChanged));
    // The longer list is one event of two artifacts, which is denied as a whole.
    assert_eq!((outcomes(&changed), outcomes(&more)), (vec![denied], vec![denied]));
    assert_eq!(outcomes(&first), [(Outcome::Duplicate, None)]);
    let (id, _) = world.only_event(&changed).await;
    let kind = CommandKind::Replay { event: id.clone(), force: false };
    let command = Command { kind, by: "ada".to_owned(), why: "look again".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();
    assert_eq!(world.only_event(&changed).await.1.reason, Some(Reason::ArtifactChanged));
}

#[tokio::test]
async fn a_replay_verifies_an_event_of_a_webhook_by_what_was_kept_with_it() {
    let world = World::of_webhooks(None);
    let told = world.webhook(&noting(&an_image(b"one"))).await;
    let (id, _) = world.only_event(&told).await;

    let kind = CommandKind::Replay { event: id.clone(), force: true };
    let command = Command { kind, by: "ada".to_owned(), why: "again".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();

    let stored = world.gate.ledger().event(&id).await.unwrap().unwrap();
    let outcomes: Vec<_> = stored.decisions.iter().map(|one| (one.ordinal, one.outcome)).collect();
    assert_eq!(outcomes, [(0, Outcome::Observed), (1, Outcome::Observed)]);
}

#[tokio::test]
async fn a_webhook_without_meta_data_is_recorded_where_it_should_have_made_an_event() {
    let mut without = noting(&an_image(b"one"));
    without["build"].as_object_mut().unwrap().remove("meta_data");
    let refused = Api::answering(Err(BuildkiteApiError::Refused("HTTP 403: read_builds".to_owned())));
    for (api, said) in [(None, "apiTokenEnv"), (Some(refused), "read_builds")] {
        let world = World::of_webhooks(api);

        world.webhook(&without).await;

        let events =
            world.gate.ledger().events(launchgate_engine::EventFilter { limit: 9, ..Default::default() });
        let page = events.await.unwrap();
        assert_eq!(page.items[0].reason, Some(Reason::MetadataAbsent), "{said}");
    }
    let world = World::of_webhooks(Some(Api::answering(Ok(shown(&noting(&an_image(b"one")))))));
    assert_eq!(outcomes(&world.webhook(&without).await), [(Outcome::Observed, None)]);
}

#[tokio::test]
async fn a_note_makes_no_event_where_no_webhook_signer_is_configured() {
    let world = World::asking(json!({}));

    let told = world.webhook(&noting(&an_image(b"one"))).await;

    assert!(told.events.is_empty());
}
