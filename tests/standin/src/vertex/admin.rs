//! `/_standin/…`: the controls of a stand-in for other processes, as JSON over its own port.
//!
//! | request | does |
//! |---|---|
//! | `POST /_standin/faults` | adds a [`FaultRule`], answers `{"id": …}` |
//! | `GET /_standin/faults` | the rules with how often each hit |
//! | `DELETE /_standin/faults[?id=ID]` | removes one rule or all |
//! | `GET /_standin/held[?rule=ID&wait_ms=N]` | the held requests; waits until the rule holds one |
//! | `POST /_standin/release?rule=ID[&discard=true]` | lets the rule's held requests go and removes the rule |
//! | `GET /_standin/requests`, `DELETE /_standin/requests` | recorded requests |
//! | `GET /_standin/jobs` | every job as GET would show it |
//! | `GET /_standin/counts` | requests, jobs, held |
//! | `POST /_standin/jobs?name=NAME&state=STATE[&error=ID]` | puts a job into a state |
//! | `POST /_standin/settings` | `{"schedule": …, "listVisibility": …}`, either may be left out |

use std::time::{Duration, SystemTime};

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    fault::FaultRule,
    hold::Release,
    job::{JobState, Schedule},
    path::Target,
    service::{VertexService, key_of},
    store::ListVisibility,
};
use crate::{
    google_error::asynchronous,
    loopback::{Asked, Reply},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    schedule: Option<Schedule>,
    list_visibility: Option<ListVisibility>,
}

pub(crate) async fn answer(service: &VertexService, command: &str, asked: &Asked) -> Reply {
    let query = asked.query_pairs();
    let parameter =
        |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match (asked.method.as_str(), command) {
        ("POST", "faults") => match serde_json::from_slice::<FaultRule>(&asked.body) {
            Ok(rule) => match rule.mistake() {
                None => Reply::json(200, &json!({"id": service.state().faults.add(rule)})),
                Some(mistake) => refused(&mistake),
            },
            Err(error) => refused(&format!("not a fault rule: {error}")),
        },
        ("GET", "faults") => Reply::json(200, &service.state().faults.shown()),
        ("DELETE", "faults") => {
            match parameter("id") {
                Some(id) => service.state().faults.remove(id),
                None => service.state().faults.clear(),
            }
            done()
        }
        ("GET", "held") => {
            if let (Some(rule), Some(ms)) =
                (parameter("rule"), parameter("wait_ms").and_then(|ms| ms.parse().ok()))
            {
                let held = service.wait_until(|service| service.state().holds.count(rule) > 0);
                // Running out of time is told by the list being empty.
                let _ = tokio::time::timeout(Duration::from_millis(ms), held).await;
            }
            Reply::json(200, &service.state().holds.shown())
        }
        ("POST", "release") => match parameter("rule") {
            Some(rule) => {
                let how =
                    if parameter("discard") == Some("true") { Release::Discard } else { Release::Proceed };
                let mut state = service.state();
                state.faults.remove(rule);
                Reply::json(200, &json!({"released": state.holds.release(rule, how)}))
            }
            None => refused("rule is missing"),
        },
        ("GET", "requests") => {
            let requests = service.state().records.all();
            Reply::json(200, &Value::Array(requests.iter().map(super::Recorded::shown).collect()))
        }
        ("DELETE", "requests") => {
            service.state().records.clear();
            done()
        }
        ("GET", "jobs") => Reply::json(200, &Value::Array(service.state().store.all(SystemTime::now()))),
        ("POST", "jobs") => match enter(service, parameter("name"), parameter("state"), parameter("error")) {
            Ok(()) => done(),
            Err(mistake) => refused(&mistake),
        },
        ("GET", "counts") => {
            let requests = service.request_count();
            let state = service.state();
            Reply::json(
                200,
                &json!({"requests": requests, "jobs": state.store.count(), "held": state.holds.total()}),
            )
        }
        ("POST", "settings") => match serde_json::from_slice::<Settings>(&asked.body) {
            Ok(settings) => {
                let mut state = service.state();
                state.store.schedule = settings.schedule.unwrap_or(state.store.schedule);
                state.store.visibility = settings.list_visibility.unwrap_or(state.store.visibility);
                done()
            }
            Err(error) => refused(&format!("not settings: {error}")),
        },
        _ => Reply::json(
            404,
            &json!({"error": format!("no such control: {} /_standin/{command}", asked.method)}),
        ),
    }
}

/// Puts the job named `projects/P/locations/L/COLLECTION/ID` into a state.
fn enter(
    service: &VertexService,
    name: Option<&str>,
    state: Option<&str>,
    error: Option<&str>,
) -> Result<(), String> {
    let name = name.ok_or("name is missing")?;
    let state: JobState = serde_json::from_value(json!(state)).map_err(|error| format!("state: {error}"))?;
    enter_state(service, name, state, error)
}

/// As [`enter`], with the state known; `error` is the id of an asynchronous error in `errors.json`.
pub(crate) fn enter_state(
    service: &VertexService,
    name: &str,
    state: JobState,
    error: Option<&str>,
) -> Result<(), String> {
    let target = Target::parse(&Method::GET, &format!("/v1/{name}")).filter(|target| !target.id.is_empty());
    let target = target.ok_or_else(|| format!("not a job's name: {name}"))?;
    let error = match error {
        Some(id) => {
            Some(asynchronous(id).ok_or_else(|| format!("errors.json has no asynchronous error \"{id}\""))?)
        }
        None => None,
    };
    let entered = {
        let mut shared = service.state();
        let key = key_of(&mut shared.store, &target, target.id.clone());
        shared.store.enter(&key, state, error, SystemTime::now())
    };
    service.tick();
    if entered { Ok(()) } else { Err(format!("no such job: {name}")) }
}

fn done() -> Reply {
    Reply::json(200, &json!({}))
}

fn refused(why: &str) -> Reply {
    Reply::json(400, &json!({"error": why}))
}
