//! What the cases have tried of a file: which triggers launch in one, and which clauses refuse in one.

use std::collections::{BTreeMap, BTreeSet};

use launchgate_engine::Judgement;
use launchgate_outcome::{Check, CheckStatus, Outcome};
use launchgate_triggers::Config;
use serde::Serialize;

/// What the cases of a file have tried.
#[derive(Debug)]
pub(crate) struct Coverage {
    order: Vec<String>,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    launched: bool,
    /// Clauses that some case asked, in the ladder's order.
    clauses: Vec<String>,
    refused: BTreeSet<String>,
}

/// What the cases have tried of one trigger.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriggerCoverage {
    pub(crate) trigger: String,
    /// Some case launches it (or would, if it did more than observe).
    pub(crate) launched: bool,
    /// Clauses at which some case fails.
    pub(crate) refused_by: Vec<String>,
    /// Clauses at which no case fails: they could be taken away and every case would still pass.
    pub(crate) never_refused_by: Vec<String>,
}

impl Coverage {
    pub(crate) fn of(config: &Config) -> Self {
        let order = config.triggers.iter().map(|trigger| trigger.name.to_string()).collect();
        Self { order, seen: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, judgement: &Judgement) {
        let Judgement::Decided(decided) = judgement else { return };
        for decision in &decided.decisions.decisions {
            let seen = self.seen.entry(decision.trigger.to_string()).or_default();
            seen.launched |= matches!(decision.verdict.outcome(), Outcome::Launched | Outcome::Observed);
            seen.add(&decision.checks);
        }
        for (trigger, checks) in decided.decisions.unmatched.iter().flat_map(|unmatched| &unmatched.nearest) {
            self.seen.entry(trigger.to_string()).or_default().add(checks);
        }
    }

    /// In the file's order.
    pub(crate) fn triggers(&self) -> Vec<TriggerCoverage> {
        let none = Seen::default();
        let of = |trigger: &String| {
            let seen = self.seen.get(trigger).unwrap_or(&none);
            let (refused_by, never_refused_by) =
                seen.clauses.iter().cloned().partition(|clause| seen.refused.contains(clause));
            TriggerCoverage {
                trigger: trigger.clone(),
                launched: seen.launched,
                refused_by,
                never_refused_by,
            }
        };
        self.order.iter().map(of).collect()
    }
}

impl Seen {
    fn add(&mut self, checks: &[Check]) {
        let is_clause = |check: &&Check| {
            let name = &*check.name;
            name.starts_with("match.")
                || name.starts_with("require.")
                || matches!(name, "when" | "parameters")
        };
        for check in checks.iter().filter(is_clause) {
            if !self.clauses.contains(&check.name) {
                self.clauses.push(check.name.clone());
            }
            if check.status == CheckStatus::Failed {
                self.refused.insert(check.name.clone());
            }
        }
    }
}
