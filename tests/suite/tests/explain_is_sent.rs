//! What `explain` prints is what Vertex AI gets, byte for byte.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use launchgate_suite::{
    Binary, Folder, Service, a_custom_job, a_key, a_pipeline_job, a_push, a_vertex, an_event, client, run,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

#[derive(Deserialize)]
struct Explained {
    decisions: Vec<Decision>,
}

#[derive(Deserialize)]
struct Decision {
    outcome: String,
    request: Option<Request>,
}

/// `body` is kept as the text that was printed.
#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    body: Box<RawValue>,
}

/// Method, path, query and the bytes of the body.
type Call = (String, String, BTreeMap<String, String>, Vec<u8>);

impl Request {
    fn call(self) -> Call {
        (self.method, self.path, self.query, self.body.get().as_bytes().to_vec())
    }
}

/// The requests of the decisions that would launch, out of what `explain --output json` printed.
fn explained(stdout: &str) -> Vec<Call> {
    let explained: Explained = serde_json::from_str(stdout).unwrap();
    let launched = explained.decisions.into_iter().filter(|decision| decision.outcome == "launched");
    launched.filter_map(|decision| decision.request).map(Request::call).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_prints_the_bytes_that_are_sent_for_each_launch_kind() {
    for trigger in [a_pipeline_job("retrain"), a_custom_job("train")] {
        let (key, vertex) = (a_key(), a_vertex().await);
        let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint()).triggers(vec![trigger]);
        let service = folder.start();
        let event =
            an_event().and_artifact("fraud-score").branch("Übung/Größe \"1\" \u{1F600}").signed_by(&key);
        let push = a_push(event.to_json());
        folder.write("push.json", push.wrapped().to_string());

        let mut printed =
            explained(&folder.launchgate(&["explain", "push.json", "--output", "json"]).success().stdout);
        assert_eq!(push.deliver(&service).await, 204);

        let sent = vertex.creates().into_iter().map(|request| {
            (request.method, request.path, request.query.into_iter().collect(), request.body_bytes.to_vec())
        });
        let mut sent: Vec<_> = sent.collect();
        printed.sort();
        sent.sort();
        assert_eq!(printed.len(), 2);
        assert!(printed == sent, "explain printed\n{printed:?}\nand this was sent\n{sent:?}");
    }
}

/// The running demo: where its files are and where its stand-in listens.
struct Demo {
    service: Service,
    folder: PathBuf,
    standin: String,
}

fn the_demo(scratch: &Folder) -> Demo {
    let mut command = scratch.command(Binary::Cli);
    command.args(["demo", "--keep", "--port", "0", "--output", "json"]);
    // The last line of the invitation names the stand-in.
    let service = Service::start_when(&mut command, |line| {
        let (url, _) = line.trim().strip_prefix("curl -s http://")?.split_once("/_standin/jobs")?;
        url.parse::<SocketAddr>().ok()
    });
    let log = service.log();
    let folder =
        log.lines().find_map(|line| line.trim().strip_prefix("cd ")).expect("the demo says where it plays");
    Demo { folder: folder.into(), standin: format!("http://{}", service.address()), service }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_prints_the_bytes_that_are_sent_for_every_event_of_the_demo() {
    let scratch = Folder::trusting(&a_key());
    let demo = the_demo(&scratch);

    let mut printed = Vec::new();
    let mut events = 0;
    for event in std::fs::read_dir(demo.folder.join("events")).unwrap() {
        events += 1;
        let file = event.as_ref().unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        if name == "again" || name.ends_with("-webhook") {
            // The same event as another: decided once, sent once. A webhook is laid beside its event.
            continue;
        }
        let webhook = file.with_file_name(format!("{name}-webhook.json"));
        let mut explain = Command::new(scratch.command(Binary::Cli).get_program());
        explain.current_dir(&demo.folder).arg("explain").arg(event.unwrap().path()).args([
            "--jwks",
            "buildkite-jwks.json",
            "--output",
            "json",
        ]);
        if webhook.exists() {
            explain.arg("--build-facts").arg(webhook);
        }
        printed.extend(explained(&run(&mut explain, b"").stdout));
    }
    let recorded = client().get(format!("{}/_standin/requests", demo.standin)).send().await.unwrap();
    let recorded: Vec<Value> = serde_json::from_str(&recorded.text().await.unwrap()).unwrap();
    let sent = recorded.iter().filter(|request| request["method"] == "POST").map(|request| {
        let query: Vec<(String, String)> = serde_json::from_value(request["query"].clone()).unwrap();
        let body = STANDARD.decode(request["bodyBase64"].as_str().unwrap()).unwrap();
        let text = |name: &str| request[name].as_str().unwrap().to_owned();
        (text("method"), text("path"), query.into_iter().collect(), body)
    });
    let mut sent: Vec<_> = sent.collect();

    printed.sort();
    sent.sort();
    assert!(events >= 10, "the demo has {events} events");
    assert!(!sent.is_empty());
    assert!(printed == sent, "explain printed\n{printed:?}\nand this was sent\n{sent:?}");
    demo.service.terminate();
}
