//! Events signed by nothing but the job's own Buildkite token, through the real service.

use std::time::Duration;

use launchgate_standin::{AgentFault, BuildkiteStandin, SigningKey as BuildkiteKey, VertexStandin};
use launchgate_statement::Envelope;
use launchgate_suite::{
    Binary, Delivery, Finished, Folder, JobEvent, PATIENCE, PubSubEmulator, Service, a_key, a_pipeline_job,
    a_push, a_vertex, an_event, eventually, now, run, skip,
};
use serde_json::{Value, json};

const AUDIENCE: &str = "launchgate-prod";

/// Trusts jobs of the organization acme beside the key of `Folder::trusting`.
fn a_folder(buildkite: &BuildkiteStandin, vertex: &VertexStandin) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["require"] = json!({"signers": {"anyOf": ["buildkite"]}, "sources": ["webhook"]});
    trigger["match"]["branch"] = "main".into();
    trigger["launch"]["pipelineJob"]["runtimeConfig"]["parameterValues"]["train_image"] =
        "${artifact.sha256}".into();
    let signer =
        json!({"id": "buildkite", "buildkiteOidc": {"organization": "acme", "forkBuilds": "disabled"}});
    Folder::trusting(&a_key())
        .set("/signers", json!([signer]))
        .triggers(vec![trigger])
        .vertex_at(&vertex.endpoint())
        .variable("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT", &buildkite.endpoint())
}

/// The event of `job`, right as it stands.
fn an_event_of(job: &Value) -> Vec<u8> {
    JobEvent::of(job).signed()
}

/// The same with its token's claims bent.
fn bent(job: &Value, bend: impl FnOnce(&mut Value)) -> Vec<u8> {
    JobEvent::of(job).bent(bend)
}

async fn status(service: &Service, data: Vec<u8>) -> u16 {
    a_push(data).deliver(service).await.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jobs_own_token_launches_and_a_copy_is_a_duplicate() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let event = an_event_of(&BuildkiteStandin::a_job("fraud-train", 7));

    assert_eq!(status(&service, event.clone()).await, 204);
    assert_eq!(status(&service, event).await, 204);

    assert_eq!(vertex.jobs().len(), 1);
    assert_eq!(buildkite.fetches(), 1, "keys are kept");
    let record = folder.only_record();
    assert_eq!(record["outcome"], "launched", "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forged_variant_is_refused_with_its_own_reason_and_launches_nothing() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let (own, other) = (JobEvent::of(&job), JobEvent::of(&BuildkiteStandin::a_job("fraud-train", 8)));
    let stolen = BuildkiteStandin::mint(&job, &own.audience());
    let forged = BuildkiteStandin::claims(&job, &own.audience());
    let at = |claims: &mut Value, seconds: i64| {
        for name in ["iat", "nbf", "exp"] {
            claims[name] = (claims[name].as_i64().unwrap() + seconds).into();
        }
    };
    let cases = [
        ("binding_mismatch", other.with_token(stolen)),
        ("unbound_token", own.with_token(BuildkiteStandin::mint(&job, "launchgate-prod/claims"))),
        ("unbound_token", own.with_token(BuildkiteStandin::mint(&job, "sts.amazonaws.com"))),
        ("identity_mismatch", bent(&job, |claims| claims["build_number"] = 8.into())),
        ("identity_mismatch", bent(&job, |claims| claims["build_branch"] = "try-adam".into())),
        ("identity_mismatch", bent(&job, |claims| claims["build_id"] = "of another build".into())),
        ("identity_mismatch", bent(&job, |claims| claims["pipeline_id"] = "of another pipeline".into())),
        ("buildkite_token_issuer", bent(&job, |claims| claims["iss"] = "https://agent.example.com".into())),
        ("buildkite_token_time", bent(&job, |claims| at(claims, -3600))),
        (
            "token_too_old",
            bent(&job, |claims| {
                at(claims, -1000);
                claims["exp"] = (claims["iat"].as_i64().unwrap() + 7200).into();
            }),
        ),
        (
            "buildkite_token_unknown_key",
            own.with_token(BuildkiteStandin::mint_with(&forged, BuildkiteKey::Stranger)),
        ),
        ("unsigned", own.unsigned()),
        ("unknown_signer", an_event().signed_by(&a_key()).to_json().into_bytes()),
    ];

    for (reason, data) in cases {
        // Right after a fetch a strange key settles nothing (503): the keys are asked for again ten seconds
        // later, and Pub/Sub delivers again until then.
        let answered = eventually(reason, PATIENCE, async || match status(&service, data.clone()).await {
            503 if reason == "buildkite_token_unknown_key" => None,
            answered => Some(answered),
        })
        .await;
        assert_eq!(answered, 204);
        let said = |line: &Value| line["fields"]["reason"] == reason || line["reason"] == reason;
        service.wait_for_line(reason, said);
    }

    assert!(vertex.jobs().is_empty());
    let recorded = folder.recorded();
    assert!(recorded.iter().all(|one| one["outcome"] == "rejected_signature"), "{recorded:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_fetched_decide_nothing_and_a_later_delivery_launches() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    buildkite.set_failing(true);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let event = an_event_of(&BuildkiteStandin::a_job("fraud-train", 7));

    assert_eq!(status(&service, event.clone()).await, 503);
    assert_eq!(status(&service, event.clone()).await, 503);
    assert!(folder.recorded().is_empty());
    assert!(buildkite.fetches() <= 2, "asked {} times", buildkite.fetches());

    buildkite.set_failing(false);
    launchgate_suite::eventually("the keys are fetched again", Duration::from_secs(30), async || {
        (status(&service, event.clone()).await == 204).then_some(())
    })
    .await;
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_outlives_the_key_that_verified_it() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let (event, published) = (an_event_of(&BuildkiteStandin::a_job("fraud-train", 7)), now());
    let push = a_push(event).published(published);
    assert_eq!(push.deliver(&service).await.as_u16(), 204);
    let address = service.address();
    service.kill();

    // The service that comes after it never saw the key that is gone.
    buildkite.rotate();
    let service = folder.restart_at(address);
    assert_eq!(push.clone().message_id("12").deliver(&service).await.as_u16(), 204);

    service.wait_for_line("duplicate", |line| {
        line["fields"]["outcome"] == "duplicate" || line["outcome"] == "duplicate"
    });
    assert_eq!(vertex.jobs().len(), 1);
}

/// Runs `launchgate emit --keyless` as a step of `job`, with the stand-in's agent on PATH.
fn emit(folder: &Folder, buildkite: &BuildkiteStandin, job: &Value, more: &[&str]) -> Finished {
    let bin = folder.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    buildkite.agent_shim(&bin, &buildkite.run_job(job)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    folder.write("model.bin", "weights");
    let mut command = folder.command(Binary::Cli);
    command.args(["emit", "--keyless", "--audience", AUDIENCE, "--artifact", "model.bin", "--dry-run"]);
    command.args(more).env("PATH", path).envs(BuildkiteStandin::job_variables(job));
    run(&mut command, b"")
}

#[tokio::test(flavor = "multi_thread")]
async fn emit_without_a_key_makes_an_event_that_launches_and_is_the_same_when_made_again() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let job = BuildkiteStandin::a_job("fraud-train", 7);

    let first = emit(&folder, &buildkite, &job, &[]).success().stdout.clone();
    let again = emit(&folder, &buildkite, &job, &[]).success().stdout.clone();

    let digest = |text: &[u8]| Envelope::parse(text).unwrap().event_digest();
    assert_eq!(digest(first.as_ref()), digest(again.as_ref()), "no clock in it");
    assert_eq!(buildkite.minted(), 4, "one for the claims, one bound, each time");
    assert_eq!(status(&service, first.into()).await, 204);
    assert_eq!(status(&service, again.into()).await, 204);
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn emit_believes_the_token_and_not_the_environment() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex).variable("BUILDKITE_BRANCH", "whatever");
    let mut job = BuildkiteStandin::a_job("fraud-train", 7);
    job["build_branch"] = "release".into();

    let made = emit(&folder, &buildkite, &job, &[]).success().stdout.clone();

    let envelope = Envelope::parse(made.as_ref()).unwrap();
    let payload: Value = serde_json::from_slice(&envelope.payload).unwrap();
    assert_eq!(payload["predicate"]["buildDefinition"]["externalParameters"]["build"]["branch"], "release");
    assert!(payload["predicate"]["runDetails"]["metadata"]["startedOn"].is_null());
    let ids = &payload["predicate"]["buildDefinition"]["internalParameters"]["buildkite"];
    for id in ["organization_id", "pipeline_id", "build_id"] {
        assert_eq!(ids[id], job[id], "{id}");
    }
    folder.write("event.json", &made);
    let shown = folder.launchgate(&["verify", "event.json", "--output", "json"]).success().json();
    assert_eq!(shown["signatures"][0]["voucher"], "token", "{shown}");
    let shown = folder.launchgate(&["inspect", "event.json"]).success().stdout.clone();
    assert!(shown.contains("(not verified)") && shown.contains("build_branch"), "{shown}");
}

/// Runs `launchgate emit --keyless` as a step of `job` in a container that has no agent.
fn emit_without_an_agent(folder: &Folder, variables: &[(String, String)], more: &[&str]) -> Finished {
    folder.write("model.bin", "weights");
    let mut command = folder.command(Binary::Cli);
    command.args(["emit", "--keyless", "--audience", AUDIENCE, "--artifact", "model.bin"]);
    // A folder without programs: whatever this machine has on PATH is not there.
    command.args(more).env("PATH", folder.path().join("keys")).envs(variables.iter().cloned());
    run(&mut command, b"")
}

#[tokio::test(flavor = "multi_thread")]
async fn emit_asks_the_agent_api_itself_where_there_is_no_agent() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let variables = buildkite.agent_variables(&job);
    buildkite.agent_faults([AgentFault::Status(503)]);

    let made = emit_without_an_agent(&folder, &variables, &["--dry-run"]).success().stdout.clone();

    assert_eq!((buildkite.agent_requests(), buildkite.minted()), (3, 2), "one failed");
    let by_agent = emit(&folder, &buildkite, &job, &[]).success().stdout.clone();
    let digest = |text: &str| Envelope::parse(text.as_bytes()).unwrap().event_digest();
    assert_eq!(digest(&made), digest(&by_agent), "whoever asks, it is the same event");
    assert_eq!(status(&service, made.into()).await, 204);
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_ask_is_told_what_it_lacks_and_no_secret_is_shown() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let job = BuildkiteStandin::a_job("fraud-train", 7);

    let neither = emit_without_an_agent(&folder, &BuildkiteStandin::job_variables(&job), &["--dry-run"]);
    assert_eq!(neither.code, 2, "{neither:?}");
    assert!(neither.stderr.contains("BUILDKITE_AGENT_ACCESS_TOKEN"), "{neither:?}");

    let mut variables = buildkite.agent_variables(&job);
    variables.push(("BUILDKITE_AGENT_ACCESS_TOKEN".to_owned(), "bkaj_of-a-finished-job".to_owned()));
    let refused = emit_without_an_agent(&folder, &variables, &["--dry-run"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(refused.stderr.contains("401") && !refused.stderr.contains("bkaj_"), "{refused:?}");
    assert_eq!(buildkite.minted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_emit_publishes_without_a_key_becomes_a_run() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex).variable("LAUNCHGATE_PUBSUB_ENDPOINT", emulator.endpoint());
    let service = folder.start();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;
    let variables = buildkite.agent_variables(&BuildkiteStandin::a_job("fraud-train", 7));
    let publish = ["--topic", &topic, "--output", "json"];

    let emitted = emit_without_an_agent(&folder, &variables, &publish).success().json();
    let again = emit_without_an_agent(&folder, &variables, &publish).success().json();

    let event = emitted["event"].as_str().unwrap();
    assert_eq!(again["event"], event, "a step that is retried emits the same event");
    assert_ne!(again["messageId"], emitted["messageId"]);
    folder.wait_for_outcome(event, "launched", PATIENCE).await;
    eventually("both messages are recorded", PATIENCE, async || {
        (folder.only_record()["receipts"] == 2).then_some(())
    })
    .await;
    assert_eq!(vertex.jobs().len(), 1);
    assert_eq!(buildkite.minted(), 4);
}
