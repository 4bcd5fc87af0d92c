//! Case files: YAML, every key known, errors with line and column.

use std::{
    fs,
    path::{Path, PathBuf},
};

use launchgate_outcome::{Outcome, Reason};
use launchgate_service::Unusable;
use launchgate_statement::{Artifact, Build, Sha256, Timestamp};
use launchgate_triggers::read_yaml;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// Files of a folder that are cases; the triggers file itself is none.
const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// One file of cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaseFile {
    /// `launchgate/v1`.
    api_version: String,
    /// The triggers file, relative to this one.
    #[serde(default = "beside")]
    config: PathBuf,
    /// When the events are published; default: now.
    #[serde(default, deserialize_with = "instant")]
    pub(crate) now: Option<Timestamp>,
    /// The cases.
    pub(crate) cases: Vec<Case>,
    /// Where it was read from.
    #[serde(skip)]
    pub(crate) path: PathBuf,
}

/// One event and what it must come to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    /// What it shows, in words.
    pub(crate) name: String,
    /// A recorded event, relative to the file; verified by the signers' own keys.
    pub(crate) event: Option<PathBuf>,
    /// Buildkite's keys for a recorded keyless event.
    pub(crate) jwks: Option<PathBuf>,
    /// A build that might be; signed by stand-ins of the file's signers.
    pub(crate) build: Option<CaseBuild>,
    /// What the build made; default: one image named after the pipeline.
    #[serde(default)]
    pub(crate) artifacts: Vec<CaseArtifact>,
    /// The signers that vouch for it; default: the first of the file.
    pub(crate) signed_by: Option<Vec<String>>,
    /// What Buildkite's webhook says of the build; default: nothing has come yet.
    pub(crate) build_facts: Option<CaseBuildFacts>,
    /// When the build began, by its own word; default: five minutes before it was published.
    #[serde(default, deserialize_with = "instant")]
    pub(crate) started_on: Option<Timestamp>,
    /// When the event was published; default: the file's.
    #[serde(default, deserialize_with = "instant")]
    pub(crate) now: Option<Timestamp>,
    /// What it must come to.
    pub(crate) expect: Expect,
}

/// The facts of a build, as in `build.…`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaseBuild {
    organization: Option<String>,
    pipeline: String,
    number: Option<u64>,
    branch: Option<String>,
    tag: Option<String>,
    commit: Option<String>,
    step: Option<String>,
    job: Option<String>,
    source: Option<String>,
    runner: Option<String>,
    repository: Option<String>,
    creator: Option<String>,
}

/// What Buildkite says of the build, as far as clauses ask for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaseBuildFacts {
    /// `passed`, `failed`, `running`, …; default `passed`.
    pub(crate) state: Option<String>,
    /// Whether somebody has to unblock it.
    #[serde(default)]
    pub(crate) blocked: bool,
    /// Whose branch was built; default none.
    #[serde(default)]
    pub(crate) pull_request: CasePullRequest,
}

/// Whose branch was built.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CasePullRequest {
    /// No pull request's.
    #[default]
    None,
    /// A pull request's from the pipeline's own repository.
    SameRepository,
    /// A pull request's from a fork.
    Fork,
}

/// An artifact, as in `artifact.…`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CaseArtifact {
    name: String,
    uri: Option<String>,
    sha256: Option<String>,
    media_type: Option<String>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

/// What a case must come to; what is left out is not looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Expect {
    /// The event's outcome, or the trigger's when one is named.
    #[serde(deserialize_with = "outcome")]
    pub(crate) outcome: Outcome,
    /// Why.
    #[serde(default, deserialize_with = "reason")]
    pub(crate) reason: Option<Reason>,
    /// The trigger that the rest is about.
    pub(crate) trigger: Option<String>,
    /// The artifact that the rest is about.
    pub(crate) subject: Option<String>,
    /// Some of the pipeline's `parameterValues`.
    #[serde(default)]
    pub(crate) parameters: Map<String, Value>,
    /// Some of the request's body.
    pub(crate) request: Option<Value>,
}

impl CaseFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let cannot = |why: String| Failure::usage(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
        let mut file: Self = read_yaml(&path.display().to_string(), &text)
            .map_err(|fault| Unusable { findings: Vec::new(), rendered: fault.rendered(&text) })?;
        if file.api_version != "launchgate/v1" {
            return Err(cannot(format!("expected apiVersion launchgate/v1, found {}", file.api_version)));
        }
        if file.cases.is_empty() {
            return Err(cannot("expected at least one case, found none".to_owned()));
        }
        for (index, case) in file.cases.iter().enumerate() {
            let name = &case.name;
            if file.cases[..index].iter().any(|earlier| earlier.name == *name) {
                return Err(cannot(format!("the case name `{name}` stands twice")));
            }
            if case.event.is_some() == case.build.is_some() {
                return Err(cannot(format!("`{name}`: expected either `event` or `build`")));
            }
            if case.event.is_some() && case.build_facts.is_some() {
                return Err(cannot(format!("`{name}`: `buildFacts` needs `build`, not a recorded event")));
            }
            if case.event.is_some() && (case.signed_by.is_some() || !case.artifacts.is_empty()) {
                let why = "a recorded event has its own artifacts and signatures";
                return Err(cannot(format!("`{name}`: {why}; leave out `artifacts` and `signedBy`")));
            }
        }
        path.clone_into(&mut file.path);
        Ok(file)
    }

    /// The triggers file that the cases are about.
    pub(crate) fn config(&self) -> PathBuf {
        self.beside(&self.config)
    }

    /// A path in the file, from here.
    pub(crate) fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }
}

impl CaseBuild {
    pub(crate) fn facts(&self) -> Build {
        let or = |fact: &Option<String>, default: &str| fact.clone().or_else(|| Some(default.to_owned()));
        Build {
            organization: or(&self.organization, "acme"),
            pipeline: Some(self.pipeline.clone()),
            number: Some(self.number.unwrap_or(1)),
            branch: or(&self.branch, "main"),
            tag: self.tag.clone(),
            commit: or(&self.commit, &"3f".repeat(20)),
            step: or(&self.step, "build"),
            job: or(&self.job, "0184990a-477b-4fa8-9968-496074483cee"),
            source: or(&self.source, "webhook"),
            runner: self.runner.clone(),
            repository: self.repository.clone(),
            creator: self.creator.clone(),
            ..Build::default()
        }
    }
}

impl CaseArtifact {
    pub(crate) fn artifact(&self) -> Result<Artifact, String> {
        let Self { name, uri, sha256, media_type, annotations } = self;
        // A digest in the uri is the artifact's; one that is given nowhere is made up of the name.
        let in_uri = uri.as_deref().and_then(|uri| uri.rsplit_once("@sha256:")).map(|(_, hex)| hex);
        let sha256 = match sha256.as_deref().or(in_uri) {
            Some(hex) => Sha256::from_hex(hex).ok_or_else(|| {
                format!("artifact `{name}`: expected 64 lower-case hex digits, found `{hex}`")
            })?,
            None => Sha256::of(name.as_bytes()),
        };
        Ok(Artifact {
            name: name.clone(),
            sha256,
            uri: uri.clone(),
            media_type: media_type.clone(),
            annotations: annotations.clone(),
        })
    }
}

/// The case files at a path: the file itself, or those of a folder, in the order of their names.
pub(crate) fn find(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    if fs::metadata(path).map_err(cannot)?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if file.is_file() && ENDINGS.contains(&ending) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::usage(format!("{}: no case file (*.yaml) in it", path.display())));
    }
    Ok(files)
}

fn beside() -> PathBuf {
    PathBuf::from("../launchgate.yaml")
}

fn instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let expected = "an RFC 3339 time such as 2026-11-18T11:06:40Z";
    let parsed = Timestamp::parse(&text);
    parsed.map(Some).ok_or_else(|| serde::de::Error::custom(format!("expected {expected}, found `{text}`")))
}

fn outcome<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Outcome, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = Outcome::ALL.iter().find(|outcome| outcome.as_str() == text).copied();
    known.ok_or_else(|| {
        serde::de::Error::custom(format!("`{text}` is no outcome; see docs/reasons.md for the list"))
    })
}

fn reason<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Reason>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = Reason::from_code(&text);
    known.map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!("`{text}` is no reason; see docs/reasons.md for the list"))
    })
}
