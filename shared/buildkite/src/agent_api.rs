//! The agent API, asked for the job's own tokens and its build's meta-data: for steps whose container has no
//! `buildkite-agent`.
//!
//! Promises: the agent's access token goes to https or loopback only; neither it nor a token it gives stands in an
//! error or a `Debug`; what passes by itself is waited out, for half a minute at most. Does not: verify tokens, or
//! believe meta-data (every job of the cluster can write it).
//! Source: buildkite/agent, `api/oidc.go`, `api/meta_data.go`, `api/client.go` and `clicommand/oidc_request_token.go`.

use std::{collections::BTreeMap, fmt, time::Duration};

use reqwest::{
    Client, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::http::{self, Unread};

const ENDPOINT: &str = "BUILDKITE_AGENT_ENDPOINT";
const ACCESS_TOKEN: &str = "BUILDKITE_AGENT_ACCESS_TOKEN";
const JOB: &str = "BUILDKITE_JOB_ID";

/// Where agents ask when nothing else is configured.
const DEFAULT_ENDPOINT: &str = "https://agent-edge.buildkite.com/v3";

/// Headers that Buildkite tells its agents to send along; an agent hands them on to its jobs like this.
const HEADER_VARIABLES: &str = "BUILDKITE_REQUEST_HEADER_BUILDKITE_";

/// A token has some 2 kB, a value of meta-data at most 100 kB, escaped perhaps twice that.
const ANSWER_LIMIT: usize = 256 * 1024;

/// How often one thing is asked for.
const ATTEMPTS: u32 = 5;

/// The wait before the second attempt; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait that Buildkite may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// What a token is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TokenWanted<'a> {
    /// Whom it is for.
    pub audience: &'a str,
    /// Seconds that it lives; 7200 at most.
    pub lifetime: u32,
    /// Optional claims that are to be in it.
    pub claims: &'a [&'a str],
}

/// The agent API, as the job of this process may use it.
pub struct AgentApi {
    client: Client,
    /// Everything is asked below it.
    job: Url,
    access: HeaderValue,
    headers: HeaderMap,
    first_wait: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentApiError {
    /// A variable cannot be used.
    #[error("{variable}: {problem}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What is wrong, and what would do.
        problem: String,
    },
    /// No HTTP client can be made; mostly a container without CA certificates.
    #[error("no HTTP client: {0}; is the package `ca-certificates` installed?")]
    Client(String),
    /// The API did not answer, or was cut off.
    #[error("the agent API at {place} did not answer: {cause}")]
    Unreachable {
        /// Server and port.
        place: String,
        /// What happened.
        cause: String,
    },
    /// The API refused.
    #[error("the agent API {refused}: HTTP {status}: {said}{hint}")]
    Refused {
        /// What it did not do.
        refused: String,
        /// The HTTP status.
        status: u16,
        /// Buildkite's text, bounded.
        said: String,
        /// What to look at.
        hint: &'static str,
    },
    /// The API answered something that is no answer of its own.
    #[error("the agent API answered {0}; does a proxy answer in its place?")]
    Unexpected(String),
}

impl AgentApiError {
    /// Whether the same may work later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unexpected(_) => true,
            Self::Refused { status, .. } => http::is_transient(*status),
            Self::Variable { .. } | Self::Client(_) => false,
        }
    }
}

#[derive(Deserialize)]
struct Given {
    token: String,
}

#[derive(Deserialize)]
struct Kept {
    value: String,
}

/// One request, and how its answer is read.
struct Wanted<'a, T> {
    /// Below the job.
    path: [&'a str; 2],
    body: Vec<u8>,
    /// What it did not do when it refuses.
    refused: String,
    /// The answer of a 2xx; `None` for one that is not the API's.
    read: fn(&[u8]) -> Option<T>,
}

impl AgentApi {
    /// The API that the agent of this job uses; `None` when the job has no access token, so that it cannot ask.
    ///
    /// # Errors
    /// Names the variable that cannot be used.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Result<Option<Self>, AgentApiError> {
        let get =
            |name: &str| variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let Some(access) = get(ACCESS_TOKEN) else { return Ok(None) };
        let bad = |variable: &'static str, problem: &str| {
            let problem = problem.to_owned();
            AgentApiError::Variable { variable, problem }
        };
        // Never with the value: it is the secret.
        let mut access = HeaderValue::try_from(format!("Token {access}"))
            .map_err(|_| bad(ACCESS_TOKEN, "it holds characters that no token has"))?;
        access.set_sensitive(true);
        let job = get(JOB).ok_or_else(|| {
            bad(JOB, "it is not set; does the step's container pass Buildkite's variables on?")
        })?;
        let endpoint = http::endpoint(get(ENDPOINT).unwrap_or(DEFAULT_ENDPOINT))
            .map_err(|problem| bad(ENDPOINT, &problem))?;
        let client = http::client(&endpoint).map_err(AgentApiError::Client)?;
        let job = http::below(endpoint, &["jobs", job]);
        let headers = variables.iter().filter_map(|(name, value)| request_header(name, value)).collect();
        Ok(Some(Self { client, job, access, headers, first_wait: FIRST_WAIT }))
    }

    /// Another wait before the second attempt, for tests.
    #[must_use]
    pub fn first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// A token of the job, as compact JWT.
    ///
    /// # Errors
    /// With what Buildkite said.
    pub async fn oidc_token(&self, wanted: TokenWanted<'_>) -> Result<String, AgentApiError> {
        let body = serde_json::to_vec(&wanted).expect("texts and a number have a JSON form");
        // Not serde's own message: it may quote the token.
        let read = |body: &[u8]| serde_json::from_slice(body).ok().map(|given: Given| given.token);
        let refused = format!("gave no token for {}", wanted.audience);
        self.answer(&Wanted { path: ["oidc", "tokens"], body, refused, read }).await
    }

    /// What the job's build has under a key of its meta-data.
    ///
    /// # Errors
    /// With what Buildkite said.
    pub async fn meta_data(&self, key: &str) -> Result<Option<String>, AgentApiError> {
        let body = serde_json::to_vec(&json!({ "key": key })).expect("a text has a JSON form");
        let read = |body: &[u8]| serde_json::from_slice(body).ok().map(|kept: Kept| kept.value);
        let refused = format!("did not read the meta-data {key}");
        match self.answer(&Wanted { path: ["data", "get"], body, refused, read }).await {
            Ok(value) => Ok(Some(value)),
            // Buildkite's answer for a key that is not there.
            Err(AgentApiError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a value under a key of the build's meta-data; what stood there is lost.
    ///
    /// # Errors
    /// With what Buildkite said.
    pub async fn set_meta_data(&self, key: &str, value: &str) -> Result<(), AgentApiError> {
        let body =
            serde_json::to_vec(&json!({ "key": key, "value": value })).expect("texts have a JSON form");
        let refused = format!("did not keep the meta-data {key}");
        self.answer(&Wanted { path: ["data", "set"], body, refused, read: |_| Some(()) }).await
    }

    /// Asks until there is an answer, or none to be had.
    async fn answer<T>(&self, wanted: &Wanted<'_, T>) -> Result<T, AgentApiError> {
        let mut wait = self.first_wait;
        let mut attempt = 1;
        loop {
            let (error, asked_wait) = match self.ask(wanted).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if attempt >= ATTEMPTS || !error.is_transient() {
                return Err(error);
            }
            tokio::time::sleep(asked_wait.unwrap_or_default().max(wait).min(LONGEST_WAIT)).await;
            wait *= 2;
            attempt += 1;
        }
    }

    async fn ask<T>(&self, wanted: &Wanted<'_, T>) -> Result<T, (AgentApiError, Option<Duration>)> {
        let asked = self
            .client
            .post(http::below(self.job.clone(), &wanted.path))
            .headers(self.headers.clone())
            .header(AUTHORIZATION, self.access.clone())
            .header("content-type", "application/json")
            .body(wanted.body.clone());
        let response = asked.send().await.map_err(|error| (self.cut_off(http::cause(&error)), None))?;
        let status = response.status().as_u16();
        let asked_wait = http::seconds(response.headers(), "retry-after");
        let body = http::body(response, ANSWER_LIMIT).await.map_err(|unread| match unread {
            Unread::TooLong => (AgentApiError::Unexpected(format!("over {ANSWER_LIMIT} bytes")), None),
            Unread::CutOff(cause) => (self.cut_off(cause), None),
        })?;
        if !(200..300).contains(&status) {
            return Err((self.refused(wanted.refused.clone(), status, &body), asked_wait));
        }
        let unexpected =
            || (AgentApiError::Unexpected(format!("HTTP {status} without what was asked")), None);
        (wanted.read)(&body).ok_or_else(unexpected)
    }

    fn cut_off(&self, cause: String) -> AgentApiError {
        AgentApiError::Unreachable { place: http::place(&self.job), cause }
    }

    fn refused(&self, refused: String, status: u16, body: &[u8]) -> AgentApiError {
        let hint = match status {
            401 => "; BUILDKITE_AGENT_ACCESS_TOKEN is that of no running job",
            403 => "; BUILDKITE_AGENT_ACCESS_TOKEN and BUILDKITE_JOB_ID are of different jobs",
            404 => "; is BUILDKITE_AGENT_ENDPOINT right, and BUILDKITE_JOB_ID a running job?",
            _ => "",
        };
        let access = self.access.to_str().unwrap_or_default().trim_start_matches("Token ");
        let said = http::said(body, access);
        AgentApiError::Refused { refused, status, said, hint }
    }
}

impl fmt::Debug for AgentApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentApi({})", http::place(&self.job))
    }
}

/// `BUILDKITE_REQUEST_HEADER_BUILDKITE_FOO=bar` is the header `Buildkite-Foo: bar`.
fn request_header(variable: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = format!("buildkite-{}", variable.strip_prefix(HEADER_VARIABLES)?.replace('_', "-"));
    Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn api(changes: &[(&str, &str)]) -> Result<Option<AgentApi>, AgentApiError> {
        let mut variables: BTreeMap<String, String> =
            [(ACCESS_TOKEN, "bkaj_secret"), (JOB, "0190046e-e199-453b-a302-a21a4d649d31")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        for (name, value) in changes {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        AgentApi::from_variables(&variables)
    }

    #[test]
    fn without_an_access_token_there_is_nothing_to_ask_with() {
        assert!(api(&[(ACCESS_TOKEN, "")]).unwrap().is_none());
    }

    #[test]
    fn the_address_is_the_agents_own() {
        let at = |endpoint| api(&[(ENDPOINT, endpoint)]).unwrap().unwrap().job.to_string();
        let rest = "jobs/0190046e-e199-453b-a302-a21a4d649d31";
        assert_eq!(at(""), format!("https://agent-edge.buildkite.com/v3/{rest}"));
        assert_eq!(at("https://agent.example.com/v3/"), format!("https://agent.example.com/v3/{rest}"));
        assert_eq!(at("http://[::1]:8080/v3"), format!("http://[::1]:8080/v3/{rest}"));
        let hostile = api(&[(JOB, "../x?y#z")]).unwrap().unwrap().job;
        assert_eq!((hostile.query(), hostile.fragment()), (None, None));
        assert!(hostile.path().starts_with("/v3/jobs/"), "{hostile}");
    }

    #[test]
    fn an_access_token_never_goes_over_plain_http_to_another_machine() {
        for bad in ["http://agent.buildkite.com/v3", "http://10.0.0.1", "ftp://localhost", "agent"] {
            let error = api(&[(ENDPOINT, bad)]).unwrap_err().to_string();
            assert!(error.contains(ENDPOINT), "{error}");
        }
    }

    #[test]
    fn a_job_without_its_id_and_a_token_that_is_none_are_named_without_the_secret() {
        assert!(matches!(api(&[(JOB, " ")]), Err(AgentApiError::Variable { variable: JOB, .. })));
        let error = api(&[(ACCESS_TOKEN, "se\ncret")]).unwrap_err().to_string();
        assert!(error.contains(ACCESS_TOKEN) && !error.contains("cret\""), "{error}");
        assert!(!format!("{:?}", api(&[]).unwrap().unwrap()).contains("secret"));
    }

    #[test]
    fn headers_that_buildkite_told_the_agent_to_send_are_sent() {
        let api = api(&[
            ("BUILDKITE_REQUEST_HEADER_BUILDKITE_SHARD", "7"),
            ("BUILDKITE_REQUEST_HEADER_AUTHORIZATION", "x"),
        ]);
        let headers = api.unwrap().unwrap().headers;
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["buildkite-shard"], "7");
    }
}
