//! What the demo says: an opening, a table, one refusal explained, and how to go on.

use launchgate_outcome::{Outcome, Reason};
use serde_json::{Value, json};

use super::{Played, cast::Scene, comparison::Comparison, stage::Stage};
use crate::{
    commands::explain::Explanation,
    output::{Paint, indented, line, lines},
};

/// The refusal that is explained at the end.
const EXPLAINED: &str = "expired";

/// Everything that was played and compared.
pub(super) struct Report {
    pub(super) played: Vec<Played>,
    pub(super) comparison: Comparison,
}

/// What is about to happen.
pub(super) fn opening(stage: &Stage, scenes: &[Scene]) -> String {
    let webhooks = scenes.iter().filter(|scene| scene.webhook.is_some()).count();
    let events = scenes.len() - webhooks;
    format!(
        "The gate listens on {}, a stand-in of Vertex AI on {}.\n{events} events and {webhooks} of Buildkite's webhooks are delivered as Pub/Sub delivers them; this is what the ledger then holds.\n\n",
        stage.events_url(),
        stage.vertex.endpoint()
    )
}

/// How to go on while the service is up.
pub(super) fn invitation(stage: &Stage) -> String {
    let folder = stage.folder().display();
    let url = stage.events_url();
    let base = url.trim_end_matches("/pubsub/events");
    format!(
        "\
The service stays up until Ctrl-C. In another terminal:
  cd {folder}
  launchgate send --fixture good --key keys/release.key --set epochs=3 --set dataset=2026-12 --to {url}
  launchgate send --fixture tampered --key keys/release.key --to {url}
  launchgate events list
  launchgate explain events/no-match.json
  launchgate explain events/keyless.json --jwks buildkite-jwks.json
  launchgate explain events/fork.json --jwks buildkite-jwks.json --build-facts events/fork-webhook.json
  curl -s {base}/readyz
  curl -s {}/_standin/jobs",
        stage.vertex.endpoint()
    )
}

impl Report {
    pub(super) fn is_as_expected(&self) -> bool {
        self.comparison.different.is_empty() && self.played.iter().all(|played| played.problem().is_none())
    }

    pub(super) fn json(&self) -> Value {
        let events: Vec<_> = self.played.iter().map(Played::json).collect();
        json!({
            "ok": self.is_as_expected(),
            "events": events,
            "requests": { "same": self.comparison.same, "different": self.comparison.different },
        })
    }

    pub(super) fn rendered(&self, stage: &Stage, paint: Paint) -> String {
        let mut text = table(&self.played, paint);
        text.push_str(&format!(
            "\n{} requests reached the stand-in, each byte for byte what `launchgate explain` prints.\n",
            self.comparison.same
        ));
        if let Some(refused) =
            self.played.iter().find(|played| played.record.outcome == Outcome::FailedLaunch)
            && let Some(detail) = &refused.record.detail
        {
            text.push_str(&format!(
                "\nWhat the ledger says of the launch that Vertex AI refused:\n{}\n",
                indented(&lines(detail), 2)
            ));
        }
        let explained = self.played.iter().find(|played| played.scene.name == EXPLAINED);
        if let Some(Played { scene, .. }) = explained {
            let said = match stage.judged(scene) {
                Ok(judgement) => Explanation::of(&judgement).rendered(paint),
                Err(failure) => format!("{failure:?}"),
            };
            text.push_str(&format!(
                "\n`launchgate explain` of {}:\n\n{}\n",
                paint.bold(scene.title),
                indented(&said, 2)
            ));
        }
        let problems = self.problems();
        if problems.is_empty() {
            text.push_str(&format!("\n{} every event came to what it must.\n", paint.green("✓")));
        } else {
            text.push_str(&format!(
                "\n{} not as it must be:\n{}\n",
                paint.red("✗"),
                indented(&problems.join("\n"), 2)
            ));
        }
        text
    }

    fn problems(&self) -> Vec<String> {
        let of_events = self.played.iter().filter_map(Played::problem);
        of_events.chain(self.comparison.different.iter().cloned()).collect()
    }
}

impl Played {
    /// How what happened differs from what must happen.
    fn problem(&self) -> Option<String> {
        let Self { scene, record } = self;
        let expected = (scene.outcome, scene.reason, scene.runs, 204);
        let found = (record.outcome, record.reason, record.runs.len(), record.http);
        (expected != found).then(|| {
            let said = |(outcome, reason, runs, http): (Outcome, Option<Reason>, usize, u16)| {
                format!("{outcome}/{} with {runs} runs, HTTP {http}", word(reason))
            };
            format!("{}: expected {}, found {}", scene.name, said(expected), said(found))
        })
    }

    fn json(&self) -> Value {
        let Self { scene, record } = self;
        json!({
            "name": scene.name,
            "title": scene.title,
            "expected": { "outcome": scene.outcome, "reason": scene.reason, "runs": scene.runs },
            "found": record,
            "ok": self.problem().is_none(),
        })
    }
}

fn word(reason: Option<Reason>) -> &'static str {
    reason.map_or("–", Reason::as_str)
}

/// event | outcome | reason | run
fn table(played: &[Played], paint: Paint) -> String {
    let mut rows = vec![[
        ("event".to_owned(), None),
        ("outcome".to_owned(), None),
        ("reason".to_owned(), None),
        ("run".to_owned(), None),
    ]];
    for one in played {
        let record = &one.record;
        let outcome = record.outcome.as_str().to_owned();
        let mut runs = record.runs.iter().map(|run| line(run.rsplit('/').next().unwrap_or(run)));
        let mark = if one.problem().is_some() { " ✗" } else { "" };
        rows.push([
            (one.scene.title.to_owned(), None),
            (outcome, Some(record.outcome)),
            (format!("{}{mark}", word(record.reason)), None),
            (runs.next().unwrap_or_else(|| "–".to_owned()), None),
        ]);
        rows.extend(
            runs.map(|run| {
                [(String::new(), None), (String::new(), None), (String::new(), None), (run, None)]
            }),
        );
    }
    let widths: Vec<usize> = (0..4)
        .map(|column| rows.iter().map(|row| row[column].0.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|((cell, outcome), width)| {
                let pad = " ".repeat(width - cell.chars().count());
                let shown = match outcome {
                    Some(outcome) => paint.outcome(*outcome),
                    None if index == 0 => paint.bold(cell),
                    None => cell.clone(),
                };
                shown + &pad
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
        if index == 0 {
            let rule: Vec<_> = widths.iter().map(|width| "─".repeat(*width)).collect();
            text.push_str(&format!("{}\n", rule.join("  ")));
        }
    }
    text
}
