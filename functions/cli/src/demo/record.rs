//! What the ledger holds of one delivery.

use std::time::Duration;

use anyhow::{Context as _, bail};
use launchgate_engine::{EventFilter, EventSummary, StoredEvent, ports::Ledger};
use launchgate_outcome::{Outcome, Reason};
use serde::Serialize;

use crate::{commands::send::Delivery, failure::Failure};

/// How long a launched mark that rides with the next commit may stay away; far above the 5 ms promised.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The outcome of a delivery as recorded.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    pub(super) event: Option<String>,
    pub(super) message: String,
    pub(super) http: u16,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<Reason>,
    /// The sentence for people.
    pub(super) detail: Option<String>,
    /// The runs that exist because of this delivery.
    pub(super) runs: Vec<String>,
}

/// Reads the record of a delivery that was answered; waits until none of its decisions is open.
pub(super) async fn read(ledger: &dyn Ledger, delivery: &Delivery, http: u16) -> Result<Record, Failure> {
    let looking = async {
        loop {
            match look(ledger, delivery, http).await? {
                Some(record) => return Ok(record),
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    };
    if let Ok(record) = tokio::time::timeout(PATIENCE, looking).await {
        return record.map_err(Failure::Internal);
    }
    let message = &delivery.message_id;
    let waited = PATIENCE.as_secs();
    Err(Failure::Internal(anyhow::anyhow!(
        "message {message} (HTTP {http}) has no final record after {waited} s"
    )))
}

async fn look(ledger: &dyn Ledger, delivery: &Delivery, http: u16) -> anyhow::Result<Option<Record>> {
    if let Some(id) = &delivery.event
        && let Some(stored) = ledger.event(id).await?
    {
        // The event counts as launched from its first run on; the others may still be under way.
        let is_open = stored.decisions.iter().any(|decision| decision.outcome.is_open());
        return if is_open { Ok(None) } else { of_event(&stored, delivery, http).map(Some) };
    }
    let filter = EventFilter { limit: 100, ..EventFilter::default() };
    let page = ledger.events(filter).await?;
    let rejected = page.items.into_iter().find(|item| item.message_id == delivery.message_id);
    Ok(rejected.map(|item| of_rejected(item, http)))
}

fn of_event(stored: &StoredEvent, delivery: &Delivery, http: u16) -> anyhow::Result<Record> {
    let receipt = stored.receipts.iter().find(|receipt| receipt.message_id == delivery.message_id);
    let receipt = receipt.context("the event is recorded without this delivery")?;
    let event = Some(stored.event.id.to_string());
    let message = delivery.message_id.clone();
    if receipt.outcome == Outcome::Duplicate {
        let (outcome, reason, detail) = (Outcome::Duplicate, receipt.reason, receipt.message.clone());
        return Ok(Record { event, message, http, outcome, reason, detail, runs: Vec::new() });
    }
    if stored.receipts.iter().filter(|receipt| receipt.outcome != Outcome::Duplicate).count() != 1 {
        bail!("the event was taken for new more than once");
    }
    let decisive = stored.decisions.iter().find(|decision| decision.outcome == stored.outcome);
    let (reason, detail) = match decisive {
        Some(decision) => (decision.reason, decision.message.clone()),
        None => (receipt.reason, receipt.message.clone()),
    };
    let runs = stored
        .decisions
        .iter()
        .filter_map(|decision| decision.run.as_ref())
        .map(|run| run.name.clone())
        .collect();
    Ok(Record { event, message, http, outcome: stored.outcome, reason, detail, runs })
}

fn of_rejected(item: EventSummary, http: u16) -> Record {
    Record {
        event: item.event.map(|id| id.to_string()),
        message: item.message_id,
        http,
        outcome: item.outcome,
        reason: item.reason,
        detail: None,
        runs: item.runs,
    }
}
