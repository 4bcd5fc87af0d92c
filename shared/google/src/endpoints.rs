//! Where the outside world is: Google's and Buildkite's addresses, or what replaces them.
//!
//! Promises: an address is https, or http on loopback; every replaced one is listed, so that a service
//! that talks to a stand-in says so. Does not: open connections, read the environment.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use reqwest::Url;

use crate::GoogleError;

const SERVICES: [(Service, &str); 10] = [
    (Service::Vertex, "LAUNCHGATE_VERTEX_ENDPOINT"),
    (Service::PubSub, "LAUNCHGATE_PUBSUB_ENDPOINT"),
    (Service::Firestore, "LAUNCHGATE_FIRESTORE_ENDPOINT"),
    (Service::Storage, "LAUNCHGATE_STORAGE_ENDPOINT"),
    (Service::Registry, "LAUNCHGATE_REGISTRY_ENDPOINT"),
    (Service::Kms, "LAUNCHGATE_KMS_ENDPOINT"),
    (Service::IamCredentials, "LAUNCHGATE_IAM_CREDENTIALS_ENDPOINT"),
    (Service::BuildkiteApi, "LAUNCHGATE_BUILDKITE_API_ENDPOINT"),
    (Service::BuildkiteJwks, "LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT"),
    (Service::GoogleCerts, "LAUNCHGATE_GOOGLE_CERTS_ENDPOINT"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Vertex,
    PubSub,
    Firestore,
    Storage,
    Registry,
    Kms,
    IamCredentials,
    BuildkiteApi,
    BuildkiteJwks,
    GoogleCerts,
}

/// An address that may be called: https anywhere, http on loopback only.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads an address; the error says what is wrong with it.
    ///
    /// Plain http is for stand-ins and emulators on this machine: anywhere else a token would travel in
    /// the clear.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL ({error})"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address may not hold a user or password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("`{text}` has a query or fragment"));
        }
        let endpoint = Self(url);
        match endpoint.0.scheme() {
            "https" => Ok(endpoint),
            "http" if endpoint.is_loopback() => Ok(endpoint),
            "http" => Err(format!("`{text}` is plain http on another machine")),
            scheme => Err(format!("`{text}` has the scheme `{scheme}`")),
        }
    }

    /// A built-in address.
    fn known(text: &str) -> Self {
        Self(Url::parse(text).expect("built-in addresses are URLs: a test reads them all"))
    }

    /// Whether it is on this machine: `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Whether connections to it use TLS.
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address without a trailing slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Whether it names more than a server.
    fn has_path(&self) -> bool {
        self.0.path() != "/"
    }

    /// The address with `path` (starting with `/`) appended, percent-encoded where needed.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One replaced address, for the warning in the log and for `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The environment variable.
    pub variable: &'static str,
    /// What it says.
    pub endpoint: Endpoint,
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replaces the real service with {}", self.variable, self.endpoint)
    }
}

/// Every outside address, read once at start.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    replaced: BTreeMap<Service, Endpoint>,
}

impl Endpoints {
    /// Reads `LAUNCHGATE_*_ENDPOINT` out of `variables`; an empty value is an error, not "none".
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Result<Self, GoogleError> {
        let mut replaced = BTreeMap::new();
        for (service, variable) in SERVICES {
            let Some(text) = variables.get(variable) else { continue };
            let endpoint = Endpoint::parse(text)
                .map_err(|problem| GoogleError::Endpoint { variable: variable.to_owned(), problem })?;
            replaced.insert(service, endpoint);
        }
        Ok(Self { replaced })
    }

    /// What is replaced, in a fixed order.
    pub fn overrides(&self) -> Vec<Override> {
        let find = |(service, variable)| {
            self.replaced.get(&service).map(|endpoint| Override { variable, endpoint: endpoint.clone() })
        };
        SERVICES.into_iter().filter_map(find).collect()
    }

    /// Vertex AI in a region.
    pub fn vertex(&self, location: &str) -> Endpoint {
        match self.replaced.get(&Service::Vertex) {
            Some(endpoint) => endpoint.clone(),
            None => Endpoint::parse(&format!("https://{location}-aiplatform.googleapis.com"))
                .unwrap_or_else(|_| Endpoint::known("https://aiplatform.googleapis.com")),
        }
    }

    /// What replaces Vertex AI in every region.
    pub fn vertex_override(&self) -> Option<&Endpoint> {
        self.replaced.get(&Service::Vertex)
    }

    /// What replaces Pub/Sub; mostly its emulator.
    pub fn pubsub_override(&self) -> Option<&Endpoint> {
        self.replaced.get(&Service::PubSub)
    }

    /// What replaces Firestore; mostly its emulator.
    pub fn firestore_override(&self) -> Option<&Endpoint> {
        self.replaced.get(&Service::Firestore)
    }

    /// What replaces every container registry.
    pub fn registry_override(&self) -> Option<&Endpoint> {
        self.replaced.get(&Service::Registry)
    }

    /// What replaces Cloud Storage.
    pub fn storage_override(&self) -> Option<&Endpoint> {
        self.replaced.get(&Service::Storage)
    }

    /// Cloud Storage.
    pub fn storage(&self) -> Endpoint {
        self.or_known(Service::Storage, "https://storage.googleapis.com")
    }

    /// What replaces Cloud KMS.
    pub fn kms_override(&self) -> Option<&Endpoint> {
        self.replaced.get(&Service::Kms)
    }

    /// Cloud KMS.
    pub fn kms(&self) -> Endpoint {
        self.or_known(Service::Kms, "https://cloudkms.googleapis.com")
    }

    /// What replaces IAM's service-account credentials.
    pub fn iam_credentials_override(&self) -> Option<&Endpoint> {
        self.replaced.get(&Service::IamCredentials)
    }

    /// IAM's service-account credentials: tokens of other service accounts.
    pub fn iam_credentials(&self) -> Endpoint {
        self.or_known(Service::IamCredentials, "https://iamcredentials.googleapis.com")
    }

    /// Buildkite's REST API.
    pub fn buildkite_api(&self) -> Endpoint {
        self.or_known(Service::BuildkiteApi, "https://api.buildkite.com")
    }

    /// Buildkite's key set; a replacement without a path gets the real one's path.
    pub fn buildkite_jwks(&self) -> Endpoint {
        self.document(Service::BuildkiteJwks, "https://agent.buildkite.com", "/.well-known/jwks")
    }

    /// Google's key set for push tokens; a replacement without a path gets the real one's path.
    pub fn google_certs(&self) -> Endpoint {
        self.document(Service::GoogleCerts, "https://www.googleapis.com", "/oauth2/v3/certs")
    }

    /// The key set of Identity-Aware Proxy; on the server that replaces Google's certificates, if one does.
    pub fn iap_keys(&self) -> Endpoint {
        let mut endpoint = self.or_known(Service::GoogleCerts, "https://www.gstatic.com");
        endpoint.0.set_path("/iap/verify/public_key-jwk");
        endpoint
    }

    fn or_known(&self, service: Service, known: &str) -> Endpoint {
        self.replaced.get(&service).cloned().unwrap_or_else(|| Endpoint::known(known))
    }

    fn document(&self, service: Service, server: &str, path: &str) -> Endpoint {
        let endpoint = self.or_known(service, server);
        if endpoint.has_path() { endpoint } else { Endpoint(endpoint.join(path)) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn endpoints(variables: &[(&str, &str)]) -> Result<Endpoints, GoogleError> {
        Endpoints::from_variables(
            &variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        )
    }

    #[test]
    fn without_overrides_everything_is_the_real_service() {
        let endpoints = endpoints(&[]).unwrap();

        assert_eq!(
            endpoints.vertex("europe-west1").as_str(),
            "https://europe-west1-aiplatform.googleapis.com"
        );
        assert_eq!(endpoints.storage().as_str(), "https://storage.googleapis.com");
        assert_eq!(endpoints.kms().as_str(), "https://cloudkms.googleapis.com");
        assert_eq!(endpoints.buildkite_api().as_str(), "https://api.buildkite.com");
        assert_eq!(endpoints.buildkite_jwks().as_str(), "https://agent.buildkite.com/.well-known/jwks");
        assert_eq!(endpoints.google_certs().as_str(), "https://www.googleapis.com/oauth2/v3/certs");
        assert!(endpoints.pubsub_override().is_none());
        assert!(endpoints.overrides().is_empty());
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80", "https://example.com"]
        {
            assert!(endpoints(&[("LAUNCHGATE_VERTEX_ENDPOINT", good)]).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://10.0.0.1",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "127.0.0.1:8080",
            "",
            "https://user:word@example.com",
            "https://example.com?x=1",
            "https://example.com#x",
        ] {
            let error = endpoints(&[("LAUNCHGATE_VERTEX_ENDPOINT", bad)]).unwrap_err().to_string();
            assert!(error.contains("LAUNCHGATE_VERTEX_ENDPOINT"), "{bad}: {error}");
        }
    }

    #[test]
    fn every_variable_is_read_and_every_override_is_listed() {
        let all: Vec<_> = SERVICES.iter().map(|(_, variable)| (*variable, "http://127.0.0.1:9")).collect();

        let endpoints = endpoints(&all).unwrap();

        assert_eq!(endpoints.overrides().len(), SERVICES.len());
        assert_eq!(endpoints.vertex("anywhere").as_str(), "http://127.0.0.1:9");
        assert!(endpoints.overrides()[0].to_string().contains("LAUNCHGATE_VERTEX_ENDPOINT"));
    }

    #[test]
    fn a_replaced_key_set_without_a_path_gets_the_real_path() {
        let at =
            |address| endpoints(&[("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", address)]).unwrap().google_certs();

        assert_eq!(at("http://127.0.0.1:9").as_str(), "http://127.0.0.1:9/oauth2/v3/certs");
        assert_eq!(at("http://127.0.0.1:9/keys").as_str(), "http://127.0.0.1:9/keys");
    }

    #[test]
    fn the_keys_of_identity_aware_proxy_are_on_the_server_that_replaces_googles_certificates() {
        let at = |variables: &[(&str, &str)]| endpoints(variables).unwrap().iap_keys();

        assert_eq!(at(&[]).as_str(), "https://www.gstatic.com/iap/verify/public_key-jwk");
        for address in ["http://127.0.0.1:9", "http://127.0.0.1:9/keys"] {
            let replaced = at(&[("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", address)]);
            assert_eq!(replaced.as_str(), "http://127.0.0.1:9/iap/verify/public_key-jwk");
        }
    }
}
