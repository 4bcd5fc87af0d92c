//! `LAUNCHGATE_…` variables laid over the file's tree before it is read.

use super::{
    findings::{At, Findings},
    node::{Member, Node, Shape},
};
use crate::{Overrides, Severity};

/// The values that may be replaced, by path. Triggers and signers may not: they are reviewed.
const PATHS: &[&[&str]] = &[
    &["service", "audience"],
    &["service", "url"],
    &["vertex", "project"],
    &["vertex", "location"],
    &["vertex", "pipelineRoot"],
    &["vertex", "impersonate"],
    &["vertex", "callTimeout"],
    &["ledger", "sqlite"],
    &["ledger", "ephemeralDisk"],
    &["ingress", "events", "auth"],
    &["ingress", "events", "audience"],
    &["ingress", "events", "email"],
    &["ingress", "events", "subscription"],
    &["ingress", "builds", "auth"],
    &["ingress", "builds", "audience"],
    &["ingress", "builds", "email"],
    &["ingress", "builds", "subscription"],
    &["ingress", "runs", "auth"],
    &["ingress", "runs", "audience"],
    &["ingress", "runs", "email"],
    &["ingress", "runs", "subscription"],
    &["ingress", "sweep", "auth"],
    &["ingress", "sweep", "audience"],
    &["ingress", "sweep", "email"],
    &["ingress", "sweep", "subscription"],
];

/// Replaces and adds the values that variables give.
pub(super) fn apply(root: &mut Node, overrides: &Overrides, findings: &mut Findings) {
    for (name, value) in overrides.iter() {
        let Some(rest) = name.strip_prefix("LAUNCHGATE_") else { continue };
        match PATHS.iter().find(|path| variable(path) == rest) {
            Some(path) => set(root, path, name, value),
            None if is_ours(rest) => {
                let message = format!("the variable {name} replaces nothing in the file");
                // Only a warning: Kubernetes sets such names by itself for a service called `launchgate`.
                let finding = findings.placeless("unknown-variable", Severity::Warning, message);
                finding.fix("see the triggers reference for the variables that exist");
            }
            None => {}
        }
    }
}

/// `ingress.events.audience` is `INGRESS_EVENTS_AUDIENCE`, `pipelineRoot` is `PIPELINE_ROOT`.
fn variable(path: &[&str]) -> String {
    let mut name = String::new();
    for step in path {
        if !name.is_empty() {
            name.push('_');
        }
        for c in step.chars() {
            if c.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(c.to_ascii_uppercase());
        }
    }
    name
}

fn is_ours(rest: &str) -> bool {
    let sections = ["SERVICE_", "VERTEX_", "LEDGER_", "INGRESS_"];
    !rest.ends_with("_ENDPOINT") && sections.iter().any(|section| rest.starts_with(section))
}

fn set(node: &mut Node, path: &[&str], variable: &str, value: &str) {
    let at = At::Variable(variable.to_owned());
    let Some((key, rest)) = path.split_first() else {
        *node = Node { shape: Shape::Text(value.to_owned()), at };
        return;
    };
    // A mapping of the wrong type stays as it is: the file's own error is the one to show.
    let Shape::Map(members) = &mut node.shape else { return };
    let index = members.iter().position(|member| member.key == *key).unwrap_or_else(|| {
        let value = Node { shape: Shape::Map(Vec::new()), at: at.clone() };
        members.push(Member { key: (*key).to_owned(), key_at: at, value });
        members.len() - 1
    });
    set(&mut members[index].value, rest, variable, value);
}
