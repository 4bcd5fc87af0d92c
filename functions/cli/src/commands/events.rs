//! `launchgate events`: what the ledger holds.

use std::sync::Arc;

use clap::{Args, Subcommand};
use launchgate_engine::{
    DecisionRecord, EventFilter, EventSummary, NearMissCount, ReceiptRecord, StoredEvent, ports::Ledger,
};
use launchgate_outcome::Outcome;
use launchgate_service::{Environment, open_ledger};
use launchgate_statement::{EventId, Timestamp};
use launchgate_triggers::{Config, LedgerChoice, TriggerName};
use serde_json::{Value, json};

use super::explain::{build_line, why};
use crate::{
    clock,
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
  launchgate events near-misses --trigger retrain-fraud

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
    /// Say how often one clause alone kept a trigger from matching
    NearMisses(NearMisses),
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

#[derive(Debug, Args)]
#[command(after_help = "\
An event that no trigger matches counts for each trigger of its pipeline that one clause of `match` alone kept from
matching: once for a trigger and a clause, however many artifacts and deliveries it has. What has to be changed, the
build or the clause, is in `launchgate events show EVENT`.")]
struct NearMisses {
    #[command(flatten)]
    config: ConfigArgument,
    /// Only of this trigger
    #[arg(long, value_name = "NAME", value_parser = trigger_name)]
    trigger: Option<TriggerName>,
    /// At most so many, those that grew last
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

impl Events {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        match self.what {
            What::List(list) => block_on(list.run(output)),
            What::Show(show) => block_on(show.run(output)),
            What::NearMisses(misses) => block_on(misses.run(output)),
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

impl NearMisses {
    async fn run(self, output: &Output) -> Result<u8, Failure> {
        let config = self.config.load()?;
        let ledger = ledger_of(&config, &self.config)?;
        let counts = ledger.near_misses(self.trigger.as_ref(), self.limit.into()).await;
        let counts = counts.map_err(|error| Failure::Transient(error.to_string()))?;
        if output.is_json() {
            output.json(&json!({ "items": counts }))?;
            return Ok(0);
        }
        output.data(&near_misses(&counts, &config, clock::now_in_seconds(), output.paint))?;
        if counts.is_empty() {
            output.say("no near miss recorded");
        }
        Ok(0)
    }
}

/// The ledger that the triggers file names.
pub(crate) fn ledger(config: &ConfigArgument) -> Result<Arc<dyn Ledger>, Failure> {
    ledger_of(&config.load()?, config)
}

fn ledger_of(loaded: &Config, config: &ConfigArgument) -> Result<Arc<dyn Ledger>, Failure> {
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
    open_ledger(loaded, &folder, &Environment::of_process()).map_err(Failure::Usage)
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

fn trigger_name(text: &str) -> Result<TriggerName, String> {
    TriggerName::parse(text).ok_or_else(|| "expected the name of a trigger".to_owned())
}

/// Trigger by trigger, the one with the newest near miss first.
fn near_misses(counts: &[NearMissCount], config: &Config, now: Timestamp, paint: Paint) -> String {
    let mut triggers: Vec<&TriggerName> = Vec::new();
    for count in counts {
        if !triggers.contains(&&count.trigger) {
            triggers.push(&count.trigger);
        }
    }
    let mut text = String::new();
    for trigger in triggers {
        let gone = if config.trigger(trigger.as_str()).is_none() { "  (not in the file)" } else { "" };
        text.push_str(&format!("{}{gone}\n", paint.bold(trigger.as_str())));
        for count in counts.iter().filter(|count| count.trigger == *trigger) {
            let events = if count.events == 1 { "event" } else { "events" };
            text.push_str(&format!(
                "  {} {events} failed only on {} since {} (last {} {})\n",
                count.events,
                count.clause,
                count.first,
                count.last_event,
                ago(now.micros_since(count.last) / 1_000_000)
            ));
        }
    }
    text
}

/// How long ago, in the largest unit that says something.
fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400.. => format!("{} d ago", seconds / 86_400),
    }
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

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn how_long_ago_is_said_in_the_largest_unit_that_says_something() {
        let said = [-5, 59, 60, 3_599, 3_600, 86_399, 86_400, 1_000_000].map(ago);
        let expected =
            ["just now", "just now", "1 min ago", "59 min ago", "1 h ago", "23 h ago", "1 d ago", "11 d ago"];
        assert_eq!(said, expected);
    }
}
