//! Tokens from the stand-in's agent API.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, time::Duration};

use launchgate_buildkite::{AgentApi, AgentApiError, TokenWanted};
use launchgate_standin::{AgentFault, BuildkiteStandin};
use serde_json::Value;

const WANTED: TokenWanted<'static> =
    TokenWanted { audience: "launchgate-prod/claims", lifetime: 300, claims: &["pipeline_id", "queue_key"] };

/// As a step of `job`, with `changes` of its variables.
fn api(buildkite: &BuildkiteStandin, job: &Value, changes: &[(&str, &str)]) -> AgentApi {
    let mut variables: BTreeMap<String, String> = buildkite.agent_variables(job).into_iter().collect();
    variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    AgentApi::from_variables(&variables).unwrap().unwrap().first_wait(Duration::ZERO)
}

#[tokio::test]
async fn a_token_has_the_claims_asked_for_and_no_other_optional_ones() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    let job = BuildkiteStandin::a_job("fraud-train", 7);

    let token = api(&buildkite, &job, &[]).oidc_token(WANTED).await.unwrap();

    let claims = BuildkiteStandin::claims_in(&token);
    assert_eq!(claims["aud"], "launchgate-prod/claims");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!(claims["pipeline_id"], job["pipeline_id"]);
    assert_eq!(claims["queue_key"], "default");
    assert!(claims["organization_id"].is_null(), "{claims}");
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again_and_what_does_not_is_not() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let api = api(&buildkite, &job, &[]);
    buildkite.agent_faults([
        AgentFault::Status(503),
        AgentFault::HangUp,
        AgentFault::Page,
        AgentFault::Status(429),
    ]);
    api.oidc_token(WANTED).await.unwrap();
    assert_eq!((buildkite.agent_requests(), buildkite.minted()), (5, 1));

    buildkite.agent_faults([AgentFault::Status(500); 5]);
    let error = api.oidc_token(WANTED).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(buildkite.agent_requests(), 10);

    buildkite.agent_faults([AgentFault::Status(422)]);
    let error = api.oidc_token(WANTED).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert_eq!(buildkite.agent_requests(), 11);
}

#[tokio::test]
async fn each_refusal_says_what_to_look_at_and_never_the_access_token() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let access = buildkite.run_job(&job);
    let with = |name: &str, value: &str| api(&buildkite, &job, &[(name, value)]);
    let cases = [
        (with("BUILDKITE_AGENT_ACCESS_TOKEN", "bkaj_stolen"), WANTED, 401, "no running job"),
        (with("BUILDKITE_JOB_ID", "0184990a-477b-4fa8-9968-000000000008"), WANTED, 403, "different jobs"),
        (with("X", ""), TokenWanted { lifetime: 7201, ..WANTED }, 422, "Requested lifetime too high"),
        (with("X", ""), TokenWanted { claims: &["pull_request"], ..WANTED }, 422, "pull_request"),
    ];
    for (api, wanted, expected, hint) in cases {
        let error = api.oidc_token(wanted).await.unwrap_err();

        let said = error.to_string();
        assert!(matches!(error, AgentApiError::Refused { status, .. } if status == expected), "{said}");
        assert!(said.contains(hint) && !said.contains(&access) && !said.contains("bkaj_stolen"), "{said}");
    }
    assert_eq!(buildkite.minted(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);

    let gone = api(&buildkite, &job, &[("BUILDKITE_AGENT_ENDPOINT", &format!("http://{address}/v3"))]);
    let error = gone.oidc_token(WANTED).await.unwrap_err();

    assert!(matches!(error, AgentApiError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&address), "{error}");
    assert_eq!(buildkite.agent_requests(), 0);
}

#[tokio::test]
async fn meta_data_is_read_as_it_was_written_and_a_key_that_is_not_there_is_none() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let api = api(&buildkite, &job, &[]);
    let value = "{\"a\": \"b\\\\n\",\n\t\"ü\": 1}";
    buildkite.agent_faults([AgentFault::Status(503)]);

    assert_eq!(api.meta_data("launchgate:event:x").await.unwrap(), None);
    api.set_meta_data("launchgate:event:x", value).await.unwrap();

    assert_eq!(api.meta_data("launchgate:event:x").await.unwrap().as_deref(), Some(value));
    assert_eq!(buildkite.meta_data(&job)["launchgate:event:x"], value);
    let error = api.set_meta_data("k", &"x".repeat(100 * 1024 + 1)).await.unwrap_err();
    assert!(error.to_string().contains("did not keep the meta-data k: HTTP 422"), "{error}");
}
