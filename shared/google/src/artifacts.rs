//! Artifacts where they lie: objects in Cloud Storage and images in a registry, named so that they cannot
//! change afterwards.
//!
//! Promises: a digest is computed from the bytes themselves, never taken on faith; an object is pinned to
//! its generation and an image to its manifest's digest. Does not: write, list, or pull layers.

mod bucket;
mod image;

use std::time::Duration;

use reqwest::{Client, RequestBuilder, header::HeaderMap};

use crate::{
    CredentialSettings, Credentials, Endpoint, Endpoints, GoogleError,
    http::{self, Answer, CutOff},
    redaction::redacted,
};

pub use bucket::{BucketObject, ObjectAddress};
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
}

impl ArtifactReader {
    /// Costs nothing until the first artifact.
    pub fn new(endpoints: Endpoints, settings: &CredentialSettings) -> Self {
        let storage = Credentials::new(settings.clone(), endpoints.storage_override());
        let registry = Credentials::new(settings.clone(), endpoints.registry_override());
        Self { endpoints, storage, registry }
    }
}

/// A client and headers for one server.
struct Connection {
    client: Client,
    headers: HeaderMap,
}

impl Connection {
    async fn open(endpoint: &Endpoint, credentials: Option<&Credentials>) -> Result<Self, GoogleError> {
        let headers = match credentials {
            Some(credentials) => credentials.headers(TIMEOUT).await?,
            None => HeaderMap::new(),
        };
        Ok(Self { client: http::client(endpoint)?, headers })
    }

    /// A whole small document; `Ok` is 200.
    async fn document(&self, what: &str, request: RequestBuilder) -> Result<Answer, GoogleError> {
        let request = request.headers(self.headers.clone()).timeout(TIMEOUT);
        let answer = http::send(request, DOCUMENT_LIMIT).await.map_err(|cut| unreachable(what, &cut))?;
        if answer.status == 200 { Ok(answer) } else { Err(refused(what, answer.status, &answer.body)) }
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
