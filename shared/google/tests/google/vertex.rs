//! Launching against the Vertex stand-in.

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, extract::Query, response::Redirect, routing::get};
use launchgate_engine::ports::{CallErrorKind, Vertex};
use launchgate_google::{CredentialSettings, Endpoints, VertexClient};
use launchgate_outcome::Reason;
use launchgate_standin::{Fault, FaultRule, Operation, VertexOptions, VertexStandin};
use serde_json::{Value, json};

use crate::{artifacts::serve, plans};

pub(crate) fn endpoints_at(address: &str) -> Endpoints {
    let variables = BTreeMap::from([("LAUNCHGATE_VERTEX_ENDPOINT".to_owned(), address.to_owned())]);
    Endpoints::from_variables(&variables).unwrap()
}

pub(crate) fn client(address: &str, settings: CredentialSettings, timeout: Duration) -> VertexClient {
    VertexClient::new(endpoints_at(address), settings, timeout).unwrap()
}

async fn standin() -> (VertexStandin, VertexClient) {
    let standin = VertexStandin::start(VertexOptions::default()).await.unwrap();
    let client = client(&standin.endpoint(), CredentialSettings::default(), Duration::from_secs(20));
    (standin, client)
}

#[tokio::test]
async fn a_pipeline_job_is_created_with_the_planned_bytes_and_found_again() {
    let (standin, vertex) = standin().await;
    let plan = plans::pipeline();

    let run = vertex.create(&plan).await.unwrap();

    let created = &standin.creates()[0];
    assert_eq!(created.body_bytes, plans::PIPELINE_BODY);
    assert_eq!(created.path, "/v1/projects/acme-ml/locations/us-central1/pipelineJobs");
    assert_eq!(
        created.header("x-goog-request-params"),
        Some("parent=projects/acme-ml/locations/us-central1")
    );
    assert_eq!(created.header("user-agent"), Some(concat!("launchgate/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert!(run.name.ends_with(&format!("/pipelineJobs/{}", plans::ID)), "{}", run.name);
    assert_eq!(
        run.console,
        format!(
            "https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/runs/{}?project=acme-ml",
            plans::ID
        )
    );
    assert!(run.state.as_deref().is_some_and(|state| state.starts_with("PIPELINE_STATE_")), "{run:?}");

    let job = vertex.get(&plan).await.unwrap();
    assert_eq!(vertex.run_of(&plan, &job).unwrap().name, run.name);
    let found = vertex.find(&plan).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["name"], run.name.as_str());
}

#[tokio::test]
async fn the_second_create_of_a_pipeline_job_says_that_it_exists() {
    let (_standin, vertex) = standin().await;
    vertex.create(&plans::pipeline()).await.unwrap();

    let error = vertex.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(error.kind, CallErrorKind::AlreadyExists);
    assert_eq!((error.http_status, error.code.as_str()), (Some(409), "ALREADY_EXISTS"));
}

#[tokio::test]
async fn a_custom_job_gets_the_servers_id_and_is_found_by_its_label() {
    let (_standin, vertex) = standin().await;
    let plan = plans::custom();
    assert_eq!(vertex.find(&plan).await.unwrap(), Vec::<Value>::new());

    let run = vertex.create(&plan).await.unwrap();

    let found = vertex.find(&plan).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(vertex.run_of(&plan, &found[0]).unwrap().name, run.name);
    let id = run.name.rsplit('/').next().unwrap();
    assert_eq!(
        run.console,
        format!(
            "https://console.cloud.google.com/vertex-ai/locations/us-central1/training/{id}?project=acme-ml"
        )
    );
}

#[tokio::test]
async fn every_page_of_a_listing_is_read_and_foreign_jobs_are_left_out() {
    // A server that hands out a page at a time and ignores the filter.
    let listing = |Query(query): Query<BTreeMap<String, String>>| async move {
        assert_eq!(query["filter"], format!("labels.launchgate-id=\"{}\"", plans::ID));
        let job = |id: &str, label: &str| {
            let name = format!("projects/1/locations/us-central1/customJobs/{id}");
            json!({"name": name, "labels": {"launchgate-id": label}})
        };
        let page = match query.get("pageToken").map(String::as_str) {
            None => json!({"customJobs": [job("1", "lg-other")], "nextPageToken": "a/b=="}),
            Some("a/b==") => json!({"customJobs": [job("2", plans::ID)], "nextPageToken": ""}),
            Some(other) => panic!("unknown page {other}"),
        };
        page.to_string()
    };
    let router = Router::new().route("/v1/projects/acme-ml/locations/us-central1/customJobs", get(listing));
    let vertex = client(&serve(router).await, CredentialSettings::default(), Duration::from_secs(5));

    let found = vertex.find(&plans::custom()).await.unwrap();

    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["name"], "projects/1/locations/us-central1/customJobs/2");
}

#[tokio::test]
async fn a_success_that_is_no_job_is_transient_and_may_have_been_accepted() {
    for body in ["", "{}", r#"{"name": "projects/1/locations/us-central1/customJobs/1"}"#, "<html>"] {
        let router = Router::new().fallback(move || async move { body });
        let vertex = client(&serve(router).await, CredentialSettings::default(), Duration::from_secs(5));

        let error = vertex.create(&plans::pipeline()).await.unwrap_err();

        assert_eq!(error.kind, CallErrorKind::Transient(Reason::VertexUnavailable), "{body}");
        assert!(!error.not_accepted, "{body}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (standin, _) = standin().await;
    let target = format!("{}/v1/projects/acme-ml/locations/us-central1/pipelineJobs", standin.endpoint());
    let router = Router::new().fallback(move || async move { Redirect::temporary(&target) });
    let vertex = client(&serve(router).await, CredentialSettings::default(), Duration::from_secs(5));

    let error = vertex.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(error.http_status, Some(307));
    assert_eq!(standin.request_count(), 0);
}

#[tokio::test]
async fn a_missing_job_is_not_found() {
    let (_standin, vertex) = standin().await;
    let error = vertex.get(&plans::pipeline()).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Terminal(Reason::NotFound));
}

#[tokio::test]
async fn a_job_of_another_kind_or_without_a_name_is_no_run() {
    let (_standin, vertex) = standin().await;
    for job in [
        serde_json::json!({}),
        serde_json::json!({"name": ""}),
        serde_json::json!({"name": "projects/1/locations/us-central1/customJobs/1"}),
        serde_json::json!({"name": "projects/1/locations/us-central1/pipelineJobs/"}),
    ] {
        assert_eq!(vertex.run_of(&plans::pipeline(), &job), None, "{job}");
    }
}

#[tokio::test]
async fn a_refusal_for_lack_of_access_carries_the_line_that_mends_it() {
    let (standin, vertex) = standin().await;
    for (id, reason, line) in [
        ("permission_create_pipeline", Reason::PermissionDenied, "--role=roles/aiplatform.user"),
        ("act_as_denied", Reason::ActAsDenied, "--role=roles/iam.serviceAccountUser"),
        (
            "service_disabled",
            Reason::ApiDisabled,
            "gcloud services enable aiplatform.googleapis.com --project=acme-ml",
        ),
    ] {
        standin.add_fault(FaultRule::once(Fault::known(id))).unwrap();

        let error = vertex.create(&plans::pipeline()).await.unwrap_err();

        assert_eq!(error.kind, CallErrorKind::Terminal(reason), "{id}");
        assert!(error.message.contains(line), "{id}: {}", error.message);
        assert!(error.not_accepted);
    }
    assert_eq!(standin.job_count(), 0);
}

#[tokio::test]
async fn an_html_page_in_the_place_of_an_error_is_survived() {
    let (standin, vertex) = standin().await;
    standin.add_fault(FaultRule::once(Fault::known("wrong_region_host_html"))).unwrap();

    let error = vertex.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(error.kind, CallErrorKind::Terminal(Reason::NotFound));
    assert!(error.message.contains("`vertex.location` (us-central1)"), "{}", error.message);
}

#[tokio::test]
async fn a_slow_answer_is_cut_off_in_time_and_may_have_been_accepted() {
    let standin = VertexStandin::start(VertexOptions::default()).await.unwrap();
    let vertex = client(&standin.endpoint(), CredentialSettings::default(), Duration::from_millis(300));
    standin.add_fault(FaultRule::once(Fault::HoldAfter).named("held")).unwrap();

    let error = vertex.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(error.kind, CallErrorKind::Transient(Reason::VertexUnavailable));
    assert_eq!((error.http_status, error.code.as_str()), (None, "TIMEOUT"));
    assert!(!error.not_accepted);
    assert_eq!(standin.job_count(), 1);
}

#[tokio::test]
async fn a_connection_dropped_after_sending_may_have_been_accepted() {
    let (standin, vertex) = standin().await;
    for (fault, jobs) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1)] {
        standin.add_fault(FaultRule::once(fault)).unwrap();

        let error = vertex.create(&plans::pipeline()).await.unwrap_err();

        assert_eq!(error.kind, CallErrorKind::Transient(Reason::VertexUnavailable));
        assert_eq!((error.http_status, error.code.as_str()), (None, "RESET"));
        assert!(!error.not_accepted);
        assert_eq!(standin.job_count(), jobs);
    }
}

#[tokio::test]
async fn nobody_listening_is_known_not_to_have_been_accepted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let vertex = client(&address, CredentialSettings::default(), Duration::from_secs(5));

    let error = vertex.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(error.kind, CallErrorKind::Transient(Reason::VertexUnavailable));
    assert_eq!(error.code, "CONNECT");
    assert!(error.not_accepted);
}

#[tokio::test]
async fn a_failing_tls_handshake_is_known_not_to_have_been_accepted() {
    // Speaks plain HTTP where TLS is expected.
    let standin = VertexStandin::start(VertexOptions::default()).await.unwrap();
    let address = standin.endpoint().replace("http://", "https://");
    let vertex = client(&address, CredentialSettings::default(), Duration::from_secs(5));

    let error = vertex.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(error.code, "TLS", "{error}");
    assert!(error.not_accepted);
    assert_eq!(standin.job_count(), 0);
}

#[tokio::test]
async fn an_unavailable_server_is_transient_and_done_but_unavailable_too() {
    let (standin, vertex) = standin().await;
    standin.add_fault(FaultRule::once(Fault::unavailable())).unwrap();
    let error = vertex.create(&plans::pipeline()).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Transient(Reason::VertexUnavailable));
    assert!(!error.not_accepted);

    standin.add_fault(FaultRule::once(Fault::internal()).on(Operation::Get)).unwrap();
    assert_eq!(vertex.get(&plans::pipeline()).await.unwrap_err().kind, CallErrorKind::Internal);
}
