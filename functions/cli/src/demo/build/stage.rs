//! What the builds run on: a checkout, an agent, the stand-ins, the service.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use launchgate_engine::{DecisionRecord, ports::Ledger};
use launchgate_outcome::Outcome;
use launchgate_service::{Environment, GateService, TriggersFile, open_ledger};
use launchgate_standin::{BuildkiteStandin, BuildkiteWebhook, JobState, VertexOptions, VertexStandin};
use launchgate_statement::{EventId, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::step::Step;
use crate::{clock, commands::send::Delivery, failure::Failure};

/// What Buildkite and the service share.
const WEBHOOK_SECRET: &str = "the demo's webhook secret";

/// How long a decision may be under way.
const PATIENCE: Duration = Duration::from_secs(10);

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Everything that runs meanwhile.
pub(super) struct Stage {
    folder: TempDir,
    /// The folder with the stand-in's agent comes first, so that a real one is out of the play.
    path: String,
    buildkite: BuildkiteStandin,
    vertex: VertexStandin,
    ledger: Arc<dyn Ledger>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// A command that was run.
pub(super) struct Ran {
    /// As people would type it.
    pub(super) command: String,
    pub(super) code: u8,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Stage {
    pub(super) async fn set() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("launchgate-demo-")
            .tempdir()
            .context("making a scratch folder")?;
        let write = |name: &str, content: &[u8]| {
            fs::write(folder.path().join(name), content).with_context(|| format!("writing {name}"))
        };
        write("launchgate.yaml", include_bytes!("launchgate.yaml"))?;
        write("pipeline.yaml", include_bytes!("../pipeline.yaml"))?;
        write("model.bin", &vec![7; 64 * 1024])?;
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).context("making the folder bin")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", bin.display());

        let vertex = VertexStandin::start(VertexOptions::default())
            .await
            .context("starting the Vertex AI stand-in")?;
        let buildkite = BuildkiteStandin::start().await.context("starting the Buildkite stand-in")?;
        // Not this process's variables: the demo must not reach anything real.
        let environment = Environment::from_vars([
            ("LAUNCHGATE_VERTEX_ENDPOINT".to_owned(), vertex.endpoint()),
            ("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT".to_owned(), buildkite.endpoint()),
            ("BUILDKITE_WEBHOOK_SECRET".to_owned(), WEBHOOK_SECRET.to_owned()),
        ]);
        let config = TriggersFile::read(&folder.path().join("launchgate.yaml"), &environment)?.usable()?;
        let config = Arc::new(config);
        let service = GateService::start(Arc::clone(&config), folder.path(), &environment);
        let service = service.map_err(anyhow::Error::msg)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("taking a port")?;
        let address = listener.local_addr().context("asking for the port")?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(service.serve(listener, async {
            // A stage that is gone is a reason to stop too.
            let _ = stopped.await;
        }));
        let ledger = open_ledger(&config, folder.path(), &environment).map_err(anyhow::Error::msg)?;
        Ok(Self { folder, path, buildkite, vertex, ledger, address, stop, serving })
    }

    /// Runs this program as a step of `job`.
    pub(super) async fn launchgate(&self, job: &Value, arguments: &[&str]) -> Result<Ran, Failure> {
        let bin = self.folder.path().join("bin");
        self.buildkite.agent_shim(&bin, &self.buildkite.run_job(job)).context("writing the agent")?;
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.envs(BuildkiteStandin::job_variables(job)).env("PATH", &self.path).env("NO_COLOR", "1");
        command.env("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT", self.buildkite.endpoint());
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.map_err(anyhow::Error::from)?.context("starting a step")?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().and_then(|code| u8::try_from(code).ok());
        Ok(Ran {
            command: format!("launchgate {}", arguments.join(" ")),
            code: code.unwrap_or(u8::MAX),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        })
    }

    /// The step that waits.
    pub(super) async fn wait(&self, job: &Value, event: &EventId, more: &[&str]) -> Result<Ran, Failure> {
        let gate = format!("http://{}", self.address);
        let arguments =
            ["wait", event.as_str(), "--gate-url", &gate, "--audience", "launchgate-demo", "--timeout", "1m"];
        self.launchgate(job, &[&arguments, more].concat()).await
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn keep(&self, name: &str, content: &str) -> Result<(), Failure> {
        Ok(fs::write(self.path_of(name), content).with_context(|| format!("writing {name}"))?)
    }

    pub(super) fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(fs::read(self.path_of(name)).with_context(|| format!("reading {name}"))?)
    }

    /// Delivers an event as Pub/Sub does; the answer's status.
    pub(super) async fn deliver(&self, data: &[u8]) -> Result<u16, Failure> {
        let url = format!("http://{}/pubsub/events", self.address);
        Ok(Delivery::to(&url, data, clock::now(), None).send().await?.status)
    }

    /// Delivers Buildkite's webhook about the build of `job` as the relay and Pub/Sub do; the answer's status.
    pub(super) async fn webhook(
        &self,
        job: &Value,
        finished: bool,
        meta_data: Option<Value>,
    ) -> Result<u16, Failure> {
        let now = clock::now_in_seconds();
        // The build ran around now: what its jobs signed was signed while it did.
        let ago = |seconds: i64| Timestamp::from_seconds(now.seconds() - seconds).to_string();
        let webhook = if finished { BuildkiteWebhook::finished(job) } else { BuildkiteWebhook::running(job) };
        let mut webhook = webhook.with("/build/started_at", ago(60));
        if finished {
            webhook = webhook.with("/build/finished_at", ago(0));
        }
        if let Some(meta_data) = meta_data {
            webhook = webhook.with("/build/meta_data", meta_data);
        }
        let body = webhook.body();
        let signature = BuildkiteWebhook::signature(WEBHOOK_SECRET, &body, now.seconds());
        let url = format!("http://{}/pubsub/builds", self.address);
        Ok(Delivery::of_webhook(&url, &body, &signature, now).send().await?.status)
    }

    /// Lets the last run succeed and delivers what Cloud Logging writes of it; the answer's status.
    pub(super) async fn run_ends(&self) -> Result<u16, Failure> {
        let jobs = self.vertex.jobs();
        let name = jobs.last().and_then(|job| job["name"].as_str()).context("there is no run")?;
        self.vertex.set_state(name, JobState::Succeeded).map_err(anyhow::Error::msg)?;
        let entry = json!({
            "logName": "projects/acme-ml/logs/aiplatform.googleapis.com%2Fpipeline_job_events",
            "jsonPayload": {
                "@type": "type.googleapis.com/google.cloud.aiplatform.logging.PipelineJobLogEntry",
                "state": "PIPELINE_STATE_SUCCEEDED",
            },
            "resource": {
                "type": "aiplatform.googleapis.com/PipelineJob",
                "labels": {
                    "location": "us-central1", "resource_container": "acme-ml",
                    "pipeline_job_id": name.rsplit('/').next(),
                },
            },
        });
        let url = format!("http://{}/pubsub/runs", self.address);
        let entry = entry.to_string();
        Ok(Delivery::to(&url, entry.as_bytes(), clock::now(), None).send().await?.status)
    }

    /// The meta-data of the build of `job`.
    pub(super) fn meta_data(&self, job: &Value) -> BTreeMap<String, String> {
        self.buildkite.meta_data(job)
    }

    /// What an event has come to, once nothing of it is under way.
    pub(super) async fn outcome(&self, event: &EventId) -> Result<Option<Outcome>, Failure> {
        let looking = async {
            loop {
                let stored =
                    self.ledger.event(event).await.map_err(|error| anyhow::anyhow!(error.to_string()))?;
                match stored {
                    Some(stored) if stored.decisions.iter().any(DecisionRecord::is_launchable) => {
                        tokio::time::sleep(LOOK_EVERY).await;
                    }
                    stored => return anyhow::Ok(stored.map(|stored| stored.outcome)),
                }
            }
        };
        Ok(tokio::time::timeout(PATIENCE, looking).await.context("a decision is still under way")??)
    }

    /// How many runs there are at Vertex AI.
    pub(super) fn runs(&self, expected: usize) -> Step {
        let jobs = self.vertex.jobs();
        let names = jobs.iter().map(|job| job["displayName"].as_str().unwrap_or_default().to_owned());
        Step::aside("runs at Vertex AI", &names.collect::<Vec<_>>().join("\n"), jobs.len() == expected)
    }

    /// Stops the service as SIGTERM would, then the stand-ins; the folder goes with the stage.
    pub(super) async fn strike(self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        self.serving.await.context("the service's task")?.context("serving")?;
        self.vertex.stop().await;
        Ok(())
    }
}
