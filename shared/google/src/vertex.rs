//! Vertex AI over REST: what was planned is what is sent.
//!
//! Promises: the planned body goes out byte for byte; each call ends within its timeout; the answer to a
//! create is read no further than name and state. Does not: retry, compare, or build requests.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use launchgate_engine::{
    Run,
    ports::{CallError, CallErrorKind, Vertex},
};
use launchgate_outcome::Reason;
use launchgate_triggers::LaunchPlan;
use reqwest::{
    Client, Method, RequestBuilder, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;

use crate::{
    CredentialSettings, Endpoints, FixContext, GoogleError,
    callers::{Caller, Callers},
    classification::{not_answered, refused, unreadable},
    credentials::no_token,
    http::{self, Answer},
    iam_fixes::fix_for,
    run::JobHead,
};

/// Largest answer read. A job holds its whole pipeline specification, and requests end at 10 MiB.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;

/// Longest wait for an access token, so that most of a call's time is left for the call.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(8);

/// Jobs in one page of a listing, and pages read: one label has one job, two after an accident.
const PAGE_SIZE: &str = "100";
const PAGES: usize = 20;

/// The label that every run carries. Source: DESIGN §6.
const ID_LABEL: &str = "launchgate-id";

/// Vertex AI in every region, behind one connection pool.
#[derive(Debug)]
pub struct VertexClient {
    client: Client,
    endpoints: Endpoints,
    callers: Callers,
    /// Whom the file's triggers launch as.
    launch_as: Vec<Option<String>>,
    call_timeout: Duration,
}

impl VertexClient {
    /// A client whose every call (token, request and answer together) ends within `call_timeout`.
    ///
    /// # Errors
    /// When no TLS client can be made, mostly for lack of CA certificates.
    pub fn new(
        endpoints: Endpoints,
        settings: CredentialSettings,
        call_timeout: Duration,
    ) -> Result<Self, GoogleError> {
        let callers = Callers::new(settings, endpoints.clone());
        // All regions are https or all are replaced by one address.
        let client = http::client(&endpoints.vertex("us-central1"))?;
        Ok(Self { client, endpoints, callers, launch_as: vec![None], call_timeout })
    }

    /// The same, for a file whose triggers launch as these service accounts, and as the service `itself` or not.
    ///
    /// # Errors
    /// When no TLS client can be made.
    pub fn launching_as<'a>(
        mut self,
        accounts: impl IntoIterator<Item = &'a str>,
        itself: bool,
    ) -> Result<Self, GoogleError> {
        let accounts = accounts.into_iter().map(|account| Some(account.to_owned()));
        self.launch_as = itself.then_some(None).into_iter().chain(accounts).collect();
        self.launch_as.iter().try_for_each(|account| self.callers.get(account.as_deref()).map(drop))?;
        Ok(self)
    }

    /// What an operator should know of the credentials; for the log at start and `/readyz`.
    pub fn warnings(&self) -> Vec<String> {
        self.callers.itself().warnings()
    }

    /// Sends one request with credentials; `Ok` is a 2xx answer.
    async fn call(
        &self,
        plan: &LaunchPlan,
        request: RequestBuilder,
        deadline: Instant,
    ) -> Result<Answer, CallError> {
        let caller = self.caller(plan.impersonate())?;
        let headers = authentication(&caller, deadline).await?;
        let request = request
            .headers(headers)
            .header("x-goog-request-params", parent_parameter(plan))
            .timeout(deadline.saturating_duration_since(Instant::now()));
        let answer = http::send(request, ANSWER_LIMIT).await.map_err(|cut| not_answered(&cut))?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let mut error = refused(&answer);
        match error.kind {
            // A fresh token for the one attempt more that the engine makes.
            CallErrorKind::Unauthenticated => caller.renew().await,
            CallErrorKind::Terminal(reason) => add_fix(reason, &mut error, plan, &caller).await,
            _ => {}
        }
        Err(error)
    }

    fn caller(&self, account: Option<&str>) -> Result<Caller, CallError> {
        self.callers.get(account).map_err(|error| no_token(error.to_string()))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.call_timeout
    }

    fn url(&self, plan: &LaunchPlan, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.endpoints.vertex(plan.location()).join(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

#[async_trait]
impl Vertex for VertexClient {
    async fn create(&self, plan: &LaunchPlan) -> Result<Run, CallError> {
        let planned = plan.request();
        let query: Vec<_> =
            planned.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let method = Method::from_bytes(planned.method.as_bytes()).unwrap_or(Method::POST);
        let request = self
            .client
            .request(method, self.url(plan, &planned.path, &query))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(planned.body.clone());
        let answer = self.call(plan, request, self.deadline()).await?;
        let head: JobHead = serde_json::from_slice(&answer.body).map_err(|error| {
            unreadable(answer.status, &format!("no job in the answer to a create: {error}"))
        })?;
        let name = head.name.clone();
        head.into_run(plan).ok_or_else(|| {
            unreadable(answer.status, &format!("`{name}` is no name of one of {}", plan.kind().collection()))
        })
    }

    async fn get(&self, plan: &LaunchPlan) -> Result<Value, CallError> {
        let path = format!("{}/{}", collection_path(plan), plan.launch_id());
        let request = self.client.get(self.url(plan, &path, &[]));
        let answer = self.call(plan, request, self.deadline()).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| unreadable(answer.status, &format!("no job in the answer: {error}")))
    }

    async fn find(&self, plan: &LaunchPlan) -> Result<Vec<Value>, CallError> {
        let deadline = self.deadline();
        let id = plan.launch_id().to_string();
        let filter = format!("labels.{ID_LABEL}=\"{id}\"");
        let path = collection_path(plan);
        let mut found = Vec::new();
        let mut token = String::new();
        for _ in 0..PAGES {
            let mut query = vec![("filter", filter.as_str()), ("pageSize", PAGE_SIZE)];
            if !token.is_empty() {
                query.push(("pageToken", &token));
            }
            let request = self.client.get(self.url(plan, &path, &query));
            let answer = self.call(plan, request, deadline).await?;
            let mut page: Value = serde_json::from_slice(&answer.body)
                .map_err(|error| unreadable(answer.status, &format!("no listing in the answer: {error}")))?;
            if let Some(Value::Array(jobs)) = page.get_mut(plan.kind().collection()).map(Value::take) {
                // A server that ignored the filter must not hand us somebody else's job.
                found.extend(jobs.into_iter().filter(|job| job["labels"][ID_LABEL] == id.as_str()));
            }
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return Ok(found),
            }
        }
        Err(unreadable(200, &format!("the listing by {filter} does not end after {PAGES} pages")))
    }

    async fn look(&self, plan: &LaunchPlan, run: &Run) -> Result<Value, CallError> {
        // Under the name that Vertex AI gave it, which says the project by its number.
        let request = self.client.get(self.url(plan, &format!("/v1/{}", run.name), &[]));
        let answer = self.call(plan, request, self.deadline()).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| unreadable(answer.status, &format!("no job in the answer: {error}")))
    }

    fn run_of(&self, plan: &LaunchPlan, job: &Value) -> Option<Run> {
        let name = job["name"].as_str()?.to_owned();
        let state = job["state"].as_str().map(str::to_owned);
        JobHead { name, state }.into_run(plan)
    }

    async fn ready(&self) -> Result<(), CallError> {
        let (deadline, mut refused) = (self.deadline(), None);
        for account in &self.launch_as {
            let caller = self.caller(account.as_deref())?;
            match authentication(&caller, deadline).await {
                Ok(_) => return Ok(()),
                Err(error) => refused.get_or_insert(error),
            };
        }
        refused.map_or(Ok(()), Err)
    }

    async fn without_token(&self) -> Vec<String> {
        let (deadline, mut lacking) = (self.deadline(), Vec::new());
        for account in self.launch_as.iter().flatten() {
            let token = match self.caller(Some(account)) {
                Ok(caller) => authentication(&caller, deadline).await.map(drop),
                Err(error) => Err(error),
            };
            lacking.extend(token.err().map(|error| error.to_string()));
        }
        lacking
    }
}

async fn authentication(caller: &Caller, deadline: Instant) -> Result<HeaderMap, CallError> {
    let left = deadline.saturating_duration_since(Instant::now());
    caller.headers(left.min(TOKEN_TIMEOUT)).await
}

async fn add_fix(reason: Reason, error: &mut CallError, plan: &LaunchPlan, caller: &Caller) {
    let is_access = matches!(reason, Reason::PermissionDenied | Reason::ActAsDenied | Reason::ApiDisabled);
    if is_access {
        let account = caller.account().await;
        let context = FixContext { project: plan.project(), account: &account };
        if let Some(fix) = fix_for(reason, &error.message, context) {
            error.message = format!("{} Fix: {fix}", error.message);
        }
    } else if reason == Reason::NotFound && error.code == "NOT_FOUND" {
        error.message = format!(
            "{} Check `vertex.project` ({}) and `vertex.location` ({}).",
            error.message,
            plan.project(),
            plan.location()
        );
    }
}

fn collection_path(plan: &LaunchPlan) -> String {
    format!("/v1/{}/{}", parent(plan), plan.kind().collection())
}

fn parent(plan: &LaunchPlan) -> String {
    format!("projects/{}/locations/{}", plan.project(), plan.location())
}

/// The routing header of Google's API clients (AIP-4222); project and location need no escaping.
fn parent_parameter(plan: &LaunchPlan) -> String {
    format!("parent={}", parent(plan))
}
