//! A folder with a triggers file, its keys and its templates.

use std::{fs, path::Path, path::PathBuf, process::Command};

use launchgate_trust::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Binary, Finished, Profile, Service, process::run};

/// A scratch folder with `launchgate.yaml`: acceptable as it stands, each setter changes one thing.
///
/// The file is written as JSON, which is YAML.
#[derive(Debug)]
pub struct Folder {
    scratch: TempDir,
    file: Value,
    variables: Vec<(String, String)>,
    profile: Profile,
}

/// A trigger that starts the vectors' compiled pipeline `retrain.json` for builds of `fraud-train`.
pub fn a_pipeline_job(name: &str) -> Value {
    json!({
        "name": name,
        "match": {"pipeline": "fraud-train"},
        "require": {"signers": {"anyOf": ["release-key"]}},
        "launch": {"pipelineJob": {
            "template": "pipelines/retrain.json",
            "displayName": "fraud-retrain-${build.number}",
            "runtimeConfig": {
                "parameterValues": {
                    "train_image": "${artifact.uri}",
                    "base_model_uri": "gs://acme-models/base",
                    "learning_rate": 0.001,
                    "epochs": "${build.number}",
                },
                "inputArtifacts": {"dataset": {"artifactId": "20261124"}},
            },
            "labels": {"team": "fraud", "branch": "${labelSafe(build.branch)}"},
        }},
    })
}

/// A trigger that starts a custom job, whose id the server assigns, for builds of `fraud-train`.
pub fn a_custom_job(name: &str) -> Value {
    json!({
        "name": name,
        "match": {"pipeline": "fraud-train", "artifact": "us-docker.pkg.dev/acme/ml/**"},
        "require": {"signers": {"anyOf": ["release-key"]}},
        "launch": {"customJob": {
            "displayName": "train-${build.number}",
            "jobSpec": {"workerPoolSpecs": [{
                "machineSpec": {"machineType": "n1-standard-8"},
                "replicaCount": "1",
                "containerSpec": {"imageUri": "${artifact.uri}"},
            }]},
        }},
    })
}

impl Folder {
    /// Trusts `key` as the signer `release-key`, has one trigger `retrain` and takes pushes on loopback.
    pub fn trusting(key: &SigningKey) -> Self {
        let folder = tempfile::Builder::new().prefix("launchgate-suite-").tempdir().unwrap();
        let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/vertex/specs");
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::create_dir(folder.path().join("pipelines")).unwrap();
        fs::copy(specs.join("retrain.json"), folder.path().join("pipelines/retrain.json")).unwrap();
        let file = json!({
            "apiVersion": "launchgate/v1",
            "service": {"audience": "launchgate-prod"},
            "vertex": {"project": "acme-ml", "location": "europe-west1", "pipelineRoot": "gs://acme-pipelines/root"},
            "ingress": {"events": {"auth": "none"}},
            "ledger": {"sqlite": "launchgate.db"},
            "signers": [],
            "triggers": [a_pipeline_job("retrain")],
        });
        let folder = Self { scratch: folder, file, variables: Vec::new(), profile: Profile::Dev };
        folder.signer("release-key", &key.public_pem(), json!({}))
    }

    /// One more signer, its key in a file of its own.
    #[must_use]
    pub fn signer(mut self, id: &str, public_pem: &str, more: Value) -> Self {
        let path = format!("keys/{id}.pem");
        fs::write(self.path().join(&path), public_pem).unwrap();
        let mut signer = more;
        signer["id"] = id.into();
        signer["publicKey"] = path.into();
        self.file["signers"].as_array_mut().unwrap().push(signer);
        self
    }

    /// Another value at a JSON pointer's place; its parent must exist.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer starts with a slash");
        let parent = self.file.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
        parent[name] = value;
        self
    }

    /// The triggers file as it stands.
    pub fn file(&self) -> &Value {
        &self.file
    }

    /// These triggers and no others.
    #[must_use]
    pub fn triggers(self, triggers: Vec<Value>) -> Self {
        self.set("/triggers", Value::Array(triggers))
    }

    /// An environment variable of every process started from here.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Vertex AI is there.
    #[must_use]
    pub fn vertex_at(self, endpoint: &str) -> Self {
        self.variable("LAUNCHGATE_VERTEX_ENDPOINT", endpoint)
    }

    /// Binaries as they are shipped.
    #[must_use]
    pub fn release(mut self) -> Self {
        self.profile = Profile::Release;
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes a file into the folder and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A command of the binary with the folder's environment, in the folder, with the triggers file written.
    pub fn command(&self, binary: Binary) -> Command {
        self.write("launchgate.yaml", serde_json::to_vec_pretty(&self.file).unwrap());
        // The command line is never killed here; its dev build is quicker to make.
        let profile = if binary == Binary::Cli { Profile::Dev } else { self.profile };
        let mut command = Command::new(binary.path(profile));
        command.current_dir(self.path());
        // What the developer's shell says must not change what a test says.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("LAUNCHGATE_") || text.starts_with("BUILDKITE") || text.starts_with("GOOGLE_")
            {
                command.env_remove(&name);
            }
        }
        command.env("NO_COLOR", "1").envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the service.
    pub fn start(&self) -> Service {
        let mut command = self.command(Binary::Trigger);
        Service::start(command.args(["--config", "launchgate.yaml", "--listen", "127.0.0.1:0"]))
    }

    /// Starts the service where the last one listened, as a platform that replaces an instance.
    pub fn restart_at(&self, address: std::net::SocketAddr) -> Service {
        let mut command = self.command(Binary::Trigger);
        Service::start(command.args(["--config", "launchgate.yaml", "--listen"]).arg(address.to_string()))
    }

    /// Runs `launchgate` with these arguments.
    pub fn launchgate(&self, arguments: &[&str]) -> Finished {
        self.launchgate_with(arguments, b"")
    }

    /// The same with something on stdin.
    pub fn launchgate_with(&self, arguments: &[&str], stdin: &[u8]) -> Finished {
        let mut command = self.command(Binary::Cli);
        run(command.args(arguments), stdin)
    }
}
