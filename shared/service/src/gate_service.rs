//! The gate with its real parts, ready to serve.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use axum::Router;
use launchgate_engine::{
    Gate, GateParts,
    ports::{BuildkiteApi, BuildkiteKeySource, Failures, Ledger, NoBuildkiteKeys, NoFailureTopic},
};
use launchgate_google::{
    ArtifactReader, CredentialSettings, Endpoints, FailureTopic, Freshness, KeySet, PubSub, VertexClient,
};
use launchgate_ledger_sqlite::{Options, SqliteLedger};
use launchgate_triggers::{ArtifactRule, Config, LedgerChoice, PushAuth, Route};
use launchgate_trust::WebhookSecrets;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    Environment,
    buildkite_api::AskedBuildkite,
    buildkite_keys::FetchedKeys,
    clock::now,
    health::Health,
    listen,
    push_auth::Doorkeeper,
    routes::{Doors, Shared, gate_routes},
};

/// How often the embedded sweep looks for work. It costs one indexed read when there is none.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long one artifact may be read where nobody waits for the answer. 50 GiB, the most that is read, come
/// within it at 30 MB/s.
const LONGEST_CHECK: Duration = Duration::from_mins(30);

/// Artifacts read whole at the same time: each takes what the network gives.
pub(crate) const CONTENTS_AT_ONCE: usize = 2;

/// The role `gate` of the trigger service.
pub struct GateService {
    shared: Arc<Shared>,
}

/// Opens the ledger the file asks for, for the service and for commands that read it.
/// `folder` is the triggers file's: its paths are relative to it.
///
/// # Errors
/// A sentence for people when the file names no ledger, the disk forgets, or the database cannot be opened.
pub fn open_ledger(
    config: &Config,
    folder: &Path,
    environment: &Environment,
) -> Result<Arc<dyn Ledger>, String> {
    match &config.ledger {
        None => {
            Err("the triggers file has no `ledger`; add `ledger: { sqlite: ./data/launchgate.db }`"
                .to_owned())
        }
        Some(LedgerChoice::Sqlite { path, ephemeral_disk_allowed }) => {
            let options = Options {
                ephemeral_disk_allowed: *ephemeral_disk_allowed,
                on_ephemeral_platform: environment.has_ephemeral_disk(),
            };
            let ledger = SqliteLedger::open(folder.join(path), options).map_err(|error| error.to_string())?;
            Ok(Arc::new(ledger))
        }
    }
}

impl GateService {
    /// Wires the parts. `folder` is the triggers file's.
    ///
    /// # Errors
    /// A sentence for people when `ingress.events` or `ledger` is missing or a part cannot be made.
    pub fn start(config: Arc<Config>, folder: &Path, environment: &Environment) -> Result<Self, String> {
        let events = config.ingress.events.clone();
        let events =
            events.ok_or("the triggers file has no `ingress.events`; the service would accept nobody")?;
        let endpoints =
            Endpoints::from_variables(environment.variables()).map_err(|error| error.to_string())?;
        let mut warnings: Vec<String> = endpoints.overrides().iter().map(ToString::to_string).collect();
        let settings = CredentialSettings::from_variables(environment.variables());
        warnings.extend(disk_warning(&config, environment));
        if !accepts_only_tokens(&config) {
            warnings.push("`auth: none`: every process of this machine may push".to_owned());
        }
        let artifacts = Arc::new(ArtifactReader::new(endpoints.clone(), &settings));
        let webhook_secrets = webhook_secrets(&config, environment)?;
        let buildkite_api = AskedBuildkite::of(&config, &endpoints, environment)?;
        let buildkite_api = buildkite_api.map(|api| Arc::new(api) as Arc<dyn BuildkiteApi>);
        let ledger = open_ledger(&config, folder, environment)?;
        let timeout = Duration::from_secs(u64::from(config.vertex.call_timeout_seconds));
        let vertex = VertexClient::new(endpoints.clone(), settings.clone(), timeout)
            .and_then(|vertex| {
                vertex.launching_as(config.impersonated_accounts(), config.launches_as_itself())
            })
            .map_err(|error| error.to_string())?;
        warnings.extend(vertex.warnings());
        let failures: Arc<dyn Failures> = match &config.failures {
            Some(failures) => Arc::new(FailureTopic::new(
                Arc::new(PubSub::new(endpoints.clone(), settings)),
                &failures.topic,
            )),
            None => Arc::new(NoFailureTopic),
        };
        let certs =
            needs_certs(&config).then(|| KeySet::google(&endpoints, Freshness::default())).transpose();
        let certs = certs.map_err(|error| error.to_string())?;
        if let Some(certs) = &certs {
            certs.start();
        }
        let buildkite = config.signers.need_buildkite_keys();
        let buildkite = buildkite.then(|| KeySet::buildkite(&endpoints, Freshness::default())).transpose();
        let buildkite = buildkite.map_err(|error| error.to_string())?;
        let buildkite_keys: Arc<dyn BuildkiteKeySource> = match &buildkite {
            Some(keys) => {
                keys.start();
                Arc::new(FetchedKeys(keys.clone()))
            }
            None => Arc::new(NoBuildkiteKeys),
        };
        for warning in &warnings {
            tracing::warn!(warning, "configured with a warning");
        }
        // Not among the warnings of the process: `/readyz` finds those of its own day.
        for notice in config.rotation_notices(now()) {
            tracing::warn!(
                warning = notice.message,
                fix = notice.fix,
                "a signer has to be followed by another"
            );
        }
        let door = |route: &Option<Route>| route.clone().map(|route| Doorkeeper::new(route, certs.clone()));
        let doors = Doors {
            events: Doorkeeper::new(events, certs.clone()),
            builds: door(&config.ingress.builds),
            runs: door(&config.ingress.runs),
            sweep: door(&config.ingress.sweep),
        };
        let vertex = Arc::new(vertex);
        let parts = GateParts {
            config,
            ledger,
            vertex,
            failures,
            artifacts,
            buildkite_keys,
            webhook_secrets,
            buildkite_api,
        };
        let health = Health::new(certs, buildkite, warnings);
        Ok(Self { shared: Arc::new(Shared::new(Gate::new(parts), health, doors)) })
    }

    /// The gate itself.
    pub fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// The routes, for `lambda_http` and tests. Peers are unknown there, so `auth: none` refuses everyone.
    pub fn router(&self) -> Router {
        gate_routes(self.shared.clone())
    }

    /// Serves until `shutdown` completes, sweeping in the background (embedded mode); then drains for at
    /// most 9 seconds and flushes the ledger.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (stop, stopped) = watch::channel(false);
        // Each in a loop of its own: an artifact of many gigabytes must not keep a retry waiting.
        let checkers: Vec<_> = [ArtifactRule::Exists]
            .into_iter()
            .chain([ArtifactRule::Content; CONTENTS_AT_ONCE])
            .map(|rule| tokio::spawn(check_until(self.shared.clone(), rule, stopped.clone())))
            .collect();
        let sweeper = tokio::spawn(sweep_until(self.shared.clone(), stopped));
        let served = listen::serve(listener, self.router(), shutdown).await;
        let _ = stop.send(true);
        let _ = sweeper.await;
        for checker in checkers {
            let _ = checker.await;
        }
        if let Err(error) = self.gate().ledger().flush().await {
            tracing::error!(%error, "the ledger could not be flushed; the sweep of the next start finishes what is open");
        }
        tracing::info!("stopped");
        served
    }
}

/// The embedded sweep: one after the other, never two at a time in one process.
async fn sweep_until(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    loop {
        let pause = match shared.gate.sweep().await {
            Ok(report) => {
                shared.metrics.swept(&report);
                if report.more { Duration::ZERO } else { SWEEP_EVERY }
            }
            Err(error) => {
                tracing::error!(%error, "the sweep could not work; it tries again");
                SWEEP_EVERY * 5
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Looks at artifacts that wait. At the end of the process a look is broken off: whoever comes next takes it up
/// as soon as the claim has run out.
async fn check_until(shared: Arc<Shared>, rule: ArtifactRule, mut stopped: watch::Receiver<bool>) {
    loop {
        let looked = tokio::select! {
            looked = shared.gate.check_artifacts(rule, LONGEST_CHECK) => looked,
            _ = stopped.changed() => return,
        };
        let pause = match looked {
            Ok(report) => {
                shared.metrics.checked(&report);
                if report.more && report.looked_at > 0 { Duration::ZERO } else { SWEEP_EVERY }
            }
            Err(error) => {
                tracing::error!(%error, "no artifact could be looked at; it is tried again");
                SWEEP_EVERY * 5
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// What verifies webhooks, where the file lets them in. Without a secret anyone who reaches the topic could
/// say that a build is of no fork.
fn webhook_secrets(config: &Config, environment: &Environment) -> Result<Option<WebhookSecrets>, String> {
    if config.ingress.builds.is_none() {
        return Ok(None);
    }
    let named = config.buildkite.as_ref().and_then(|buildkite| buildkite.webhook_secret_env.as_deref());
    let name = named.ok_or("`ingress.builds` needs `buildkite.webhookSecretEnv`")?;
    let list = environment.get(name).ok_or_else(|| {
        format!("set {name} to the token of Buildkite's webhook (several, comma-separated, during rotation)")
    })?;
    WebhookSecrets::parse(list).map(Some).map_err(|error| format!("{name}: {error}"))
}

fn routes(config: &Config) -> impl Iterator<Item = &Route> {
    let ingress = &config.ingress;
    [&ingress.events, &ingress.builds, &ingress.runs, &ingress.sweep].into_iter().flatten()
}

fn needs_certs(config: &Config) -> bool {
    routes(config).any(|route| matches!(route.auth, PushAuth::Oidc(_)))
}

fn accepts_only_tokens(config: &Config) -> bool {
    routes(config).all(|route| matches!(route.auth, PushAuth::Oidc(_)))
}

fn disk_warning(config: &Config, environment: &Environment) -> Option<String> {
    match &config.ledger {
        Some(LedgerChoice::Sqlite { ephemeral_disk_allowed: true, .. }) if environment.has_ephemeral_disk() => {
            Some("the ledger is on a disk that forgets (`ephemeralDisk: allowed`): a restart may lose events and launch twice".to_owned())
        }
        _ => None,
    }
}
