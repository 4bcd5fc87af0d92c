//! Google's own Pub/Sub emulator, out of the gcloud SDK: one for the whole test run.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{client, eventually};

/// The project of every topic here.
const PROJECT: &str = "acme-ml";

/// Starts the emulator and ends it when stdin does, that is when the test run is gone, however it went.
pub(crate) const UNTIL_STDIN_ENDS: &str = r#""$@" & emulator=$!; cat >/dev/null; kill -9 $emulator"#;

/// How a subscription delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// JSON around the data.
    Wrapped,
    /// The data as the body, metadata as headers.
    Unwrapped,
}

/// A running emulator.
#[derive(Debug)]
pub struct PubSubEmulator {
    endpoint: String,
    // Held open for as long as the test run lives.
    _stdin: ChildStdin,
}

impl PubSubEmulator {
    /// The one of this test run, or why there is none.
    pub async fn get() -> Result<&'static Self, String> {
        static ONE: OnceCell<Result<PubSubEmulator, String>> = OnceCell::const_new();
        ONE.get_or_init(Self::start).await.as_ref().map_err(Clone::clone)
    }

    async fn start() -> Result<Self, String> {
        let emulator = sdk()?.join("platform/pubsub-emulator/bin/cloud-pubsub-emulator");
        if !emulator.is_file() {
            return Err("the gcloud SDK has no Pub/Sub emulator (component pubsub-emulator)".to_owned());
        }
        if !Command::new("java").arg("-version").stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
            return Err("the Pub/Sub emulator needs Java".to_owned());
        }
        // The emulator cannot tell which port it was given: one is asked for, let go and named.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = tempfile::Builder::new().prefix("launchgate-suite-pubsub-").tempfile().unwrap();
        let (log, log_path) = log.keep().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_STDIN_ENDS, "sh"])
            .arg(emulator)
            .args(["--host=127.0.0.1", &format!("--port={port}")])
            .stdin(Stdio::piped())
            .stderr(File::try_clone(&log).unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let endpoint = format!("http://127.0.0.1:{port}");
        eventually("the Pub/Sub emulator answers", Duration::from_mins(1), async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the Pub/Sub emulator ended: {status}, see {}", log_path.display());
            }
            client().get(&endpoint).send().await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
        // Only a start that failed leaves its log behind.
        let _ = std::fs::remove_file(log_path);
        Ok(Self { endpoint, _stdin: stdin })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A topic of the test's own, as full name.
    pub async fn topic(&self) -> String {
        let topic = format!("projects/{PROJECT}/topics/{}", fresh("events"));
        self.call(reqwest::Method::PUT, &topic, json!({})).await;
        topic
    }

    /// A subscription that pushes to `url`, as full name.
    pub async fn push_to(&self, url: &str, topic: &str, delivery: Delivery) -> String {
        let mut push = json!({"pushEndpoint": url});
        if delivery == Delivery::Unwrapped {
            push["noWrapper"] = json!({"writeMetadata": true});
        }
        self.subscribe(json!({"topic": topic, "pushConfig": push})).await
    }

    /// A subscription that a test pulls from, as full name.
    pub async fn pull_from(&self, topic: &str) -> String {
        self.subscribe(json!({"topic": topic})).await
    }

    async fn subscribe(&self, mut subscription: Value) -> String {
        let name = format!("projects/{PROJECT}/subscriptions/{}", fresh("launchgate"));
        subscription["ackDeadlineSeconds"] = json!(30);
        subscription["retryPolicy"] = json!({"minimumBackoff": "0.1s", "maximumBackoff": "1s"});
        self.call(reqwest::Method::PUT, &name, subscription).await;
        name
    }

    /// Publishes by hand: data alone, no attribute.
    pub async fn publish(&self, topic: &str, messages: &[Vec<u8>]) {
        let messages: Vec<_> = messages.iter().map(|data| json!({"data": STANDARD.encode(data)})).collect();
        let body = json!({"messages": messages});
        self.call(reqwest::Method::POST, &format!("{topic}:publish"), body).await;
    }

    /// The messages that wait in a subscription, acknowledged: data and attributes.
    pub async fn pull(&self, subscription: &str) -> Vec<(Vec<u8>, Value)> {
        let body = json!({"maxMessages": 100, "returnImmediately": true});
        let pulled = self.call(reqwest::Method::POST, &format!("{subscription}:pull"), body).await;
        let received = pulled["receivedMessages"].as_array().cloned().unwrap_or_default();
        let ids: Vec<_> = received.iter().map(|one| one["ackId"].clone()).collect();
        if !ids.is_empty() {
            let path = format!("{subscription}:acknowledge");
            self.call(reqwest::Method::POST, &path, json!({"ackIds": ids})).await;
        }
        let message = |one: &Value| {
            let data = one["message"]["data"].as_str().unwrap_or_default();
            (STANDARD.decode(data).unwrap(), one["message"]["attributes"].clone())
        };
        received.iter().map(message).collect()
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let url = format!("{}/v1/{path}", self.endpoint);
        let request = client().request(method, &url).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// A name no other test of this emulator has.
fn fresh(word: &str) -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("{word}-{}", LAST.fetch_add(1, Ordering::SeqCst))
}

/// The folder of the gcloud SDK: as told, or as `gcloud` on PATH says.
fn sdk() -> Result<PathBuf, String> {
    if let Some(told) = std::env::var_os("CLOUDSDK_ROOT_DIR") {
        return Ok(told.into());
    }
    let asked = Command::new("gcloud").args(["info", "--format=value(installation.sdk_root)"]).output();
    let asked = asked.ok().filter(|output| output.status.success());
    let asked = asked.and_then(|output| String::from_utf8(output.stdout).ok());
    match asked.map(|text| text.trim().to_owned()).filter(|text| Path::new(text).is_dir()) {
        Some(folder) => Ok(folder.into()),
        None => Err("no gcloud SDK: CLOUDSDK_ROOT_DIR is not set and `gcloud info` finds none".to_owned()),
    }
}
