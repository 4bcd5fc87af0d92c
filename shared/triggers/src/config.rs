//! A triggers file that is sound as a whole.

use std::collections::{BTreeSet, HashMap};

use launchgate_statement::{Build, FactName, Sha256};
use launchgate_trust::{PushIdentity, SignerId, Signers};

use crate::{Place, Trigger, pipeline_index::PipelineIndex};

/// The triggers file after every check. Source of every field: DESIGN §4.
#[derive(Debug)]
pub struct Config {
    /// SHA-256 of the file's bytes; stands on every decision.
    pub digest: Sha256,
    /// `service`.
    pub service: Service,
    /// `vertex`.
    pub vertex: Vertex,
    /// `ingress`, when given.
    pub ingress: Ingress,
    /// `ledger`, when given; needed by the commands that keep one.
    pub ledger: Option<LedgerChoice>,
    /// `failures`, when given.
    pub failures: Option<Failures>,
    /// `buildkite`, when given.
    pub buildkite: Option<Buildkite>,
    /// `signers`.
    pub signers: Signers,
    /// `triggers`, in the file's order.
    pub triggers: Vec<Trigger>,
    /// `triggers` by what they say of the pipeline.
    pub(crate) pipelines: PipelineIndex,
    /// `triggers` by name.
    pub(crate) trigger_names: HashMap<String, usize>,
    /// The distinct `anyOf` lists of the triggers.
    pub(crate) signer_sets: Vec<Vec<SignerId>>,
    /// Where each signer's id stands.
    pub(crate) signer_places: Vec<(SignerId, Option<Place>)>,
    /// `rotateAfter` of each signer that gives it, in microseconds.
    pub(crate) rotations: Vec<(SignerId, i64)>,
}

/// `service`.
#[derive(Clone, Debug)]
pub struct Service {
    /// `[a-z0-9][a-z0-9.-]{2,62}`.
    pub audience: String,
    /// Where people reach it.
    pub url: Option<String>,
}

/// `vertex`.
#[derive(Clone, Debug)]
pub struct Vertex {
    /// Project id.
    pub project: String,
    /// Region, such as `us-central1`.
    pub location: String,
    /// `gs://…`, the last resort for a pipeline's root.
    pub pipeline_root: Option<String>,
    /// E-mail of the service account that jobs are asked for as; `None` is the service's own identity.
    pub impersonate: Option<String>,
    /// Seconds one call to Vertex may take; default 20. The lease of an attempt is longer than this.
    pub call_timeout_seconds: u32,
}

/// `ingress`: a route left out answers 404.
#[derive(Clone, Debug, Default)]
pub struct Ingress {
    /// `POST /pubsub/events`.
    pub events: Option<Route>,
    /// `POST /pubsub/builds`.
    pub builds: Option<Route>,
    /// `POST /pubsub/runs`.
    pub runs: Option<Route>,
    /// `POST /internal/sweep`.
    pub sweep: Option<Route>,
}

/// Who may call one route.
#[derive(Clone, Debug)]
pub struct Route {
    /// How the caller proves itself.
    pub auth: PushAuth,
    /// The one subscription accepted, full name; `None` only with `auth: none` or for the sweep.
    pub subscription: Option<String>,
}

/// How a caller proves itself.
#[derive(Clone, Debug)]
pub enum PushAuth {
    /// Google's OIDC token.
    Oidc(PushIdentity),
    /// Anyone on this machine; accepted only where it is typed out.
    None,
}

/// `ledger`.
#[derive(Clone, Debug)]
pub enum LedgerChoice {
    /// `sqlite: PATH`, relative to the file's folder.
    Sqlite {
        /// The database file.
        path: String,
        /// `ephemeralDisk: allowed` was typed out.
        ephemeral_disk_allowed: bool,
    },
}

/// `failures`.
#[derive(Clone, Debug)]
pub struct Failures {
    /// `projects/P/topics/T`.
    pub topic: String,
}

/// `buildkite`.
#[derive(Clone, Debug)]
pub struct Buildkite {
    /// Organization slug.
    pub organization: String,
    /// Name of the variable that holds the webhook secrets.
    pub webhook_secret_env: Option<String>,
    /// Name of the variable that holds the API token.
    pub api_token_env: Option<String>,
    /// Seconds that a decision waits for a webhook before Buildkite's API is asked; default 300.
    pub ask_after_seconds: u64,
}

impl Config {
    /// Whether some trigger may match an event of this build, as far as the build alone says.
    pub fn may_concern(&self, build: &Build) -> bool {
        let of_build = [FactName::Organization, FactName::Pipeline, FactName::Branch, FactName::Tag];
        self.triggers.iter().any(|trigger| {
            let mut clauses = trigger.matching.clauses.iter().filter(|one| of_build.contains(&one.fact));
            clauses.all(|one| build.fact(one.fact).is_some_and(|found| one.patterns.matches(&found)))
        })
    }

    /// The service accounts that jobs are asked for as, each once.
    pub fn impersonated_accounts(&self) -> BTreeSet<&str> {
        self.triggers.iter().filter_map(|trigger| trigger.launch.impersonate.as_deref()).collect()
    }

    /// Whether some trigger's jobs are asked for as the service itself.
    pub fn launches_as_itself(&self) -> bool {
        self.triggers.iter().any(|trigger| trigger.launch.impersonate.is_none())
    }

    /// The trigger of a name.
    pub fn trigger(&self, name: &str) -> Option<&Trigger> {
        self.trigger_names.get(name).map(|place| &self.triggers[*place])
    }
}
