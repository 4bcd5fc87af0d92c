//! Buildkite's own word on a build, from the webhook to the launch, through the real routes.

use launchgate_standin::{BuildkiteStandin, BuildkiteWebhook, GoogleCerts, PushToken, VertexStandin};
use launchgate_statement::Timestamp;
use launchgate_suite::{
    Binary, Delivery, Folder, JobEvent, PATIENCE, PubSubEmulator, Push, Service, a_key, a_pipeline_job,
    a_push, a_vertex, client, eventually, now, run, skip,
};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "309c9c842g8565adecpd7469x6005989";
pub(crate) const VARIABLE: &str = "BUILDKITE_WEBHOOK_SECRET";

/// A trigger of builds of main for a pipeline that builds forks, and a way in for webhooks.
pub(crate) fn a_folder(buildkite: &BuildkiteStandin, vertex: &VertexStandin, require: &Value) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["match"]["branch"] = "main".into();
    trigger["require"] = json!({"signers": {"anyOf": ["buildkite"]}});
    trigger["require"].as_object_mut().unwrap().extend(require.as_object().unwrap().clone());
    trigger["launch"]["pipelineJob"]["runtimeConfig"]["parameterValues"]["train_image"] =
        "${artifact.sha256}".into();
    let signer =
        json!({"id": "buildkite", "buildkiteOidc": {"organization": "acme", "forkBuilds": "enabled"}});
    Folder::trusting(&a_key())
        .set("/signers", json!([signer]))
        .set("/ingress/builds", json!({"auth": "none"}))
        .set("/buildkite", json!({"organization": "acme", "webhookSecretEnv": VARIABLE}))
        .triggers(vec![trigger])
        .vertex_at(&vertex.endpoint())
        .variable("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT", &buildkite.endpoint())
        .variable(VARIABLE, SECRET)
}

pub(crate) fn no_pull_request() -> Value {
    json!({"pullRequest": "none"})
}

/// The keyless event of a job.
pub(crate) fn an_event_of(job: &Value) -> Vec<u8> {
    an_event_minted(job, now().seconds())
}

/// The same with a token that Buildkite issued at this second.
pub(crate) fn an_event_minted(job: &Value, issued: i64) -> Vec<u8> {
    JobEvent::of(job).bent(|claims| {
        for (claim, at) in [("iat", issued), ("nbf", issued), ("exp", issued + 300)] {
            claims[claim] = at.into();
        }
    })
}

pub(crate) fn a_job() -> Value {
    BuildkiteStandin::a_job("fraud-train", 7)
}

/// A webhook as the relay publishes it: signed and published now.
pub(crate) fn published(webhook: &BuildkiteWebhook) -> Push {
    signed(webhook.body(), SECRET, now().seconds())
}

fn signed(body: Vec<u8>, secret: &str, seconds: i64) -> Push {
    let signature = BuildkiteWebhook::signature(secret, &body, seconds);
    a_push(body).attribute("buildkite-signature", &signature)
}

pub(crate) async fn tell(service: &Service, push: &Push) {
    assert_eq!(push.deliver_to(service, "/pubsub/builds").await.as_u16(), 204);
}

pub(crate) async fn deliver(service: &Service, event: &[u8]) {
    assert_eq!(a_push(event).deliver(service).await.as_u16(), 204);
}

pub(crate) async fn metrics(service: &Service) -> String {
    client().get(service.url("/metrics")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_main_waits_for_its_webhook_and_launches_once_before_or_after() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    for webhook_first in [false, true] {
        let vertex = a_vertex().await;
        let folder = a_folder(&buildkite, &vertex, &no_pull_request());
        let service = folder.start();
        let (event, webhook) = (an_event_of(&a_job()), published(&BuildkiteWebhook::running(&a_job())));

        if webhook_first {
            tell(&service, &webhook).await;
            deliver(&service, &event).await;
        } else {
            deliver(&service, &event).await;
            assert_eq!(folder.only_record()["outcome"], "waiting_build");
            assert!(vertex.jobs().is_empty());
            tell(&service, &webhook).await;
        }
        tell(&service, &webhook).await;
        deliver(&service, &event).await;

        assert_eq!((folder.only_record()["outcome"].clone(), vertex.jobs().len()), ("launched".into(), 1));
        let text = metrics(&service).await;
        for line in [r#"webhooks_total{end="kept"} 1"#, r#"webhooks_total{end="repeated"} 1"#] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_calls_itself_main_is_denied_with_facts_and_never_launches_without() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    // Even a trigger that takes any pull request does not take a fork's word for its branch.
    let folder = a_folder(&buildkite, &vertex, &json!({"pullRequest": "any"}));
    let service = folder.start();
    deliver(&service, &an_event_of(&a_job())).await;
    assert_eq!(folder.only_record()["outcome"], "waiting_build");

    let fork =
        BuildkiteWebhook::running(&a_job()).of_pull_request(7, "https://github.com/mallory/fraud-train");
    tell(&service, &published(&fork)).await;

    let record = folder.only_record();
    assert_eq!((&record["outcome"], &record["reason"]), (&"denied_policy".into(), &"fork_build".into()));
    assert!(vertex.jobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_speak_against_the_event_deny_it_each_with_its_reason() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    let told = || BuildkiteWebhook::running(&a_job());
    for (reason, webhook) in [
        ("fork_build", told().of_pull_request(7, "https://github.com/mallory/fraud-train")),
        ("pull_request_not_allowed", told().of_pull_request(7, "https://github.com/acme/fraud-train")),
        ("build_facts_mismatch", told().with("/build/branch", "try-adam")),
        ("build_facts_mismatch", told().with("/build/tag", "v1")),
        ("build_facts_mismatch", told().with("/build/commit", "ab".repeat(20))),
    ] {
        let vertex = a_vertex().await;
        let folder = a_folder(&buildkite, &vertex, &no_pull_request());
        let service = folder.start();
        deliver(&service, &an_event_of(&a_job())).await;

        tell(&service, &published(&webhook)).await;

        let record = folder.only_record();
        assert_eq!((&record["outcome"], &record["reason"]), (&"denied_policy".into(), &reason.into()));
        assert!(vertex.jobs().is_empty(), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_vain_ends_in_a_denial_of_its_own() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder =
        a_folder(&buildkite, &vertex, &no_pull_request()).set("/triggers/0/waitFor", json!({"build": "1s"}));
    let service = folder.start();
    deliver(&service, &an_event_of(&a_job())).await;

    let event = folder.only_record()["event"].as_str().unwrap().to_owned();
    let record = folder.wait_for_outcome(&event, "denied_policy", PATIENCE).await;

    assert_eq!(record["reason"], "build_facts_expired");
    tell(&service, &published(&BuildkiteWebhook::running(&a_job()))).await;
    assert!(vertex.jobs().is_empty(), "it has ended");
    folder.launchgate(&["replay", &event, "--why", "the relay was down"]).success();
    folder.wait_for_outcome(&event, "launched", PATIENCE).await;
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_waits_for_the_build_to_pass_and_a_failed_one_is_denied() {
    let buildkite = BuildkiteStandin::start().await.unwrap();
    for (state, outcome, reason, runs) in
        [("passed", "launched", Value::Null, 1), ("failed", "denied_policy", "build_not_passed".into(), 0)]
    {
        let vertex = a_vertex().await;
        let folder = a_folder(&buildkite, &vertex, &json!({"pullRequest": "none", "build": "passed"}));
        let service = folder.start();
        deliver(&service, &an_event_of(&a_job())).await;
        tell(&service, &published(&BuildkiteWebhook::running(&a_job()))).await;
        assert_eq!(folder.only_record()["reason"], "build_not_finished");

        tell(&service, &published(&BuildkiteWebhook::finished(&a_job()).with("/build/state", state))).await;

        let record = folder.only_record();
        assert_eq!((&record["outcome"], &record["reason"]), (&outcome.into(), &reason));
        assert_eq!(vertex.jobs().len(), runs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_stale_and_foreign_webhooks_are_refused_each_with_its_reason_and_wake_nothing() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex, &no_pull_request());
    let service = folder.start();
    deliver(&service, &an_event_of(&a_job())).await;
    let (good, at) = (BuildkiteWebhook::running(&a_job()), now().seconds());
    let fork = good.clone().of_pull_request(7, "https://github.com/mallory/fraud-train");
    let mut foreign = a_job();
    foreign["organization_slug"] = "umbrella".into();
    let header_of = |webhook: &BuildkiteWebhook| BuildkiteWebhook::signature(SECRET, &webhook.body(), at);
    let with = |body: Vec<u8>, header: &str| a_push(body).attribute("buildkite-signature", header);
    let cases = [
        ("webhook_header", a_push(good.body())),
        ("webhook_header", with(good.body(), "signature=00")),
        ("webhook_header", with(good.body(), SECRET)),
        ("webhook_signature", signed(good.body(), "guess", at)),
        // The fork's own webhook, its pull request cut out.
        ("webhook_signature", with(good.body(), &header_of(&fork))),
        (
            "webhook_signature",
            with(good.body(), &header_of(&good).replace(&at.to_string(), &(at + 1).to_string())),
        ),
        ("webhook_time", signed(good.body(), SECRET, at - 400)),
        ("webhook_time", signed(good.body(), SECRET, at + 400)),
        // A captured one, published again later.
        ("webhook_time", published(&good).published(Timestamp::from_seconds(at + 3600))),
        ("foreign_organization", published(&BuildkiteWebhook::running(&foreign))),
        (
            "webhook_shape",
            published(&good.clone().with("/build/url", "https://buildkite.com/acme/x/builds/1")),
        ),
        ("webhook_shape", published(&good.clone().with("/build/pull_request", "none"))),
        ("not_json", signed(b"pull_request=none".to_vec(), SECRET, at)),
        ("duplicate_member", signed(br#"{"event":"ping","event":"build.running"}"#.to_vec(), SECRET, at)),
    ];

    for (index, (reason, push)) in cases.iter().enumerate() {
        tell(&service, &push.clone().message_id(&format!("case-{index}"))).await;
        let recorded = folder.recorded();
        let record = recorded.iter().find(|one| one["message_id"] == format!("case-{index}"));
        assert_eq!(record.map(|one| &one["reason"]), Some(&Value::from(*reason)), "{index}: {recorded:#?}");
    }

    let waiting = folder.recorded().into_iter().find(|one| one["outcome"] == "waiting_build");
    assert!(waiting.is_some() && vertex.jobs().is_empty(), "nothing of that was believed");
    let text = metrics(&service).await;
    assert!(text.contains(r#"webhooks_total{end="webhook_signature"} 3"#), "{text}");
    tell(&service, &published(&good)).await;
    assert_eq!(vertex.jobs().len(), 1, "and the right one is");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_tell_of_no_build_are_counted_and_not_recorded() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex, &no_pull_request());
    let service = folder.start();

    for event in ["ping", "job.finished", "agent.lost", "something.new"] {
        tell(&service, &published(&BuildkiteWebhook::finished(&a_job()).with("/event", event))).await;
    }

    assert!(folder.recorded().is_empty());
    let text = metrics(&service).await;
    assert!(text.contains(r#"webhooks_total{end="unused"} 4"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_route_has_an_identity_of_its_own() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let certs = GoogleCerts::start().await.unwrap();
    let route = |name: &str| {
        json!({
            "auth": "oidc", "audience": format!("https://gate.example/pubsub/{name}"),
            "email": format!("{name}@acme-ml.iam.gserviceaccount.com"),
            "subscription": format!("projects/acme-ml/subscriptions/launchgate-{name}"),
        })
    };
    let folder = a_folder(&buildkite, &vertex, &no_pull_request())
        .set("/ingress/events", route("events"))
        .set("/ingress/builds", route("builds"))
        .variable("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", &certs.endpoint());
    let service = folder.start();
    let token = |name: &str| {
        let audience = format!("https://gate.example/pubsub/{name}");
        PushToken::new(&audience, &format!("{name}@acme-ml.iam.gserviceaccount.com")).mint()
    };
    let ask = async |to: &str, push: &Push, token: Option<&str>| {
        let mut request = client().post(service.url(to)).body(push.wrapped().to_string());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.send().await.unwrap().status().as_u16()
    };
    let subscribed = |push: Push, name: &str| {
        push.subscription(&format!("projects/acme-ml/subscriptions/launchgate-{name}"))
    };
    let webhook = subscribed(published(&BuildkiteWebhook::running(&a_job())), "builds");
    let event = subscribed(a_push(an_event_of(&a_job())), "events");
    let (events, builds) = (token("events"), token("builds"));

    assert_eq!(ask("/pubsub/builds", &webhook, None).await, 401);
    assert_eq!(ask("/pubsub/builds", &webhook, Some(&events)).await, 401, "the events' identity");
    assert_eq!(ask("/pubsub/events", &event, Some(&builds)).await, 401, "the builds' identity");
    let crossed = subscribed(published(&BuildkiteWebhook::running(&a_job())), "events");
    assert_eq!(ask("/pubsub/builds", &crossed, Some(&builds)).await, 403, "the events' subscription");
    assert!(folder.recorded().is_empty());
    assert_eq!(ask("/pubsub/builds", &webhook, Some(&builds)).await, 204);
    assert_eq!(ask("/pubsub/events", &event, Some(&events)).await, 204);
    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_lets_no_webhooks_in_has_no_route_for_them() {
    let vertex = a_vertex().await;
    let service = Folder::trusting(&a_key()).vertex_at(&vertex.endpoint()).start();

    let webhook = published(&BuildkiteWebhook::running(&a_job()));

    assert_eq!(webhook.deliver_to(&service, "/pubsub/builds").await.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_the_webhook_secret_does_not_start() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    for secret in ["", " ", "one,,two"] {
        let folder = a_folder(&buildkite, &vertex, &no_pull_request()).variable(VARIABLE, secret);
        let mut command = folder.command(Binary::Trigger);

        let ended = run(command.args(["--config", "launchgate.yaml", "--listen", "127.0.0.1:0"]), b"");

        assert_ne!(ended.code, 0, "{secret:?}: {ended:?}");
        assert!(format!("{ended:?}").contains(VARIABLE), "{secret:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_webhook_is_taken_and_a_larger_one_is_recorded_as_too_large() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex, &no_pull_request());
    let service = folder.start();
    deliver(&service, &an_event_of(&a_job())).await;
    let with = |bytes: usize| {
        published(
            &BuildkiteWebhook::running(&a_job()).with("/build/meta_data", json!({"x": "y".repeat(bytes)})),
        )
    };

    tell(&service, &with(2_000_000).message_id("larger")).await;
    let recorded = folder.recorded();
    assert!(recorded.iter().any(|one| one["reason"] == "too_large"), "{recorded:#?}");
    // As much as the relay lets through.
    tell(&service, &with(1_000_000)).await;

    assert_eq!(vertex.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_goes_through_the_relay_and_pubsub_and_wakes_the_event() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let topic = emulator.topic().await;
    let folder = a_folder(&buildkite, &vertex, &no_pull_request())
        .variable("LAUNCHGATE_PUBSUB_ENDPOINT", emulator.endpoint())
        .variable("LAUNCHGATE_BUILDS_TOPIC", &topic);
    let service = folder.start();
    let relay = Service::start(folder.command(Binary::Webhook).args(["--listen", "127.0.0.1:0"]));
    emulator.push_to(&service.url("/pubsub/builds"), &topic, Delivery::Wrapped).await;
    deliver(&service, &an_event_of(&a_job())).await;
    let body = BuildkiteWebhook::running(&a_job()).body();
    let signature = BuildkiteWebhook::signature(SECRET, &body, now().seconds());

    let request = client().post(relay.url("/buildkite/webhook")).header("x-buildkite-signature", signature);
    assert_eq!(request.body(body).send().await.unwrap().status().as_u16(), 204);

    eventually("the event is launched", PATIENCE, async || {
        (folder.only_record()["outcome"] == "launched").then_some(())
    })
    .await;
    assert_eq!(vertex.jobs().len(), 1);
}
