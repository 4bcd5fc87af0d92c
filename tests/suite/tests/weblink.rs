//! What a build hands over without publishing: events in its meta-data, and builds that Buildkite is asked about,
//! through the real routes.

use launchgate_standin::{
    BuildkiteRestStandin, BuildkiteStandin, BuildkiteWebhook, RestFault, VertexStandin,
};
use launchgate_statement::{Sha256, Timestamp};
use launchgate_suite::{
    Binary, Delivery, Folder, GcsServer, PATIENCE, PubSubEmulator, Service, a_vertex, client, eventually,
    now, skip,
};
use serde_json::{Value, json};

use crate::builds::{
    SECRET, a_folder, a_job, an_event_minted, deliver, metrics, no_pull_request, published, tell,
};

const TOKEN: &str = "BUILDKITE_API_TOKEN";

/// Hours after the job emitted: a token of then has long expired.
const HOURS: i64 = 3 * 3600;

/// The event that the job left in the meta-data three hours ago.
fn left_by(job: &Value) -> String {
    String::from_utf8(an_event_minted(job, now().seconds() - HOURS)).unwrap()
}

/// The build of the job has finished just now and began before it emitted.
fn finished(metadata: &Value) -> BuildkiteWebhook {
    let at = |seconds: i64| Timestamp::from_seconds(now().seconds() + seconds).to_string();
    BuildkiteWebhook::finished(&a_job())
        .with("/build/started_at", at(-HOURS - 600))
        .with("/build/finished_at", at(0))
        .with("/build/meta_data", metadata.clone())
}

/// A folder whose triggers ask for the build to have passed.
fn a_gate(buildkite: &BuildkiteStandin, vertex: &VertexStandin) -> Folder {
    a_folder(buildkite, vertex, &json!({"pullRequest": "none", "build": "passed"}))
}

/// The same with a token for Buildkite's API, which is asked after a second.
fn a_gate_with_api(
    buildkite: &BuildkiteStandin,
    vertex: &VertexStandin,
    api: &BuildkiteRestStandin,
) -> Folder {
    a_gate(buildkite, vertex)
        .set("/buildkite/apiTokenEnv", TOKEN.into())
        .set("/buildkite/askAfter", "1s".into())
        .variable(TOKEN, &api.token(&["read_builds"]))
        .variable("LAUNCHGATE_BUILDKITE_API_ENDPOINT", &api.endpoint())
}

/// Records by message id.
fn recorded(folder: &Folder, message_id: &str) -> Value {
    let all = folder.recorded();
    let found = all.iter().find(|one| one["message_id"] == message_id);
    found.unwrap_or_else(|| panic!("no {message_id} in {all:#?}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyless_event_in_meta_data_is_launched_once_hours_after_its_token_expired() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_gate(&buildkite, &vertex);
    let service = folder.start();
    let event = left_by(&a_job());

    // As a message of its own its token has expired.
    deliver(&service, event.as_bytes()).await;
    assert_eq!(folder.only_record()["reason"], "buildkite_token_time");
    let webhook = finished(&json!({"launchgate:event:job-1": event}));
    tell(&service, &published(&webhook).message_id("told")).await;
    tell(&service, &published(&webhook).message_id("again")).await;

    let record = recorded(&folder, "told/launchgate:event:job-1");
    assert_eq!(record["outcome"], "launched", "{record:#}");
    assert_eq!(vertex.jobs().len(), 1);
    let text = metrics(&service).await;
    assert!(text.contains(r#"receipts_total{outcome="duplicate",reason=""} 1"#), "{text}");
    // The rule of time is kept with the event: a replay verifies it the same way.
    let id = record["event"].as_str().unwrap();
    folder.launchgate(&["replay", id, "--force", "--why", "the model was lost"]).success();
    eventually("the replay launches", PATIENCE, async || (vertex.jobs().len() == 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_builds_envelope_under_our_key_is_refused_and_the_rest_is_launched() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_gate(&buildkite, &vertex);
    let service = folder.start();
    // Any job of the cluster can write here: one of another pipeline, and one of another build of this pipeline.
    let other_pipeline = BuildkiteStandin::a_job("other-pipeline", 7);
    let mut other_build = BuildkiteStandin::a_job("fraud-train", 8);
    other_build["build_id"] = "0184990a-0000-4fa8-9968-000000000008".into();
    let webhook = finished(&json!({
        "launchgate:event:a": left_by(&other_pipeline),
        "launchgate:event:b": left_by(&other_build),
        "launchgate:event:c": "{}",
        "launchgate:event:d": left_by(&a_job()),
    }));

    tell(&service, &published(&webhook).message_id("told")).await;

    for (key, outcome, reason) in [
        ("a", "rejected_signature", json!("foreign_metadata")),
        ("b", "rejected_signature", json!("foreign_metadata")),
        ("c", "rejected_malformed", json!("envelope_shape")),
        ("d", "launched", Value::Null),
    ] {
        let record = recorded(&folder, &format!("told/launchgate:event:{key}"));
        assert_eq!((&record["outcome"], &record["reason"]), (&json!(outcome), &reason), "{key}");
    }
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_events_than_a_build_may_leave_are_told_and_the_first_are_taken() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_gate(&buildkite, &vertex);
    let service = folder.start();
    let mut left = json!({"launchgate:event:a": left_by(&a_job())});
    for index in 0..32 {
        left[format!("launchgate:event:x{index:02}")] = json!("x");
    }

    tell(&service, &published(&finished(&left)).message_id("told")).await;

    assert_eq!(recorded(&folder, "told/launchgate:event")["reason"], "too_many_in_metadata");
    assert_eq!(recorded(&folder, "told/launchgate:event:a")["outcome"], "launched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_without_meta_data_brings_its_facts_and_with_a_token_the_rest_is_fetched() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    let told = finished(&json!({"launchgate:event:job-1": left_by(&a_job())}));
    let without = told.clone().with("/build/meta_data", Value::Null);

    let vertex = a_vertex().await;
    let folder = a_gate(&buildkite, &vertex);
    let service = folder.start();
    tell(&service, &published(&without)).await;
    assert!(folder.recorded().is_empty() && vertex.jobs().is_empty());

    let (vertex, api) = (a_vertex().await, BuildkiteRestStandin::start().await.unwrap());
    api.set_build(&told);
    let folder = a_gate_with_api(&buildkite, &vertex, &api);
    let service = folder.start();
    // An API that is away is no reason to lose what it would say: the webhook comes again.
    api.faults([RestFault::Status(503)]);
    let status = published(&without).deliver_to(&service, "/pubsub/builds").await;
    assert_eq!(status.as_u16(), 503);
    tell(&service, &published(&without).message_id("told")).await;
    assert_eq!(recorded(&folder, "told/launchgate:event:job-1")["outcome"], "launched");
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_whose_webhook_was_lost_is_asked_about_and_launched() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let api = BuildkiteRestStandin::start().await.unwrap();
    api.set_build(&finished(&json!({})));
    let folder = a_gate_with_api(&buildkite, &vertex, &api);
    let service = folder.start();

    deliver(&service, &an_event_minted(&a_job(), now().seconds())).await;
    let event = folder.only_record()["event"].as_str().unwrap().to_owned();
    folder.wait_for_outcome(&event, "launched", PATIENCE).await;

    assert_eq!((vertex.jobs().len(), api.requests()), (1, 1));
    let shown = folder.launchgate(&["events", "show", &event, "--output", "json"]).success().stdout.clone();
    assert!(shown.contains(r#""rest""#), "the ladder says who proves it: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_buildkite_refuses_is_shown_and_what_waits_goes_on_waiting() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let api = BuildkiteRestStandin::start().await.unwrap();
    api.set_build(&finished(&json!({})));
    let folder = a_gate_with_api(&buildkite, &vertex, &api).variable(TOKEN, &api.token(&["write_builds"]));
    let service = folder.start();
    deliver(&service, &an_event_minted(&a_job(), now().seconds())).await;

    let trouble = eventually("the trouble is shown", PATIENCE, async || {
        let report = client().get(service.url("/readyz")).send().await.unwrap().text().await.unwrap();
        report.contains("read_builds").then_some(report)
    })
    .await;

    assert!(trouble.contains("403") && !trouble.contains("bkua_"), "{trouble}");
    assert_eq!(folder.only_record()["outcome"], "waiting_build");
    tell(&service, &published(&finished(&json!({})))).await;
    assert_eq!(folder.only_record()["outcome"], "launched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_the_api_token_that_its_file_names_does_not_start() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder =
        a_folder(&buildkite, &vertex, &no_pull_request()).set("/buildkite/apiTokenEnv", TOKEN.into());
    let mut command = folder.command(Binary::Trigger);

    let ended =
        launchgate_suite::run(command.args(["--config", "launchgate.yaml", "--listen", "127.0.0.1:0"]), b"");

    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(format!("{ended:?}").contains(TOKEN), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn meta_data_go_through_the_relay_and_pubsub() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let topic = emulator.topic().await;
    let folder = a_gate(&buildkite, &vertex)
        .variable("LAUNCHGATE_PUBSUB_ENDPOINT", emulator.endpoint())
        .variable("LAUNCHGATE_BUILDS_TOPIC", &topic);
    let service = folder.start();
    let relay = Service::start(folder.command(Binary::Webhook).args(["--listen", "127.0.0.1:0"]));
    emulator.push_to(&service.url("/pubsub/builds"), &topic, Delivery::Wrapped).await;
    let body = finished(&json!({"launchgate:event:job-1": left_by(&a_job())})).body();
    let signature = BuildkiteWebhook::signature(SECRET, &body, now().seconds());

    let request = client().post(relay.url("/buildkite/webhook")).header("x-buildkite-signature", signature);
    assert_eq!(request.body(body).send().await.unwrap().status().as_u16(), 204);

    eventually("the event is launched", PATIENCE, async || (vertex.jobs().len() == 1).then_some(())).await;
    assert_eq!(folder.only_record()["outcome"], "launched");
}

/// A note of one image.
fn an_image(seed: &str) -> Value {
    let sha256 = Sha256::of(seed.as_bytes());
    let uri = format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}");
    json!({"name": "fraud-train", "sha256": sha256, "uri": uri})
}

/// A folder whose one trigger lets Buildkite's webhook speak, with every safeguard, and observes.
fn a_folder_of_webhooks(buildkite: &BuildkiteStandin, vertex: &VertexStandin) -> Folder {
    let hook = json!({"id": "hook", "buildkiteWebhook": {"organization": "acme"}});
    a_gate(buildkite, vertex)
        .set("/signers", json!([hook]))
        .set("/triggers/0/mode", "observe".into())
        .set("/triggers/0/match/artifact", "us-docker.pkg.dev/acme/ml/fraud-train@*".into())
        .set("/triggers/0/require/signers", json!({"anyOf": ["hook"]}))
        .set("/triggers/0/require/artifact", "exists".into())
        .set("/triggers/0/require/trustsCluster", a_job()["cluster_id"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_safeguard_of_a_noted_artifact_refuses_with_its_reason() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder_of_webhooks(&buildkite, &vertex);
    let linted = format!("{:?}", folder.launchgate(&["lint"]));
    assert!(linted.contains("weakest-signer"), "{linted}");
    let service = folder.start();
    let note = |value: &Value| finished(&json!({"launchgate:artifact": value.to_string()}));
    let other_build = |webhook: BuildkiteWebhook, id: &str| webhook.with("/build/id", id);
    let tagged =
        json!({"name": "a", "sha256": Sha256::of(b"a"), "uri": "us-docker.pkg.dev/acme/ml/fraud-train:new"});
    let cases = [
        ("one", note(&an_image("one")), "observed", Value::Null),
        ("changed", note(&an_image("two")), "denied_policy", json!("artifact_changed")),
        (
            "cluster",
            other_build(note(&an_image("three")), "b-3").with("/build/cluster_id", "elsewhere"),
            "denied_policy",
            json!("cluster_not_trusted"),
        ),
        ("note", other_build(note(&tagged), "b-4"), "rejected_statement", json!("artifact_note")),
        (
            "absent",
            other_build(note(&an_image("five")), "b-5").with("/build/meta_data", Value::Null),
            "rejected_statement",
            json!("metadata_absent"),
        ),
    ];

    for (name, webhook, outcome, reason) in cases {
        tell(&service, &published(&webhook).message_id(name)).await;
        let record = recorded(&folder, &format!("{name}/launchgate:artifact"));
        assert_eq!((&record["outcome"], &record["reason"]), (&json!(outcome), &reason), "{name}: {record:#}");
    }
    assert!(vertex.jobs().is_empty(), "it observes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_noted_artifact_that_is_there_is_launched_and_one_that_is_not_is_denied() {
    let storage = match GcsServer::start(&["acme-models"]).await {
        Ok(storage) => storage,
        Err(why) => skip!("{why}"),
    };
    storage.put("acme-models", "fraud/model", "weights").await;
    let url = format!("{}/storage/v1/b/acme-models/o/fraud%2Fmodel", storage.endpoint());
    let object: Value =
        serde_json::from_str(&client().get(url).send().await.unwrap().text().await.unwrap()).unwrap();
    let generation = object["generation"].as_str().unwrap();
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder_of_webhooks(&buildkite, &vertex)
        .set("/triggers/0/mode", "enforce".into())
        .set("/triggers/0/match/artifact", "gs://acme-models/fraud/*#*".into())
        .variable("LAUNCHGATE_STORAGE_ENDPOINT", storage.endpoint());
    let service = folder.start();
    let note = |object: &str| {
        json!({"launchgate:artifact": json!({
            "name": "model", "sha256": Sha256::of(b"weights"), "uri": format!("gs://acme-models/fraud/{object}#{generation}"),
        }).to_string()})
    };

    for (id, object, outcome, reason) in [
        ("b-1", "model", "launched", Value::Null),
        ("b-2", "other", "denied_policy", json!("artifact_missing")),
    ] {
        let webhook = finished(&note(object)).with("/build/id", id);
        tell(&service, &published(&webhook).message_id(id)).await;
        let event =
            recorded(&folder, &format!("{id}/launchgate:artifact"))["event"].as_str().unwrap().to_owned();
        let record = folder.wait_for_outcome(&event, outcome, PATIENCE).await;
        assert_eq!(record["reason"], reason, "{record:#}");
    }
    assert_eq!(vertex.jobs().len(), 1);
}
