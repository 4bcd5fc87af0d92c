//! A scratch folder with a key, a triggers file and the demo's pipeline, and the binary run inside it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The triggers file of these tests; `{…}` is put in place.
const TRIGGERS: &str = r#"apiVersion: launchgate/v1
service: { audience: launchgate-test }
vertex: { project: acme-ml, location: us-central1, pipelineRoot: "gs://acme-pipelines/root" }
ingress: { events: { auth: none } }
ledger: { sqlite: ./data/launchgate.db }
signers:
  - { id: release, publicKey: keys/release.pem, pipelines: ["fraud-*"] }
triggers:
  - name: retrain-fraud
    match: { pipeline: fraud-train, branch: main }
    require:
      signers: { anyOf: [release] }
      sources: [webhook]
      maxAge: 24h
    launch:
      pipelineJob:
        template: pipeline.yaml
        displayName: fraud-${build.number}
        serviceAccount: runner@acme-ml.iam.gserviceaccount.com
        runtimeConfig:
          parameterValues:
            model_uri: ${artifact.name}
            model_sha256: ${artifact.sha256}
            epochs: ${artifact.annotations.epochs}
"#;

/// When the events of these tests were published.
pub(crate) const PUBLISHED: &str = "2026-11-18T11:06:40Z";

pub(crate) struct Folder(TempDir);

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Exit code 0, or the test fails with everything that was said.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Folder {
    /// With key `keys/release`, `launchgate.yaml`, `pipeline.yaml` and an artifact `model.bin`.
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.path("keys")).unwrap();
        folder.run(&["keygen", "--out", "keys/release"]).ok();
        folder.write("launchgate.yaml", TRIGGERS);
        folder.write("pipeline.yaml", include_str!("../../src/demo/pipeline.yaml"));
        folder.write("model.bin", "weights");
        folder
    }

    /// Changes the triggers file.
    pub(crate) fn with(self, from: &str, to: &str) -> Self {
        let text = fs::read_to_string(self.path("launchgate.yaml")).unwrap();
        assert!(text.contains(from), "the triggers file has no {from}");
        self.write("launchgate.yaml", &text.replacen(from, to, 1));
        self
    }

    /// Puts the demo's own triggers file in the place, with the other keys it names.
    pub(crate) fn with_the_demos_file(&self) {
        self.run(&["keygen", "--out", "keys/retired"]).ok();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/examples");
        let root = examples.join("retrain-on-image-push/keys/trusted_root.json");
        fs::copy(root, self.path("keys/trusted_root.json")).unwrap();
        self.write("launchgate.yaml", include_str!("../../src/demo/launchgate.yaml"));
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The binary with an empty environment, here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_launchgate"));
        command.args(arguments).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments))
    }

    /// With something on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        ran(&child.wait_with_output().unwrap())
    }

    /// As a step of a build of fraud-train; `extra` wins.
    pub(crate) fn run_in_job(&self, arguments: &[&str], extra: &[(&str, &str)]) -> Ran {
        let mut command = self.command(arguments);
        command.envs([
            ("BUILDKITE_ORGANIZATION_SLUG", "acme"),
            ("BUILDKITE_PIPELINE_SLUG", "fraud-train"),
            ("BUILDKITE_BUILD_NUMBER", "42"),
            ("BUILDKITE_JOB_ID", "0184990a-477b-4fa8-9968-496074483cee"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_COMMIT", "3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f"),
            ("BUILDKITE_REPO", "git@github.com:acme/fraud.git"),
            ("BUILDKITE_SOURCE", "webhook"),
            ("BUILDKITE_STEP_KEY", "build"),
            ("BUILDKITE_PULL_REQUEST", "false"),
        ]);
        command.envs(extra.iter().copied());
        finish(command)
    }

    /// Emits `model.bin` into `event.json` as a job that began 5 minutes before [`PUBLISHED`].
    pub(crate) fn event(&self, set: &[&str], extra: &[(&str, &str)]) -> &'static str {
        let state = r#"{"job":"0184990a-477b-4fa8-9968-496074483cee","startedOn":"2026-11-18T11:01:40Z"}"#;
        self.write("state.json", state);
        let mut arguments = vec![
            "emit",
            "--artifact",
            "model.bin",
            "--key",
            "keys/release.key",
            "--state",
            "state.json",
            "--dry-run",
        ];
        for one in set {
            arguments.extend(["--set", one]);
        }
        self.write("event.json", &self.run_in_job(&arguments, extra).ok().stdout);
        "event.json"
    }

    /// `explain event.json` as published at [`PUBLISHED`].
    pub(crate) fn explain(&self, more: &[&str]) -> Ran {
        self.run(&[&["explain", "event.json", "--publish-time", PUBLISHED], more].concat())
    }

    /// `text` without what differs from run to run: the key's fingerprint.
    pub(crate) fn steady(&self, text: &str) -> String {
        let key = self.run(&["inspect", "event.json", "--output", "json"]).ok().json();
        let fingerprint = key["signatures"][0]["keyid"].as_str().unwrap().to_owned();
        text.replace(&fingerprint, "FINGERPRINT").replace(&fingerprint[..16], "FINGERPRINT")
    }
}

/// Runs it to its end.
pub(crate) fn finish(mut command: Command) -> Ran {
    ran(&command.output().unwrap())
}

fn ran(output: &std::process::Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}
