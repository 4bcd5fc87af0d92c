//! What the ledger holds of one delivery.

use std::time::Duration;

use anyhow::{Context as _, bail};
use launchgate_engine::{DecisionRecord, EventFilter, EventSummary, StoredEvent, ports::Ledger};
use launchgate_outcome::{Outcome, Reason};
use serde::Serialize;

use super::cast::Scene;
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

/// Reads the record of a delivery that was answered; waits until none of its decisions is under way. A webhook
/// is recorded by what the event it is about has come to.
pub(super) async fn read(
    ledger: &dyn Ledger,
    scene: &Scene,
    delivery: &Delivery,
    http: u16,
) -> Result<Record, Failure> {
    let looking = async {
        loop {
            match look(ledger, scene, delivery, http).await? {
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

async fn look(
    ledger: &dyn Ledger,
    scene: &Scene,
    delivery: &Delivery,
    http: u16,
) -> anyhow::Result<Option<Record>> {
    let event = scene.webhook.as_ref().map(|about| &about.id).or(delivery.event.as_ref());
    if let Some(id) = event
        && let Some(stored) = ledger.event(id).await?
    {
        // The event counts as launched from its first run on; the others may still be under way. What waits for
        // Buildkite's word waits for the next scene.
        let under_way = stored.decisions.iter().any(DecisionRecord::is_launchable);
        return match (under_way, &scene.webhook) {
            (true, _) => Ok(None),
            (false, None) => of_event(&stored, delivery, http).map(Some),
            (false, Some(_)) => Ok(Some(as_it_stands(&stored, delivery, http))),
        };
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
    let said = (receipt.reason, receipt.message.clone());
    let record = as_it_stands(stored, delivery, http);
    Ok(if stored.decisions.is_empty() { Record { reason: said.0, detail: said.1, ..record } } else { record })
}

/// How the event stands now.
fn as_it_stands(stored: &StoredEvent, delivery: &Delivery, http: u16) -> Record {
    let decisive = stored.decisions.iter().find(|decision| decision.outcome == stored.outcome);
    let (reason, detail) = decisive.map_or((None, None), |one| (one.reason, one.message.clone()));
    let runs = stored
        .decisions
        .iter()
        .filter_map(|decision| decision.run.as_ref())
        .map(|run| run.name.clone())
        .collect();
    let (event, message) = (Some(stored.event.id.to_string()), delivery.message_id.clone());
    Record { event, message, http, outcome: stored.outcome, reason, detail, runs }
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
