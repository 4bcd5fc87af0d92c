//! Reading the triggers file: YAML to `Config`.

mod buildkite;
mod defaults;
mod failures;
mod findings;
mod identity;
mod ingress;
mod later;
mod launch;
mod ledger;
mod match_section;
mod nearest;
mod node;
mod require;
mod scalar;
mod section;
mod service;
mod signers;
mod source;
mod trigger;
mod turns;
mod variables;
mod vertex;
mod wait_for;
mod webhook_signer;

use launchgate_statement::Sha256;

pub(crate) use self::scalar::is_bucket;
pub(crate) use self::source::Source;
use self::{
    defaults::Defaults,
    findings::{At, Findings},
    launch::Templates,
    node::Node,
    section::Section,
};
use crate::{Config, Finding, Overrides, RemoteTemplate, pipeline_index::PipelineIndex};

/// The keys of each mapping that this version knows, by the mapping's name in messages. The published
/// JSON Schema is held against this list.
#[cfg(test)]
pub(crate) const SECTIONS: &[(&str, &[&str])] = &[
    ("the file", KEYS),
    ("service", service::KEYS),
    ("vertex", vertex::KEYS),
    ("ingress", ingress::KEYS),
    ("an ingress route", ingress::ROUTE_KEYS),
    ("ledger", ledger::KEYS),
    ("failures", failures::KEYS),
    ("buildkite", buildkite::KEYS),
    ("a signer", signers::KEYS),
    ("buildkiteOidc", signers::OIDC_KEYS),
    ("sigstore", signers::SIGSTORE_KEYS),
    ("buildkiteWebhook", signers::WEBHOOK_KEYS),
    ("defaults", defaults::KEYS),
    ("a trigger", trigger::KEYS),
    ("a trigger's vertex", vertex::TRIGGER_KEYS),
    ("waitFor", wait_for::KEYS),
    ("match", match_section::KEYS),
    ("require", require::KEYS),
    ("require.signers", require::SIGNERS_KEYS),
    ("launch", launch::KEYS),
];

/// The keys of the file itself.
const KEYS: &[&str] = &[
    "apiVersion",
    "service",
    "vertex",
    "ingress",
    "ledger",
    "failures",
    "buildkite",
    "signers",
    "defaults",
    "triggers",
];

/// A triggers file is reviewed by people; beyond this it is no longer one.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The files beside the triggers file. Paths are relative to its folder and may not leave it.
pub trait Files {
    /// The file's bytes, or why not, in words for people.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// What there is of a template that lies elsewhere. It was fetched before `load`, or is left alone: `load`
    /// itself does not wait for a network.
    fn remote(&self, _template: &RemoteTemplate) -> Remote {
        Remote::Failed { why: "nothing here fetches remote templates".to_owned(), fix: None }
    }
}

/// What there is of a remote template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Bytes that were fetched; whether they are the reviewed ones is checked against the digest here.
    Fetched(Vec<u8>),
    /// Nobody looked, and why. A warning: the parameters are unchecked, and the trigger cannot plan a launch.
    NotLooked(String),
    /// It could not be had. An error.
    Failed {
        /// What happened.
        why: String,
        /// What to do.
        fix: Option<String>,
    },
}

/// What loading came to.
#[derive(Debug)]
pub struct Loaded {
    /// Present only if no finding is an error.
    pub config: Option<Config>,
    /// Errors and warnings in the file's order.
    pub findings: Vec<Finding>,
}

/// Reads and checks a triggers file. `name` is the file as people named it.
/// Collects as many findings as it can rather than the first only.
pub fn load(name: &str, text: &str, files: &dyn Files, overrides: &Overrides) -> Loaded {
    let mut findings = Findings::new(Source::new(name, text));
    let config = read(text, files, overrides, &mut findings);
    let config = config.filter(|_| !findings.any_error());
    Loaded { config, findings: findings.into_list() }
}

fn read(text: &str, files: &dyn Files, overrides: &Overrides, findings: &mut Findings) -> Option<Config> {
    if text.len() > MAX_BYTES {
        let message = format!("expected a file of at most 16 MiB, found {} bytes", text.len());
        findings.error("file-size", &At::Bytes(0..0), message);
        return None;
    }
    let mut root = Node::parse(text, findings)?;
    variables::apply(&mut root, overrides, findings);
    let top = At::Bytes(0..0);
    let file = Section::open("the file", KEYS, &root, &top, findings)?;

    api_version(&file, findings);
    let service = file.need("service", "add `service: { audience: … }`", findings);
    let service = service.and_then(|member| service::read(member, findings));
    let vertex = file.need("vertex", "add `vertex: { project: …, location: … }`", findings);
    let vertex = vertex.and_then(|member| vertex::read(member, findings));
    let ingress = file.get("ingress").map(|member| ingress::read(member, findings));
    let ledger = file.get("ledger").and_then(|member| ledger::read(member, findings));
    let failures = file.get("failures").and_then(|member| failures::read(member, findings));
    let buildkite = file.get("buildkite").and_then(|member| buildkite::read(member, findings));
    let signers = file.need("signers", "list at least one signer: `- { id: …, publicKey: … }`", findings);
    let audience = service.as_ref().map(|service| &*service.audience);
    let builds = file.get("ingress").and_then(|member| member.value.get("builds"));
    let takes_builds = builds.is_some();
    let around = signers::Around { audience, files, buildkite: buildkite.as_ref(), takes_builds };
    let signers = signers.map(|member| signers::read(member, &around, findings)).unwrap_or_default();
    let triggers = file.need("triggers", "list at least one trigger", findings);
    if let Some(builds) = builds {
        webhook_secret(builds, &file, findings);
    }
    let mut defaults = Defaults::read(file.get("defaults"), findings);
    let context = trigger::Context {
        vertex: vertex.as_ref(),
        signers: &signers,
        files,
        templates: Templates::default(),
        takes_builds,
    };
    let triggers = triggers
        .map(|member| trigger::read_all(member, &mut defaults, &context, findings))
        .unwrap_or_default();

    let (triggers, signer_sets) = triggers;
    let signer_places = signers.places(findings);
    let rotations = signers.rotations();
    Some(Config {
        digest: Sha256::of(text.as_bytes()),
        service: service?,
        vertex: vertex?,
        ingress: ingress.unwrap_or_default(),
        ledger,
        failures,
        buildkite,
        signers: signers.into_signers()?,
        pipelines: PipelineIndex::new(triggers.iter().map(|trigger| trigger.matching.pipelines())),
        trigger_names: triggers.iter().map(|trigger| trigger.name.as_str().to_owned()).zip(0..).collect(),
        triggers,
        signer_sets,
        signer_places,
        rotations,
    })
}

/// Webhooks are believed by their HMAC alone, so a way in for them needs the secret and the organization.
fn webhook_secret(builds: &Node, file: &Section, findings: &mut Findings) {
    let given = file.get("buildkite").map(|member| member.value.get("webhookSecretEnv").is_some());
    if given != Some(true) {
        let message =
            "`ingress.builds` takes in Buildkite's webhooks, and nothing says how they are believed";
        let fix = "add `buildkite: { organization: …, webhookSecretEnv: BUILDKITE_WEBHOOK_SECRET }`: the variable \
                   that holds the webhook's secret, never the secret itself";
        findings.error("no-webhook-secret", &builds.at, message).fix(fix);
    }
}

fn api_version(file: &Section, findings: &mut Findings) {
    let Some(member) = file.need("apiVersion", "add `apiVersion: launchgate/v1`", findings) else { return };
    scalar::ruled(member, "api-version", "launchgate/v1", |text| text == "launchgate/v1", findings);
}
