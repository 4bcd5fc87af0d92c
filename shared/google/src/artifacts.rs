//! Artifacts where they lie: objects in Cloud Storage and images in a registry, named so that they cannot
//! change afterwards.
//!
//! Promises: a digest is computed from the bytes themselves, never taken on faith; an object is pinned to
//! its generation and an image to its manifest's digest; an access token is shown to Google alone.
//! Does not: write or list.

mod access;
mod anonymous_token;
mod bucket;
mod check;
mod hashing;
mod image;
mod image_content;
mod registry;

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, RequestBuilder, Response};

use crate::{
    CredentialSettings, Credentials, Endpoint, Endpoints, GoogleError,
    http::{self, Answer, CutOff, cut_off},
    redaction::redacted,
};

pub use bucket::{BucketObject, object_address};
pub use image::{Image, Tags};

/// Told how many bytes were read, of how many.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// Longest wait for one answer that is not the content itself.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Longest pause within the content.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes of metadata, manifests and refusals that are read; registries refuse manifests above 4 MiB.
const DOCUMENT_LIMIT: usize = 4 * 1024 * 1024;

/// Reads artifacts with the credentials at hand.
#[derive(Debug)]
pub struct ArtifactReader {
    endpoints: Endpoints,
    storage: Credentials,
    registry: Credentials,
    clients: Clients,
}

/// Made at the first call: one that speaks TLS costs time and memory.
#[derive(Debug, Default)]
struct Clients {
    tls: OnceLock<Client>,
    plain: OnceLock<Client>,
}

impl ArtifactReader {
    /// Costs nothing until the first artifact.
    pub fn new(endpoints: Endpoints, settings: &CredentialSettings) -> Self {
        let storage = Credentials::new(settings.clone(), endpoints.storage_override());
        let registry = Credentials::new(settings.clone(), endpoints.registry_override());
        Self { endpoints, storage, registry, clients: Clients::default() }
    }

    fn client(&self, endpoint: &Endpoint) -> Result<Client, GoogleError> {
        let made = if endpoint.is_tls() { &self.clients.tls } else { &self.clients.plain };
        if let Some(client) = made.get() {
            return Ok(client.clone());
        }
        let client = http::client(endpoint)?;
        Ok(made.get_or_init(|| client).clone())
    }
}

/// Sends a request whose answer is content: its head comes soon, its body as it may.
async fn opened(what: &str, request: RequestBuilder) -> Result<Response, GoogleError> {
    let sent = tokio::time::timeout(STALL_TIMEOUT, request.send()).await.map_err(|_| stalled(what))?;
    sent.map_err(|error| unreachable(what, &cut_off(&error)))
}

/// Reads a whole small document, whatever its status.
async fn document(what: &str, request: RequestBuilder) -> Result<Answer, GoogleError> {
    let sent = http::send(request.timeout(TIMEOUT), DOCUMENT_LIMIT).await;
    sent.map_err(|cut| unreachable(what, &cut))
}

/// The document, if it is there; `Ok` is 200.
fn found(what: &str, answer: Answer) -> Result<Answer, GoogleError> {
    if answer.status == 200 { Ok(answer) } else { Err(refused(what, answer.status, &answer.body)) }
}

fn stalled(what: &str) -> GoogleError {
    GoogleError::Unreachable {
        what: what.to_owned(),
        cause: format!("nothing came for {} s", STALL_TIMEOUT.as_secs()),
    }
}

fn unreachable(what: &str, cut: &CutOff) -> GoogleError {
    GoogleError::Unreachable { what: what.to_owned(), cause: redacted(&cut.message) }
}

fn refused(what: &str, status: u16, body: &[u8]) -> GoogleError {
    let hint = match status {
        401 | 403 => {
            "; the account needs read access: roles/storage.objectViewer for a bucket, \
                      roles/artifactregistry.reader for a registry"
        }
        404 => "; there is no such artifact, or the account may not see it",
        _ => "",
    };
    let message = format!("{}{hint}", redacted(String::from_utf8_lossy(body).trim()));
    GoogleError::Refused { what: what.to_owned(), status, message }
}
