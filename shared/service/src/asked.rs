//! `GET /v1/events/EVENT`: a job of a build asks what became of its event (`launchgate wait`).
//!
//! Promises: only jobs of the event's own build are answered, by a token of Buildkite's that was minted for this one
//! question; an event of another build is told from one that is not there by nothing. A flood of questions takes
//! nothing from deliveries: it has slots of its own. Does not: change anything, or show the payload.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use launchgate_engine::{DecisionRecord, NothingDecided, RunEnd, StoredEvent};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::EventId;
use launchgate_triggers::LaunchId;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{clock::now, routes::Shared};

/// Questions answered at the same time; each is one read of the ledger.
pub(crate) const AT_ONCE: usize = 64;

/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// What became of an event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'s> {
    event: &'s EventId,
    outcome: Outcome,
    reason: Option<Reason>,
    decisions: Vec<ToldDecision<'s>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldDecision<'s> {
    trigger: &'s str,
    subject: &'s str,
    outcome: Outcome,
    reason: Option<Reason>,
    message: Option<&'s str>,
    launch_id: &'s LaunchId,
    run: Option<ToldRun<'s>>,
}

#[derive(Serialize)]
struct ToldRun<'s> {
    name: &'s str,
    console: &'s str,
    /// Vertex AI's word for the state when it was last looked at.
    state: Option<&'s str>,
    /// How it ended, once it has.
    end: Option<RunEnd>,
}

/// Answers a question.
pub(crate) async fn asked(
    State(shared): State<Arc<Shared>>,
    Path(event): Path<String>,
    headers: HeaderMap,
) -> Response {
    let response = match shared.questions.try_acquire() {
        Ok(_slot) => in_time(&shared, &event, &headers).await,
        Err(_) => later(),
    };
    shared.metrics.asked(response.status().as_u16());
    response
}

async fn in_time(shared: &Shared, event: &str, headers: &HeaderMap) -> Response {
    match tokio::time::timeout(ANSWER_TIME, answer(shared, event, headers)).await {
        Ok(Ok(response)) => response,
        Ok(Err(NothingDecided(why))) => {
            tracing::error!(why, "a question about an event could not be answered");
            later()
        }
        Err(_) => later(),
    }
}

async fn answer(shared: &Shared, event: &str, headers: &HeaderMap) -> Result<Response, NothingDecided> {
    let Some(event) = EventId::parse(event) else {
        return Ok(error(StatusCode::BAD_REQUEST, "expected ev- and 32 lower-case hex digits"));
    };
    let Some(token) = bearer(headers) else {
        return Ok(unauthorized("expected one `Authorization: Bearer TOKEN` with a Buildkite token"));
    };
    let job = match shared.gate.asking_job(token, &event, now()).await? {
        Ok(job) => job,
        Err(refusal) => {
            tracing::warn!(reason = %refusal.reason, message = refusal.message, "a question's token does not count");
            return Ok(unauthorized(refusal.reason.as_str()));
        }
    };
    Ok(match shared.gate.asked_by(&job, &event).await? {
        Some(stored) => json_response(StatusCode::OK, &told(&stored)),
        None => error(StatusCode::NOT_FOUND, "no such event of this build is recorded"),
    })
}

fn told(stored: &StoredEvent) -> Told<'_> {
    let decisive = stored.decisions.iter().find(|decision| decision.outcome == stored.outcome);
    Told {
        event: &stored.event.id,
        outcome: stored.outcome,
        reason: decisive.and_then(reason),
        decisions: stored.decisions.iter().map(told_decision).collect(),
    }
}

fn told_decision(decision: &DecisionRecord) -> ToldDecision<'_> {
    let run = decision.run.as_ref().map(|run| ToldRun {
        name: &run.name,
        console: &run.console,
        state: run.state.as_deref(),
        end: run.end,
    });
    ToldDecision {
        trigger: decision.trigger.as_str(),
        subject: &decision.subject,
        outcome: decision.outcome,
        reason: reason(decision),
        message: decision.message.as_deref(),
        launch_id: &decision.launch_id,
        run,
    }
}

/// The reason of where it stands, not of where it stood.
fn reason(decision: &DecisionRecord) -> Option<Reason> {
    decision.reason.filter(|reason| reason.outcome() == decision.outcome)
}

/// The one bearer token; `None` when there is none or more than one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(one), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized(why: &str) -> Response {
    let mut response = error(StatusCode::UNAUTHORIZED, why);
    response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
    response
}

fn later() -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "ask again");
    response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static("2"));
    response
}

fn error(status: StatusCode, why: &str) -> Response {
    json_response(status, &json!({ "error": why }))
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_value(body).as_ref().map(Value::to_string).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
}
