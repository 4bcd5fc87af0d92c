//! `launchgate wait` and the gate's route for it: a job asks what became of its build's event.

use std::sync::LazyLock;

use launchgate_standin::{BuildkiteStandin, JobState, VertexStandin};
use launchgate_statement::{Envelope, EventId};
use launchgate_suite::{
    Binary, Finished, Folder, PATIENCE, Service, a_key, a_pipeline_job, a_push, a_vertex, an_event, client,
    eventually, run,
};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

const AUDIENCE: &str = "launchgate-prod";

/// Signs the events of these tests.
static KEY: LazyLock<SigningKey> = LazyLock::new(a_key);

/// Trusts the key of these tests, and knows Buildkite's jobs by their tokens.
fn a_folder(buildkite: &BuildkiteStandin, vertex: &VertexStandin) -> Folder {
    let key = json!({"id": "release-key", "publicKey": "keys/release-key.pem"});
    let tokens =
        json!({"id": "buildkite", "buildkiteOidc": {"organization": "acme", "forkBuilds": "disabled"}});
    Folder::trusting(&KEY)
        .set("/signers", json!([key, tokens]))
        .vertex_at(&vertex.endpoint())
        .variable("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT", &buildkite.endpoint())
}

/// The event of build 42 of acme/fraud-train, and its id.
fn the_event() -> (Vec<u8>, EventId) {
    let envelope = an_event().signed_by(&KEY);
    let id = envelope.event_digest().id();
    (envelope.to_json().into_bytes(), id)
}

/// A job of the event's build.
fn a_job() -> Value {
    BuildkiteStandin::a_job("fraud-train", 42)
}

fn wait_command(
    folder: &Folder,
    buildkite: &BuildkiteStandin,
    job: &Value,
    gate: &str,
) -> std::process::Command {
    let mut command = folder.command(Binary::Cli);
    // A folder without programs: the agent API is asked.
    command.arg("wait").env("LAUNCHGATE_SERVICE_URL", gate).env("LAUNCHGATE_SERVICE_AUDIENCE", AUDIENCE);
    command.env("PATH", folder.path().join("keys")).envs(buildkite.agent_variables(job));
    command
}

/// Asks once, as a step of `job`.
fn wait(
    folder: &Folder,
    buildkite: &BuildkiteStandin,
    job: &Value,
    service: &Service,
    more: &[&str],
) -> Finished {
    let mut command = wait_command(folder, buildkite, job, &service.url(""));
    run(command.args(["--timeout", "0s"]).args(more), b"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_the_build_learns_what_became_of_its_event() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let (event, id) = the_event();
    let job = a_job();
    assert_eq!(a_push(event).deliver(&service).await.as_u16(), 204);

    let told = wait(&folder, &buildkite, &job, &service, &[id.as_str()]);
    let answer =
        wait(&folder, &buildkite, &job, &service, &[id.as_str(), "--output", "json"]).success().json();

    assert_eq!(told.code, 0, "{told:?}");
    let run = vertex.jobs()[0]["name"].as_str().unwrap().to_owned();
    assert!(told.stdout.contains("launched") && told.stdout.contains(&run), "{told:?}");
    assert_eq!(answer["event"], id.as_str());
    assert_eq!((&answer["outcome"], &answer["reason"]), (&json!("launched"), &Value::Null), "{answer}");
    assert_eq!(answer["decisions"][0]["trigger"], "retrain");
    assert_eq!(answer["decisions"][0]["run"]["name"], run);
    assert!(answer["decisions"][0]["run"]["console"].as_str().unwrap().starts_with("https://"), "{answer}");
    assert!(!answer.to_string().contains("provenance"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_waits_for_an_event_that_has_not_arrived() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let (event, id) = the_event();
    let job = a_job();
    let mut command = wait_command(&folder, &buildkite, &job, &service.url(""));
    command.args([id.as_str(), "--timeout", "1m"]);

    let waiting = tokio::task::spawn_blocking(move || run(&mut command, b""));
    eventually("the step has asked", PATIENCE, async || (buildkite.minted() == 1).then_some(())).await;
    assert_eq!(a_push(event).deliver(&service).await.as_u16(), 204);

    let waited = waiting.await.unwrap();
    assert_eq!(waited.code, 0, "{waited:?}");
    assert_eq!(buildkite.minted(), 1, "a young token is used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_has_its_exit_code_and_time_that_is_over_too() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let mut denied = a_pipeline_job("retrain");
    denied["require"]["sources"] = json!(["schedule"]);
    let mut elsewhere = a_pipeline_job("retrain");
    elsewhere["match"]["pipeline"] = "other".into();
    let (event, id) = the_event();
    let job = a_job();
    for (trigger, code, said) in [(denied, 4, "denied_policy"), (elsewhere, 5, "no_match")] {
        let folder = a_folder(&buildkite, &vertex).triggers(vec![trigger]);
        let service = folder.start();

        let early = wait(&folder, &buildkite, &job, &service, &[id.as_str()]);
        assert_eq!(early.code, 7, "{early:?}");
        assert!(early.stderr.contains("not recorded yet"), "{early:?}");
        assert_eq!(a_push(event.clone()).deliver(&service).await.as_u16(), 204);

        let told = wait(&folder, &buildkite, &job, &service, &[id.as_str()]);
        assert_eq!(told.code, code, "{told:?}");
        assert!(told.stdout.contains(said), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_build_learns_nothing_not_even_that_the_event_is_there() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let (event, id) = the_event();
    let own = a_job();
    assert_eq!(a_push(event).deliver(&service).await.as_u16(), 204);
    let ask = async |job: &Value, event: &EventId| {
        let token = BuildkiteStandin::mint(job, &format!("{AUDIENCE}/wait/{event}"));
        let asked = client()
            .get(service.url(&format!("/v1/events/{event}")))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        (asked.status().as_u16(), asked.text().await.unwrap())
    };
    let unknown = EventId::parse("ev-00000000000000000000000000000000").unwrap();
    let nothing = ask(&own, &unknown).await;
    assert_eq!(nothing.0, 404);
    assert_eq!(ask(&own, &id).await.0, 200);

    for (claim, value) in [
        ("build_number", json!(own["build_number"].as_u64().unwrap() + 1)),
        ("pipeline_slug", json!("other")),
    ] {
        let mut other = own.clone();
        other[claim] = value;
        assert_eq!(ask(&other, &id).await, nothing, "{claim}");
    }
    let mut other = own.clone();
    other["organization_slug"] = "evil".into();
    assert_eq!(ask(&other, &id).await.0, 401, "no signer lets that organization speak");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_for_this_very_question_asks_it() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let (event, id) = the_event();
    let digest = Envelope::parse(event.as_ref()).unwrap().event_digest();
    let job = a_job();
    assert_eq!(a_push(event).deliver(&service).await.as_u16(), 204);
    let url = service.url(&format!("/v1/events/{id}"));
    let get = || client().get(&url);
    let right = BuildkiteStandin::mint(&job, &format!("{AUDIENCE}/wait/{id}"));
    let mint = |audience: String| BuildkiteStandin::mint(&job, &audience);

    for (what, request) in [
        ("no token", get()),
        ("two", get().bearer_auth(&right).bearer_auth(&right)),
        ("another scheme", get().header("authorization", format!("Token {right}"))),
        ("an event's token", get().bearer_auth(mint(format!("{AUDIENCE}/event/{}", digest.0)))),
        ("the claims' token", get().bearer_auth(mint(format!("{AUDIENCE}/claims")))),
        ("another service's", get().bearer_auth(mint(format!("other/wait/{id}")))),
        ("no token at all", get().bearer_auth("x")),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{what}");
    }
    let answer = get().bearer_auth(&right).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let counted = client().get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(counted.contains(r#"launchgate_questions_total{status="401"} 7"#), "{counted}");
    let answer = client().get(service.url("/v1/events/..%2f")).bearer_auth(&right).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_says_why() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let (event, id) = the_event();
    let job = a_job();

    let without = Folder::trusting(&KEY).vertex_at(&vertex.endpoint());
    let service = without.start();
    let told = wait(&without, &buildkite, &job, &service, &[id.as_str()]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.stderr.contains("buildkiteOidc"), "{told:?}");

    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    assert_eq!(a_push(event).deliver(&service).await.as_u16(), 204);
    let told =
        wait(&folder, &buildkite, &job, &service, &[id.as_str(), "--gate-url", "http://gate.example.com"]);
    assert!(told.code == 2 && told.stderr.contains("--gate-url"), "no token over plain http: {told:?}");

    let mut elsewhere = wait_command(&folder, &buildkite, &job, &service.url(""));
    let told = run(elsewhere.args([id.as_str(), "--timeout", "0s", "--audience", "launchgate-test"]), b"");
    assert!(told.code == 7 && told.stderr.contains("unbound_token"), "{told:?}");
}

/// Tells the gate to look at the run, as Cloud Logging does when a pipeline job changes.
async fn hint(service: &Service, job: &Value) {
    let id = job["name"].as_str().unwrap().rsplit('/').next().unwrap();
    let entry = json!({
        "logName": "projects/acme-ml/logs/aiplatform.googleapis.com%2Fpipeline_job_events",
        "jsonPayload": {
            "@type": "type.googleapis.com/google.cloud.aiplatform.logging.PipelineJobLogEntry",
            "state": "PIPELINE_STATE_RUNNING",
        },
        "resource": {
            "type": "aiplatform.googleapis.com/PipelineJob",
            "labels": {"location": "europe-west1", "pipeline_job_id": id, "resource_container": "acme-ml"},
        },
    });
    assert_eq!(a_push(entry.to_string()).deliver_to(service, "/pubsub/runs").await.as_u16(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_can_wait_for_the_runs_end_and_ends_as_the_run_did() {
    for (succeeds, code) in [(true, 0), (false, 4)] {
        let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
        let folder = a_folder(&buildkite, &vertex).set("/ingress/runs", json!({"auth": "none"}));
        let service = folder.start();
        let ((event, id), job) = (the_event(), a_job());
        let completion = [id.as_str(), "--for", "completion"];
        assert_eq!(a_push(event).deliver(&service).await.as_u16(), 204);

        let running = wait(&folder, &buildkite, &job, &service, &completion);
        let run = vertex.jobs().into_iter().next().unwrap();
        let name = run["name"].as_str().unwrap();
        if succeeds {
            vertex.set_state(name, JobState::Succeeded).unwrap();
        } else {
            vertex.fail(name, "dag_failed").unwrap();
        }
        hint(&service, &run).await;
        let ended = wait(&folder, &buildkite, &job, &service, &completion);

        assert_eq!(running.code, 6, "{running:?}");
        assert_eq!(ended.code, code, "{ended:?}");
        let word = if succeeds { "succeeded" } else { "failed" };
        assert!(ended.stderr.contains(&format!("launched, run {word}")), "{ended:?}");
        assert_eq!(wait(&folder, &buildkite, &job, &service, &[id.as_str()]).code, 0, "it was launched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_fetched_are_waited_for() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    buildkite.set_failing(true);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let (_, id) = the_event();
    let job = a_job();

    let told = wait(&folder, &buildkite, &job, &service, &[id.as_str()]);

    assert_eq!(told.code, 7, "{told:?}");
    assert!(told.stderr.contains("503"), "{told:?}");
}
