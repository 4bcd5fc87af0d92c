//! The triggers file: which build may start what. Reading it, checking it, matching events against it,
//! and planning the exact request that would be sent.
//!
//! Promises: a `Config` exists only if the whole file is sound; a `LaunchPlan` exists only if a trigger
//! matched, every requirement passed and every field of the request is acceptable; the same file and
//! event give the same plan, byte for byte. Errors carry file, line, column, a caret and the fix.
//! Does not: read files (a `Files` is handed in), clocks, environment or network; launch anything.

mod artifact_demand;
mod body;
mod build_word;
mod conditions;
mod config;
mod decide;
mod decision;
mod expression;
mod field_hash;
mod file;
mod finding;
mod finding_code;
mod inputs;
mod interpolation;
mod labels;
mod launch_id;
mod launch_template;
mod lazy_scope;
mod lint;
mod matching;
mod near_miss;
mod overrides;
mod pipeline_index;
mod plan;
mod pyyaml;
mod requirements;
mod rotation;
mod schema;
mod scope;
mod template;
mod template_address;
mod trigger;
mod turns;
mod yaml;

pub use artifact_demand::{ArtifactDemand, ArtifactPlace, ArtifactRule, PinnedObject};
pub use conditions::{LaunchConditions, OnceKey, OrderKey};
pub use config::{Buildkite, Config, Failures, Ingress, LedgerChoice, PushAuth, Route, Service, Vertex};
pub use decide::{DecideOptions, decide};
pub use decision::{Decision, Decisions, Unmatched, Verdict};
pub use file::{Files, Loaded, Remote, load};
pub use finding::{Finding, Place, Severity, render};
pub use finding_code::FindingCode;
pub use launch_id::{LaunchId, launch_id};
pub use lint::lint;
pub use near_miss::{MissedClause, NearMiss};
pub use overrides::Overrides;
pub use plan::{LaunchKind, LaunchPlan, Request};
pub use rotation::{RotationNotice, SignerDates};
pub use schema::json_schema;
pub use template::{InputKind, Template, TemplateError, TemplateInput};
pub use template_address::{RemoteTemplate, TemplateAddress};
pub use trigger::{Mode, Trigger, TriggerName};
pub use yaml::{YamlFault, read_yaml};
