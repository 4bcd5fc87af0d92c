//! `launchgate replay`: asks the service, through the ledger, to decide a recorded event again.

use std::time::Duration;

use clap::Args;
use launchgate_engine::{Command, CommandId, CommandKind, CommandRecord, StoredEvent, ports::Ledger};
use launchgate_service::Environment;
use launchgate_statement::EventId;
use serde_json::json;

use super::events::{event_id, ledger};
use crate::{
    command_line::{ConfigArgument, block_on},
    failure::Failure,
    output::{Output, line},
};

/// How often the ledger is asked whether the service has carried the command out.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = "\
The event is verified and decided again under the service's triggers file of today. Without --force only
what ended without a run is decided again; with --force a run that exists gets a second one. The command
is recorded with your name and the reason; nothing is launched by this program itself.

Examples:
  launchgate replay ev-0123456789abcdef0123456789abcdef
  launchgate replay ev-0123456789abcdef0123456789abcdef --force --why 'bad base image, rebuilt'

Exit codes: as the event then stands, see `launchgate --help` · 2 no such event · 6 not carried out within --wait")]
pub(crate) struct Replay {
    /// The event's id
    #[arg(value_parser = event_id)]
    event: EventId,
    #[command(flatten)]
    config: ConfigArgument,
    /// Launch even where a run exists
    #[arg(long, requires = "why")]
    force: bool,
    /// The reason, for the record
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Seconds to wait for the service to carry it out
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

impl Replay {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        block_on(async {
            let ledger = ledger(&self.config)?;
            stored(&*ledger, &self.event).await?;
            let kind = CommandKind::Replay { event: self.event.clone(), force: self.force };
            let why = self.why.unwrap_or_else(|| "replay if not launched".to_owned());
            let command = Command { kind, by: operator(), why };
            let id = ledger.ask(command).await.map_err(|error| Failure::Transient(error.to_string()))?;
            output.say(&format!("command {} recorded; waiting for the service", id.0));
            let Some(record) = carried_out(&*ledger, id, Duration::from_secs(self.wait)).await? else {
                output.say(&format!(
                    "not carried out within {} s; it stays recorded. Is the service running on this ledger?",
                    self.wait
                ));
                return Ok(6);
            };
            let after = stored(&*ledger, &self.event).await?;
            let result = record.result.unwrap_or_default();
            if output.is_json() {
                output.json(&json!({ "command": id, "event": self.event, "outcome": after.outcome, "result": result }))?;
            } else {
                output.data(&format!(
                    "{}  {}\n{}",
                    self.event,
                    output.paint.outcome(after.outcome),
                    line(&result)
                ))?;
            }
            Ok(after.outcome.exit_code())
        })
    }
}

async fn stored(ledger: &dyn Ledger, event: &EventId) -> Result<StoredEvent, Failure> {
    let stored = ledger.event(event).await.map_err(|error| Failure::Transient(error.to_string()))?;
    stored.ok_or_else(|| {
        Failure::usage(format!(
            "no event {event} is recorded; an event that never arrived comes by seeking the subscription back"
        ))
    })
}

/// The command once it has a result; `None` when time is up.
async fn carried_out(
    ledger: &dyn Ledger,
    id: CommandId,
    wait: Duration,
) -> Result<Option<CommandRecord>, Failure> {
    let looking = async {
        loop {
            match ledger.command(id).await {
                Ok(Some(record)) if record.result.is_some() => return Ok(record),
                Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => return Err(Failure::Transient(error.to_string())),
            }
        }
    };
    match tokio::time::timeout(wait, looking).await {
        Ok(found) => found.map(Some),
        Err(_) => Ok(None),
    }
}

/// Who asks, as the operating system says; for the record, no proof.
fn operator() -> String {
    let environment = Environment::of_process();
    let name = environment
        .get("USER")
        .or_else(|| environment.get("LOGNAME"))
        .or_else(|| environment.get("USERNAME"));
    name.unwrap_or("unknown").to_owned()
}
