//! What the demo plays on: a scratch folder with keys and a triggers file, the stand-in, the service.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use launchgate_engine::{Judgement, judge, ports::Ledger};
use launchgate_service::{Environment, GateService, TriggersFile, open_ledger};
use launchgate_standin::{BuildkiteStandin, Fault, FaultRule, SigstoreStandin, VertexOptions, VertexStandin};
use launchgate_statement::Artifact;
use launchgate_triggers::{Config, DecideOptions};
use launchgate_trust::{BuildFacts, BuildkiteKeys, Jwks, Scheme, SigningKey, TrustInputs};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{
    Played,
    cast::{Scene, WEBHOOK_SECRET},
};
use crate::{clock, commands::keygen::write_new, failure::Failure, local_file, output::Output};

/// The trigger whose service account the stand-in refuses.
const RESTRICTED: &str = "retrain-restricted";

/// Everything that runs while the demo plays.
pub(super) struct Stage {
    folder: TempDir,
    config: Arc<Config>,
    pub(super) release: SigningKey,
    pub(super) retired: SigningKey,
    pub(super) artifacts: [Artifact; 2],
    pub(super) vertex: VertexStandin,
    pub(super) sigstore: SigstoreStandin,
    buildkite: BuildkiteStandin,
    buildkite_keys: Jwks,
    ledger: Arc<dyn Ledger>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Stage {
    /// Makes the files and starts the stand-in and the service; port 0 takes any free one.
    pub(super) async fn set(port: u16) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("launchgate-demo-")
            .tempdir()
            .context("making a scratch folder")?;
        let path = folder.path();
        fs::write(path.join("launchgate.yaml"), include_str!("launchgate.yaml"))
            .context("writing launchgate.yaml")?;
        fs::write(path.join("pipeline.yaml"), include_str!("pipeline.yaml"))
            .context("writing pipeline.yaml")?;
        fs::create_dir(path.join("keys")).context("making the folder keys")?;
        let release = key(path, "release")?;
        let retired = key(path, "retired")?;
        let sigstore = SigstoreStandin::new(clock::now().seconds() - 86_400);
        fs::write(path.join("keys/trusted_root.json"), sigstore.trusted_root())
            .context("writing keys/trusted_root.json")?;
        let artifacts = [artifact(path, "model.bin", 1)?, artifact(path, "features.bin", 2)?];

        let vertex = VertexStandin::start(VertexOptions::default())
            .await
            .context("starting the Vertex AI stand-in")?;
        let refuse = FaultRule::always(Fault::known("act_as_denied")).label("launchgate-trigger", RESTRICTED);
        vertex.add_fault(refuse).map_err(anyhow::Error::from)?;

        let buildkite = BuildkiteStandin::start().await.context("starting the Buildkite stand-in")?;
        let key_set = buildkite.key_set().to_string();
        let buildkite_keys = Jwks::parse(key_set.as_bytes()).map_err(anyhow::Error::from)?;
        fs::write(path.join("buildkite-jwks.json"), key_set).context("writing buildkite-jwks.json")?;

        // Not this process's variables: the demo must not reach anything real.
        let environment = Environment::from_vars([
            ("LAUNCHGATE_VERTEX_ENDPOINT".to_owned(), vertex.endpoint()),
            ("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT".to_owned(), buildkite.endpoint()),
            ("BUILDKITE_WEBHOOK_SECRET".to_owned(), WEBHOOK_SECRET.to_owned()),
        ]);
        let config = Arc::new(TriggersFile::read(&path.join("launchgate.yaml"), &environment)?.usable()?);
        let service =
            GateService::start(Arc::clone(&config), path, &environment).map_err(anyhow::Error::msg)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener =
            listener.map_err(|error| Failure::usage(format!("port {port} on 127.0.0.1: {error}")))?;
        let address = listener.local_addr().context("asking for the port")?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(service.serve(listener, async {
            // A stage that is gone is a reason to stop too.
            let _ = stopped.await;
        }));
        let ledger = open_ledger(&config, path, &environment).map_err(anyhow::Error::msg)?;
        Ok(Self {
            folder,
            config,
            release,
            retired,
            artifacts,
            vertex,
            sigstore,
            buildkite,
            buildkite_keys,
            ledger,
            address,
            stop,
            serving,
        })
    }

    /// What `explain` says of a scene.
    pub(super) fn judged(&self, scene: &Scene) -> Result<Judgement, Failure> {
        let inputs = TrustInputs {
            published: scene.published,
            buildkite_keys: BuildkiteKeys::Complete(&self.buildkite_keys),
        };
        let about = scene.webhook.as_ref();
        let given = about.map(|_| BuildFacts::given_by_operator(&scene.data)).transpose();
        let build_facts: Vec<_> =
            given.map_err(|refusal| anyhow::anyhow!(refusal.message))?.into_iter().collect();
        let options = DecideOptions { build_facts: &build_facts, ..DecideOptions::default() };
        let event = about.map_or(&scene.data, |about| &about.event);
        let judged = judge(&self.config, event, inputs, options);
        Ok(judged.map_err(anyhow::Error::from)?)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// Where Pub/Sub would push to.
    pub(super) fn events_url(&self) -> String {
        format!("http://{}/pubsub/events", self.address)
    }

    /// Where Pub/Sub would push Buildkite's webhooks to.
    pub(super) fn builds_url(&self) -> String {
        format!("http://{}/pubsub/builds", self.address)
    }

    /// Writes each scene's envelope or webhook beside the triggers file, for `explain`, `send` and `inspect`.
    pub(super) fn save_events(&self, played: &[Played]) -> Result<(), Failure> {
        let folder = self.folder().join("events");
        fs::create_dir_all(&folder).context("making the folder events")?;
        for Played { scene, .. } in played {
            fs::write(folder.join(format!("{}.json", scene.name)), &scene.data)
                .context("writing an event")?;
        }
        Ok(())
    }

    /// Stops the service as SIGTERM would, then the stand-in; the folder goes with the stage.
    pub(super) async fn strike(self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        self.serving.await.context("the service's task")?.context("serving")?;
        self.vertex.stop().await;
        drop(self.buildkite);
        Ok(())
    }
}

fn key(folder: &Path, name: &str) -> Result<SigningKey, Failure> {
    let key = SigningKey::generate(Scheme::Ed25519).map_err(anyhow::Error::from)?;
    let file = |ending: &str| -> PathBuf { folder.join("keys").join(format!("{name}.{ending}")) };
    write_new(&file("key"), &key.to_pem(), 0o600)?;
    write_new(&file("pem"), &key.public_pem(), 0o644)?;
    Ok(key)
}

/// A real file, hashed as `emit` hashes it, said to lie in a bucket.
fn artifact(folder: &Path, name: &str, seed: u32) -> Result<Artifact, Failure> {
    let path = folder.join(name);
    let weights: Vec<u8> = (0..64 * 1024u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).rotate_left(seed).to_le_bytes())
        .collect();
    fs::write(&path, weights).context("writing an artifact")?;
    let mut artifact = local_file::read(&path, &Output::new(crate::output::Format::Json))?.artifact;
    artifact.uri = Some(format!("gs://acme-models/fraud/{name}#176346000000000{seed}"));
    artifact.annotations.insert("dataset".to_owned(), "2026-11 EU".into());
    artifact.annotations.insert("epochs".to_owned(), 3.into());
    Ok(artifact)
}
