//! The gate's routes: what comes in, who may send it, what is answered.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use launchgate_engine::{Answer, AuthenticatedReceipt, Gate, UnreadableDelivery};
use launchgate_outcome::{Reason, Refusal};
use launchgate_trust::AuthenticatedSender;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::{
    clock::now,
    health::Health,
    metrics::Metrics,
    push,
    push_auth::{Doorkeeper, NotAdmitted},
};

/// Bytes of a push body that are kept. An envelope has at most 256 KiB, base64 and attributes make it more.
const BODY_KEPT: usize = 1024 * 1024;

/// Bytes of a push body that are read at all, so that a large message can be answered and not only cut off
/// (Pub/Sub would deliver it again for days). Pub/Sub's own limit is 10 MB before base64.
const BODY_READ: usize = 16 * 1024 * 1024;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// How long a delivery may take. The work goes on; the answer is 503 and the redelivery a duplicate.
const ANSWER_TIME: Duration = Duration::from_mins(2);

/// Deliveries worked on at the same time; over it 503 at once, which Pub/Sub takes as "slower, please".
/// Each may hold two sockets (its own and one to Vertex), and 1,024 open files is what a process gets on
/// many machines: above that nothing at all could be accepted.
const IN_FLIGHT: usize = 400;

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) events: Doorkeeper,
    pub(crate) sweep: Option<Doorkeeper>,
    slots: Semaphore,
}

impl Shared {
    pub(crate) fn new(gate: Gate, health: Health, events: Doorkeeper, sweep: Option<Doorkeeper>) -> Self {
        let metrics = Metrics::new(&gate.config().signer_dates());
        Self { gate, metrics, health, events, sweep, slots: Semaphore::new(IN_FLIGHT) }
    }
}

/// The routes of role `gate`.
pub(crate) fn gate_routes(shared: Arc<Shared>) -> Router {
    let mut router = Router::new().route("/pubsub/events", post(events));
    if shared.sweep.is_some() {
        router = router.route("/internal/sweep", post(sweep));
    }
    router
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shared)
}

/// `POST /pubsub/events`.
async fn events(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let begun = Instant::now();
    let Ok(_slot) = shared.slots.try_acquire() else {
        shared.metrics.shed();
        return busy();
    };
    shared.metrics.in_flight.inc();
    let response =
        if let Ok(response) = tokio::time::timeout(ANSWER_TIME, deliver(&shared, request, begun)).await {
            response
        } else {
            tracing::error!("a delivery took longer than {} s; its work goes on", ANSWER_TIME.as_secs());
            shared.metrics.undecided();
            busy()
        };
    shared.metrics.in_flight.dec();
    response
}

async fn deliver(shared: &Shared, request: Request, begun: Instant) -> Response {
    let peer = peer(&request);
    let (parts, body) = request.into_parts();
    // Who asks is settled before a byte of the body is read.
    let sender = match shared.events.admit(&parts.headers, peer, now()).await {
        Ok(sender) => sender,
        Err(refused) => return not_admitted(shared, refused),
    };
    let answer = match read_body(body).await {
        Ok(body) => receive(shared, &parts.headers, body, sender).await,
        Err(BodyError::Gone) => return StatusCode::BAD_REQUEST.into_response(),
        Err(BodyError::TooLarge { start, size }) => {
            let message = format!("the request body has more than {BODY_KEPT} bytes (at least {size})");
            let refusal = Refusal::new(Reason::TooLarge, message);
            refuse(shared, UnreadableDelivery { sender, message_id: None, body: start, refusal }).await
        }
    };
    match answer {
        Ok(answer) => {
            shared.metrics.answered(&answer, begun.elapsed());
            StatusCode::NO_CONTENT.into_response()
        }
        Err(response) => response,
    }
}

async fn receive(
    shared: &Shared,
    headers: &HeaderMap,
    body: Bytes,
    sender: AuthenticatedSender,
) -> Result<Answer, Response> {
    let receipt = match push::read(headers, body.clone()) {
        Ok(receipt) => receipt,
        Err(push::Unreadable { message_id, refusal }) => {
            return refuse(shared, UnreadableDelivery { sender, message_id, body, refusal }).await;
        }
    };
    if let Err(refusal) = shared.events.expects(receipt.subscription.as_deref()) {
        return Err(not_admitted(shared, NotAdmitted::Refused(refusal)));
    }
    let trace = receipt.traceparent.as_deref().and_then(trace_id).or_else(|| trace_of(headers));
    let work = shared.gate.receive(AuthenticatedReceipt::new(receipt, sender));
    let answer = match trace {
        Some(trace) => work.instrument(tracing::info_span!("delivery", trace)).await,
        None => work.await,
    };
    answer.map_err(|error| undecided(shared, &error.0))
}

async fn refuse(shared: &Shared, unreadable: UnreadableDelivery) -> Result<Answer, Response> {
    shared.gate.refuse(unreadable).await.map_err(|error| undecided(shared, &error.0))
}

/// `POST /internal/sweep`: answers what was done.
async fn sweep(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(doorkeeper) = &shared.sweep else { return StatusCode::NOT_FOUND.into_response() };
    let peer = peer(&request);
    if let Err(refused) = doorkeeper.admit(request.headers(), peer, now()).await {
        return not_admitted(&shared, refused);
    }
    match shared.gate.sweep().await {
        Ok(report) => {
            shared.metrics.swept(&report);
            let body = serde_json::to_string(&report).unwrap_or_default();
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(error) => undecided(&shared, &error.to_string()),
    }
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let report = shared.health.report(&shared.gate).await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string_pretty(&*report).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, OPEN_METRICS)], shared.metrics.text()).into_response()
}

fn not_admitted(shared: &Shared, refused: NotAdmitted) -> Response {
    match refused {
        NotAdmitted::NoCertificates => undecided(shared, "Google's certificates could not be fetched"),
        NotAdmitted::Refused(refusal) => {
            shared.metrics.receipt(refusal.outcome, Some(refusal.reason));
            tracing::warn!(outcome = %refusal.outcome, reason = %refusal.reason, message = refusal.message, "sender not proven");
            let forbidden = matches!(
                refusal.reason,
                Reason::WrongSubscription | Reason::TokenEmail | Reason::NotLoopback
            );
            let status = if forbidden { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
            (status, format!("{}\n", refusal.reason)).into_response()
        }
    }
}

fn undecided(shared: &Shared, why: &str) -> Response {
    shared.metrics.undecided();
    tracing::error!(why, "nothing was decided; the delivery will come again");
    busy()
}

fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, HeaderValue::from_static("1"))]).into_response()
}

enum BodyError {
    /// The sender went away, or took too long.
    Gone,
    /// More than is kept; the rest was read and thrown away.
    TooLarge { start: Bytes, size: usize },
}

async fn read_body(body: Body) -> Result<Bytes, BodyError> {
    tokio::time::timeout(BODY_TIME, collect(body)).await.unwrap_or(Err(BodyError::Gone))
}

async fn collect(mut body: Body) -> Result<Bytes, BodyError> {
    let mut kept: Option<Bytes> = None;
    let mut more = BytesMut::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Gone)?.into_data() else { continue };
        size += data.len();
        if size > BODY_READ {
            break;
        }
        if size <= BODY_KEPT {
            // Most bodies arrive in one piece: it is kept without a copy.
            match kept.take() {
                None if more.is_empty() => kept = Some(data),
                first => {
                    more.extend(first.into_iter().flatten());
                    more.extend_from_slice(&data);
                }
            }
        }
    }
    let whole = kept.unwrap_or_else(|| more.freeze());
    if size > BODY_KEPT { Err(BodyError::TooLarge { start: whole, size }) } else { Ok(whole) }
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

fn trace_of(headers: &HeaderMap) -> Option<String> {
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(trace_id);
    let cloud = || headers.get("x-cloud-trace-context")?.to_str().ok()?.split('/').next().and_then(hex_id);
    traceparent.or_else(cloud)
}

/// The trace id of a W3C `traceparent`: `00-TRACE-SPAN-FLAGS`.
fn trace_id(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).and_then(hex_id)
}

fn hex_id(text: &str) -> Option<String> {
    (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}
