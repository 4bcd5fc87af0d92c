//! `launchgate diff`: what another triggers file would have said of events that are known.

use std::path::{Path, PathBuf};

use clap::Args;
use launchgate_engine::{EventFilter, Judgement, judge, judge_recorded};
use launchgate_triggers::{Config, DecideOptions};
use launchgate_trust::{BuildkiteKeys, TrustInputs};
use serde::Serialize;
use serde_json::json;

use super::events;
use crate::{
    buildkite_keys::KeysArgument,
    clock,
    command_line::{ConfigArgument, block_on},
    decision_changes::{Change, changes},
    event_source::GivenEvent,
    failure::Failure,
    output::{Output, Paint, line},
    template_arguments::TemplateArguments,
};

/// Events that one page of the ledger gives.
const PAGE: usize = 200;

#[derive(Debug, Args)]
#[command(after_help = "\
Each event is verified and decided under both files, as `explain` does; nothing is launched and no record is changed. A
change is a decision with another outcome or reason, one that is there under one file only, or another request to Vertex AI.

Examples:
  git show main:launchgate.yaml > old.yaml && launchgate diff old.yaml launchgate.yaml
  launchgate diff old.yaml launchgate.yaml --limit 5000
  launchgate diff old.yaml launchgate.yaml --events recorded/ --output json

Exit codes: 0 done · 4 with --exit-code: some decision changes · 2 a file has errors, or there is no ledger")]
pub(crate) struct Diff {
    /// The triggers file as it is
    old: PathBuf,
    /// The triggers file as it is to be
    new: PathBuf,
    /// A folder of recorded events (envelopes, bundles, push bodies); default: the ledger that NEW names
    #[arg(long, value_name = "DIR")]
    events: Option<PathBuf>,
    /// At most so many events of the ledger, newest first
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// Exit with 4 if any decision changes
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    templates: TemplateArguments,
    #[command(flatten)]
    keys: KeysArgument,
}

/// An event that is decided otherwise.
#[derive(Debug, Serialize)]
struct Changed {
    event: String,
    build: Option<String>,
    changes: Vec<Change>,
}

/// What was looked at.
#[derive(Debug, Default)]
struct Report {
    events: usize,
    changed: Vec<Changed>,
    /// Events that could not be judged, and why.
    skipped: Vec<String>,
}

impl Diff {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let file =
            |path: &Path| ConfigArgument { config: path.to_owned(), templates: self.templates.clone() };
        let (old, new) = (file(&self.old).load()?, file(&self.new).load()?);
        let report = match &self.events {
            Some(folder) => self.of_folder(folder, &old, &new)?,
            None => block_on(self.of_ledger(&file(&self.new), &old, &new))?,
        };
        for skipped in &report.skipped {
            output.warn(skipped);
        }
        if output.is_json() {
            output.json(&json!({
                "events": report.events, "skipped": report.skipped.len(), "changed": report.changed,
            }))?;
        } else {
            output.data(&rendered(&report, output.paint))?;
        }
        Ok(if self.exit_code && !report.changed.is_empty() { 4 } else { 0 })
    }

    fn of_folder(&self, folder: &Path, old: &Config, new: &Config) -> Result<Report, Failure> {
        let cannot = |error: std::io::Error| Failure::usage(format!("{}: {error}", folder.display()));
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        let mut report = Report::default();
        for path in files {
            let given = GivenEvent::read(&path)?;
            let published = given.publish_time.unwrap_or_else(clock::now);
            let judged = |config: &Config| {
                self.keys.answer(|buildkite_keys: BuildkiteKeys<'_>| {
                    let inputs = TrustInputs { published, buildkite_keys };
                    judge(config, &given.data, inputs, DecideOptions::default())
                })
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            report.add(&name, &judged(old)?, &judged(new)?);
        }
        Ok(report)
    }

    async fn of_ledger(
        &self,
        new_file: &ConfigArgument,
        old: &Config,
        new: &Config,
    ) -> Result<Report, Failure> {
        let ledger = events::ledger(new_file)?;
        let transient = |error: launchgate_engine::ports::LedgerError| Failure::Transient(error.to_string());
        let mut report = Report::default();
        let mut cursor = None;
        let mut left = self.limit;
        while left > 0 {
            let filter = EventFilter { limit: PAGE.min(left), cursor, ..EventFilter::default() };
            let page = ledger.events(filter).await.map_err(transient)?;
            left -= page.items.len().min(left);
            // A rejected delivery is listed too, and has no event.
            for id in page.items.iter().filter_map(|item| item.event.as_ref()) {
                let Some(stored) = ledger.event(id).await.map_err(transient)? else { continue };
                match (judge_recorded(old, &stored.event), judge_recorded(new, &stored.event)) {
                    (Ok(before), Ok(after)) => report.add(id.as_str(), &before, &after),
                    (Err(wanted), _) | (_, Err(wanted)) => report.skipped.push(format!("{id}: {wanted}")),
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(report)
    }
}

impl Report {
    fn add(&mut self, event: &str, before: &Judgement, after: &Judgement) {
        self.events += 1;
        let changes = changes(before, after);
        if changes.is_empty() {
            return;
        }
        let build = [before, after].into_iter().find_map(|judgement| match judgement {
            Judgement::Decided(decided) => Some(super::explain::build_line(&decided.event.statement().build)),
            Judgement::Rejected(_) => None,
        });
        self.changed.push(Changed { event: event.to_owned(), build, changes });
    }
}

fn rendered(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for Changed { event, build, changes } in &report.changed {
        let build = build.as_deref().map_or_else(String::new, |build| format!("  {build}"));
        text.push_str(&format!("{}{build}\n", paint.bold(&line(event))));
        for change in changes {
            text.push_str(&change.rendered(paint));
        }
    }
    let (events, changed) = (report.events, report.changed.len());
    let said = match changed {
        0 => paint.green("none would be decided otherwise"),
        1 => paint.yellow("1 would be decided otherwise"),
        many => paint.yellow(&format!("{many} would be decided otherwise")),
    };
    let gap = if text.is_empty() { "" } else { "\n" };
    let events = if events == 1 { "1 event".to_owned() } else { format!("{events} events") };
    text + &format!("{gap}{events}, {said}\n")
}
