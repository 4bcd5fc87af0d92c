//! How two judgements of one event differ, decision by decision.

use std::collections::BTreeMap;

use launchgate_engine::Judgement;
use launchgate_triggers::Decision;
use serde::Serialize;
use serde_json::Value;

use crate::output::{Paint, line};

/// Differences of one request that are told; the rest is counted.
const TOLD: usize = 20;

/// One decision that changes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Artifact and trigger; empty for the event as a whole.
    subject: String,
    trigger: String,
    /// What it was; `None` where there was no decision.
    before: Option<String>,
    /// What it would be.
    after: Option<String>,
    /// Places of the request that differ.
    request: Vec<Difference>,
}

/// One place of two requests.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    place: String,
    before: Value,
    after: Value,
}

impl Change {
    pub(crate) fn rendered(&self, paint: Paint) -> String {
        let title = match &*self.trigger {
            "" => "the event".to_owned(),
            trigger => format!("{} × {trigger}", line(&self.subject)),
        };
        let none = || "no decision".to_owned();
        let (before, after) =
            (self.before.clone().unwrap_or_else(none), self.after.clone().unwrap_or_else(none));
        let mut text = if before == after {
            format!("  {title}: {before}, with another request\n")
        } else {
            format!("  {title}: {} → {}\n", paint.dim(&before), paint.bold(&after))
        };
        for Difference { place, before, after } in self.request.iter().take(TOLD) {
            let (before, after) = (line(&before.to_string()), line(&after.to_string()));
            text.push_str(&format!("      {}: {before} → {after}\n", line(place)));
        }
        if self.request.len() > TOLD {
            text.push_str(&format!("      and {} places more\n", self.request.len() - TOLD));
        }
        text
    }
}

/// Every decision that differs; the event's own outcome where there is no decision on one side.
pub(crate) fn changes(before: &Judgement, after: &Judgement) -> Vec<Change> {
    let (old, new) = (decisions(before), decisions(after));
    let mut changes = Vec::new();
    if old.is_empty() || new.is_empty() {
        let (before, after) = (said_of(before), said_of(after));
        if before != after {
            let whole = Change {
                subject: String::new(),
                trigger: String::new(),
                before: Some(before),
                after: Some(after),
                request: Vec::new(),
            };
            changes.push(whole);
        }
    }
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        let request = match (was.and_then(|it| body(it)), is.and_then(|it| body(it))) {
            (Some(was), Some(is)) => differences(&was, &is),
            _ => Vec::new(),
        };
        let (before, after) = (was.map(|it| said(it)), is.map(|it| said(it)));
        if before != after || !request.is_empty() {
            let (subject, trigger) = (key.0.clone(), key.1.clone());
            changes.push(Change { subject, trigger, before, after, request });
        }
    }
    changes
}

/// By artifact, digest and trigger: two artifacts of one name are two.
fn decisions(judgement: &Judgement) -> BTreeMap<(String, String, String), &Decision> {
    let Judgement::Decided(decided) = judgement else { return BTreeMap::new() };
    let decisions = decided.decisions.decisions.iter();
    let key = |it: &Decision| (it.subject.clone(), it.trigger.to_string(), it.sha256.to_string());
    decisions.map(|it| (key(it), it)).collect()
}

fn said(decision: &Decision) -> String {
    let outcome = decision.verdict.outcome();
    decision.verdict.reason().map_or_else(|| outcome.to_string(), |reason| format!("{outcome} ({reason})"))
}

fn said_of(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Rejected(rejection) => {
            format!("{} ({})", rejection.refusal.outcome, rejection.refusal.reason)
        }
        Judgement::Decided(decided) => decided.decisions.outcome().to_string(),
    }
}

/// What would be sent, to where and as whom, as one value.
fn body(decision: &Decision) -> Option<Value> {
    let plan = decision.verdict.plan()?;
    let request = plan.request();
    let body: Value = serde_json::from_str(&request.body).ok()?;
    Some(serde_json::json!({ "path": request.path, "impersonate": plan.impersonate(), "body": body }))
}

fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(before, after, "", &mut found);
    found
}

fn walk(before: &Value, after: &Value, place: &str, found: &mut Vec<Difference>) {
    let within = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match (before, after) {
        (Value::Object(was), Value::Object(is)) => {
            let names: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
            for name in names {
                let nothing = Value::Null;
                walk(
                    was.get(name).unwrap_or(&nothing),
                    is.get(name).unwrap_or(&nothing),
                    &within(name),
                    found,
                );
            }
        }
        _ if before == after => {}
        _ => found.push(Difference { place: place.to_owned(), before: before.clone(), after: after.clone() }),
    }
}
