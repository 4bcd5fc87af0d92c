//! Tokens of another service account: Google's IAM hands them out to whoever may make them.
//!
//! Promises: a token is asked for once, however many launches want it at that moment, kept until shortly before
//! its end, and forgotten when Vertex AI refuses it; a refusal carries the `gcloud` line that mends it. Does
//! not: choose the account (the reviewed file did), keep or print a token, fall back to the service's own identity.
//!
//! Not `google-cloud-auth`'s own: that one cannot be pointed at another address, remembers a refusal, and gives
//! its text without the code by which a refusal that waits for a person is told from one that passes.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use launchgate_engine::ports::{CallError, CallErrorKind};
use launchgate_outcome::Reason;
use reqwest::{
    Client,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    Account, Credentials, Endpoint,
    classification::{not_answered, refused},
    credentials::{RENEW_EVERY, SCOPE, no_token},
    http,
    iam_fixes::impersonation_fix,
};

/// What IAM grants without an organization policy that allows more.
const LIFETIME: Duration = Duration::from_hours(1);

/// A token this near to its end is replaced before it is used: a create may take as long as a call may.
const MARGIN: Duration = Duration::from_mins(11);

/// Largest answer read: a token has one or two KiB.
const ANSWER_LIMIT: usize = 64 * 1024;

/// One service account that the service acts as.
pub(crate) struct Impersonation {
    email: String,
    /// Who the service is towards IAM.
    source: Arc<Credentials>,
    iam: Endpoint,
    client: Client,
    quota_project: Option<String>,
    /// Held while a token is fetched, so that a burst of launches asks once.
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    renewed: Option<Instant>,
}

struct Token {
    headers: HeaderMap,
    ends: Instant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: String,
}

impl Impersonation {
    pub(crate) fn new(
        email: &str,
        source: Arc<Credentials>,
        iam: Endpoint,
        client: Client,
        quota_project: Option<String>,
    ) -> Self {
        Self { email: email.to_owned(), source, iam, client, quota_project, held: Mutex::default() }
    }

    /// The headers that authenticate a call as the account; answers within `limit`.
    pub(crate) async fn headers(&self, limit: Duration) -> Result<HeaderMap, CallError> {
        let deadline = Instant::now() + limit;
        let asked = tokio::time::timeout(limit, self.held_or_fetched(deadline)).await;
        asked.unwrap_or_else(|_| {
            Err(no_token(format!("as {}: no answer within {} s", self.email, limit.as_secs())))
        })
    }

    /// Forgets the token at hand; at most once in five seconds.
    pub(crate) async fn renew(&self) {
        let mut held = self.held.lock().await;
        if held.renewed.is_none_or(|at| at.elapsed() >= RENEW_EVERY) {
            *held = Held { token: None, renewed: Some(Instant::now()) };
        }
    }

    /// As IAM names it.
    pub(crate) fn account(&self) -> Account {
        Account::service_account(&self.email)
    }

    async fn held_or_fetched(&self, deadline: Instant) -> Result<HeaderMap, CallError> {
        let mut held = self.held.lock().await;
        let left = |token: &Token| token.ends.saturating_duration_since(Instant::now());
        if let Some(token) = held.token.as_ref().filter(|token| left(token) > MARGIN) {
            return Ok(token.headers.clone());
        }
        match self.fetch(deadline).await {
            Ok(token) => Ok(held.token.insert(token).headers.clone()),
            // What is left of the old one is enough for this call.
            Err(error) => match held.token.as_ref().filter(|token| !left(token).is_zero()) {
                Some(token) if matches!(error.kind, CallErrorKind::Transient(_)) => Ok(token.headers.clone()),
                _ => Err(error),
            },
        }
    }

    async fn fetch(&self, deadline: Instant) -> Result<Token, CallError> {
        let left = || deadline.saturating_duration_since(Instant::now());
        let own = self.source.headers(left()).await.map_err(|error| no_token(error.to_string()))?;
        // From before the call: it ends no later than Google says.
        let ends = Instant::now() + LIFETIME;
        let path = format!("/v1/projects/-/serviceAccounts/{}:generateAccessToken", self.email);
        let request = self
            .client
            .post(self.iam.join(&path))
            .headers(own)
            .json(&json!({"scope": [SCOPE], "lifetime": format!("{}s", LIFETIME.as_secs())}))
            .timeout(left());
        let answer = http::send(request, ANSWER_LIMIT).await.map_err(|cut| {
            let error = not_answered(&cut);
            self.failed(CallErrorKind::Transient(Reason::CredentialsUnavailable), error)
        })?;
        if !(200..300).contains(&answer.status) {
            return Err(self.refused(&answer).await);
        }
        let token: Option<Answer> = serde_json::from_slice(&answer.body).ok();
        let headers = token.and_then(|token| self.headers_of(&token.access_token));
        let headers =
            headers.ok_or_else(|| no_token(format!("as {}: IAM's answer holds no token", self.email)))?;
        Ok(Token { headers, ends })
    }

    fn headers_of(&self, token: &str) -> Option<HeaderMap> {
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.is_empty())?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        if let Some(project) = &self.quota_project {
            let project = HeaderValue::from_str(project).ok()?;
            headers.insert(HeaderName::from_static("x-goog-user-project"), project);
        }
        Some(headers)
    }

    async fn refused(&self, answer: &http::Answer) -> CallError {
        let mut error = refused(answer);
        let kind = match error.kind {
            CallErrorKind::Terminal(reason) => {
                let caller = self.source.account().await;
                if let Some(fix) = impersonation_fix(reason, &self.email, &caller) {
                    error.message = format!("{} Fix: {fix}", error.message);
                }
                error.kind
            }
            CallErrorKind::Unauthenticated => {
                self.source.renew();
                error.kind
            }
            _ => CallErrorKind::Transient(Reason::CredentialsUnavailable),
        };
        self.failed(kind, error)
    }

    /// What a failure here means for the launch: nothing was asked of Vertex AI.
    fn failed(&self, kind: CallErrorKind, error: CallError) -> CallError {
        let message = format!("no token of {}: {}", self.email, error.message);
        CallError { kind, message, not_accepted: true, ..error }
    }
}

impl fmt::Debug for Impersonation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Impersonation").field("email", &self.email).finish_non_exhaustive()
    }
}
