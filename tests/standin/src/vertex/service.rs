//! Answers requests: authentication, faults, checks, then the operation itself.
//!
//! The order is the one a caller sees at Google: an unknown path is no API, an unknown caller learns nothing
//! more, quotas and permissions come before the body is judged.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Access, VertexOptions, admin,
    fault::{Fault, FaultRule, Faults},
    filter::Filter,
    hold::{Holds, Release},
    job::{JobKey, JobState},
    kind::JobKind,
    path::{Operation, Target},
    recorded::{Recorded, Records},
    requirements, schema,
    store::{AlreadyExists, JobStore},
};
use crate::{
    google_error::{GoogleError, Subject, asynchronous},
    loopback::{Answers, Asked, Reply},
    timestamp::rfc3339,
};

/// Jobs in one list answer when the request does not say.
const PAGE_SIZE: usize = 100;

/// Everything that requests and the test's own calls share.
#[derive(Debug)]
pub(crate) struct VertexService {
    access: Access,
    lean: bool,
    state: Mutex<State>,
    requests: AtomicU64,
    /// Ticks after every change, for those who wait for one.
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: JobStore,
    pub(crate) faults: Faults,
    pub(crate) holds: Holds,
    pub(crate) records: Records,
}

impl VertexService {
    pub(crate) fn new(options: VertexOptions) -> Self {
        let store = JobStore::new(options.project_numbers, options.schedule, options.list_visibility);
        let records = Records::new(if options.lean { 0 } else { options.recorded_limit });
        let state = State { store, faults: Faults::default(), holds: Holds::default(), records };
        Self {
            access: options.access,
            lean: options.lean,
            state: Mutex::new(state),
            requests: AtomicU64::new(0),
            changed: watch::Sender::new(0),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is complete before anything in it can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn request_count(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Wakes those who wait for a change.
    pub(crate) fn tick(&self) {
        if self.changed.receiver_count() > 0 {
            self.changed.send_modify(|ticks| *ticks += 1);
        }
    }

    /// Returns once `reached` holds; looks again after every change.
    pub(crate) async fn wait_until(&self, reached: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !reached(self) {
            // The sender lives as long as `self`: this cannot end early.
            let _ = changed.changed().await;
        }
    }

    fn authenticate(&self, asked: &Asked, target: &Target) -> Result<(), GoogleError> {
        let known = match (&self.access, asked.bearer()) {
            (Access::Anonymous, _) | (Access::AnyBearer, Some(_)) => true,
            (Access::Tokens(tokens), Some(token)) => tokens.knows(token),
            (_, None) => return Err(no_credentials(target)),
        };
        if known {
            return Ok(());
        }
        Err(GoogleError::known("unauthenticated", &Subject::default())
            .expect("errors.json holds this id: a test reads it"))
    }

    async fn vertex(self: Arc<Self>, asked: Asked) -> Reply {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.tick();
        if !self.lean {
            let account = match (&self.access, asked.bearer()) {
                (Access::Tokens(tokens), Some(token)) => tokens.account_of(token),
                _ => None,
            };
            self.state().records.add(Recorded::of(&asked, account));
        }
        let reply = match Target::parse(&asked.method, &asked.path) {
            None => GoogleError::no_such_path().reply(),
            Some(target) => match self.authenticate(&asked, &target) {
                Err(refused) => refused.reply(),
                Ok(()) => Arc::clone(&self).with_faults(asked, target).await,
            },
        };
        self.tick();
        reply
    }

    async fn with_faults(self: Arc<Self>, asked: Asked, target: Target) -> Reply {
        let rule = {
            let mut state = self.state();
            if state.faults.is_empty() {
                None
            } else {
                let body = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
                let id = pipeline_job_id(&asked).unwrap_or_default();
                state.faults.take(&target, &id, &body).map(|rule| (rule, body))
            }
        };
        match rule {
            None => self.perform(&asked, &target, None),
            // In a task of its own: a server goes on with a request whose caller has gone.
            Some((rule, body)) => {
                let faulty = tokio::spawn(self.with_fault(rule, body, asked, target));
                faulty.await.unwrap_or(Reply::HangUp)
            }
        }
    }

    async fn with_fault(
        self: Arc<Self>,
        rule: FaultRule,
        body: Value,
        asked: Asked,
        target: Target,
    ) -> Reply {
        let perform = |ends_with| self.perform(&asked, &target, ends_with);
        match &rule.fault {
            Fault::Known { id } => {
                let account = body["serviceAccount"].as_str().or(body["jobSpec"]["serviceAccount"].as_str());
                let subject =
                    Subject { place: Some(target.place()), service_account: account.map(str::to_owned) };
                GoogleError::known(id, &subject).unwrap_or_else(|| GoogleError::new("INTERNAL", id)).reply()
            }
            Fault::Status { status, message } => GoogleError::new(status, message).reply(),
            Fault::DoneButStatus { status, message } => {
                perform(None);
                GoogleError::new(status, message).reply()
            }
            Fault::SlowBefore { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                perform(None)
            }
            Fault::SlowAfter { ms } => {
                let done = perform(None);
                self.tick();
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                done
            }
            Fault::DropBefore => Reply::HangUp,
            Fault::DropAfter => {
                perform(None);
                Reply::HangUp
            }
            Fault::HoldBefore => match self.hold(&rule, &asked).await {
                Release::Proceed => {
                    let done = perform(None);
                    // The caller's own tick never comes if the caller has gone.
                    self.tick();
                    done
                }
                Release::Discard => Reply::HangUp,
            },
            Fault::HoldAfter => {
                let done = perform(None);
                match self.hold(&rule, &asked).await {
                    Release::Proceed => done,
                    Release::Discard => Reply::HangUp,
                }
            }
            Fault::FailLater { id } => perform(asynchronous(id)),
        }
    }

    async fn hold(&self, rule: &FaultRule, asked: &Asked) -> Release {
        let released =
            self.state().holds.hold(&rule.id, format!("{} {}?{}", asked.method, asked.path, asked.query));
        self.tick();
        released.await.unwrap_or(Release::Discard)
    }

    fn perform(&self, asked: &Asked, target: &Target, ends_with: Option<Value>) -> Reply {
        if self.lean && target.operation == Operation::Create {
            return self.create_lean(asked, target).unwrap_or_else(|refused| refused.reply());
        }
        let query = asked.query_pairs();
        let done = schema::check_query(target.kind, target.operation, &query).and_then(|()| {
            match target.operation {
                Operation::Create => self.create(asked, target, &query, ends_with),
                Operation::List => self.list(target, &query),
                Operation::Get => self.get(target),
                Operation::Cancel => self.cancel(asked, target),
                Operation::Delete => self.delete(target),
            }
        });
        match done {
            Err(refused) => refused.reply(),
            Ok(answer)
                if value_of(&query, "$alt")
                    .or(value_of(&query, "alt"))
                    .is_some_and(|alt| alt.ends_with("=int")) =>
            {
                Reply::json(200, &with_enum_numbers(target, answer))
            }
            Ok(answer) => Reply::json(200, &answer),
        }
    }

    fn create(
        &self,
        asked: &Asked,
        target: &Target,
        query: &[(String, String)],
        ends_with: Option<Value>,
    ) -> Result<Value, GoogleError> {
        let json_type =
            asked.header("content-type").is_none_or(|given| given.starts_with("application/json"));
        if !json_type {
            return Err(GoogleError::invalid(
                "The request's content type is not supported: application/json is expected.",
            ));
        }
        let body = schema::read_job(target.kind, &asked.body)?;
        requirements::check(target.kind, &body)?;
        let asked_id = value_of(query, "pipelineJobId").or(value_of(query, "pipeline_job_id"));
        if let Some(id) = asked_id {
            requirements::check_pipeline_job_id(id)?;
        }
        let fails = ends_with.or_else(|| fails_by_itself(target.kind, &body));
        let now = SystemTime::now();
        let mut state = self.state();
        let id = match (asked_id, target.kind) {
            (Some(id), _) => id.to_owned(),
            (None, JobKind::PipelineJobs) => format!("pipeline-{}", state.store.next_id()),
            (None, _) => state.store.next_id().to_string(),
        };
        let key = key_of(&mut state.store, target, id);
        let job = state.store.create(key, body, now).map_err(|AlreadyExists| already_exists())?;
        job.ends_with = fails;
        Ok(job.resource())
    }

    /// The create of a load run: JSON is parsed and the name kept; the schema is not checked and no body stored.
    fn create_lean(&self, asked: &Asked, target: &Target) -> Result<Reply, GoogleError> {
        #[derive(Deserialize)]
        struct Lean<'a> {
            #[serde(borrow, rename = "displayName")]
            display_name: Cow<'a, str>,
        }
        let lean: Lean<'_> = serde_json::from_slice(&asked.body).map_err(|error| {
            GoogleError::bad_request("", &format!("Invalid JSON payload received. {error}"))
        })?;
        let asked_id = pipeline_job_id(asked);
        let mut state = self.state();
        let id = if let Some(id) = asked_id {
            requirements::check_pipeline_job_id(&id)?;
            id
        } else {
            state.store.next_id().to_string().into()
        };
        let number = state.store.project_number(&target.project);
        let name =
            format!("projects/{number}/locations/{}/{}/{id}", target.location, target.kind.collection());
        if !state.store.create_lean(&name) {
            return Err(already_exists());
        }
        drop(state);
        let state = format!("{}PENDING", target.kind.state_prefix());
        Ok(Reply::json(
            200,
            &json!({"name": name, "displayName": lean.display_name, "state": state, "createTime": rfc3339(asked.received_at)}),
        ))
    }

    fn get(&self, target: &Target) -> Result<Value, GoogleError> {
        let mut state = self.state();
        let key = key_of(&mut state.store, target, target.id.clone());
        if self.lean && state.store.holds_lean(&key.name()) {
            return Ok(
                json!({"name": key.name(), "state": format!("{}PENDING", target.kind.state_prefix())}),
            );
        }
        state.store.read(&key, SystemTime::now()).ok_or_else(|| not_found(target.kind))
    }

    fn list(&self, target: &Target, query: &[(String, String)]) -> Result<Value, GoogleError> {
        let either = |camel: &str, snake: &str| {
            value_of(query, camel).or(value_of(query, snake)).filter(|value| !value.is_empty())
        };
        let filter = Filter::parse(value_of(query, "filter").unwrap_or_default())?;
        let size = match either("pageSize", "page_size") {
            None | Some("0") => PAGE_SIZE,
            Some(size) => size
                .parse()
                .map_err(|_| GoogleError::invalid(&format!("Invalid value at 'page_size': \"{size}\"")))?,
        };
        let start = match either("pageToken", "page_token") {
            None => 0,
            Some(token) => token
                .strip_prefix("from-")
                .and_then(|at| at.parse::<usize>().ok())
                .ok_or_else(|| GoogleError::invalid("Invalid page token."))?,
        };
        let oldest_first = match either("orderBy", "order_by") {
            None | Some("create_time desc") => false,
            Some("create_time" | "create_time asc") => true,
            Some(order) => return Err(GoogleError::invalid(&format!("Invalid order_by: {order}."))),
        };
        let mut jobs = {
            let mut state = self.state();
            let number = state.store.project_number(&target.project);
            state.store.list(number, &target.location, target.kind, &filter, SystemTime::now())
        };
        if oldest_first {
            jobs.reverse();
        }
        let more = jobs.len() > start.saturating_add(size);
        let mut page: Vec<Value> = jobs.into_iter().skip(start).take(size).collect();
        if let Some(mask) = either("readMask", "read_mask").filter(|mask| *mask != "*") {
            keep_only(target.kind, mask, &mut page)?;
        }
        let mut answer = json!({});
        if !page.is_empty() {
            answer[target.kind.collection()] = page.into();
        }
        if more {
            answer["nextPageToken"] = format!("from-{}", start + size).into();
        }
        Ok(answer)
    }

    fn cancel(&self, asked: &Asked, target: &Target) -> Result<Value, GoogleError> {
        if !asked.body.is_empty() && serde_json::from_slice::<Value>(&asked.body).ok() != Some(json!({})) {
            return Err(GoogleError::bad_request(
                "",
                "Invalid JSON payload received. An empty object is expected.",
            ));
        }
        let now = SystemTime::now();
        let mut state = self.state();
        let key = key_of(&mut state.store, target, target.id.clone());
        let job = state.store.peek(&key, now).ok_or_else(|| not_found(target.kind))?;
        if job.state.is_final() {
            // The code is by the API's rules; Google's own text is not public.
            return Err(GoogleError::new(
                "FAILED_PRECONDITION",
                &format!("The {} is in a final state and cannot be cancelled.", target.kind.resource()),
            ));
        }
        job.enter(JobState::Cancelling, now);
        Ok(json!({}))
    }

    fn delete(&self, target: &Target) -> Result<Value, GoogleError> {
        let now = SystemTime::now();
        let mut state = self.state();
        let key = key_of(&mut state.store, target, target.id.clone());
        let job = state.store.peek(&key, now).ok_or_else(|| not_found(target.kind))?;
        if !job.state.is_final() {
            return Err(GoogleError::new(
                "FAILED_PRECONDITION",
                &format!("The {} is not in a final state and cannot be deleted.", target.kind.resource()),
            ));
        }
        state.store.remove(&key);
        let operation = state.store.next_id();
        Ok(json!({
            "name": format!("projects/{}/locations/{}/operations/{operation}", key.project_number, key.location),
            "metadata": {
                "@type": "type.googleapis.com/google.cloud.aiplatform.v1.DeleteOperationMetadata",
                "genericMetadata": {"createTime": rfc3339(now), "updateTime": rfc3339(now)},
            },
            "done": true,
            "response": {"@type": "type.googleapis.com/google.protobuf.Empty"},
        }))
    }
}

impl Answers for VertexService {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        if let Some(command) = asked.path.strip_prefix("/_standin/") {
            let command = command.to_owned();
            return admin::answer(&self, &command, &asked).await;
        }
        self.vertex(asked).await
    }
}

pub(crate) fn key_of(store: &mut JobStore, target: &Target, id: String) -> JobKey {
    JobKey {
        project_number: store.project_number(&target.project),
        location: target.location.clone(),
        kind: target.kind,
        id,
    }
}

fn pipeline_job_id(asked: &Asked) -> Option<Cow<'_, str>> {
    form_urlencoded::parse(asked.query.as_bytes()).find(|(name, _)| name == "pipelineJobId").map(|(_, id)| id)
}

fn value_of<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Vertex takes `parameters` beside a 2.1.0 spec and fails the job later (public report: sky-uk/kfp-operator PR 1277).
fn fails_by_itself(kind: JobKind, body: &Value) -> Option<Value> {
    let wrong = kind == JobKind::PipelineJobs
        && body["pipelineSpec"].is_object()
        && super::parameters::uses_legacy_field_wrongly(&body["pipelineSpec"], &body["runtimeConfig"]);
    wrong.then(|| json!({"code": 13, "message": "INTERNAL_ERROR"}))
}

fn with_enum_numbers(target: &Target, mut answer: Value) -> Value {
    match target.operation {
        Operation::Create | Operation::Get => schema::enums_as_numbers(target.kind, &answer),
        Operation::List => {
            if let Some(jobs) = answer[target.kind.collection()].as_array_mut() {
                for job in jobs {
                    *job = schema::enums_as_numbers(target.kind, job);
                }
            } else {
                // Indexing a missing member of a mutable object has put a null there.
                answer = json!({});
            }
            answer
        }
        Operation::Cancel | Operation::Delete => answer,
    }
}

/// Leaves the members that a field mask names; only whole top-level fields are served.
fn keep_only(kind: JobKind, mask: &str, jobs: &mut [Value]) -> Result<(), GoogleError> {
    let message = schema::message(kind.resource());
    let mut kept = Vec::new();
    for path in mask.split(',') {
        let field = message.get_field_by_name(path).or_else(|| message.get_field_by_json_name(path));
        let field = field.ok_or_else(|| {
            GoogleError::bad_request("read_mask", &format!("Invalid field mask path: {path}"))
        })?;
        kept.push(field.json_name().to_owned());
    }
    for job in jobs {
        if let Some(members) = job.as_object_mut() {
            members.retain(|name, _| kept.contains(name));
        }
    }
    Ok(())
}

fn already_exists() -> GoogleError {
    GoogleError::known("already_exists", &Subject::default())
        .expect("errors.json holds this id: a test reads it")
}

/// The texts of the other kinds follow the pipeline job's, which is itself a guess in `errors.json`.
fn not_found(kind: JobKind) -> GoogleError {
    GoogleError::new("NOT_FOUND", &format!("The {} does not exist.", kind.resource()))
}

/// Google's front-end text for a request without any credentials.
fn no_credentials(target: &Target) -> GoogleError {
    let method = format!("{}.{}", target.kind.service(), target.operation.rpc(target.kind));
    let detail = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "CREDENTIALS_MISSING",
        "domain": "googleapis.com",
        "metadata": {"method": method, "service": "aiplatform.googleapis.com"},
    });
    let text = "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
    GoogleError::with_details("UNAUTHENTICATED", text, &[detail])
}
