//! `launchgate init`: a triggers file to start from, for one compiled pipeline, and a first test case for it.

use std::{
    fmt::Write as _,
    path::{Component, Path, PathBuf},
};

use clap::Args;
use launchgate_triggers::{InputKind, Template, TemplateInput, TriggerName};
use serde_json::json;

use super::keygen::write_new;
use crate::{command_line::ConfigArgument, event_source::read_bounded, failure::Failure, output::Output};

#[derive(Debug, Args)]
#[command(after_help = "\
Every input of the pipeline is listed with its type. A required one takes its value from an annotation of
the artifact (`emit --set NAME=VALUE`); one with a default is left to it, in a comment. Nothing is
overwritten. The file lints clean once the key exists, and its first test cases pass.

Examples:
  launchgate init --template pipeline.yaml --pipeline fraud-train --project acme-ml
  launchgate keygen --out keys/release
  launchgate lint
  launchgate test tests

Exit codes: 0 written · 2 the file is there already, or the template is none")]
pub(crate) struct Init {
    /// The compiled KFP pipeline (YAML or JSON), in the triggers file's folder or below
    #[arg(long, value_name = "FILE")]
    template: PathBuf,
    /// The Buildkite pipeline whose builds may start it
    #[arg(long, value_name = "SLUG", default_value = "my-pipeline")]
    pipeline: String,
    /// Google Cloud project
    #[arg(long, value_name = "PROJECT", default_value = "my-project")]
    project: String,
    /// Vertex AI region
    #[arg(long, value_name = "REGION", default_value = "us-central1")]
    location: String,
    /// The public key of the build, relative to the triggers file; `keygen --out keys/release` makes it
    #[arg(long, value_name = "FILE", default_value = "keys/release.pem")]
    public_key: String,
    #[command(flatten)]
    config: ConfigArgument,
}

impl Init {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let template = Template::parse(&read_bounded(&self.template)?).map_err(|error| {
            let fix = error.fix.as_ref().map_or_else(String::new, |fix| format!("; {fix}"));
            Failure::usage(format!("{}: {}{fix}", self.template.display(), error.message))
        })?;
        let beside = self.template_path()?;
        write_new(&self.config.config, &self.written(&template, &beside), 0o644)?;
        let cases = self.write_cases(&template)?;

        let path = self.config.config.display();
        if output.is_json() {
            output.json(&json!({
                "config": self.config.config, "cases": cases, "template": beside, "inputs": template.inputs.len(),
            }))?;
        } else {
            output.data(&path.to_string())?;
            let prefix = self.public_key.strip_suffix(".pem").unwrap_or(&self.public_key);
            let key = self.config.folder().join(prefix);
            output.say(&format!(
                "wrote {path} for {} inputs of {beside}, and cases for it. Next:\n  launchgate keygen --out {}\n  \
                 launchgate lint --config {path}\n  launchgate test {}",
                template.inputs.len(),
                key.strip_prefix(".").unwrap_or(&key).display(),
                cases.display()
            ));
        }
        Ok(0)
    }

    /// Writes `tests/TRIGGER.yaml` beside the triggers file; one that is there stays as it is.
    fn write_cases(&self, template: &Template) -> Result<PathBuf, Failure> {
        let folder = self.config.folder().join("tests");
        let path = folder.join(format!("{}.yaml", trigger_name(&self.template)));
        let path = path.strip_prefix(".").map_or(path.clone(), Path::to_path_buf);
        let cannot = |error: std::io::Error| Failure::usage(format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        if !path.exists() {
            write_new(&path, &self.written_cases(template), 0o644)?;
        }
        Ok(path)
    }

    /// A build that launches, and two that do not.
    fn written_cases(&self, template: &Template) -> String {
        let trigger = trigger_name(&self.template);
        let config = self.config.config.file_name().unwrap_or_default().to_string_lossy();
        let pipeline = text(&self.pipeline);
        let given = template.inputs.iter().filter(|input| input.default.is_none() && !input.optional);
        let (mut annotations, mut parameters) = (serde_json::Map::new(), serde_json::Map::new());
        for input in given {
            let value = input.literals.first().cloned().unwrap_or_else(|| example_value(input.kind));
            annotations.insert(input.name.clone(), value.clone());
            if input.kind != InputKind::Artifact {
                parameters.insert(input.name.clone(), value);
            }
        }
        // JSON is YAML: values keep their types, whatever they are.
        let annotations = serde_json::Value::from(annotations);
        let parameters = serde_json::Value::from(parameters);
        format!(
            "\
# What the triggers file must say of builds that might be: `launchgate test tests`; docs/triggers.md, \"Test cases\"
apiVersion: launchgate/v1
config: {config}
cases:
  - name: a build of main starts it
    build: {{ pipeline: {pipeline}, branch: main, source: webhook }}
    artifacts: [{{ name: model, annotations: {annotations} }}]
    expect: {{ outcome: launched, trigger: {trigger}, parameters: {parameters} }}
  - name: a build of another branch does not
    build: {{ pipeline: {pipeline}, branch: feature/x }}
    expect: {{ outcome: no_match }}
  - name: a build that somebody started by hand is refused
    build: {{ pipeline: {pipeline}, source: ui }}
    expect: {{ outcome: denied_policy, reason: source_not_allowed }}
",
            config = text(&format!("../{config}")),
        )
    }

    /// The template's path as the triggers file writes it.
    fn template_path(&self) -> Result<String, Failure> {
        let absolute = |path: &Path| {
            path.canonicalize().map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
        };
        let folder = absolute(&self.config.folder())?;
        let template = absolute(&self.template)?;
        let inside = template.strip_prefix(&folder).map_err(|_| {
            Failure::usage(format!(
                "{} lies outside {}: a triggers file reads only files beside it; copy the template there",
                template.display(),
                folder.display()
            ))
        })?;
        let parts: Vec<_> = inside
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_string_lossy()),
                _ => None,
            })
            .collect();
        Ok(parts.join("/"))
    }

    /// The file's text.
    fn written(&self, template: &Template, template_path: &str) -> String {
        let trigger = trigger_name(&self.template);
        let root = template.default_root().map_or_else(
            || {
                format!(
                    "\n  pipelineRoot: {}           # where runs keep their files: a bucket of yours",
                    text(&format!("gs://{}-pipelines/root", self.project))
                )
            },
            |_| String::new(),
        );
        let mut inputs = String::new();
        let mut artifacts = String::new();
        for input in &template.inputs {
            let into = if input.kind == InputKind::Artifact { &mut artifacts } else { &mut inputs };
            into.push_str(&input_lines(input));
        }
        let parameters = block("parameterValues", &inputs);
        let artifacts = block("inputArtifacts", &artifacts);
        let runtime = match parameters + &artifacts {
            blocks if blocks.is_empty() => String::new(),
            blocks if blocks.lines().all(|line| line.trim_start().starts_with('#')) => {
                format!("        # runtimeConfig:\n{blocks}")
            }
            blocks => format!("        runtimeConfig:\n{blocks}"),
        };
        format!(
            "\
# Which build may start what at Vertex AI. Check it with `launchgate lint`; every key: docs/triggers.md
apiVersion: launchgate/v1
service:
  audience: launchgate                 # names this gate; letters, digits, dots and dashes
vertex:
  project: {project}
  location: {location}{root}

# On this machine: deliveries from loopback, a ledger in a file. In production: `auth: oidc` with audience,
# email and subscription of the push subscription.
ingress:
  events: {{ auth: none }}
ledger: {{ sqlite: ./data/launchgate.db }}

# Whose word counts, and for which Buildkite pipelines.
signers:
  - id: release
    publicKey: {key}
    # notBefore: 2026-11-18          # the day the key was made; lint reports a key older than 30 days
    pipelines: [{pipeline}]

triggers:
  - name: {trigger}
    match:
      pipeline: {pipeline}
      branch: main
    require:
      signers: {{ anyOf: [release] }}
      sources: [webhook, schedule]     # not builds started by hand
      maxAge: 24h
    launch:
      pipelineJob:
        template: {template_path}
        displayName: {trigger}-${{build.number}}
        serviceAccount: {account}
{runtime}",
            project = text(&self.project),
            location = text(&self.location),
            key = text(&self.public_key),
            pipeline = text(&self.pipeline),
            template_path = text(template_path),
            account = text(&format!("vertex-runner@{}.iam.gserviceaccount.com", self.project)),
        )
    }
}

/// A block of `runtimeConfig`, commented out when every line in it is.
fn block(name: &str, lines: &str) -> String {
    let hash = if lines.lines().all(|line| line.trim_start().starts_with('#')) { "# " } else { "" };
    if lines.is_empty() { String::new() } else { format!("          {hash}{name}:\n{lines}") }
}

/// One input: what it is, and its value or its default.
fn input_lines(input: &TemplateInput) -> String {
    let mut lines = String::new();
    let kind = kind_name(input.kind);
    let literals: Vec<_> = input.literals.iter().map(ToString::to_string).collect();
    let only = if literals.is_empty() { String::new() } else { format!(", one of {}", literals.join(", ")) };
    if let Some(description) = input.description.as_deref().and_then(|text| text.lines().next()) {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "            # {description}");
    }
    let name = text(&input.name);
    let value =
        format!("${{artifact.annotations[\"{}\"]}}", input.name.replace('\\', "\\\\").replace('"', "\\\""));
    let value =
        if is_identifier(&input.name) { format!("${{artifact.annotations.{}}}", input.name) } else { value };
    let value = if input.kind == InputKind::Artifact {
        format!("{{ artifactId: {} }}", text(&value))
    } else {
        text(&value)
    };
    let _ = match &input.default {
        Some(default) => {
            writeln!(lines, "            # {name}: {default}    # {kind}{only}; this is its default")
        }
        None if input.optional => {
            writeln!(lines, "            # {name}: {value}    # {kind}{only}; optional")
        }
        None => writeln!(lines, "            {name}: {value}    # {kind}{only}; required"),
    };
    lines
}

/// Some value of the kind; as an annotation of the artifact it reaches the input unchanged.
fn example_value(kind: InputKind) -> serde_json::Value {
    match kind {
        InputKind::Artifact => "1".into(),
        InputKind::NumberDouble => 0.5.into(),
        InputKind::NumberInteger => 1.into(),
        InputKind::String => "example".into(),
        InputKind::Boolean => true.into(),
        InputKind::List => json!(["example"]),
        InputKind::Struct => json!({"example": 1}),
    }
}

/// A YAML scalar: plain where plain is safe, else a JSON string, which YAML reads the same.
fn text(value: &str) -> String {
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@".contains(&b))
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
            .contains(&value.to_ascii_lowercase().as_str());
    let is_address = value.starts_with("gs://")
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b));
    if plain || is_address { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

/// Whether CEL reads it as a field's name.
fn is_identifier(name: &str) -> bool {
    const RESERVED: [&str; 5] = ["true", "false", "null", "in", "has"];
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !RESERVED.contains(&name)
}

/// A trigger's name made of the template's file name.
fn trigger_name(template: &Path) -> String {
    let stem =
        template.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(40)
        .collect();
    let name = name.trim_matches('-');
    TriggerName::parse(name)
        .map_or_else(|| format!("run-{name}").trim_end_matches('-').to_owned(), |name| name.to_string())
}

fn kind_name(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Artifact => "artifact, its resource name in ML Metadata",
        InputKind::NumberDouble => "number",
        InputKind::NumberInteger => "integer",
        InputKind::String => "string",
        InputKind::Boolean => "boolean",
        InputKind::List => "list",
        InputKind::Struct => "struct",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_named_after_its_template_whatever_that_is_called() {
        for (file, name) in [
            ("pipelines/Fraud_Retrain.yaml", "fraud-retrain"),
            ("7days.json", "run-7days"),
            ("机.yaml", "run"),
        ] {
            assert_eq!(trigger_name(Path::new(file)), name);
            assert!(TriggerName::parse(&trigger_name(Path::new(file))).is_some());
        }
    }

    #[test]
    fn what_yaml_could_read_otherwise_is_quoted() {
        for (value, written) in [
            ("main", "main"),
            ("yes", "\"yes\""),
            ("1e3", "\"1e3\""),
            ("a b", "\"a b\""),
            ("${x}", "\"${x}\""),
        ] {
            assert_eq!(text(value), written);
        }
    }
}
