//! Launches that ask each other, over HTTP: `oncePer`, `order` and `maxLaunchesPerHour`.

use launchgate_outcome::Outcome;
use launchgate_standin::VertexStandin;
use launchgate_suite::{
    EventDraft, Folder, PATIENCE, Service, a_key, a_pipeline_job, a_push, a_vertex, an_event, client,
};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

struct World {
    folder: Folder,
    vertex: VertexStandin,
    service: Service,
    key: SigningKey,
}

impl World {
    /// The service with one trigger that has these keys besides.
    async fn with(keys: Value) -> Self {
        let (key, vertex) = (a_key(), a_vertex().await);
        let mut trigger = a_pipeline_job("retrain");
        trigger.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let folder = Folder::trusting(&key).triggers(vec![trigger]).vertex_at(&vertex.endpoint());
        Self { service: folder.start(), folder, vertex, key }
    }

    /// Delivers an event and gives its id.
    async fn deliver(&self, event: &EventDraft) -> String {
        let envelope = event.signed_by(&self.key);
        let answer = a_push(envelope.to_json()).deliver(&self.service).await;
        assert_eq!(answer.as_u16(), 204);
        envelope.event_digest().id().as_str().to_owned()
    }

    /// The event's newest decision, once the event stands so.
    async fn comes_to(&self, event: &str, outcome: Outcome) -> Value {
        self.folder.wait_for_outcome(event, outcome.as_str(), PATIENCE).await;
        self.shown(event)["decisions"].as_array().unwrap().last().unwrap().clone()
    }

    fn shown(&self, event: &str) -> Value {
        self.folder.launchgate(&["events", "show", event, "--output", "json"]).success().json()
    }

    fn runs(&self) -> usize {
        self.vertex.jobs().len()
    }
}

/// Another event of the same build: another step of it.
fn again(event: &EventDraft, attempt: u64) -> EventDraft {
    event.clone().annotated("attempt", attempt)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_events_of_one_build_launch_once() {
    let world = World::with(json!({"oncePer": "build"})).await;
    let first = world.deliver(&an_event()).await;
    let launched = world.comes_to(&first, Outcome::Launched).await;

    let second = world.deliver(&again(&an_event(), 2)).await;

    let duplicate = world.comes_to(&second, Outcome::Duplicate).await;
    assert_eq!((&duplicate["reason"], world.runs()), (&"once_per".into(), 1));
    let message = duplicate["message"].as_str().unwrap();
    assert!(message.contains(launched["launch_id"].as_str().unwrap()), "{message}");
    assert!(message.contains(launched["run"]["name"].as_str().unwrap()), "{message}");
    let listed = world.folder.launchgate(&["events", "list", "--outcome", "duplicate", "--output", "json"]);
    assert!(listed.success().stdout.contains(&second), "{listed:?}");

    // The operator's word: asked again, still held; forced, a second run.
    world.folder.launchgate(&["replay", &second, "--force", "--why", "the data was mended"]).success();
    world.comes_to(&second, Outcome::Launched).await;
    assert_eq!(world.runs(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_of_one_build_at_the_same_time_launch_once() {
    let world = World::with(json!({"oncePer": "build"})).await;
    let events: Vec<_> = (0..16).map(|attempt| again(&an_event(), attempt)).collect();

    let pushes = events.into_iter().map(|event| {
        let body = a_push(event.signed_by(&world.key).to_json()).wrapped().to_string();
        tokio::spawn(client().post(world.service.url("/pubsub/events")).body(body).send())
    });
    for push in pushes.collect::<Vec<_>>() {
        assert_eq!(push.await.unwrap().unwrap().status().as_u16(), 204);
    }

    assert_eq!(world.runs(), 1);
    let recorded = world.folder.recorded();
    let duplicates = recorded.iter().filter(|event| event["outcome"] == "duplicate").count();
    assert_eq!((recorded.len(), duplicates), (16, 15), "{recorded:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_build_is_superseded_once_a_newer_one_was_launched() {
    let world = World::with(json!({"order": "newest"})).await;
    let newer = world.deliver(&an_event().number(42)).await;
    world.comes_to(&newer, Outcome::Launched).await;

    let older = world.deliver(&an_event().number(41)).await;
    let elsewhere = world.deliver(&an_event().number(40).branch("release")).await;

    let superseded = world.comes_to(&older, Outcome::Superseded).await;
    assert_eq!(superseded["reason"], "newer_build_launched");
    assert!(superseded["message"].as_str().unwrap().contains("build #42"), "{superseded}");
    world.comes_to(&elsewhere, Outcome::Launched).await;
    assert_eq!(world.runs(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_of_two_an_hour_launches_two() {
    let world = World::with(json!({"maxLaunchesPerHour": 2})).await;
    for number in [1, 2] {
        let event = world.deliver(&an_event().number(number)).await;
        world.comes_to(&event, Outcome::Launched).await;
    }

    let third = world.deliver(&an_event().number(3)).await;

    let capped = world.comes_to(&third, Outcome::RateCapped).await;
    assert_eq!((&capped["reason"], world.runs()), (&"hourly_limit".into(), 2));
    assert!(capped["message"].as_str().unwrap().contains("2 launches"), "{capped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_what_it_cannot_ask() {
    let keys = json!({"oncePer": "commit", "order": "newest", "maxLaunchesPerHour": 2});
    let world = World::with(keys).await;

    let event = world.folder.write("event.json", an_event().signed_by(&world.key).to_json());
    let arguments = ["explain", event.to_str().unwrap(), "--output", "json"];
    let explained = world.folder.launchgate(&arguments).success().json();

    assert_eq!(explained["outcome"], "launched");
    for name in ["oncePer", "order", "maxLaunchesPerHour"] {
        let rungs = explained.to_string();
        let rung = explained["checks"]
            .as_array()
            .unwrap()
            .iter()
            .chain(explained["decisions"][0]["checks"].as_array().into_iter().flatten())
            .find(|rung| rung["name"].as_str().unwrap().ends_with(name));
        let rung = rung.unwrap_or_else(|| panic!("no {name} in {rungs}"));
        assert_eq!(rung["status"], "skipped");
        assert!(rung["detail"].as_str().unwrap().contains("needs the ledger"), "{rung}");
    }
}
