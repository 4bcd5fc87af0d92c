//! The relay: Buildkite's webhook in, its raw body on a Pub/Sub topic out.
//!
//! The HMAC is verified here to keep garbage off the topic, and again by whoever consumes the topic, so the
//! relay itself needs no trust. Source: DESIGN §7.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use launchgate_buildkite::{SIGNATURE_HEADER, WebhookClass, WebhookEvent, classify};
use launchgate_google::{CredentialSettings, Endpoints, PubSub};
use launchgate_trust::{WebhookSecrets, verify_webhook};
use tokio::net::TcpListener;

use crate::{Environment, clock::now, listen};

/// Bytes of a webhook body. Buildkite's build payloads have tens of KiB; 100 kB of meta-data may ride along.
const MAX_BODY: usize = 1024 * 1024;

/// How long publishing may take before Buildkite is told to come again.
const PUBLISH_TIME: Duration = Duration::from_secs(8);

/// The webhook relay.
#[derive(Clone)]
pub struct RelayService {
    inner: Arc<Inner>,
}

struct Inner {
    secrets: WebhookSecrets,
    pubsub: PubSub,
    topic: String,
}

impl RelayService {
    /// Wires the relay from `BUILDKITE_WEBHOOK_SECRET` (several, comma-separated, during rotation) and
    /// `LAUNCHGATE_BUILDS_TOPIC` (`projects/P/topics/T`).
    ///
    /// # Errors
    /// A sentence for people when one is missing or empty: a relay without a secret would publish anything.
    pub fn start(environment: &Environment) -> Result<Self, String> {
        let secret = environment.get("BUILDKITE_WEBHOOK_SECRET");
        let secret = secret
            .ok_or("set BUILDKITE_WEBHOOK_SECRET to the token of Buildkite's webhook (mode: signature)")?;
        let secrets =
            WebhookSecrets::parse(secret).map_err(|error| format!("BUILDKITE_WEBHOOK_SECRET: {error}"))?;
        let topic = environment.get("LAUNCHGATE_BUILDS_TOPIC");
        let topic = topic.ok_or("set LAUNCHGATE_BUILDS_TOPIC to projects/PROJECT/topics/TOPIC")?.to_owned();
        let endpoints =
            Endpoints::from_variables(environment.variables()).map_err(|error| error.to_string())?;
        let settings = CredentialSettings::from_variables(environment.variables());
        Ok(Self { inner: Arc::new(Inner { secrets, pubsub: PubSub::new(endpoints, settings), topic }) })
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/buildkite/webhook", post(webhook).layer(DefaultBodyLimit::max(MAX_BODY)))
            .route("/healthz", get(|| async { "ok\n" }))
            .with_state(self.inner.clone())
    }

    /// Serves until `shutdown` completes.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        listen::serve(listener, self.router(), shutdown).await
    }
}

async fn webhook(State(relay): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut signatures = headers.get_all(SIGNATURE_HEADER).iter();
    let (Some(signature), None) =
        (signatures.next().and_then(|value| value.to_str().ok()), signatures.next())
    else {
        return (
            StatusCode::UNAUTHORIZED,
            "expected one X-Buildkite-Signature header; choose the signature mode, not the token mode\n",
        )
            .into_response();
    };
    if let Err(error) = verify_webhook(signature, &body, &relay.secrets, now()) {
        tracing::warn!(%error, "webhook refused");
        return (StatusCode::UNAUTHORIZED, "the signature is not Buildkite's\n").into_response();
    }
    // The name stands in the signed body; the header beside it is anybody's.
    let event = match classify(&body) {
        WebhookClass::Other(WebhookEvent::Ping) => return "pong\n".into_response(),
        WebhookClass::BuildFacts(event) | WebhookClass::Other(event) => event.as_str().to_owned(),
        WebhookClass::Unknown(name) => name,
        WebhookClass::NotAWebhook => String::new(),
    };
    let attributes = BTreeMap::from([
        ("buildkite-signature".to_owned(), signature.to_owned()),
        ("buildkite-event".to_owned(), event.clone()),
    ]);
    let publishing = relay.pubsub.publish(&relay.topic, body, &attributes);
    match tokio::time::timeout(PUBLISH_TIME, publishing).await {
        Ok(Ok(message_id)) => {
            tracing::info!(message_id, event, "webhook published");
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(Err(error)) => not_published(&error.to_string()),
        Err(_) => not_published("no answer from Pub/Sub in time"),
    }
}

fn not_published(error: &str) -> Response {
    tracing::error!(error, "webhook not published");
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")]).into_response()
}
