//! The metadata server of Cloud Run and Compute Engine: access tokens of the machine's service account.
//!
//! Serves what client libraries ask (token, email, scopes, project, universe) and refuses, as the real one
//! does, any request without `Metadata-Flavor: Google` or with `X-Forwarded-For`.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;

use crate::{
    loopback::{Answers, Asked, LoopbackServer, Reply},
    tokens::TokenSet,
};

const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default/";

/// How a metadata server starts.
#[derive(Clone, Debug)]
pub struct MetadataServerOptions {
    /// Where issued tokens go; give the same set to [`Access::Tokens`](crate::Access::Tokens).
    pub tokens: TokenSet,
    /// The machine's service account.
    pub email: String,
    /// The machine's project.
    pub project: String,
    /// Seconds a token is said to live.
    pub expires_in: u32,
}

impl Default for MetadataServerOptions {
    fn default() -> Self {
        Self {
            tokens: TokenSet::new(),
            email: "launchgate@acme-ml.iam.gserviceaccount.com".into(),
            project: "acme-ml".into(),
            expires_in: 3599,
        }
    }
}

#[derive(Debug)]
struct MetadataService {
    options: MetadataServerOptions,
    issued: AtomicUsize,
    failing: Mutex<Option<u16>>,
}

impl Answers for MetadataService {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        self.metadata(&asked)
            .with_header("metadata-flavor", "Google")
            .with_header("server", "Metadata Server for VM")
    }
}

impl MetadataService {
    fn metadata(&self, asked: &Asked) -> Reply {
        if asked.method != "GET" {
            return Reply::text(405, "method not allowed");
        }
        if asked.header("metadata-flavor") != Some("Google") {
            return Reply::text(403, "Missing Metadata-Flavor:Google header.");
        }
        if asked.headers.contains_key("x-forwarded-for") {
            return Reply::text(403, "X-Forwarded-For header is not allowed.");
        }
        if let Some(status) = *self.failing.lock().unwrap_or_else(PoisonError::into_inner) {
            return Reply::text(status, "unavailable");
        }
        if let Some(member) = asked.path.strip_prefix(ACCOUNT) {
            return self.account(member, asked);
        }
        match asked.path.as_str() {
            "/computeMetadata/v1/project/project-id" => Reply::text(200, &self.options.project),
            "/computeMetadata/v1/universe/universe-domain" => Reply::text(200, "googleapis.com"),
            _ => Reply::text(404, "not found"),
        }
    }

    fn account(&self, member: &str, asked: &Asked) -> Reply {
        match member {
            "token" => {
                if asked.query_pairs().iter().any(|(name, _)| name != "scopes") {
                    return Reply::text(400, "only the scopes parameter is known");
                }
                self.issued.fetch_add(1, Ordering::SeqCst);
                let token = self.options.tokens.issue_to(&self.options.email, "metadata");
                Reply::json(
                    200,
                    &json!({"access_token": token, "expires_in": self.options.expires_in, "token_type": "Bearer"}),
                )
            }
            "email" => Reply::text(200, &self.options.email),
            "scopes" => Reply::text(200, "https://www.googleapis.com/auth/cloud-platform\n"),
            _ => Reply::text(404, "not found"),
        }
    }
}

/// A running metadata server; it stops when dropped.
#[derive(Debug)]
pub struct MetadataServer {
    service: Arc<MetadataService>,
    server: LoopbackServer,
}

impl MetadataServer {
    /// Starts serving on a free port.
    pub async fn start(options: MetadataServerOptions) -> io::Result<Self> {
        let service =
            Arc::new(MetadataService { options, issued: AtomicUsize::new(0), failing: Mutex::new(None) });
        let server = LoopbackServer::start(0, Arc::clone(&service)).await?;
        Ok(Self { service, server })
    }

    /// `127.0.0.1:PORT`, the value for the environment variable `GCE_METADATA_HOST`.
    pub fn host(&self) -> String {
        self.server.authority()
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Tokens issued so far.
    pub fn issued(&self) -> usize {
        self.service.issued.load(Ordering::SeqCst)
    }

    /// Answers this HTTP status from now on; none ends it.
    pub fn set_failing(&self, status: Option<u16>) {
        *self.service.failing.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}
