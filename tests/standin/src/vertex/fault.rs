//! Faults on demand: which requests they hit, how often, and what then happens.
//!
//! Rules are looked at in the order they were added; the first one that applies is taken. Requests that are
//! not authenticated never reach them, as at Google.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    kind::JobKind,
    path::{Operation, Target},
};
use crate::google_error;

/// What happens to a request that a rule hits.
///
/// "Done" means: for a create that the job is stored, for a cancel that it is cancelled, and so on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "type", deny_unknown_fields)]
pub enum Fault {
    /// Answer the synchronous error of `errors.json` with this id, nothing done.
    Known {
        /// Id in `errors.json`, for example `permission_create_pipeline`.
        id: String,
    },
    /// Answer an error of this code, nothing done.
    Status {
        /// Canonical code name, for example `UNAVAILABLE`.
        status: String,
        /// Text of the error.
        message: String,
    },
    /// Do what was asked, then answer an error of this code all the same.
    DoneButStatus {
        /// Canonical code name, for example `INTERNAL`.
        status: String,
        /// Text of the error.
        message: String,
    },
    /// Answer normally, but only after a while; nothing is done before.
    SlowBefore {
        /// Milliseconds.
        ms: u64,
    },
    /// Do what was asked at once and answer after a while.
    SlowAfter {
        /// Milliseconds.
        ms: u64,
    },
    /// Close the connection without an answer, nothing done.
    DropBefore,
    /// Do what was asked, then close the connection without an answer.
    DropAfter,
    /// Wait with everything until the rule is released. The client may be gone by then: it is done all the same.
    HoldBefore,
    /// Do what was asked and wait with the answer until the rule is released.
    HoldAfter,
    /// Create the job and let it end in FAILED with the asynchronous error of `errors.json` with this id.
    FailLater {
        /// Id in `errors.json`, for example `dag_failed`.
        id: String,
    },
}

impl Fault {
    /// 503, nothing done.
    pub fn unavailable() -> Self {
        Self::Status { status: "UNAVAILABLE".into(), message: "The service is currently unavailable.".into() }
    }

    /// 500, nothing done.
    pub fn internal() -> Self {
        Self::Status { status: "INTERNAL".into(), message: "Internal error encountered.".into() }
    }

    /// A synchronous error of `errors.json`.
    pub fn known(id: &str) -> Self {
        Self::Known { id: id.into() }
    }
}

/// Which requests a rule hits; what is left out hits all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Matches {
    /// Only this operation. Left out: creates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Only this collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<JobKind>,
    /// Only creates with this display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Only creates with all these labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Only the job of this id (for creates: the id asked for).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Only the n-th request, from 1, that fits the rest, counted since the rule was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
}

/// A fault, the requests it hits, and how many of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// Name to release or remove it by; made up if left out.
    #[serde(default)]
    pub id: String,
    /// Which requests.
    #[serde(default, rename = "match")]
    pub matches: Matches,
    /// How many requests it hits before it is used up; null for no end. Left out: one.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// What happens.
    pub fault: Fault,
}

#[allow(clippy::unnecessary_wraps)] // serde wants the field's own type
fn once() -> Option<u32> {
    Some(1)
}

impl FaultRule {
    /// Hits one create.
    pub fn once(fault: Fault) -> Self {
        Self { id: String::new(), matches: Matches::default(), times: once(), fault }
    }

    /// Hits every create.
    pub fn always(fault: Fault) -> Self {
        Self { times: None, ..Self::once(fault) }
    }

    /// Hits so many.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Names the rule.
    #[must_use]
    pub fn named(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Only requests of this operation (a rule hits creates otherwise).
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.matches.operation = Some(operation);
        self
    }

    /// Only this collection.
    #[must_use]
    pub fn of(mut self, kind: JobKind) -> Self {
        self.matches.collection = Some(kind);
        self
    }

    /// Only creates with this display name.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.matches.display_name = Some(name.into());
        self
    }

    /// Only creates with this label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.matches.labels.insert(key.into(), value.into());
        self
    }

    /// Only the job of this id.
    #[must_use]
    pub fn job_id(mut self, id: impl Into<String>) -> Self {
        self.matches.job_id = Some(id.into());
        self
    }

    /// Only the n-th request that fits the rest.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.matches.nth = Some(nth);
        self
    }

    /// Why the rule cannot be used, if it cannot.
    pub(crate) fn mistake(&self) -> Option<String> {
        match &self.fault {
            Fault::Known { id } if !google_error::is_known(id) => {
                Some(format!("errors.json has no synchronous error \"{id}\""))
            }
            Fault::FailLater { id } if google_error::asynchronous(id).is_none() => {
                Some(format!("errors.json has no asynchronous error \"{id}\""))
            }
            Fault::Status { status, .. } | Fault::DoneButStatus { status, .. }
                if google_error::http_code(status) == 500
                    && !["INTERNAL", "UNKNOWN", "DATA_LOSS"].contains(&status.as_str()) =>
            {
                Some(format!("\"{status}\" is no canonical code name"))
            }
            _ if self.matches.nth == Some(0) => Some("nth counts from 1".into()),
            _ => None,
        }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Counted>,
    added: u32,
}

#[derive(Debug)]
struct Counted {
    rule: FaultRule,
    fitted: u32,
    hit: u32,
}

impl Faults {
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds a rule and returns its name.
    pub(crate) fn add(&mut self, mut rule: FaultRule) -> String {
        self.added += 1;
        if rule.id.is_empty() {
            rule.id = format!("rule-{}", self.added);
        }
        let id = rule.id.clone();
        self.rules.push(Counted { rule, fitted: 0, hit: 0 });
        id
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.rules.retain(|counted| counted.rule.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rule that this request falls to. Counts are moved on for every rule looked at.
    pub(crate) fn take(&mut self, target: &Target, asked_id: &str, body: &Value) -> Option<FaultRule> {
        for counted in &mut self.rules {
            if !fits(&counted.rule.matches, target, asked_id, body) {
                continue;
            }
            counted.fitted += 1;
            let is_nth = counted.rule.matches.nth.is_none_or(|nth| nth == counted.fitted);
            let is_left = counted.rule.times.is_none_or(|times| counted.hit < times);
            if is_nth && is_left {
                counted.hit += 1;
                return Some(counted.rule.clone());
            }
        }
        None
    }

    /// The rules with how often each fitted and hit.
    pub(crate) fn shown(&self) -> Value {
        let shown = self.rules.iter().map(|counted| {
            let mut rule = serde_json::to_value(&counted.rule).unwrap_or_default();
            rule["fitted"] = counted.fitted.into();
            rule["hit"] = counted.hit.into();
            rule
        });
        Value::Array(shown.collect())
    }
}

fn fits(matches: &Matches, target: &Target, asked_id: &str, body: &Value) -> bool {
    let id = if target.operation == Operation::Create { asked_id } else { &target.id };
    matches.operation.unwrap_or(Operation::Create) == target.operation
        && matches.collection.is_none_or(|kind| kind == target.kind)
        && matches.display_name.as_ref().is_none_or(|name| body["displayName"] == name.as_str())
        && matches.labels.iter().all(|(key, value)| body["labels"][key] == value.as_str())
        && matches.job_id.as_ref().is_none_or(|wanted| wanted == id)
}
