//! The one HTTP client, and how a call that got no answer is told apart.
//!
//! Promises: bounded connect time, total time and answer size; no redirects (a token would travel with
//! them); no proxy taken from the environment; TLS by rustls on ring with the machine's CA bundle.
//! Does not: retry, interpret answers, add credentials.

use std::{error::Error, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Client, RequestBuilder, Response, header::HeaderMap, redirect};

use crate::{Endpoint, GoogleError};

/// How we name ourselves to everyone we call.
pub const USER_AGENT: &str = concat!("launchgate/", env!("CARGO_PKG_VERSION"));

/// Name resolution, TCP and TLS together. Shorter than every total timeout, so that a connection that
/// never came to be is known as such: only then is a request certain not to have been accepted.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections kept for one host: as many as launches run at once, else each burst pays TLS again.
const IDLE_CONNECTIONS: usize = 256;

/// Google's front ends keep idle connections for longer; ours go first, so that a request is not sent
/// into one that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Makes ring the TLS backend of the whole process. First call in every main; calling it again is harmless.
pub fn install_crypto() {
    // An error means that a provider is installed already: ring, as the workspace has no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for calls to `endpoint`. One for a plain-http endpoint loads no CA certificates, which is what
/// takes most of a client's start-up time and memory.
pub(crate) fn client(endpoint: &Endpoint) -> Result<Client, GoogleError> {
    install_crypto();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .http1_only()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_mins(1))
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIMEOUT);
    let builder = if endpoint.is_tls() { builder.https_only(true) } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| GoogleError::Client(causes(&error)))
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A call without a whole answer.
#[derive(Clone, Debug)]
pub(crate) struct CutOff {
    /// `DNS`, `CONNECT`, `TLS`, `TIMEOUT`, `RESET`, `TOO_LARGE` or `REQUEST`.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The other side is known not to have seen the request.
    pub(crate) not_accepted: bool,
}

/// Sends and reads the whole answer, at most `limit` bytes of it.
pub(crate) async fn send(request: RequestBuilder, limit: usize) -> Result<Answer, CutOff> {
    let response = request.send().await.map_err(|error| cut_off(&error))?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = body(response, limit).await?;
    Ok(Answer { status, headers, body })
}

async fn body(mut response: Response, limit: usize) -> Result<Bytes, CutOff> {
    let too_large = || CutOff {
        code: "TOO_LARGE",
        message: format!("the answer is larger than {limit} bytes"),
        not_accepted: false,
    };
    let told = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if told > limit {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cut_off(&error))? {
        if whole.len() + chunk.len() > limit {
            return Err(too_large());
        }
        if whole.is_empty() {
            whole.reserve(told.max(chunk.len()));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// What cut a call off. Anything after the connection stood is "may have been accepted".
pub(crate) fn cut_off(error: &reqwest::Error) -> CutOff {
    if error.is_connect() {
        let code = if is_tls(error) {
            "TLS"
        } else if causes(error).contains("dns error") {
            "DNS"
        } else {
            "CONNECT"
        };
        return CutOff { code, message: format!("no connection: {}", causes(error)), not_accepted: true };
    }
    if error.is_builder() || error.is_redirect() {
        return CutOff { code: "REQUEST", message: causes(error), not_accepted: true };
    }
    if error.is_timeout() {
        return CutOff { code: "TIMEOUT", message: "no answer in time".to_owned(), not_accepted: false };
    }
    CutOff {
        code: "RESET",
        message: format!("cut off before the whole answer came: {}", causes(error)),
        not_accepted: false,
    }
}

/// An `io::Error` hides what it wraps from `source`, and connectors wrap one in the other.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

/// The innermost causes in one line; never the address, whose query may be long and is ours anyway.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}
