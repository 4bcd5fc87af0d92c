//! Artifact Registry's Kubeflow Pipelines repositories: packages by version, for reading.
//!
//! Promises: the path that KFP's own client asks (`/PROJECT/REPOSITORY/PACKAGE/VERSION`), a caller's token wanted,
//! Google's error bodies, a redirect on demand. Does not: take uploads, resolve tags to versions by itself, say of
//! which bytes a version is the digest (Google does not either).
//! Source: kfp 2.17.3, `registry_client.py`. Texts of refusals are Artifact Registry's REST API's.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    google_error::GoogleError,
    loopback::{Answers, Asked, LoopbackServer, Reply},
};

/// What happens to the next answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryFault {
    /// The caller may not read.
    Denied,
    /// Sent on to this address.
    Redirect(String),
    /// This HTTP status.
    Unavailable,
}

#[derive(Debug, Default)]
struct State {
    packages: BTreeMap<String, Vec<u8>>,
    faults: VecDeque<RegistryFault>,
    /// Paths that were asked for, and whether a token came along.
    asked: Vec<(String, bool)>,
}

#[derive(Debug, Default)]
struct Service {
    state: Mutex<State>,
}

/// A running stand-in; it stops when dropped.
#[derive(Debug)]
pub struct KfpRegistryStandin {
    service: Arc<Service>,
    server: LoopbackServer,
}

impl KfpRegistryStandin {
    /// Starts without a package.
    pub async fn start() -> io::Result<Self> {
        let service = Arc::new(Service::default());
        let server = LoopbackServer::start(0, Arc::clone(&service)).await?;
        Ok(Self { service, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Puts a version there: `PROJECT/REPOSITORY/PACKAGE/sha256:DIGEST`.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.service.state().packages.insert(format!("/{path}"), content.into());
    }

    /// Queues what happens to the next answers.
    pub fn faults(&self, faults: impl IntoIterator<Item = RegistryFault>) {
        self.service.state().faults.extend(faults);
    }

    /// Paths that were asked for so far, and whether a token came along.
    pub fn asked(&self) -> Vec<(String, bool)> {
        self.service.state().asked.clone()
    }
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for Service {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        let mut state = self.state();
        let has_token = asked.bearer().is_some();
        state.asked.push((asked.path.clone(), has_token));
        if asked.method != "GET" || asked.path.split('/').count() != 5 || !asked.query.is_empty() {
            return GoogleError::no_such_path().reply();
        }
        let resource = asked.path.trim_start_matches('/').to_owned();
        if !has_token {
            return GoogleError::new("UNAUTHENTICATED", "Unauthenticated request.").reply();
        }
        match state.faults.pop_front() {
            Some(RegistryFault::Denied) => {
                let text = format!(
                    "Permission 'artifactregistry.repositories.downloadArtifacts' denied on resource '{resource}' \
                     (or it may not exist)."
                );
                return GoogleError::new("PERMISSION_DENIED", &text).reply();
            }
            Some(RegistryFault::Redirect(to)) => return Reply::text(302, "").with_header("location", &to),
            Some(RegistryFault::Unavailable) => {
                return GoogleError::new("UNAVAILABLE", "The service is currently unavailable.").reply();
            }
            None => {}
        }
        match state.packages.get(&asked.path) {
            Some(content) => Reply::new(200, "application/octet-stream", content.clone()),
            None => GoogleError::new("NOT_FOUND", "Requested entity was not found.").reply(),
        }
    }
}
