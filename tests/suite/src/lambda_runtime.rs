//! The Lambda Runtime API, the side of AWS: hands out invocations and takes responses.
//!
//! Source: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
};

use crate::{PATIENCE, now};

/// A running Runtime API for one function process.
#[derive(Debug)]
pub struct LambdaRuntime {
    address: SocketAddr,
    invocations: mpsc::UnboundedSender<Invocation>,
    last: AtomicU64,
}

#[derive(Debug)]
struct Invocation {
    id: String,
    event: Value,
    answer: oneshot::Sender<Value>,
}

#[derive(Debug)]
struct Shared {
    waiting: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    answers: Mutex<BTreeMap<String, oneshot::Sender<Value>>>,
}

impl LambdaRuntime {
    /// Starts on loopback.
    pub async fn start() -> Self {
        let (invocations, waiting) = mpsc::unbounded_channel();
        let shared =
            Arc::new(Shared { waiting: AsyncMutex::new(waiting), answers: Mutex::new(BTreeMap::new()) });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, invocations, last: AtomicU64::new(0) }
    }

    /// What the platform sets in the environment of a function.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "launchgate".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/launchgate".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/25/[1]".to_owned()),
        ]
    }

    /// Invokes the function and waits for what it returns.
    pub async fn invoke(&self, event: Value) -> Value {
        let (answer, answered) = oneshot::channel();
        let id = format!("request-{}", self.last.fetch_add(1, Ordering::SeqCst));
        self.invocations.send(Invocation { id, event, answer }).unwrap();
        let answer = tokio::time::timeout(PATIENCE, answered).await;
        answer.expect("the function answers in time").expect("the function does not drop an invocation")
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let Some(invocation) = shared.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    shared.answers.lock().unwrap().insert(invocation.id.clone(), invocation.answer);
    let deadline = now().micros() / 1000 + 60_000;
    let mut headers = HeaderMap::new();
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:launchgate";
    headers.insert("lambda-runtime-aws-request-id", invocation.id.parse().unwrap());
    headers.insert("lambda-runtime-deadline-ms", deadline.to_string().parse().unwrap());
    headers.insert("lambda-runtime-invoked-function-arn", arn.parse().unwrap());
    (headers, invocation.event.to_string()).into_response()
}

async fn answered(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    settle(&shared, &id, serde_json::from_slice(&body).unwrap())
}

async fn failed(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    settle(&shared, &id, serde_json::json!({"failed": String::from_utf8_lossy(&body)}))
}

fn settle(shared: &Shared, id: &str, answer: Value) -> StatusCode {
    let waiting = shared.answers.lock().unwrap().remove(id);
    // A test that has given up listens no more.
    waiting.map_or(StatusCode::NOT_FOUND, |waiting| match waiting.send(answer) {
        Ok(()) | Err(_) => StatusCode::ACCEPTED,
    })
}
