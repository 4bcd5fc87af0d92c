//! Who asks Vertex AI for a job: the service itself, or a service account that its trigger names.
//!
//! Promises: each account has tokens of its own, kept and renewed apart from all others; a plan that names an
//! account is never sent under another identity. Does not: choose (the plan says it).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use launchgate_engine::ports::CallError;
use reqwest::{Client, header::HeaderMap};

use crate::{
    Account, CredentialSettings, Credentials, Endpoints, GoogleError, credentials::no_token, http,
    impersonation::Impersonation,
};

/// Everyone that plans are sent as.
#[derive(Debug)]
pub(crate) struct Callers {
    settings: CredentialSettings,
    endpoints: Endpoints,
    itself: Arc<Credentials>,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    made: BTreeMap<String, Arc<Impersonation>>,
    /// One connection pool to IAM, made when the first account is.
    iam: Option<(Client, Arc<Credentials>)>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Itself(Arc<Credentials>),
    As(Arc<Impersonation>),
}

impl Callers {
    pub(crate) fn new(settings: CredentialSettings, endpoints: Endpoints) -> Self {
        let itself = Arc::new(Credentials::new(settings.clone(), endpoints.vertex_override()));
        Self { settings, endpoints, itself, accounts: Mutex::default() }
    }

    pub(crate) fn itself(&self) -> &Credentials {
        &self.itself
    }

    /// Who sends a plan that names this account, or none. Made at start for the file's; on demand for one that
    /// only a recorded plan still names.
    pub(crate) fn get(&self, account: Option<&str>) -> Result<Caller, GoogleError> {
        // A stand-in on this machine is shown no token of anybody's, so nobody is asked for one.
        let Some(email) = account.filter(|_| !self.itself.is_loopback()) else {
            return Ok(Caller::Itself(self.itself.clone()));
        };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = accounts.made.get(email) {
            return Ok(Caller::As(made.clone()));
        }
        let iam = self.endpoints.iam_credentials();
        let (client, source) = if let Some(known) = &accounts.iam {
            known.clone()
        } else {
            let replaced = self.endpoints.iam_credentials_override();
            let source = match replaced {
                Some(_) => Arc::new(Credentials::new(self.settings.clone(), replaced)),
                None => self.itself.clone(),
            };
            accounts.iam.insert((http::client(&iam)?, source)).clone()
        };
        let quota_project = self.settings.quota_project.clone();
        let made = Arc::new(Impersonation::new(email, source, iam, client, quota_project));
        accounts.made.insert(email.to_owned(), made.clone());
        Ok(Caller::As(made))
    }
}

impl Caller {
    /// The headers that authenticate a call; answers within `limit`.
    pub(crate) async fn headers(&self, limit: Duration) -> Result<HeaderMap, CallError> {
        match self {
            Self::Itself(own) => own.headers(limit).await.map_err(|error| no_token(error.to_string())),
            Self::As(account) => account.headers(limit).await,
        }
    }

    /// Forgets the token that was refused.
    pub(crate) async fn renew(&self) {
        match self {
            Self::Itself(own) => own.renew(),
            Self::As(account) => account.renew().await,
        }
    }

    /// As an IAM policy names it.
    pub(crate) async fn account(&self) -> Account {
        match self {
            Self::Itself(own) => own.account().await,
            Self::As(account) => account.account(),
        }
    }
}
