//! A container registry, as the OCI distribution spec has it: manifests and blobs of one repository.
//!
//! Promises: Google's registries are shown an access token and nobody else is; other registries are asked
//! without an account, by the anonymous token flow; a blob that lies on another server is fetched there
//! without any credentials.

use reqwest::{
    Client, Method, RequestBuilder, Response, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION},
};

use super::{ArtifactReader, TIMEOUT, anonymous_token::Challenge, document, opened};
use crate::{Endpoint, GoogleError, http::Answer};

/// Every manifest type in use; a registry converts or refuses what is not accepted.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// Servers a blob may be handed on to, one after the other.
const REDIRECTS: usize = 5;

/// Docker's own hub answers under another name than images are written with.
const DOCKER_HUB: [&str; 2] = ["docker.io", "index.docker.io"];

/// Whether a registry on this very machine may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnMachine {
    /// As on a developer's.
    Ask,
    /// Whoever names the artifact would choose which port of this machine is called.
    Refuse,
}

/// One repository of one registry.
pub(super) struct Repository<'r> {
    reader: &'r ArtifactReader,
    endpoint: Endpoint,
    client: Client,
    path: String,
    /// `HOST/REPOSITORY`, for people.
    what: String,
    access: Access,
}

enum Access {
    /// With an access token of Google's.
    Google,
    /// Without an account; the token that anybody is given, once there is one.
    Anonymous(Option<HeaderValue>),
}

/// Google's registries take an access token; to any other host none is ever shown.
pub(super) fn is_googles(host: &str) -> bool {
    host == "gcr.io" || host.ends_with(".gcr.io") || host.ends_with(".pkg.dev")
}

impl ArtifactReader {
    /// A repository by the names in an image's reference.
    pub(super) fn repository(
        &self,
        host: &str,
        repository: &str,
        own_machine: OwnMachine,
    ) -> Result<Repository<'_>, GoogleError> {
        let what = format!("{host}/{repository}");
        let endpoint = match self.endpoints.registry_override() {
            Some(endpoint) => endpoint.clone(),
            None => registry_of(host, own_machine)
                .map_err(|problem| GoogleError::Address { address: what.clone(), problem })?,
        };
        let access = if is_googles(host) { Access::Google } else { Access::Anonymous(None) };
        let client = self.client(&endpoint)?;
        Ok(Repository { reader: self, endpoint, client, path: repository.to_owned(), what, access })
    }
}

fn registry_of(host: &str, own_machine: OwnMachine) -> Result<Endpoint, String> {
    let host = if DOCKER_HUB.contains(&host) { "registry-1.docker.io" } else { host };
    let endpoint = Endpoint::parse(&format!("https://{host}"))?;
    if !endpoint.is_loopback() {
        return Ok(endpoint);
    }
    if own_machine == OwnMachine::Refuse {
        return Err("a registry on the service's own machine is not asked; push it elsewhere".to_owned());
    }
    // A registry on this machine speaks plain http, as Docker takes it too.
    Endpoint::parse(&format!("http://{host}"))
}

impl Repository<'_> {
    /// `HOST/REPOSITORY`.
    pub(super) fn name(&self) -> String {
        self.what.clone()
    }

    /// The head or the whole of a manifest as answered, whatever the status. `reference` is a digest or a tag.
    pub(super) async fn manifest(&mut self, method: Method, reference: &str) -> Result<Answer, GoogleError> {
        let what = format!("{}, manifest {reference}", self.what);
        let url = self.endpoint.join(&format!("/v2/{}/manifests/{reference}", self.path));
        let accept = HeaderValue::from_static(MANIFESTS);
        let request =
            |client: &Client| client.request(method.clone(), url.clone()).header(ACCEPT, accept.clone());
        let first = document(&what, request(&self.client).headers(self.headers().await?)).await?;
        match self.granted(first.status, &first.headers).await? {
            Some(headers) => document(&what, request(&self.client).headers(headers)).await,
            None => Ok(first),
        }
    }

    /// A blob's bytes, about to come, whatever the status; from wherever the registry keeps them.
    pub(super) async fn blob(&mut self, digest: &str) -> Result<Response, GoogleError> {
        let what = format!("{}, blob {digest}", self.what);
        let mut at = self.endpoint.join(&format!("/v2/{}/blobs/{digest}", self.path));
        for _ in 0..=REDIRECTS {
            let response = self.content(&what, &at).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            at = self.next(&what, &at, &response)?;
        }
        Err(GoogleError::Unexpected { what, problem: format!("handed on more than {REDIRECTS} times") })
    }

    async fn content(&mut self, what: &str, at: &Url) -> Result<Response, GoogleError> {
        if at.origin() != self.endpoint.join("").origin() {
            // Another server, mostly a bucket with a signed address: no token of ours is its business.
            let other = origin_of(at).map_err(|problem| unexpected(what, problem))?;
            return opened(what, self.reader.client(&other)?.get(at.clone())).await;
        }
        let request = |client: &Client| -> RequestBuilder { client.get(at.clone()) };
        let first = opened(what, request(&self.client).headers(self.headers().await?)).await?;
        match self.granted(first.status().as_u16(), first.headers()).await? {
            Some(headers) => opened(what, request(&self.client).headers(headers)).await,
            None => Ok(first),
        }
    }

    /// Where a redirect leads. Plain http is followed on this machine only, and from this machine only.
    fn next(&self, what: &str, at: &Url, response: &Response) -> Result<Url, GoogleError> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| unexpected(what, "handed on to nowhere".to_owned()))?;
        let next = at
            .join(location)
            .map_err(|error| unexpected(what, format!("handed on to an address that is none: {error}")))?;
        let other = origin_of(&next).map_err(|problem| unexpected(what, format!("handed on: {problem}")))?;
        if other.is_loopback() && !self.endpoint.is_loopback() {
            return Err(unexpected(what, format!("handed on to this very machine, {other}")));
        }
        Ok(next)
    }

    async fn headers(&self) -> Result<HeaderMap, GoogleError> {
        match &self.access {
            Access::Google => self.reader.registry.headers(TIMEOUT).await,
            Access::Anonymous(Some(token)) => Ok(HeaderMap::from_iter([(AUTHORIZATION, token.clone())])),
            Access::Anonymous(None) => Ok(HeaderMap::new()),
        }
    }

    /// Headers to ask again with, where the answer says that a token is given to anybody; the last one may have
    /// run out.
    async fn granted(&mut self, status: u16, headers: &HeaderMap) -> Result<Option<HeaderMap>, GoogleError> {
        if status != 401 || matches!(self.access, Access::Google) {
            return Ok(None);
        }
        let Some(challenge) = Challenge::read(headers) else { return Ok(None) };
        let token = challenge.answered(self.reader, &self.endpoint, &self.path, &self.what).await?;
        self.access = Access::Anonymous(Some(token));
        self.headers().await.map(Some)
    }
}

/// The server of an address, if it may be called at all.
pub(super) fn origin_of(url: &Url) -> Result<Endpoint, String> {
    Endpoint::parse(&url.origin().ascii_serialization())
}

pub(super) fn unexpected(what: &str, problem: String) -> GoogleError {
    GoogleError::Unexpected { what: what.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_googles_registries_are_shown_a_token() {
        for host in ["gcr.io", "eu.gcr.io", "us-docker.pkg.dev"] {
            assert!(is_googles(host), "{host}");
        }
        for host in ["evil-pkg.dev", "pkg.dev.evil.com", "gcr.io.evil.com", "notgcr.io", "ghcr.io"] {
            assert!(!is_googles(host), "{host}");
        }
    }

    #[test]
    fn a_registry_on_this_machine_is_asked_only_where_that_is_meant() {
        let at = |host: &str, own: OwnMachine| registry_of(host, own).map(|endpoint| endpoint.to_string());

        assert_eq!(at("localhost:5000", OwnMachine::Ask), Ok("http://localhost:5000".to_owned()));
        assert!(at("localhost:5000", OwnMachine::Refuse).is_err());
        assert!(at("[::1]:5000", OwnMachine::Refuse).is_err());
        assert!(at("127.0.0.1", OwnMachine::Refuse).is_err());
        assert_eq!(at("ghcr.io", OwnMachine::Refuse), Ok("https://ghcr.io".to_owned()));
        assert_eq!(at("docker.io", OwnMachine::Refuse), Ok("https://registry-1.docker.io".to_owned()));
    }
}
