//! Buildkite's REST API, as the stand-in has it.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use launchgate_buildkite::{ANNOTATION_LIMIT, Annotation, AnnotationStyle, BuildAddress, RestApi, RestError};
use launchgate_standin::{BuildkiteRestStandin, BuildkiteStandin, BuildkiteWebhook, RestFault};
use serde_json::Value;

const BUILD: BuildAddress<'static> =
    BuildAddress { organization: "acme", pipeline: "fraud-train", number: 7 };
const ANNOTATION: Annotation<'static> =
    Annotation { context: "launchgate/retrain", style: AnnotationStyle::Success, body: "**launched**" };

async fn standin() -> BuildkiteRestStandin {
    let standin = BuildkiteRestStandin::start().await.unwrap();
    standin.set_build(&BuildkiteWebhook::finished(&BuildkiteStandin::a_job("fraud-train", 7)));
    standin
}

fn api(standin: &BuildkiteRestStandin, scopes: &[&str]) -> RestApi {
    RestApi::new(&standin.endpoint(), &standin.token(scopes)).unwrap()
}

#[tokio::test]
async fn a_later_annotation_of_the_same_context_takes_the_place_of_the_earlier_one() {
    let standin = standin().await;
    let api = api(&standin, &["write_builds"]);

    api.annotate(BUILD, ANNOTATION).await.unwrap();
    api.annotate(BUILD, Annotation { style: AnnotationStyle::Error, body: "failed", ..ANNOTATION })
        .await
        .unwrap();
    api.annotate(BUILD, Annotation { context: "launchgate/other", ..ANNOTATION }).await.unwrap();

    let shown = standin.annotations("acme", "fraud-train", 7);
    let shown: Vec<_> =
        shown.iter().map(|it| (it.context.as_str(), it.style.as_str(), it.body.as_str())).collect();
    assert_eq!(
        shown,
        [("launchgate/retrain", "error", "failed"), ("launchgate/other", "success", "**launched**")]
    );
}

#[tokio::test]
async fn a_build_is_handed_on_as_it_came() {
    let standin = standin().await;

    let build = api(&standin, &["read_builds"]).build(BUILD).await.unwrap();

    let build: Value = serde_json::from_slice(&build).unwrap();
    assert_eq!((&build["number"], &build["pipeline"]["slug"]), (&7.into(), &"fraud-train".into()));
}

#[tokio::test]
async fn each_refusal_says_what_to_look_at_and_never_the_token() {
    let standin = standin().await;
    let stranger = RestApi::new(&standin.endpoint(), "bkua_stolen").unwrap();
    let reader = api(&standin, &["read_builds"]);
    let elsewhere = BuildAddress { pipeline: "../pipelines/fraud-train", ..BUILD };
    let cases = [
        (stranger.annotate(BUILD, ANNOTATION).await, 401, "new API access token"),
        (reader.annotate(BUILD, ANNOTATION).await, 403, "write_builds"),
        (reader.build(BuildAddress { number: 8, ..BUILD }).await.map(drop), 404, "no such build"),
        (reader.build(elsewhere).await.map(drop), 404, "no such build"),
    ];
    for (answer, expected, hint) in cases {
        let error = answer.unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, RestError::Refused { status, .. } if status == expected), "{said}");
        assert!(said.contains(hint) && !said.contains("bkua_") && !error.is_transient(), "{said}");
    }
    assert!(!format!("{stranger:?}").contains("stolen"));
}

#[tokio::test]
async fn what_passes_by_itself_says_so_and_when() {
    let standin = standin().await;
    let api = api(&standin, &["write_builds"]);
    standin.faults([
        RestFault::Status(503),
        RestFault::HangUp,
        RestFault::Page,
        RestFault::RateLimited(17),
        RestFault::HangUpAfter,
    ]);

    let mut waits = Vec::new();
    for _ in 0..5 {
        let error = api.annotate(BUILD, ANNOTATION).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        waits.push(error.wait());
    }

    assert_eq!(waits[3], Some(Duration::from_secs(17)), "{waits:?}");
    let shown = standin.annotations("acme", "fraud-train", 7);
    assert_eq!(shown.iter().map(|it| it.times).collect::<Vec<_>>(), [1], "only the last one was done");
}

#[tokio::test]
async fn the_last_request_of_a_minute_is_taken_and_the_next_is_told_when_to_come_back() {
    let standin = standin().await;
    let api = api(&standin, &["read_builds"]);
    standin.set_left(1);

    api.build(BUILD).await.unwrap();
    let error = api.build(BUILD).await.unwrap_err();

    assert_eq!(error.wait(), Some(Duration::from_secs(42)), "{error}");
}

#[tokio::test]
async fn what_buildkite_would_refuse_for_its_size_is_not_sent() {
    let standin = standin().await;
    let body = "x".repeat(ANNOTATION_LIMIT + 1);

    let error =
        api(&standin, &["write_builds"]).annotate(BUILD, Annotation { body: &body, ..ANNOTATION }).await;

    assert_eq!(error, Err(RestError::TooLarge(ANNOTATION_LIMIT + 1)));
    assert_eq!(standin.requests(), 0);
}

#[test]
fn a_token_never_goes_over_plain_http_to_another_machine() {
    for bad in ["http://api.buildkite.com", "ftp://localhost", "api"] {
        assert!(matches!(RestApi::new(bad, "bkua_x"), Err(RestError::Endpoint(_))), "{bad}");
    }
    for bad in ["", "  ", "bkua\n1"] {
        assert!(matches!(RestApi::new("https://api.buildkite.com", bad), Err(RestError::Token)), "{bad:?}");
    }
}
