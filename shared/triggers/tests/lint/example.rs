//! The examples of the lint codes: `examples/CODE.diff`.
//!
//! An example is a part of a triggers file with the lines that are wrong marked `-` and those that mend it
//! marked `+`. The top-level keys it does not have come from `BASE`; `match: …` and its like stand for what
//! `ELLIPSES` says. `# now: DATE` before it sets the clock. An example whose lines are `LAUNCHGATE_…=…` is of
//! variables, over the unchanged file.

use std::{collections::HashMap, fs, path::PathBuf};

use launchgate_statement::Timestamp;
use launchgate_triggers::{
    Files, Finding, FindingCode, Overrides, Remote, RemoteTemplate, lint, load, render,
};
use launchgate_trust::{Scheme, SigningKey};

const BASE: &str = "\
apiVersion: launchgate/v1
service: { audience: launchgate-docs }
vertex: { project: acme-ml, location: us-central1, pipelineRoot: gs://acme-pipelines/root }
signers:
  - { id: release, publicKey: keys/release.pem }
triggers:
  - name: retrain
    match: …
    require: …
    launch: …
";

const ELLIPSES: &[(&str, &str)] = &[
    ("match: …", "match: { pipeline: fraud-train }"),
    ("require: …", "require: { signers: { anyOf: [release] } }"),
    (
        "launch: …",
        "launch: { pipelineJob: { template: pipelines/retrain.yaml, serviceAccount: …, runtimeConfig: … } }",
    ),
    ("serviceAccount: …", "serviceAccount: trainer@acme-ml.iam.gserviceaccount.com"),
    ("runtimeConfig: …", "runtimeConfig: { parameterValues: … }"),
    ("parameterValues: …", "parameterValues: { image: \"${artifact.uri}\" }"),
];

const PIPELINE: &str = "\
components: {}
deploymentSpec: {executors: {}}
pipelineInfo: {name: retrain}
root:
  dag: {tasks: {}}
  inputDefinitions:
    parameters:
      epochs: {defaultValue: 1.0, isOptional: true, parameterType: NUMBER_INTEGER}
      image: {parameterType: STRING}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.3
";

/// A day on which no date of `BASE` matters.
const NOW: &str = "2026-11-25";

/// Which side of an example.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Broken,
    Mended,
}

/// One example.
pub(crate) struct Example {
    /// Its lines as they are shown.
    pub(crate) text: String,
    now: Timestamp,
}

/// What lint says of one side.
pub(crate) struct Said {
    pub(crate) findings: Vec<Finding>,
    /// As the command shows it.
    pub(crate) rendered: String,
}

impl Said {
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.findings.iter().map(|finding| finding.code).collect()
    }
}

impl Example {
    /// The example of a code; `None` for those that `codes::MADE` makes, which are too large to show.
    pub(crate) fn of(code: FindingCode) -> Option<Self> {
        let mut text = fs::read_to_string(folder().join(format!("{code}.diff"))).ok()?;
        let mut now = NOW.to_owned();
        if let Some((date, rest)) = text.strip_prefix("# now: ").and_then(|rest| rest.split_once('\n')) {
            (now, text) = (date.to_owned(), rest.to_owned());
        }
        Some(Self { text, now: Timestamp::parse(&format!("{now}T00:00:00Z")).unwrap() })
    }

    pub(crate) fn said(&self, side: Side) -> Said {
        let lines: String = self.lines(side).flat_map(|line| [line, "\n"]).collect();
        if lines.starts_with("LAUNCHGATE_") {
            let variables = lines.lines().filter_map(|line| line.split_once('='));
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
            return said(&whole(""), &Overrides::from_vars(variables), self.now);
        }
        said(&whole(&lines), &Overrides::default(), self.now)
    }

    fn lines(&self, side: Side) -> impl Iterator<Item = &str> {
        let gutter = if side == Side::Broken { "- " } else { "+ " };
        self.text
            .lines()
            .filter_map(move |line| line.strip_prefix(gutter).or_else(|| line.strip_prefix("  ")))
    }
}

/// What lint says of a whole file.
pub(crate) fn said_of(text: &str) -> Said {
    said(text, &Overrides::default(), Timestamp::parse(&format!("{NOW}T00:00:00Z")).unwrap())
}

fn said(text: &str, overrides: &Overrides, now: Timestamp) -> Said {
    let loaded = load("launchgate.yaml", text, &Folder::new(), overrides);
    let mut findings = loaded.findings;
    if let Some(config) = &loaded.config {
        findings.extend(lint(config, now));
    }
    let rendered = render(text, &findings);
    Said { findings, rendered }
}

/// The part, then the sections of `BASE` that it does not have.
pub(crate) fn whole(part: &str) -> String {
    let key = |line: &str| {
        let (key, _) = line.split_once(':')?;
        key.chars().all(char::is_alphanumeric).then(|| key.to_owned())
    };
    let given: Vec<String> = part.lines().filter_map(key).collect();
    let mut text = part.to_owned();
    let mut is_given = false;
    for line in BASE.lines() {
        is_given = key(line).map_or(is_given, |key| given.contains(&key));
        if !is_given {
            text.push_str(line);
            text.push('\n');
        }
    }
    for (short, long) in ELLIPSES {
        text = text.replace(short, long);
    }
    text
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lint/examples")
}

/// The files beside the examples; the keys are new in each run.
struct Folder(HashMap<&'static str, Vec<u8>>);

impl Folder {
    fn new() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let trusted_root = root.join("tests/examples/retrain-on-image-push/keys/trusted_root.json");
        let key = |scheme| SigningKey::generate(scheme).unwrap().public_pem().into_bytes();
        Self(HashMap::from([
            ("keys/release.pem", key(Scheme::Ed25519)),
            ("keys/second.pem", key(Scheme::EcdsaP256)),
            ("keys/trusted_root.json", fs::read(trusted_root).unwrap()),
            ("pipelines/retrain.yaml", PIPELINE.into()),
            ("pipelines/of_kfp_1.yaml", wrapped_with_parameters_of_kfp_1().into()),
            ("pipelines/wrong_default.yaml", PIPELINE.replace("1.0", "1.5").into()),
            ("notes.txt", b"neither a key nor a pipeline".to_vec()),
        ]))
    }
}

/// As `kfp` 1.8 wrapped a pipeline.
fn wrapped_with_parameters_of_kfp_1() -> String {
    let spec: String = PIPELINE.lines().map(|line| format!("  {line}\n")).collect();
    format!("pipelineSpec:\n{spec}runtimeConfig:\n  parameters: {{epochs: {{intValue: 3}}}}\n")
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn remote(&self, template: &RemoteTemplate) -> Remote {
        let address = template.address.to_string();
        if address.ends_with("/lost.yaml") {
            let fix = Some("gcloud storage ls gs://acme-templates".to_owned());
            return Remote::Failed { why: "there is no such object".to_owned(), fix };
        }
        if address.ends_with("/offline.yaml") {
            return Remote::NotLooked("`--offline`".to_owned());
        }
        Remote::Fetched(PIPELINE.into())
    }
}
