//! `serve`, `send`, `events` and `replay` together: the service is a process, Vertex AI the stand-in.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use launchgate_standin::{VertexOptions, VertexStandin};

use crate::folder::Folder;

pub(crate) struct Serving {
    child: Child,
    events: String,
}

impl Serving {
    pub(crate) fn start(folder: &Folder, vertex: &VertexStandin) -> Self {
        let mut command = folder.command(&["serve", "--port", "0"]);
        command.env("LAUNCHGATE_VERTEX_ENDPOINT", vertex.endpoint());
        // The demo's own triggers file lets webhooks in, and no service believes one without a secret.
        command.env("BUILDKITE_WEBHOOK_SECRET", "shared-with-buildkite");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("http://127.0.0.1:"), "{line}");
        Self { child, events: format!("{}/pubsub/events", line.trim()) }
    }
}

impl Serving {
    pub(crate) fn events(&self) -> &str {
        &self.events
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_fixture_is_sent_recorded_listed_and_replayed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let vertex = runtime.block_on(VertexStandin::start(VertexOptions::default())).unwrap();
    let folder = Folder::new();
    assert_eq!(folder.run(&["events", "list"]).code, 2, "no ledger yet");
    let serving = Serving::start(&folder, &vertex);
    let deliver = |fixture: &str| {
        let key =
            ["--key", "keys/release.key", "--set", "epochs=3", "--to", &serving.events, "--output", "json"];
        folder.run(&[&["send", "--fixture", fixture] as &[_], &key].concat()).ok()
    };

    let sent = deliver("good").json();
    let event = sent["event"].as_str().unwrap();
    assert_eq!(sent["status"], 204);
    runtime.block_on(vertex.wait_jobs(1));
    deliver("tampered");
    deliver("wrong-signer");
    deliver("wrong-claims");
    deliver("expired");

    // The launched mark may ride a few milliseconds; the sends above have taken its commit along.
    let list = folder.run(&["events", "list", "--output", "json"]).ok().json();
    let outcomes: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["denied_policy", "rejected_signature", "rejected_signature", "rejected_signature", "launched"]
    );
    let only = folder.run(&["events", "list", "--outcome", "launched", "--output", "json"]).ok().json();
    assert_eq!(
        (only["items"].as_array().unwrap().len(), only["items"][0]["event"].as_str()),
        (1, Some(event))
    );
    let page = folder.run(&["events", "list", "--limit", "2", "--output", "json"]).ok().json();
    let next = page["next"].as_str().unwrap();
    let rest = folder.run(&["events", "list", "--cursor", next, "--output", "json"]).ok().json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);

    let shown = folder.run(&["events", "show", event]).ok().stdout;
    assert!(shown.contains("launched") && shown.contains("pipelineJobs"), "{shown}");

    let again = folder.run(&["replay", event, "--output", "json"]).ok().json();
    assert_eq!(again["outcome"], "launched", "{again}");
    assert_eq!(vertex.job_count(), 1, "a run that exists is left alone");
    let forced = folder.run(&["replay", event, "--force", "--why", "the base image was bad"]);
    assert_eq!(forced.code, 0, "{forced:?}");
    assert_eq!(vertex.job_count(), 2);
    assert_eq!(folder.run(&["replay", event, "--force"]).code, 2, "a forced replay needs its reason");
}

#[test]
fn a_good_fixture_launches_under_the_demos_own_triggers_file() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let vertex = runtime.block_on(VertexStandin::start(VertexOptions::default())).unwrap();
    let folder = Folder::new();
    folder.run(&["keygen", "--out", "keys/retired"]).ok();
    folder.write("launchgate.yaml", include_str!("../../src/demo/launchgate.yaml"));
    let serving = Serving::start(&folder, &vertex);

    let set = ["--set", "epochs=3", "--set", "dataset=2026-12"];
    let arguments = ["send", "--fixture", "replayed", "--key", "keys/release.key", "--to", &serving.events];
    folder.run(&[&arguments as &[_], &set].concat()).ok();

    assert_eq!(vertex.job_count(), 1);
}

#[test]
fn a_replay_that_nobody_carries_out_is_exit_code_6() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let vertex = runtime.block_on(VertexStandin::start(VertexOptions::default())).unwrap();
    let folder = Folder::new();
    let serving = Serving::start(&folder, &vertex);
    let arguments = [
        "send",
        "--fixture",
        "expired",
        "--key",
        "keys/release.key",
        "--to",
        &serving.events,
        "--output",
        "json",
    ];
    let sent = folder.run(&arguments).ok().json();
    drop(serving);

    let ran = folder.run(&["replay", sent["event"].as_str().unwrap(), "--wait", "0"]);

    assert_eq!(ran.code, 6, "{ran:?}");
}

#[test]
fn a_service_that_is_not_there_is_exit_code_7_and_others_machines_are_refused() {
    let folder = Folder::new();
    let send = |to: &str| folder.run(&["send", "--fixture", "good", "--key", "keys/release.key", "--to", to]);

    // Port 9 (discard) is in nobody's ephemeral range and served by nobody.
    assert_eq!(send("http://127.0.0.1:9/pubsub/events").code, 7);
    assert_eq!(send("https://launchgate.example.com/pubsub/events").code, 2);
}
