//! Buildkite's REST API: what Buildkite says of a build, and annotations on its page.
//!
//! Promises: the token goes to https or loopback only; it stands in no error and no `Debug`; one call is one
//! request, ended within its time, and its error says whether the same may work later and when. Does not: retry
//! (whoever keeps the work does), or believe anything: a build's JSON is handed on as it came.
//! Source: buildkite.com/docs/apis/rest-api, …/builds, …/annotations and …/limits.

use std::{fmt, time::Duration};

use reqwest::{
    Client, Method, Url,
    header::{AUTHORIZATION, HeaderValue},
};
use serde::{Deserialize, Serialize};

use crate::http::{self, Unread};

/// A build with its jobs; the jobs of a large one are some hundred kilobytes.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// Bytes of an annotation. Source: buildkite.com/docs/pipelines/configure/annotations, "1MiB".
pub const ANNOTATION_LIMIT: usize = 1024 * 1024;

/// Buildkite's REST API, with a token of somebody who may use it.
pub struct RestApi {
    client: Client,
    endpoint: Url,
    token: HeaderValue,
}

/// What names a build in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildAddress<'a> {
    /// Organization slug.
    pub organization: &'a str,
    /// Pipeline slug.
    pub pipeline: &'a str,
    /// Build number.
    pub number: u64,
}

/// A text on a build's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Annotation<'a> {
    /// Which annotation: a build has one of each context, and a later one takes the earlier one's place.
    pub context: &'a str,
    /// Its colour and icon.
    pub style: AnnotationStyle,
    /// GitHub-flavoured Markdown, at most `ANNOTATION_LIMIT` bytes.
    pub body: &'a str,
}

/// How an annotation looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnotationStyle {
    /// Green.
    Success,
    /// Blue.
    Info,
    /// Orange.
    Warning,
    /// Red.
    Error,
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// The address cannot be used.
    #[error("Buildkite's API: {0}")]
    Endpoint(String),
    /// The token cannot be one.
    #[error("the token for Buildkite's API is empty or holds characters that no token has")]
    Token,
    /// No HTTP client can be made; mostly a container without CA certificates.
    #[error("no HTTP client: {0}; is the package `ca-certificates` installed?")]
    Client(String),
    /// The API did not answer, or was cut off.
    #[error("Buildkite's API at {place} did not answer: {cause}")]
    Unreachable {
        /// Server and port.
        place: String,
        /// What happened.
        cause: String,
    },
    /// The API refused.
    #[error("Buildkite's API did not {wanted}: HTTP {status}: {said}{hint}")]
    Refused {
        /// What was asked for.
        wanted: &'static str,
        /// The HTTP status.
        status: u16,
        /// Buildkite's text, bounded.
        said: String,
        /// What to look at.
        hint: &'static str,
        /// When to come back, where Buildkite says so.
        wait: Option<Duration>,
    },
    /// Something else answered, or far too much.
    #[error("Buildkite's API answered {0}; does a proxy answer in its place?")]
    Unexpected(String),
    /// The annotation is larger than Buildkite takes.
    #[error("the annotation has {0} bytes, Buildkite takes at most {ANNOTATION_LIMIT}")]
    TooLarge(usize),
}

impl RestError {
    /// Whether the same may work later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unexpected(_) => true,
            Self::Refused { status, .. } => http::is_transient(*status),
            Self::Endpoint(_) | Self::Token | Self::Client(_) | Self::TooLarge(_) => false,
        }
    }

    /// When Buildkite wants to be asked again, if it says so.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            _ => None,
        }
    }

    /// Whether Buildkite knows no such build, or not to the owner of this token.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// The part of an annotation's answer that says it was taken.
#[derive(Deserialize)]
struct Taken {
    context: String,
}

/// What a call is for, and which scope of the token it needs.
#[derive(Clone, Copy)]
struct Wanted {
    what: &'static str,
    no_scope: &'static str,
}

impl RestApi {
    /// The API at `endpoint` (`https://api.buildkite.com`), as the owner of `token`.
    ///
    /// # Errors
    /// When the address or the token cannot be used; the token is not shown.
    pub fn new(endpoint: &str, token: &str) -> Result<Self, RestError> {
        let endpoint = http::endpoint(endpoint).map_err(RestError::Endpoint)?;
        let token = token.trim();
        if token.is_empty() {
            return Err(RestError::Token);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| RestError::Token)?;
        header.set_sensitive(true);
        let client = http::client(&endpoint).map_err(RestError::Client)?;
        Ok(Self { client, endpoint, token: header })
    }

    /// The build as the API writes it: JSON, with `pipeline` and `meta_data` in it.
    ///
    /// # Errors
    /// With what Buildkite said; 404 also means that the token may not see the build.
    pub async fn build(&self, build: BuildAddress<'_>) -> Result<Vec<u8>, RestError> {
        let wanted = Wanted {
            what: "show the build",
            no_scope: "; give the token the scope read_builds, for this organization",
        };
        self.call(wanted, Method::GET, self.address(build, &[]), None).await
    }

    /// Puts an annotation on the build's page, in the place of an earlier one of the same context.
    ///
    /// # Errors
    /// With what Buildkite said. After a lost answer the same call is safe to repeat.
    pub async fn annotate(
        &self,
        build: BuildAddress<'_>,
        annotation: Annotation<'_>,
    ) -> Result<(), RestError> {
        if annotation.body.len() > ANNOTATION_LIMIT {
            return Err(RestError::TooLarge(annotation.body.len()));
        }
        let wanted = Wanted {
            what: "take the annotation",
            no_scope: "; give the token the scope write_builds, for this organization",
        };
        let body = serde_json::to_vec(&annotation).expect("texts have a JSON form");
        let answer =
            self.call(wanted, Method::POST, self.address(build, &["annotations"]), Some(body)).await?;
        // A proxy that answers 200 to everything must not make an annotation look shown.
        match serde_json::from_slice(&answer) {
            Ok(Taken { context }) if context == annotation.context => Ok(()),
            _ => Err(RestError::Unexpected("something else than the annotation".to_owned())),
        }
    }

    fn address(&self, build: BuildAddress<'_>, rest: &[&str]) -> Url {
        let number = build.number.to_string();
        let steps =
            ["v2", "organizations", build.organization, "pipelines", build.pipeline, "builds", &number];
        http::below(self.endpoint.clone(), &[&steps, rest].concat())
    }

    async fn call(
        &self,
        wanted: Wanted,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, RestError> {
        let mut asked = self.client.request(method, url).header(AUTHORIZATION, self.token.clone());
        if let Some(body) = body {
            asked = asked.header("content-type", "application/json").body(body);
        }
        let cut_off = |cause| RestError::Unreachable { place: http::place(&self.endpoint), cause };
        let response = asked.send().await.map_err(|error| cut_off(http::cause(&error)))?;
        let status = response.status().as_u16();
        let headers = response.headers();
        // At the limit Buildkite says when its minute ends; its proxies say Retry-After.
        let wait = http::seconds(headers, "retry-after")
            .or_else(|| (status == 429).then(|| http::seconds(headers, "ratelimit-reset")).flatten());
        let body = http::body(response, ANSWER_LIMIT).await.map_err(|unread| match unread {
            Unread::TooLong => RestError::Unexpected(format!("over {ANSWER_LIMIT} bytes")),
            Unread::CutOff(cause) => cut_off(cause),
        })?;
        match status {
            200..300 => Ok(body),
            300..400 => Err(RestError::Unexpected(format!("HTTP {status}"))),
            _ => Err(self.refused(wanted, status, &body, wait)),
        }
    }

    fn refused(&self, wanted: Wanted, status: u16, body: &[u8], wait: Option<Duration>) -> RestError {
        let hint = match status {
            401 => "; the token is not valid (any more): make a new API access token",
            403 => wanted.no_scope,
            404 => "; there is no such build, or the token's owner may not see its pipeline",
            _ => "",
        };
        let token = self.token.to_str().unwrap_or_default().trim_start_matches("Bearer ");
        RestError::Refused { wanted: wanted.what, status, said: http::said(body, token), hint, wait }
    }
}

impl fmt::Debug for RestApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RestApi({})", http::place(&self.endpoint))
    }
}
