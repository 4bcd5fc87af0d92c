//! Who we are towards Google: application default credentials, without static keys.
//!
//! Promises: looked for in Google's order (the named file, the well-known file, the metadata server); an
//! `external_account` file as Buildkite's workload-identity plugin writes it works; tokens are cached and
//! refreshed by `google-cloud-auth`; a failure is not remembered for good. Nothing starts before the first
//! call. Real credentials never go to a replaced address on this machine unless they were named on purpose.
//! Does not: read the environment (a map is handed in), keep or print a token.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use google_cloud_auth::{
    build_errors::Error as BuildError,
    credentials::{
        CacheableResource, Credentials as Source, anonymous, external_account, impersonated, mds,
        service_account, user_account,
    },
};
use http_types::Extensions;
use launchgate_engine::ports::{CallError, CallErrorKind};
use launchgate_outcome::Reason;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    Endpoint, GoogleError,
    http::{self, causes},
    redaction::redacted,
};

pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What a replaced Vertex on this machine is shown. No secret: a stand-in takes any bearer.
const LOOPBACK_TOKEN: &str = "Bearer launchgate-loopback";

/// The kinds of credential files that are read.
const KINDS: [&str; 4] =
    ["external_account", "impersonated_service_account", "authorized_user", "service_account"];

/// The name the metadata server always has; an address, so that a laptop does not wait for its resolver.
const METADATA_SERVER: &str = "http://169.254.169.254";

/// Least time between two renewals: a burst of refusals of one token must not become a burst of token
/// requests.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Longest wait for the metadata server to say whose it is; asked only to word an error.
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where credentials are looked for. From environment variables, handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialSettings {
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a file named on purpose.
    pub file: Option<PathBuf>,
    /// `$CLOUDSDK_CONFIG` or `$HOME/.config/gcloud`: where `gcloud auth application-default login` writes.
    pub gcloud_folder: Option<PathBuf>,
    /// `GCE_METADATA_HOST`: `HOST[:PORT]` of the metadata server.
    pub metadata_host: Option<String>,
    /// `LAUNCHGATE_IMPERSONATE_SERVICE_ACCOUNT`: e-mail of a service account to act as.
    pub impersonate: Option<String>,
    /// `GOOGLE_CLOUD_QUOTA_PROJECT`: who pays for the requests.
    pub quota_project: Option<String>,
}

impl CredentialSettings {
    /// Reads what the environment says; empty values count as absent, as Google's own tools take them.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        let home_folder = || Some(Path::new(&get("HOME")?).join(".config/gcloud"));
        Self {
            file: get("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from),
            gcloud_folder: get("CLOUDSDK_CONFIG").map(PathBuf::from).or_else(home_folder),
            metadata_host: get("GCE_METADATA_HOST"),
            impersonate: get("LAUNCHGATE_IMPERSONATE_SERVICE_ACCOUNT"),
            quota_project: get("GOOGLE_CLOUD_QUOTA_PROJECT"),
        }
    }

    /// Whether credentials were named on purpose, rather than merely lying around.
    fn is_explicit(&self) -> bool {
        self.file.is_some() || self.metadata_host.is_some()
    }

    fn metadata_server(&self) -> String {
        self.metadata_host
            .as_ref()
            .map_or_else(|| METADATA_SERVER.to_owned(), |host| format!("http://{host}"))
    }
}

/// Who the credentials belong to, as an IAM policy names members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(String);

impl Account {
    /// A service account by its e-mail.
    pub fn service_account(email: &str) -> Self {
        Self(format!("serviceAccount:{email}"))
    }

    /// Not known: a word to be replaced by the reader.
    pub fn unknown() -> Self {
        Self::service_account("SERVICE_ACCOUNT")
    }

    /// `serviceAccount:…`, `user:…` or `principalSet://…`.
    pub fn member(&self) -> &str {
        &self.0
    }
}

/// Access tokens for one destination.
#[derive(Debug)]
pub struct Credentials {
    settings: CredentialSettings,
    /// Set for a replaced address on this machine without credentials named on purpose.
    loopback: bool,
    state: Mutex<State>,
    account: OnceCell<Account>,
}

#[derive(Debug, Default)]
struct State {
    built: Option<Built>,
    renewed: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Built {
    source: Source,
    found: Found,
}

/// Which credentials were found.
#[derive(Clone, Debug)]
enum Found {
    File { path: PathBuf, kind: String, json: Value },
    MetadataServer(String),
}

impl Credentials {
    /// Credentials for calls to `replaced`, or to the real service when there is none. Costs nothing until
    /// the first call.
    pub fn new(settings: CredentialSettings, replaced: Option<&Endpoint>) -> Self {
        let loopback = replaced.is_some_and(Endpoint::is_loopback) && !settings.is_explicit();
        Self { settings, loopback, state: Mutex::default(), account: OnceCell::new() }
    }

    /// Whether nobody's token is shown: a replaced address on this machine, without credentials named on purpose.
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The headers that authenticate a call; answers within `limit`.
    ///
    /// # Errors
    /// Says what was looked for, what happened and what to do; never holds a token.
    pub async fn headers(&self, limit: Duration) -> Result<HeaderMap, GoogleError> {
        if self.loopback {
            return Ok(HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(LOOPBACK_TOKEN))]));
        }
        let built = self.built().map_err(GoogleError::Credentials)?;
        let problem = match tokio::time::timeout(limit, built.source.headers(Extensions::default())).await {
            Ok(Ok(CacheableResource::New { data, .. })) => return Ok(data),
            Ok(Ok(CacheableResource::NotModified)) => "no token came".to_owned(),
            Ok(Err(error)) => redacted(&format!("{error}: {}", causes(&error))),
            Err(_) => format!("no answer within {} s", limit.as_secs()),
        };
        // google-cloud-auth remembers a refusal for good; a mended policy must not need a restart.
        self.renew();
        Err(GoogleError::Credentials(format!("{}: {problem}; {}", built.found, built.found.fix())))
    }

    /// Forgets the token at hand, so that the next call gets a fresh one; at most once in five seconds.
    pub fn renew(&self) {
        let mut state = self.lock();
        if state.renewed.is_none_or(|at| at.elapsed() >= RENEW_EVERY) {
            *state = State { built: None, renewed: Some(Instant::now()) };
        }
    }

    /// The credentials as Google's own client libraries take them.
    pub(crate) fn for_client_library(&self) -> Result<Source, GoogleError> {
        if self.loopback {
            return Ok(anonymous::Builder::new().build());
        }
        Ok(self.built().map_err(GoogleError::Credentials)?.source)
    }

    /// Warnings for the log and `/readyz`: a static key, foremost.
    pub fn warnings(&self) -> Vec<String> {
        if self.loopback {
            return Vec::new();
        }
        match self.look() {
            Ok(Found::File { path, kind, .. }) if kind == "service_account" => vec![format!(
                "{} is a service-account key: a secret that does not expire; use workload identity federation \
                 (external_account) or an attached service account instead",
                path.display()
            )],
            _ => Vec::new(),
        }
    }

    /// Who the credentials belong to, for the `gcloud` line in an error; asks the metadata server at most
    /// once.
    pub async fn account(&self) -> Account {
        let known = self.account.get_or_try_init(|| async { self.find_account().await.ok_or(()) }).await;
        known.cloned().unwrap_or_else(|()| Account::unknown())
    }

    async fn find_account(&self) -> Option<Account> {
        if self.loopback {
            return None;
        }
        if let Some(email) = &self.settings.impersonate {
            return Some(Account::service_account(email));
        }
        match self.look().ok()? {
            Found::File { json, .. } => account_in(&json),
            Found::MetadataServer(server) => metadata_account(&server).await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn built(&self) -> Result<Built, String> {
        let mut state = self.lock();
        if let Some(built) = &state.built {
            return Ok(built.clone());
        }
        http::install_crypto();
        let found = self.look()?;
        let source = self
            .source(&found)
            .map_err(|error| redacted(&format!("{found}: {error}: {}; {}", causes(&error), found.fix())))?;
        Ok(state.built.insert(Built { source, found }).clone())
    }

    /// Looks where Google's libraries look, in their order. Source: google.aip.dev/auth/4110.
    fn look(&self) -> Result<Found, String> {
        let named = self.settings.file.clone();
        let well_known =
            || Some(self.settings.gcloud_folder.as_ref()?.join("application_default_credentials.json"));
        let path = named.clone().or_else(|| well_known().filter(|path| path.exists()));
        let Some(path) = path else { return Ok(Found::MetadataServer(self.settings.metadata_server())) };
        let place = if named.is_some() { "named by GOOGLE_APPLICATION_CREDENTIALS" } else { "of gcloud" };
        let explain = |problem: String| format!("the file {} {place}: {problem}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| explain(error.to_string()))?;
        // Not serde's own message: it may quote the content.
        let json: Value = serde_json::from_str(&text).map_err(|error| {
            explain(format!("not JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let kind = json["type"].as_str().unwrap_or_default().to_owned();
        if !KINDS.contains(&kind.as_str()) {
            return Err(explain(format!("the type `{}` is none of {}", redacted(&kind), KINDS.join(", "))));
        }
        Ok(Found::File { path, kind, json })
    }

    fn source(&self, found: &Found) -> Result<Source, BuildError> {
        let own = self.own_source(found)?;
        let Some(email) = &self.settings.impersonate else { return Ok(own) };
        impersonated::Builder::from_source_credentials(own)
            .with_target_principal(email)
            .with_scopes([SCOPE])
            .build()
    }

    fn own_source(&self, found: &Found) -> Result<Source, BuildError> {
        // Every builder of google-cloud-auth has the same methods and no trait that says so.
        macro_rules! build {
            ($builder:expr, $scoped:expr) => {{
                let builder = $builder;
                let builder = match &self.settings.quota_project {
                    Some(project) => builder.with_quota_project_id(project),
                    None => builder,
                };
                $scoped(builder).build()
            }};
        }
        let (kind, json) = match found {
            Found::MetadataServer(server) => {
                return build!(mds::Builder::default().with_endpoint(server), |b: mds::Builder| {
                    b.with_scopes([SCOPE])
                });
            }
            Found::File { kind, json, .. } => (kind.as_str(), json.clone()),
        };
        match kind {
            "external_account" => {
                build!(external_account::Builder::new(json), |b: external_account::Builder| {
                    b.with_scopes([SCOPE])
                })
            }
            "impersonated_service_account" => {
                build!(impersonated::Builder::new(json), |b: impersonated::Builder| b.with_scopes([SCOPE]))
            }
            "service_account" => {
                build!(service_account::Builder::new(json), |b: service_account::Builder| {
                    b.with_access_specifier(service_account::AccessSpecifier::from_scopes([SCOPE]))
                })
            }
            // A user's refresh token has the scopes it was given at login.
            _ => build!(user_account::Builder::new(json), |b: user_account::Builder| b),
        }
    }
}

/// A call that could not even be made, for want of a token.
pub(crate) fn no_token(message: String) -> CallError {
    CallError {
        kind: CallErrorKind::Transient(Reason::CredentialsUnavailable),
        http_status: None,
        code: "CREDENTIALS".to_owned(),
        message,
        not_accepted: true,
        retry_after: None,
    }
}

impl Found {
    /// What mends it, for people.
    fn fix(&self) -> &'static str {
        match self {
            Self::MetadataServer(_) => {
                "on Google Cloud attach a service account; elsewhere set GOOGLE_APPLICATION_CREDENTIALS, or on a \
                 laptop run `gcloud auth application-default login`"
            }
            Self::File { kind, .. } if kind == "authorized_user" => {
                "run `gcloud auth application-default login` again"
            }
            Self::File { kind, .. } if kind == "external_account" => {
                "check that the subject token's file is there and fresh, that the pool and provider accept it, \
                 and that it may impersonate the service account (roles/iam.workloadIdentityUser)"
            }
            Self::File { kind, .. } if kind == "impersonated_service_account" => {
                "check that the source credentials have roles/iam.serviceAccountTokenCreator on the service account"
            }
            Self::File { .. } => "check the file",
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, kind, .. } => write!(f, "{kind} credentials in {}", path.display()),
            Self::MetadataServer(server) => {
                write!(f, "no credential file was named or found, and the metadata server {server}")
            }
        }
    }
}

/// Whom a credential file speaks for, where the file says it.
fn account_in(json: &Value) -> Option<Account> {
    let impersonated = json["service_account_impersonation_url"]
        .as_str()
        .and_then(|url| url.rsplit_once("/serviceAccounts/"))
        .and_then(|(_, rest)| rest.strip_suffix(":generateAccessToken"));
    if let Some(email) = impersonated.or_else(|| json["client_email"].as_str()) {
        return Some(Account::service_account(email));
    }
    match json["type"].as_str()? {
        "authorized_user" => Some(Account("user:YOUR_EMAIL".to_owned())),
        "external_account" => {
            let provider = json["audience"].as_str()?.strip_prefix("//iam.googleapis.com/")?;
            let (pool, _) = provider.split_once("/providers/")?;
            Some(Account(format!("principalSet://iam.googleapis.com/{pool}/*")))
        }
        _ => None,
    }
}

async fn metadata_account(server: &str) -> Option<Account> {
    let client = http::client(&Endpoint::parse("http://127.0.0.1").ok()?).ok()?;
    let asked = client
        .get(format!("{server}/computeMetadata/v1/instance/service-accounts/default/email"))
        .header("Metadata-Flavor", "Google")
        .timeout(ACCOUNT_TIMEOUT);
    let answer = http::send(asked, 1024).await.ok().filter(|answer| answer.status == 200)?;
    let email = std::str::from_utf8(&answer.body).ok()?.trim();
    email.contains('@').then(|| Account::service_account(email))
}
