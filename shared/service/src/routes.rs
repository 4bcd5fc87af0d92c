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
use futures_util::future::join_all;
use http_body_util::BodyExt;
use launchgate_engine::{
    ArtifactReport, AuthenticatedReceipt, Gate, NothingDecided, SweepReport, UnreadableDelivery,
};
use launchgate_outcome::{Reason, Refusal};
use launchgate_triggers::ArtifactRule;
use launchgate_trust::AuthenticatedSender;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::{
    asked,
    clock::now,
    gate_service::CONTENTS_AT_ONCE,
    health::Health,
    metrics::Metrics,
    push,
    push_auth::{Doorkeeper, NotAdmitted},
};

/// Bytes of a push body that are kept. An envelope has at most 256 KiB, base64 and attributes make it more.
const BODY_KEPT: usize = 1024 * 1024;

/// The same for a webhook: the relay lets 1 MiB of body through, base64 makes it a third more.
const WEBHOOK_KEPT: usize = 2 * 1024 * 1024;

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

/// How long one artifact may be read while the caller of the sweep waits: Cloud Run gives a request five minutes
/// unless told otherwise, and what it cuts off has to begin anew.
const LONGEST_CHECK: Duration = Duration::from_mins(4);

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) events: Doorkeeper,
    pub(crate) builds: Option<Doorkeeper>,
    pub(crate) runs: Option<Doorkeeper>,
    pub(crate) sweep: Option<Doorkeeper>,
    slots: Semaphore,
    /// Of their own: whoever floods the gate with questions takes nothing from deliveries.
    pub(crate) questions: Semaphore,
}

impl Shared {
    pub(crate) fn new(gate: Gate, health: Health, doors: Doors) -> Self {
        let Doors { events, builds, runs, sweep } = doors;
        let metrics = Metrics::new(&gate.config().signer_dates());
        let (slots, questions) = (Semaphore::new(IN_FLIGHT), Semaphore::new(asked::AT_ONCE));
        Self { gate, metrics, health, events, builds, runs, sweep, slots, questions }
    }
}

/// Who may call which route; a route without one is not there.
pub(crate) struct Doors {
    pub(crate) events: Doorkeeper,
    pub(crate) builds: Option<Doorkeeper>,
    pub(crate) runs: Option<Doorkeeper>,
    pub(crate) sweep: Option<Doorkeeper>,
}

/// What a push route takes in.
#[derive(Clone, Copy)]
enum Intake {
    /// Events.
    Events,
    /// Buildkite's webhooks, as the relay publishes them.
    Builds,
    /// Cloud Logging's entries on runs.
    Runs,
}

impl Intake {
    fn door(self, shared: &Shared) -> Option<&Doorkeeper> {
        match self {
            Self::Events => Some(&shared.events),
            Self::Builds => shared.builds.as_ref(),
            Self::Runs => shared.runs.as_ref(),
        }
    }

    /// Bytes of a body that are kept.
    fn kept(self) -> usize {
        match self {
            Self::Events | Self::Runs => BODY_KEPT,
            Self::Builds => WEBHOOK_KEPT,
        }
    }
}

/// The routes of role `gate`.
pub(crate) fn gate_routes(shared: Arc<Shared>) -> Router {
    let mut router = Router::new().route("/pubsub/events", post(events));
    if shared.builds.is_some() {
        router = router.route("/pubsub/builds", post(builds));
    }
    if shared.runs.is_some() {
        router = router.route("/pubsub/runs", post(runs));
    }
    if shared.sweep.is_some() {
        router = router.route("/internal/sweep", post(sweep));
    }
    if shared.gate.answers_jobs() {
        router = router.route("/v1/events/{event}", get(asked::asked));
    }
    router
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shared)
}

/// `POST /pubsub/events`.
async fn events(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    push(shared, request, Intake::Events).await
}

/// `POST /pubsub/builds`.
async fn builds(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    push(shared, request, Intake::Builds).await
}

/// `POST /pubsub/runs`.
async fn runs(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    push(shared, request, Intake::Runs).await
}

async fn push(shared: Arc<Shared>, request: Request, intake: Intake) -> Response {
    let begun = Instant::now();
    let Ok(_slot) = shared.slots.try_acquire() else {
        shared.metrics.shed();
        return busy();
    };
    shared.metrics.in_flight.inc();
    let response = if let Ok(response) =
        tokio::time::timeout(ANSWER_TIME, deliver(&shared, request, intake, begun)).await
    {
        response
    } else {
        tracing::error!("a delivery took longer than {} s; its work goes on", ANSWER_TIME.as_secs());
        shared.metrics.undecided();
        busy()
    };
    shared.metrics.in_flight.dec();
    response
}

async fn deliver(shared: &Shared, request: Request, intake: Intake, begun: Instant) -> Response {
    let Some(door) = intake.door(shared) else { return StatusCode::NOT_FOUND.into_response() };
    let peer = peer(&request);
    let (parts, body) = request.into_parts();
    // Who asks is settled before a byte of the body is read.
    let sender = match door.admit(&parts.headers, peer, now()).await {
        Ok(sender) => sender,
        Err(refused) => return not_admitted(shared, refused),
    };
    let answered = match read_body(body, intake.kept()).await {
        Ok(body) => receive(shared, intake, &parts.headers, body, sender, begun).await,
        Err(BodyError::Gone) => return StatusCode::BAD_REQUEST.into_response(),
        Err(BodyError::TooLarge { start, size }) => {
            let kept = intake.kept();
            let message = format!("the request body has more than {kept} bytes (at least {size})");
            let refusal = Refusal::new(Reason::TooLarge, message);
            let unreadable = UnreadableDelivery { sender, message_id: None, body: start, refusal };
            refuse(shared, unreadable, begun).await
        }
    };
    match answered {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => response,
    }
}

async fn receive(
    shared: &Shared,
    intake: Intake,
    headers: &HeaderMap,
    body: Bytes,
    sender: AuthenticatedSender,
    begun: Instant,
) -> Result<(), Response> {
    let receipt = match push::read(headers, body.clone()) {
        Ok(receipt) => receipt,
        Err(push::Unreadable { message_id, refusal }) => {
            return refuse(shared, UnreadableDelivery { sender, message_id, body, refusal }, begun).await;
        }
    };
    if let Some(door) = intake.door(shared)
        && let Err(refusal) = door.expects(receipt.subscription.as_deref())
    {
        return Err(not_admitted(shared, NotAdmitted::Refused(refusal)));
    }
    let trace = receipt.traceparent.as_deref().and_then(trace_id).or_else(|| trace_of(headers));
    let work = take(shared, intake, AuthenticatedReceipt::new(receipt, sender), begun);
    let taken = match trace {
        Some(trace) => work.instrument(tracing::info_span!("delivery", trace)).await,
        None => work.await,
    };
    taken.map_err(|error| undecided(shared, &error.0))
}

/// Takes a delivery to its end and counts that.
async fn take(
    shared: &Shared,
    intake: Intake,
    receipt: AuthenticatedReceipt,
    begun: Instant,
) -> Result<(), NothingDecided> {
    match intake {
        Intake::Events => {
            let answer = shared.gate.receive(receipt).await?;
            shared.metrics.answered(&answer, begun.elapsed());
        }
        Intake::Builds => {
            let answer = shared.gate.receive_build(receipt).await?;
            shared.metrics.told(&answer, begun.elapsed());
        }
        Intake::Runs => {
            let answer = shared.gate.receive_run(receipt).await?;
            shared.metrics.hinted(answer, begun.elapsed());
        }
    }
    Ok(())
}

async fn refuse(shared: &Shared, unreadable: UnreadableDelivery, begun: Instant) -> Result<(), Response> {
    let answer = shared.gate.refuse(unreadable).await.map_err(|error| undecided(shared, &error.0))?;
    shared.metrics.answered(&answer, begun.elapsed());
    Ok(())
}

/// `POST /internal/sweep`: answers what was done.
async fn sweep(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(doorkeeper) = &shared.sweep else { return StatusCode::NOT_FOUND.into_response() };
    let peer = peer(&request);
    if let Err(refused) = doorkeeper.admit(request.headers(), peer, now()).await {
        return not_admitted(&shared, refused);
    }
    let gate = &shared.gate;
    let content = || gate.check_artifacts(ArtifactRule::Content, LONGEST_CHECK);
    let (swept, exists, contents) = tokio::join!(
        gate.sweep(),
        gate.check_artifacts(ArtifactRule::Exists, LONGEST_CHECK),
        join_all(std::iter::repeat_with(content).take(CONTENTS_AT_ONCE)),
    );
    let checks = std::iter::once(exists).chain(contents).collect::<Result<Vec<_>, _>>();
    match swept.and_then(|swept| Ok((swept, checks?))) {
        Ok((sweep, checks)) => {
            shared.metrics.swept(&sweep);
            for checked in &checks {
                shared.metrics.checked(checked);
            }
            let artifacts = checks.into_iter().fold(ArtifactReport::default(), ArtifactReport::and);
            let body = serde_json::to_string(&Swept { sweep, artifacts }).unwrap_or_default();
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(error) => undecided(&shared, &error.to_string()),
    }
}

/// What one call of the sweep did.
#[derive(serde::Serialize)]
struct Swept {
    #[serde(flatten)]
    sweep: SweepReport,
    artifacts: ArtifactReport,
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

async fn read_body(body: Body, kept: usize) -> Result<Bytes, BodyError> {
    tokio::time::timeout(BODY_TIME, collect(body, kept)).await.unwrap_or(Err(BodyError::Gone))
}

async fn collect(mut body: Body, most: usize) -> Result<Bytes, BodyError> {
    let mut kept: Option<Bytes> = None;
    let mut more = BytesMut::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Gone)?.into_data() else { continue };
        size += data.len();
        if size > BODY_READ {
            break;
        }
        if size <= most {
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
    if size > most { Err(BodyError::TooLarge { start: whole, size }) } else { Ok(whole) }
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
