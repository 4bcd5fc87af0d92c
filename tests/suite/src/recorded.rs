//! What the ledger holds, as `launchgate events` shows it.

use std::time::Duration;

use serde_json::Value;

use crate::{Folder, eventually};

impl Folder {
    /// Everything recorded, newest first: events and rejected deliveries.
    pub fn recorded(&self) -> Vec<Value> {
        let listed =
            self.launchgate(&["events", "list", "--limit", "1000", "--output", "json"]).success().json();
        listed["items"].as_array().unwrap().clone()
    }

    /// The only thing recorded.
    pub fn only_record(&self) -> Value {
        let recorded = self.recorded();
        assert_eq!(recorded.len(), 1, "{recorded:#?}");
        recorded.into_iter().next().unwrap()
    }

    /// Waits until an event stands so.
    pub async fn wait_for_outcome(&self, event: &str, outcome: &str, within: Duration) -> Value {
        eventually(&format!("{event} is {outcome}"), within, async || {
            self.recorded().into_iter().find(|one| one["event"] == event && one["outcome"] == outcome)
        })
        .await
    }
}
