//! `launchgate events`: what the ledger holds.

use std::sync::Arc;

use clap::{Args, Subcommand};
use launchgate_engine::{
    DecisionRecord, EventFilter, EventSummary, ReceiptRecord, StoredEvent, ports::Ledger,
};
use launchgate_outcome::Outcome;
use launchgate_service::{Environment, open_ledger};
use launchgate_statement::EventId;
use launchgate_triggers::LedgerChoice;
use serde_json::{Value, json};

use super::explain::{build_line, why};
use crate::{
    command_line::{ConfigArgument, block_on},
    failure::Failure,
    ladder,
    output::{Output, Paint, indented, line, lines, spread_json},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  launchgate events list
  launchgate events list --outcome denied_policy --pipeline fraud-train --output json
  launchgate events show ev-0123456789abcdef0123456789abcdef

Exit codes: 0 shown · 2 no such event, or no ledger · 7 the ledger does not answer")]
pub(crate) struct Events {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List events and rejected deliveries, newest first
    List(List),
    /// Show everything held of one event
    Show(Show),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    config: ConfigArgument,
    /// Only this outcome
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Only with a decision of this trigger
    #[arg(long, value_name = "NAME")]
    trigger: Option<String>,
    /// Only of this pipeline
    #[arg(long, value_name = "SLUG")]
    pipeline: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Where the last page ended (its `next`)
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    config: ConfigArgument,
    /// The event's id
    #[arg(value_parser = event_id)]
    event: EventId,
}

impl Events {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        match self.what {
            What::List(list) => block_on(list.run(output)),
            What::Show(show) => block_on(show.run(output)),
        }
    }
}

impl List {
    async fn run(self, output: &Output) -> Result<u8, Failure> {
        let ledger = ledger(&self.config)?;
        let filter = EventFilter {
            outcome: self.outcome,
            trigger: self.trigger,
            pipeline: self.pipeline,
            limit: self.limit.into(),
            cursor: self.cursor,
        };
        let page = ledger.events(filter).await.map_err(|error| Failure::Transient(error.to_string()))?;
        if output.is_json() {
            output.json(&json!({ "items": page.items, "next": page.next }))?;
            return Ok(0);
        }
        let mut text = String::new();
        for item in &page.items {
            text.push_str(&summary(item, output.paint));
        }
        output.data(&text)?;
        if page.items.is_empty() {
            output.say("nothing recorded");
        }
        if let Some(next) = page.next {
            output.say(&format!("more: --cursor {next}"));
        }
        Ok(0)
    }
}

impl Show {
    async fn run(self, output: &Output) -> Result<u8, Failure> {
        let ledger = ledger(&self.config)?;
        let stored =
            ledger.event(&self.event).await.map_err(|error| Failure::Transient(error.to_string()))?;
        let stored = stored.ok_or_else(|| Failure::usage(format!("no event {} is recorded", self.event)))?;
        if output.is_json() {
            output.json(&stored_json(&stored)?)?;
        } else {
            output.data(&shown(&stored, output.paint))?;
        }
        Ok(0)
    }
}

/// The ledger that the triggers file names.
pub(crate) fn ledger(config: &ConfigArgument) -> Result<Arc<dyn Ledger>, Failure> {
    let loaded = config.load()?;
    let folder = config.folder();
    // Opening makes a database that is not there; who looks should not leave an empty one behind.
    if let Some(LedgerChoice::Sqlite { path, .. }) = &loaded.ledger
        && !folder.join(path).exists()
    {
        let path = folder.join(path);
        return Err(Failure::usage(format!(
            "there is no ledger at {}: has the service run with this file?",
            path.display()
        )));
    }
    open_ledger(&loaded, &folder, &Environment::of_process()).map_err(Failure::Usage)
}

fn outcome(text: &str) -> Result<Outcome, String> {
    Outcome::from_code(text).ok_or_else(|| {
        let known: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

/// Reads an event id given on the command line.
pub(crate) fn event_id(text: &str) -> Result<EventId, String> {
    EventId::parse(text).ok_or_else(|| "expected ev- and 32 lower-case hex digits".to_owned())
}

fn summary(item: &EventSummary, paint: Paint) -> String {
    let id = item
        .event
        .as_ref()
        .map_or_else(|| format!("message {}", line(&item.message_id)), ToString::to_string);
    let build = item.build.as_ref().map_or_else(String::new, |build| format!("  {}", build_line(build)));
    let triggers = if item.triggers.is_empty() {
        String::new()
    } else {
        format!("  [{}]", line(&item.triggers.join(", ")))
    };
    let again = if item.receipts > 1 { format!("  {} deliveries", item.receipts) } else { String::new() };
    let mut text = format!(
        "{}  {id}  {}{}{build}{triggers}{again}\n",
        item.recorded,
        paint.outcome(item.outcome),
        why(item.reason)
    );
    for run in &item.runs {
        text.push_str(&format!("    {}\n", line(run)));
    }
    text
}

/// The record with the message data as text: it is JSON, and a list of byte numbers helps nobody.
fn stored_json(stored: &StoredEvent) -> Result<Value, Failure> {
    let mut shown = serde_json::to_value(stored).map_err(anyhow::Error::from)?;
    shown["event"]["data"] = String::from_utf8_lossy(&stored.event.data).into();
    for (receipt, shown) in stored.receipts.iter().zip(shown["receipts"].as_array_mut().into_iter().flatten())
    {
        shown["body"] = String::from_utf8_lossy(&receipt.body).into();
    }
    Ok(shown)
}

fn shown(stored: &StoredEvent, paint: Paint) -> String {
    let event = &stored.event;
    let mut text = format!("{}  {}\n", paint.bold(event.id.as_str()), paint.outcome(stored.outcome));
    text.push_str(&format!("  recorded  {}\n  published {}\n", stored.recorded, event.first_published));
    text.push_str(&format!("  build     {}\n", build_line(&event.build)));
    for artifact in &event.artifacts {
        let place = artifact.uri.as_deref().map_or(String::new(), |uri| format!("  {}", line(uri)));
        text.push_str(&format!("  artifact  {}  {}{place}\n", line(&artifact.name), artifact.digest()));
    }
    for signature in &event.signatures {
        text.push_str(&format!("  signer    {}\n", signature.signer));
    }
    text.push_str(&format!("\n{}", ladder::rendered(&event.checks, paint, 2)));
    for decision in &stored.decisions {
        text.push_str(&decision_shown(decision, paint));
    }
    if !stored.history.is_empty() {
        text.push_str(&format!("\n{}\n", paint.bold("Replaced by replays")));
        for decision in &stored.history {
            text.push_str(&indented(&decision_shown(decision, paint), 2));
            text.push('\n');
        }
    }
    text.push_str(&format!("\n{}\n", paint.bold("Deliveries")));
    for receipt in &stored.receipts {
        text.push_str(&receipt_shown(receipt, paint));
    }
    text
}

fn decision_shown(decision: &DecisionRecord, paint: Paint) -> String {
    let title = format!("{} × {}", line(&decision.subject), decision.trigger);
    let mut text =
        format!("\n{}  {}{}\n", paint.bold(&title), paint.outcome(decision.outcome), why(decision.reason));
    text.push_str(&format!("  launch id {}\n", decision.launch_id));
    if let Some(by) = &decision.by {
        text.push_str(&format!("  asked by {}\n", line(by)));
    }
    if let Some(message) = &decision.message {
        text.push_str(&format!("  {}\n", lines(message).replace('\n', "\n    ")));
    }
    text.push_str(&ladder::rendered(&decision.checks, paint, 2));
    for attempt in &decision.attempts {
        let status = attempt
            .call
            .http_status
            .map_or_else(|| "no answer".to_owned(), |status| format!("HTTP {status}"));
        let message = line(&attempt.call.message);
        text.push_str(&format!(
            "  call {}: {status} {} {message} ({} ms)\n",
            attempt.fence.0, attempt.call.code, attempt.millis
        ));
    }
    if let Some(run) = &decision.run {
        text.push_str(&format!("  run {}\n      {}\n", line(&run.name), line(&run.console)));
    }
    if let Some(plan) = &decision.plan {
        let request = plan.request();
        text.push_str(&format!(
            "  {} {}\n{}\n",
            request.method,
            line(&request.path),
            indented(&lines(&spread_json(&request.body)), 2)
        ));
    }
    text
}

fn receipt_shown(receipt: &ReceiptRecord, paint: Paint) -> String {
    let at = receipt.publish_time.map_or_else(|| "no publish time".to_owned(), |at| at.to_string());
    let outcome = paint.outcome(receipt.outcome);
    // At admission a launch is still `interrupted`, should its holder die; that is no reason of the delivery.
    let reason = receipt.reason.filter(|reason| reason.outcome() == receipt.outcome);
    format!(
        "  {at}  message {}  by {}  {outcome}{}\n",
        line(&receipt.message_id),
        line(&receipt.sender),
        why(reason)
    )
}
