//! Builds that Buildkite is asked about, since no webhook told of them.

use std::time::Duration;

use launchgate_engine::ports::BuildkiteApiError;
use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_trust::{Scheme, SigningKey};
use serde_json::json;

use crate::world::{
    Api, NO_PULL_REQUEST, SECRET, World, a_webhook, config, header, leaving, of_a_fork, outcomes, published,
    receipt, shown, signed,
};

#[tokio::test]
async fn a_build_whose_webhook_was_lost_is_asked_about_after_a_while() {
    let api = Api::answering(Ok(shown(&a_webhook("passed", Some(10)))));
    let world = World::with_api(json!({"build": "passed"}), api.clone());
    let event = world.event().await.event.unwrap();
    assert_eq!(world.gate.sweep().await.unwrap().builds_asked, 0, "not at once");

    let report = world.sweep_until_asked().await;

    assert_eq!((report.builds_asked, report.builds_heeded, report.launched), (1, 1, 1));
    let decision = world.decision(&event).await;
    assert_eq!(decision.outcome, Outcome::Launched);
    let rung = decision.checks.iter().find(|check| check.name == "require.build").unwrap();
    assert_eq!((rung.status, rung.voucher), (CheckStatus::Passed, Some(Voucher::Rest)));
    assert_eq!(world.gate.sweep().await.unwrap().builds_asked, 0, "nothing waits any more");
    assert_eq!((api.asked(), world.jobs()), (1, 1));
}

#[tokio::test]
async fn what_the_api_says_denies_as_a_webhook_would() {
    let api = Api::answering(Ok(shown(&of_a_fork())));
    let world = World::with_api(NO_PULL_REQUEST(), api);
    let event = world.event().await.event.unwrap();

    world.sweep_until_asked().await;

    let decision = world.decision(&event).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::DeniedPolicy, Some(Reason::ForkBuild)));
}

#[tokio::test]
async fn a_build_that_still_runs_is_asked_about_again_later() {
    let api = Api::answering(Ok(shown(&a_webhook("running", None))));
    let world = World::with_api(json!({"build": "passed"}), api.clone());
    let event = world.event().await.event.unwrap();

    world.sweep_until_asked().await;
    assert_eq!(world.decision(&event).await.reason, Some(Reason::BuildNotFinished));
    api.now_answers(Ok(shown(&a_webhook("passed", Some(10)))));
    world.sweep_until_asked().await;

    assert_eq!(world.decision(&event).await.outcome, Outcome::Launched);
    assert_eq!(api.asked(), 2);
}

#[tokio::test]
async fn an_api_that_refuses_is_left_alone_and_its_trouble_is_shown() {
    for error in [
        BuildkiteApiError::Refused("401".to_owned()),
        BuildkiteApiError::Later { message: "429".to_owned(), wait: Some(Duration::from_mins(1)) },
    ] {
        let api = Api::answering(Err(error.clone()));
        let world = World::with_api(NO_PULL_REQUEST(), api.clone());
        let event = world.event().await.event.unwrap();

        world.sweep_until_asked().await;
        for _ in 0..3 {
            assert_eq!(world.gate.sweep().await.unwrap().builds_asked, 0);
        }

        assert_eq!(world.decision(&event).await.outcome, Outcome::WaitingBuild, "its own end ends it");
        assert_eq!(world.gate.buildkite_api_trouble(), Some(error.to_string()));
        assert_eq!(api.asked(), 1);
    }
}

#[tokio::test]
async fn an_answer_about_another_build_is_no_answer() {
    let mut other = a_webhook("passed", Some(10));
    other["build"]["number"] = json!(43);
    other["build"]["url"] =
        json!("https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/43");
    let world = World::with_api(NO_PULL_REQUEST(), Api::answering(Ok(shown(&other))));
    let event = world.event().await.event.unwrap();

    world.sweep_until_asked().await;

    assert_eq!(world.decision(&event).await.outcome, Outcome::WaitingBuild);
    assert!(world.gate.buildkite_api_trouble().unwrap().contains("another"));
}

#[tokio::test]
async fn meta_data_that_the_webhook_came_without_are_fetched() {
    let key = SigningKey::generate(Scheme::Ed25519).unwrap();
    let mut without = leaving(json!({"launchgate:event:a": signed(&key)}));
    let api = Api::answering(Ok(shown(&without)));
    let world = World::of(
        tempfile::tempdir().unwrap(),
        SigningKey::generate(Scheme::Ed25519).unwrap(),
        config(&key, json!({}), json!({})),
        Some(api.clone()),
    );
    without["build"].as_object_mut().unwrap().remove("meta_data");
    let body = without.to_string();
    let tell = || receipt(body.as_bytes(), Some(header(SECRET, published().seconds(), &body)));

    api.now_answers(Err(BuildkiteApiError::Later { message: "busy".to_owned(), wait: None }));
    assert!(world.gate.receive_build(tell()).await.is_err(), "it comes again");
    let mut other = shown(&leaving(json!({"launchgate:event:a": signed(&key)})));
    other["id"] = json!("b-2");
    api.now_answers(Ok(other));
    assert!(world.gate.receive_build(tell()).await.unwrap().events.is_empty(), "a build of the same name");
    api.now_answers(Ok(shown(&leaving(json!({"launchgate:event:a": signed(&key)})))));
    let told = world.gate.receive_build(tell()).await.unwrap();

    assert_eq!(outcomes(&told), [(Outcome::Launched, None)]);
}

#[tokio::test]
async fn a_build_that_no_trigger_takes_is_not_asked_about() {
    let api = Api::answering(Err(BuildkiteApiError::Refused("no".to_owned())));
    let world = World::with_api(json!({}), api.clone());
    let mut without = leaving(json!({}));
    without["build"].as_object_mut().unwrap().remove("meta_data");
    without["build"]["branch"] = json!("try-adam");

    world.webhook(&without).await;

    assert_eq!(api.asked(), 0);
}
