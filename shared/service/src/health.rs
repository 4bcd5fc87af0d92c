//! Whether the service could do its work now.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use launchgate_engine::Gate;
use launchgate_google::KeySet;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::clock::now;

/// How long one report serves every caller: `/readyz` is open to anyone the platform lets in, and must not
/// be a way to make the ledger write.
const FRESH: Duration = Duration::from_secs(5);

/// What `/readyz` answers. No payload text, no key material.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) ready: bool,
    checks: Vec<Probe>,
    /// Things an operator should know: replaced endpoints, a disk that forgets, signers that end soon,
    /// an account that some triggers launch as and no token comes of. None of them keeps the service from its work, so none makes it unready.
    warnings: Vec<String>,
    version: &'static str,
    config: String,
}

#[derive(Debug, Serialize)]
struct Probe {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Makes reports and keeps the last one for a moment.
pub(crate) struct Health {
    certs: Option<KeySet>,
    buildkite: Option<KeySet>,
    warnings: Vec<String>,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
}

impl Health {
    pub(crate) fn new(certs: Option<KeySet>, buildkite: Option<KeySet>, warnings: Vec<String>) -> Self {
        Self { certs, buildkite, warnings, last: Mutex::new(None) }
    }

    /// One report; concurrent callers share it.
    pub(crate) async fn report(&self, gate: &Gate) -> Arc<Report> {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < FRESH
        {
            return report.clone();
        }
        let mut checks = vec![
            probe("ledger", gate.ledger().ready().await.map_err(|error| error.to_string())),
            probe("vertex_credentials", gate.vertex_ready().await),
        ];
        for (name, keys) in [("google_certificates", &self.certs), ("buildkite_keys", &self.buildkite)] {
            let Some(keys) = keys else { continue };
            let known = match keys.current() {
                Some(_) => Ok(()),
                None => keys.refresh_for("").await.map(|_| ()).map_err(|error| error.to_string()),
            };
            checks.push(probe(name, known));
        }
        let mut warnings = self.warnings.clone();
        warnings.extend(gate.accounts_without_token().await);
        let notices = gate.config().rotation_notices(now());
        warnings.extend(notices.iter().map(|notice| format!("{}: {}", notice.message, notice.fix)));
        warnings.extend(gate.buildkite_api_trouble().map(|why| format!("Buildkite's API: {why}")));
        let report = Arc::new(Report {
            ready: checks.iter().all(|check| check.ok),
            checks,
            warnings,
            version: env!("CARGO_PKG_VERSION"),
            config: format!("sha256:{}", gate.config().digest),
        });
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

fn probe(name: &'static str, result: Result<(), String>) -> Probe {
    Probe { name, ok: result.is_ok(), error: result.err() }
}
