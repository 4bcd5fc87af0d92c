//! Requests that wait until a test lets them go.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::oneshot;

/// How a held request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// As if it had never been held.
    Proceed,
    /// Closed without an answer; what was not done yet is never done.
    Discard,
}

/// The held requests by the name of the rule that holds them.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    held: BTreeMap<String, Vec<Held>>,
}

#[derive(Debug)]
struct Held {
    what: String,
    release: oneshot::Sender<Release>,
}

impl Holds {
    /// Registers a held request; the receiver tells when and how it goes on.
    pub(crate) fn hold(&mut self, rule: &str, what: String) -> oneshot::Receiver<Release> {
        let (release, released) = oneshot::channel();
        self.held.entry(rule.to_owned()).or_default().push(Held { what, release });
        released
    }

    /// Lets every request held by the rule go; returns how many.
    pub(crate) fn release(&mut self, rule: &str, how: Release) -> usize {
        let held = self.held.remove(rule).unwrap_or_default();
        let count = held.len();
        for one in held {
            // A stand-in that shuts down has dropped the receiver: nothing left to release.
            let _ = one.release.send(how);
        }
        count
    }

    /// Closes every held request.
    pub(crate) fn discard_all(&mut self) {
        for rule in std::mem::take(&mut self.held).into_values() {
            for one in rule {
                let _ = one.release.send(Release::Discard);
            }
        }
    }

    /// How many requests the rule holds.
    pub(crate) fn count(&self, rule: &str) -> usize {
        self.held.get(rule).map_or(0, Vec::len)
    }

    pub(crate) fn total(&self) -> usize {
        self.held.values().map(Vec::len).sum()
    }

    pub(crate) fn shown(&self) -> Value {
        let list = self
            .held
            .iter()
            .flat_map(|(rule, held)| held.iter().map(move |one| json!({"rule": rule, "request": one.what})));
        Value::Array(list.collect())
    }
}
