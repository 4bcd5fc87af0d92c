//! HTTP as both of Buildkite's APIs need it.
//!
//! Promises: a secret goes to https or loopback only and follows no redirect; answers are bounded; an error's text
//! holds neither the secret nor a page of a proxy. Does not: know what is asked for.

use std::{error::Error, net::IpAddr, time::Duration};

use reqwest::{Client, Response, Url, header::HeaderMap, redirect};
use serde::Deserialize;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(20);

/// Characters of Buildkite's own text that are shown.
const SHOWN: usize = 300;

#[derive(Deserialize)]
struct Said {
    message: String,
}

/// Why an answer could not be read whole.
pub(crate) enum Unread {
    /// It is longer than anything Buildkite answers.
    TooLong,
    /// It was cut off.
    CutOff(String),
}

/// Plain http is for stand-ins and proxies on this machine: anywhere else the secret would travel in the clear.
pub(crate) fn endpoint(text: &str) -> Result<Url, String> {
    let expected = "expected https://HOST/PATH, or http:// on loopback";
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL ({error}); {expected}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(format!("`{text}` cannot be trusted with a token; {expected}")),
    }
}

/// `endpoint` with these steps after its path, each encoded whole.
pub(crate) fn below(mut endpoint: Url, steps: &[&str]) -> Url {
    endpoint.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(steps);
    endpoint
}

pub(crate) fn client(endpoint: &Url) -> Result<Client, String> {
    // An error means that a provider is installed already: ring, as the workspace has no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("launchgate/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        // The secret would travel with it.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    let builder = if endpoint.scheme() == "https" { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| error.to_string())
}

/// The whole answer, of at most `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Unread::CutOff(cause(&error)))? {
        if body.len() + chunk.len() > limit {
            return Err(Unread::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why there was no answer, in a few words.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    // The innermost cause; the outer ones repeat the address.
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// What Buildkite says in a refusal, without `secret`. A page of a proxy says nothing that helps, and may repeat
/// what it was sent.
pub(crate) fn said(body: &[u8], secret: &str) -> String {
    let Ok(Said { message }) = serde_json::from_slice(body) else {
        return "(no text of Buildkite's)".to_owned();
    };
    let shown = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    shown.replace(secret, "[token]").chars().take(SHOWN).collect()
}

/// What passes by itself, as the agent decides it.
pub(crate) fn is_transient(status: u16) -> bool {
    status == 429 || status >= 500
}

/// The whole seconds in a header; Buildkite sends no dates.
pub(crate) fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Server and port, for messages.
pub(crate) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
