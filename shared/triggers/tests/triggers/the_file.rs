//! A triggers file that is sound as it stands; each test changes one thing.

use std::{collections::HashMap, path::Path, sync::LazyLock};

use launchgate_triggers::{Config, Files, Loaded, Overrides, load, render};
use launchgate_trust::{Scheme, SigningKey};

pub(crate) const YAML: &str = r#"apiVersion: launchgate/v1
service: { audience: launchgate-prod, url: https://launchgate.example.com }
vertex:
  project: acme-ml
  location: us-central1
  pipelineRoot: gs://acme-pipelines/root
  callTimeout: 20s
ingress:
  events:
    auth: oidc
    audience: https://launchgate.example.com/pubsub/events
    email: pubsub-push@acme-ml.iam.gserviceaccount.com
    subscription: projects/acme-ml/subscriptions/launchgate-events
  sweep: { auth: none }
ledger: { sqlite: ./data/launchgate.db }
failures: { topic: projects/acme-ml/topics/launchgate-failures }
buildkite: { organization: acme, webhookSecretEnv: BUILDKITE_WEBHOOK_SECRET, apiTokenEnv: BUILDKITE_API_TOKEN }
signers:
  - id: release-key
    publicKey: keys/release.pem
    notAfter: 2027-03-01
    pipelines: [fraud-*]
  - id: second-key
    publicKey: keys/second.pem
triggers:
  - name: retrain-fraud
    match:
      pipeline: fraud-train
      branch: main
      artifact: us-docker.pkg.dev/acme/ml/fraud-train@*
      when: artifact.annotations.dataset != ""
    require:
      signers: { anyOf: [release-key, second-key], atLeast: 1 }
      repository: https://github.com/acme/fraud-train
      maxAge: 24h
    mode: enforce
    launch:
      pipelineJob:
        template: pipelines/retrain.yaml
        displayName: fraud-retrain-${build.number}
        serviceAccount: vertex-runner@acme-ml.iam.gserviceaccount.com
        runtimeConfig:
          parameterValues:
            image: ${artifact.uri}
            epochs: 3
            commit: ${claimed.build.commit}
        labels: { team: fraud }
"#;

pub(crate) const TEMPLATE: &str = "\
components: {}
deploymentSpec: {executors: {}}
pipelineInfo: {name: retrain}
root:
  dag: {tasks: {}}
  inputDefinitions:
    parameters:
      commit: {parameterType: STRING}
      epochs: {defaultValue: 1.0, isOptional: true, parameterType: NUMBER_INTEGER}
      image: {parameterType: STRING}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.3
";

/// The keys are new in each run; nothing that is compared holds them.
pub(crate) static RELEASE: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Scheme::Ed25519).unwrap());
pub(crate) static SECOND: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Scheme::EcdsaP256).unwrap());

pub(crate) struct Folder(pub(crate) HashMap<String, Vec<u8>>);

impl Folder {
    pub(crate) fn new() -> Self {
        let mut files = HashMap::new();
        files.insert("keys/release.pem".to_owned(), RELEASE.public_pem().into_bytes());
        files.insert("keys/second.pem".to_owned(), SECOND.public_pem().into_bytes());
        files.insert("pipelines/retrain.yaml".to_owned(), TEMPLATE.into());
        files.insert("notes.txt".to_owned(), b"not a key and not a pipeline".to_vec());
        Self(files)
    }

    /// The compiled pipelines of the vectors, as `specs/…`.
    pub(crate) fn with_specs(mut self) -> Self {
        let specs = vectors().join("specs");
        for entry in std::fs::read_dir(specs).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("specs/{}", path.file_name().unwrap().to_str().unwrap());
            self.0.insert(name, std::fs::read(path).unwrap());
        }
        self
    }
}

pub(crate) fn vectors() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/vertex")
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path.trim_start_matches("./")).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

pub(crate) fn load_text(text: &str) -> Loaded {
    load("launchgate.yaml", text, &Folder::new(), &Overrides::default())
}

/// The file with one piece of its text replaced.
pub(crate) fn edited(from: &str, to: &str) -> String {
    assert_eq!(YAML.matches(from).count(), 1, "{from:?} must stand once in the file");
    YAML.replace(from, to)
}

/// The sound configuration, or what is wrong with it.
pub(crate) fn config(text: &str) -> Config {
    let loaded = load_text(text);
    let findings = render(text, &loaded.findings);
    loaded.config.unwrap_or_else(|| panic!("{findings}"))
}
