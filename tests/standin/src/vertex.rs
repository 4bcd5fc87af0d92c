//! The Vertex AI stand-in: the four job collections of `aiplatform.googleapis.com` v1, as strict as the API.
//!
//! It promises that what it takes, the API's schema and public rules take; that it answers as the server does
//! (defaults, project numbers, error bodies); and that every request can be read back byte for byte. It runs
//! nothing: states move by [`Schedule`] or by hand. It does not know whether buckets, images or accounts exist.

mod admin;
mod fault;
mod filter;
mod hold;
mod job;
mod kind;
mod labels;
mod parameters;
mod path;
mod recorded;
mod requirements;
mod schema;
mod service;
mod store;

use std::{collections::BTreeMap, error::Error, fmt, io, sync::Arc, time::SystemTime};

use hyper::Method;
use serde_json::Value;

pub use self::{
    fault::{Fault, FaultRule, Matches},
    job::{JobState, Schedule},
    kind::JobKind,
    path::Operation,
    recorded::Recorded,
    store::ListVisibility,
};
use self::{
    hold::Release,
    job::StoredJob,
    path::Target,
    service::{VertexService, key_of},
};
use crate::{google_error::GoogleError, loopback::LoopbackServer, tokens::TokenSet};

/// Who may call.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Anyone, with or without a token: for demos on loopback.
    Anonymous,
    /// Whoever shows some bearer token.
    #[default]
    AnyBearer,
    /// Whoever shows a token of this set.
    Tokens(TokenSet),
}

/// How a stand-in starts.
#[derive(Clone, Debug)]
pub struct VertexOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Who may call.
    pub access: Access,
    /// What moves jobs on.
    pub schedule: Schedule,
    /// When a job appears in lists.
    pub list_visibility: ListVisibility,
    /// Numbers of projects; a project that is not named here gets one of its own.
    pub project_numbers: BTreeMap<String, u64>,
    /// Requests kept for reading back; older ones go.
    pub recorded_limit: usize,
    /// For load runs only: creates are parsed as JSON and their ids checked and kept (a second one is still
    /// `ALREADY_EXISTS`), but the schema is not checked, bodies and requests are not kept, GET shows the name
    /// and state alone and lists are empty.
    pub lean: bool,
}

impl Default for VertexOptions {
    fn default() -> Self {
        Self {
            port: 0,
            access: Access::default(),
            schedule: Schedule::default(),
            list_visibility: ListVisibility::default(),
            project_numbers: BTreeMap::from([("acme-ml".to_owned(), 123_456_789_012)]),
            recorded_limit: 100_000,
            lean: false,
        }
    }
}

/// A call that names something the stand-in does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake(String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Mistake {}

/// A running Vertex stand-in; it stops when dropped.
#[derive(Debug)]
pub struct VertexStandin {
    service: Arc<VertexService>,
    server: LoopbackServer,
}

impl VertexStandin {
    /// Starts serving on loopback.
    pub async fn start(options: VertexOptions) -> io::Result<Self> {
        let port = options.port;
        let service = Arc::new(VertexService::new(options));
        let server = LoopbackServer::start(port, Arc::clone(&service)).await?;
        Ok(Self { service, server })
    }

    /// `http://127.0.0.1:PORT`, to be used in the place of `https://REGION-aiplatform.googleapis.com`.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Stops and waits until the port is free; held requests are discarded.
    pub async fn stop(self) {
        self.service.state().holds.discard_all();
        self.server.stop().await;
    }

    /// The requests to the API, oldest first (not those to `/_standin/`).
    pub fn requests(&self) -> Vec<Recorded> {
        self.service.state().records.all()
    }

    /// The requests that ask for a new job, oldest first, whatever was answered.
    pub fn creates(&self) -> Vec<Recorded> {
        let is_create = |request: &Recorded| {
            request.method == "POST"
                && Target::parse(&Method::POST, &request.path)
                    .is_some_and(|target| target.operation == Operation::Create)
        };
        self.requests().into_iter().filter(is_create).collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.service.state().records.clear();
    }

    /// Requests to the API since the start, also in lean mode.
    pub fn request_count(&self) -> u64 {
        self.service.request_count()
    }

    /// Every job as GET would show it, oldest first. Looking moves nothing.
    pub fn jobs(&self) -> Vec<Value> {
        self.service.state().store.all(SystemTime::now())
    }

    /// Jobs held, also in lean mode.
    pub fn job_count(&self) -> usize {
        self.service.state().store.count()
    }

    /// Adds a fault rule and returns its name.
    ///
    /// # Errors
    /// The rule names an error that `errors.json` does not have, or a code that does not exist.
    pub fn add_fault(&self, rule: FaultRule) -> Result<String, Mistake> {
        match rule.mistake() {
            Some(mistake) => Err(Mistake(mistake)),
            None => Ok(self.service.state().faults.add(rule)),
        }
    }

    /// Removes one rule. What it holds stays held.
    pub fn remove_fault(&self, id: &str) {
        self.service.state().faults.remove(id);
    }

    /// Removes every rule. What they hold stays held.
    pub fn clear_faults(&self) {
        self.service.state().faults.clear();
    }

    /// Lets the requests that the rule holds go on, removes the rule, and returns how many there were.
    pub fn release(&self, rule: &str) -> usize {
        self.end_hold(rule, Release::Proceed)
    }

    /// Closes the connections of the requests that the rule holds and removes the rule. What was not done is never done.
    pub fn discard(&self, rule: &str) -> usize {
        self.end_hold(rule, Release::Discard)
    }

    fn end_hold(&self, rule: &str, how: Release) -> usize {
        let mut state = self.service.state();
        state.faults.remove(rule);
        state.holds.release(rule, how)
    }

    /// Requests that the rule holds now.
    pub fn held(&self, rule: &str) -> usize {
        self.service.state().holds.count(rule)
    }

    /// Waits until the rule holds so many requests.
    pub async fn wait_held(&self, rule: &str, count: usize) {
        self.service.wait_until(|service| service.state().holds.count(rule) >= count).await;
    }

    /// Waits until there are so many jobs.
    pub async fn wait_jobs(&self, count: usize) {
        self.service.wait_until(|service| service.state().store.count() >= count).await;
    }

    /// Waits until so many requests have arrived.
    pub async fn wait_requests(&self, count: u64) {
        self.service.wait_until(|service| service.request_count() >= count).await;
    }

    /// Changes what moves jobs on.
    pub fn set_schedule(&self, schedule: Schedule) {
        self.service.state().store.schedule = schedule;
    }

    /// Changes when jobs appear in lists.
    pub fn set_list_visibility(&self, visibility: ListVisibility) {
        self.service.state().store.visibility = visibility;
    }

    /// Puts a job into a state. `name` is the job's own `name`, with the project's number or id.
    ///
    /// # Errors
    /// There is no such job.
    pub fn set_state(&self, name: &str, state: JobState) -> Result<(), Mistake> {
        admin::enter_state(&self.service, name, state, None).map_err(Mistake)
    }

    /// Ends a job in FAILED with an asynchronous error of `errors.json`.
    ///
    /// # Errors
    /// There is no such job or no such error.
    pub fn fail(&self, name: &str, error: &str) -> Result<(), Mistake> {
        admin::enter_state(&self.service, name, JobState::Failed, Some(error)).map_err(Mistake)
    }

    /// Puts a job there as if somebody else had created it at that time; `name` as in [`Self::set_state`].
    ///
    /// # Errors
    /// The name is none or taken, or the body is not one the API takes.
    pub fn plant(&self, name: &str, body: &Value, created_at: SystemTime) -> Result<(), Mistake> {
        let target = Target::parse(&Method::GET, &format!("/v1/{name}"))
            .filter(|target| target.operation == Operation::Get);
        let target = target.ok_or_else(|| Mistake(format!("not a job's name: {name}")))?;
        let refused = |error: &GoogleError| Mistake(format!("{error:?}"));
        let body =
            schema::read_job(target.kind, body.to_string().as_bytes()).map_err(|error| refused(&error))?;
        requirements::check(target.kind, &body).map_err(|error| refused(&error))?;
        let planted = {
            let mut state = self.service.state();
            let key = key_of(&mut state.store, &target, target.id.clone());
            let billing_id = state.store.next_id();
            state.store.insert(StoredJob::accepted(key, body, created_at, billing_id)).is_ok()
        };
        self.service.tick();
        if planted { Ok(()) } else { Err(Mistake(format!("the name is taken: {name}"))) }
    }
}

impl Drop for VertexStandin {
    fn drop(&mut self) {
        // Held requests keep the service alive; nobody is left to release them.
        self.service.state().holds.discard_all();
    }
}
