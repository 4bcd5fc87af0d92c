//! Workload identity federation: Google's token exchange (STS) and service-account impersonation.
//!
//! One server for both, as one `external_account` file names both. Every field the real services demand is
//! demanded; subject tokens are compared with a set, not verified, as their issuer is another stand-in's matter.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    google_error::GoogleError,
    loopback::{Answers, Asked, LoopbackServer, Reply},
    timestamp::rfc3339,
    tokens::TokenSet,
};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const SUBJECT_TYPES: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];
const EXCHANGE_FIELDS: [&str; 7] = [
    "grant_type",
    "requested_token_type",
    "subject_token",
    "subject_token_type",
    "audience",
    "scope",
    "options",
];
/// Scopes that allow calling `generateAccessToken`.
const IAM_SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/iam"];
/// Seconds an impersonated token may live without an organization policy that allows more.
const LONGEST_LIFETIME: f64 = 3600.0;

/// How the federation stand-in starts.
#[derive(Clone, Debug)]
pub struct FederationOptions {
    /// The provider that subject tokens must be meant for.
    pub audience: String,
    /// Subject tokens that are exchanged; none takes any that is not empty.
    pub subject_tokens: Option<TokenSet>,
    /// Service accounts that may be impersonated.
    pub service_accounts: Vec<String>,
    /// Access tokens that may impersonate too, beside those of the exchange: the metadata server's, say.
    pub callers: TokenSet,
    /// Where impersonated tokens go; give the same set to [`Access::Tokens`](crate::Access::Tokens).
    pub tokens: TokenSet,
}

impl Default for FederationOptions {
    fn default() -> Self {
        Self {
            audience: "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/buildkite/providers/buildkite".into(),
            subject_tokens: None,
            service_accounts: vec!["launchgate@acme-ml.iam.gserviceaccount.com".into()],
            callers: TokenSet::new(),
            tokens: TokenSet::new(),
        }
    }
}

#[derive(Debug)]
struct FederationService {
    options: FederationOptions,
    /// What the exchange hands out: good for impersonation, and for nothing else unless a test says so.
    federated: TokenSet,
    /// How often each account was impersonated.
    issued: Mutex<HashMap<String, usize>>,
}

impl Answers for FederationService {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        if asked.method == "POST" && asked.path == "/v1/token" {
            return match self.exchange(&asked) {
                Ok(answer) => Reply::json(200, &answer),
                Err((error, description)) => {
                    Reply::json(400, &json!({"error": error, "error_description": description}))
                }
            };
        }
        let account = asked
            .path
            .strip_prefix("/v1/projects/-/serviceAccounts/")
            .and_then(|rest| rest.strip_suffix(":generateAccessToken"))
            .filter(|account| asked.method == "POST" && !account.contains('/'));
        match account {
            Some(account) => match self.generate_access_token(account, &asked) {
                Ok(answer) => Reply::json(200, &answer),
                Err(refused) => refused.reply(),
            },
            None => GoogleError::no_such_path().reply(),
        }
    }
}

impl FederationService {
    fn exchange(&self, asked: &Asked) -> Result<Value, (&'static str, String)> {
        let invalid = |why: String| ("invalid_request", why);
        if !asked
            .header("content-type")
            .is_some_and(|given| given.starts_with("application/x-www-form-urlencoded"))
        {
            return Err(invalid("A form-encoded body is expected.".into()));
        }
        let form: Vec<(String, String)> = form_urlencoded::parse(&asked.body).into_owned().collect();
        if let Some((name, _)) = form.iter().find(|(name, _)| !EXCHANGE_FIELDS.contains(&name.as_str())) {
            return Err(invalid(format!("Unknown field: {name}")));
        }
        let field = |name: &str| {
            let mut given = form.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
            match (given.next(), given.next()) {
                (Some(value), None) if !value.is_empty() => Ok(value),
                _ => Err(invalid(format!("Missing or repeated required field: {name}"))),
            }
        };
        if field("grant_type")? != EXCHANGE {
            return Err(("unsupported_grant_type", "Invalid value for \"grant_type\".".into()));
        }
        if field("requested_token_type")? != ACCESS_TOKEN {
            return Err(invalid("Invalid value for \"requested_token_type\".".into()));
        }
        if !SUBJECT_TYPES.contains(&field("subject_token_type")?) {
            return Err(invalid("Invalid value for \"subject_token_type\".".into()));
        }
        if !field("scope")?.split(' ').any(|scope| IAM_SCOPES.contains(&scope)) {
            return Err(("invalid_scope", "The scope does not allow calling Google Cloud APIs.".into()));
        }
        if field("audience")? != self.options.audience {
            return Err(("invalid_target", "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn't exist.".into()));
        }
        let subject = field("subject_token")?;
        if self.options.subject_tokens.as_ref().is_some_and(|known| !known.knows(subject)) {
            return Err((
                "invalid_grant",
                "The given credential is rejected by the attribute condition.".into(),
            ));
        }
        let token = self.federated.issue("federated");
        Ok(
            json!({"access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3599}),
        )
    }

    fn generate_access_token(&self, account: &str, asked: &Asked) -> Result<Value, GoogleError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Asks {
            scope: Vec<String>,
            lifetime: Option<String>,
            delegates: Option<Vec<String>>,
        }
        let may_ask = |token: &str| self.federated.knows(token) || self.options.callers.knows(token);
        if !asked.bearer().is_some_and(may_ask) {
            return Err(GoogleError::new(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            ));
        }
        let asks: Asks = serde_json::from_slice(&asked.body).map_err(|error| {
            GoogleError::bad_request("", &format!("Invalid JSON payload received. {error}"))
        })?;
        if asks.scope.is_empty()
            || asks.scope.iter().any(|scope| !scope.starts_with("https://www.googleapis.com/auth/"))
        {
            return Err(GoogleError::invalid("Scope must be provided."));
        }
        let lifetime = asks.lifetime.as_deref().unwrap_or("3600s");
        let seconds = lifetime.strip_suffix('s').and_then(|seconds| seconds.parse::<f64>().ok());
        let seconds = seconds
            .filter(|seconds| (1.0..=LONGEST_LIFETIME).contains(seconds))
            .ok_or_else(|| GoogleError::invalid("The access token lifetime cannot exceed 3600 seconds."))?;
        let permitted = self.options.service_accounts.iter().any(|known| known == account);
        if !permitted || asks.delegates.is_some_and(|delegates| !delegates.is_empty()) {
            let detail = json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED", "domain": "iam.googleapis.com",
                "metadata": {"permission": "iam.serviceAccounts.getAccessToken"},
            });
            let text =
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).";
            return Err(GoogleError::with_details("PERMISSION_DENIED", text, &[detail]));
        }
        let token = self.options.tokens.issue_to(account, "impersonated");
        *self.issued.lock().unwrap_or_else(PoisonError::into_inner).entry(account.to_owned()).or_default() +=
            1;
        let expires = SystemTime::now() + Duration::from_secs_f64(seconds);
        Ok(json!({"accessToken": token, "expireTime": rfc3339(expires)}))
    }
}

/// A running stand-in for STS and the IAM credentials API; it stops when dropped.
#[derive(Debug)]
pub struct FederationStandin {
    service: Arc<FederationService>,
    server: LoopbackServer,
}

impl FederationStandin {
    /// Starts serving on a free port.
    pub async fn start(options: FederationOptions) -> io::Result<Self> {
        let service =
            Arc::new(FederationService { options, federated: TokenSet::new(), issued: Mutex::default() });
        let server = LoopbackServer::start(0, Arc::clone(&service)).await?;
        Ok(Self { service, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Tokens of this account issued so far.
    pub fn issued_to(&self, account: &str) -> usize {
        let issued = self.service.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.get(account).copied().unwrap_or_default()
    }

    /// The tokens that the exchange hands out, for a Vertex that takes them without impersonation.
    pub fn federated_tokens(&self) -> TokenSet {
        self.service.federated.clone()
    }

    /// An `external_account` file as Buildkite's workload identity plugin writes it: the subject token is read
    /// from `token_file`, the service account (if any) is impersonated.
    pub fn external_account(&self, token_file: &Path, service_account: Option<&str>) -> Value {
        let endpoint = self.endpoint();
        let mut file = json!({
            "type": "external_account",
            "audience": self.service.options.audience,
            "subject_token_type": SUBJECT_TYPES[0],
            "token_url": format!("{endpoint}/v1/token"),
            "credential_source": {"file": token_file},
        });
        if let Some(account) = service_account {
            let url = format!("{endpoint}/v1/projects/-/serviceAccounts/{account}:generateAccessToken");
            file["service_account_impersonation_url"] = url.into();
        }
        file
    }
}
