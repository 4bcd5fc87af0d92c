//! Bare loops as servers: (a) parses and verifies, (b) also makes it durable, (c) does the whole job.
//! Same body, same signature check, same pragmas, same HTTP client as the gate; no policy, no records.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_statement::{Envelope, Sha256, Statement, pae};
use launchgate_trust::PublicKey;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::bare_ledger::BareLedger;

/// Which loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Verify,
    Durable,
    Whole,
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "a" => Some(Self::Verify),
            "b" => Some(Self::Durable),
            "c" => Some(Self::Whole),
            _ => None,
        }
    }
}

struct Bare {
    key: PublicKey,
    ledger: Option<BareLedger>,
    vertex: Option<(reqwest::Client, String)>,
}

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    data: &'a str,
}

/// What is read of a created job.
#[derive(Deserialize)]
struct Job {
    name: String,
}

/// Serves on a free port of 127.0.0.1; prints the address on stdout.
pub(crate) fn run(kind: Kind, key: &str, db: Option<String>, vertex: Option<String>) -> anyhow::Result<()> {
    let key = PublicKey::from_pem(&std::fs::read_to_string(key)?, None)?;
    let ledger = match kind {
        Kind::Verify => None,
        Kind::Durable | Kind::Whole => Some(BareLedger::open(Path::new(&db.context("--db")?))?),
    };
    let vertex = match kind {
        Kind::Verify | Kind::Durable => None,
        Kind::Whole => {
            let client = reqwest::Client::builder().http1_only().no_proxy().build()?;
            Some((client, vertex.context("--vertex")?))
        }
    };
    let bare = Arc::new(Bare { key, ledger, vertex });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        use axum::serve::ListenerExt as _;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, Router::new().route("/pubsub/events", post(push)).with_state(bare)).await?;
        Ok(())
    })
}

async fn push(State(bare): State<Arc<Bare>>, body: Bytes) -> StatusCode {
    match bare.take_in(&body).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(error) => {
            eprintln!("bare: {error:#}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl Bare {
    async fn take_in(&self, body: &[u8]) -> anyhow::Result<()> {
        let push: Push<'_> = serde_json::from_slice(body)?;
        let data = STANDARD.decode(push.message.data)?;
        let envelope = Envelope::parse(&data)?;
        let pae = pae(&envelope.payload_type, &envelope.payload);
        let signature = envelope.signatures.first().context("unsigned")?;
        anyhow::ensure!(self.key.verifies(&pae, &signature.sig), "forged");
        let statement = Statement::parse(&envelope.payload)?;
        let digest = Sha256::of(&pae);
        let id = *digest.as_bytes();
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let artifact = statement.artifacts.first().context("no subject")?;
        let job = format!("lg-bench-{}", &digest.to_hex()[..32]);
        let body = format!(
            r#"{{"displayName":"bench","labels":{{"launchgate-id":"{job}"}},"pipelineSpec":{{"pipelineInfo":{{"name":"bench"}},"schemaVersion":"2.1.0","root":{{"dag":{{"tasks":{{}}}},"inputDefinitions":{{"parameters":{{"image":{{"parameterType":"STRING"}},"epochs":{{"parameterType":"NUMBER_INTEGER"}}}}}}}},"deploymentSpec":{{"executors":{{}}}},"components":{{}}}},"runtimeConfig":{{"gcsOutputDirectory":"gs://bench/root","parameterValues":{{"image":{},"epochs":3}}}}}}"#,
            serde_json::to_string(&artifact.uri)?
        );
        let Some((client, vertex)) = &self.vertex else {
            return ledger.intent(id, body).await;
        };
        ledger.intent(id, body.clone()).await?;
        let url = format!("{vertex}/v1/projects/p/locations/us-central1/pipelineJobs?pipelineJobId={job}");
        let request = client.post(url).header("authorization", "Bearer launchgate-loopback");
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        let status = answer.status();
        let text = answer.bytes().await?;
        anyhow::ensure!(status.is_success(), "stand-in: {status}");
        let run: Job = serde_json::from_slice(&text)?;
        ledger.launched(id, run.name).await
    }
}
