//! What the size of the triggers file costs: loading it, linting it, deciding by it; and what one expression
//! costs beside the same expression in the bare engine.
//!
//! Files differ in the triggers of other pipelines alone, so each event has the same one candidate. What is
//! compared is measured in turns, one after the other, so that a machine that is busy with something else slows
//! all of them; the figures are medians over the turns.

use std::{
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use launchgate_outcome::Outcome;
use launchgate_service::{Environment, TriggersFile};
use launchgate_statement::{Envelope, PAYLOAD_TYPE, Timestamp};
use launchgate_triggers::{Config, DecideOptions, decide, lint};
use launchgate_trust::{BuildkiteKeys, Scheme, SigningKey, TrustInputs, VerifiedEvent, verify};
use serde_json::json;

use crate::events::{PUBLISHED, statement, template};

/// Triggers in the files.
const SIZES: [usize; 3] = [1, 100, 10_000];

const TURNS: usize = 25;
const TURN: Duration = Duration::from_millis(20);

/// Reads three facts, compares and calls: the kind of line that people write.
const WHEN: &str = r#"build.number > 0 && build.branch == "main" && artifact.name.startsWith("fraud")"#;

/// Measures everything and prints the tables.
pub(crate) fn print() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    std::fs::write(folder.path().join("pipeline.json"), template().to_string())?;
    let key = SigningKey::generate(Scheme::Ed25519)?;
    let event = |config: &Config| verified(&key, config);
    let of_size = |size| Measured::load(folder.path(), &key, Matches::TheEvent, size);
    let missing = |size| Measured::load(folder.path(), &key, Matches::AnotherBranch, size);
    let foreign = |size| Measured::load(folder.path(), &key, Matches::AnotherPipeline, size);

    println!("\n{:<34}{:>12}{:>12}{:>12}", "triggers in the file", SIZES[0], SIZES[1], SIZES[2]);
    let matching = SIZES.map(of_size).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    row("load (ms)", matching.iter().map(|one| one.load.as_secs_f64() * 1e3), 1);
    row("lint (ms)", matching.iter().map(|one| one.lint.as_secs_f64() * 1e3), 1);
    let near = SIZES.map(missing).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let far = SIZES.map(foreign).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    for (name, files, outcome) in [
        ("decide, one trigger matches", &matching, Outcome::Launched),
        ("decide, one misses by its branch", &near, Outcome::NoMatch),
        ("decide, none is of the pipeline", &far, Outcome::NoMatch),
    ] {
        let mut works = Vec::new();
        for file in files {
            let event = event(&file.config)?;
            let decided = decided(&file.config, &event)?;
            ensure!(decided == outcome, "{name}: expected {outcome}, not {decided}");
            works.push(move || black_box(decided_again(&file.config, &event)));
        }
        let micros = in_turns(&mut works);
        row(&format!("{name} (µs)"), micros.iter().map(|times| median(times.clone())), 1);
        let ratios = micros
            .iter()
            .map(|times| median(times.iter().zip(&micros[0]).map(|(own, of_one)| own / of_one).collect()));
        row("  beside the file of one trigger", ratios, 2);
    }
    println!(
        "load: from the file on disk to compiled triggers, each with its expressions and its request. decide: of a verified\n\
         event, to the exact request or to the nearest misses."
    );
    expression(folder.path(), &key)
}

fn row(name: &str, values: impl Iterator<Item = f64>, digits: usize) {
    print!("{name:<34}");
    for value in values {
        print!("{value:>12.digits$}");
    }
    println!();
}

/// How the one trigger of the event's pipeline meets the event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matches {
    TheEvent,
    /// The event, with an expression.
    TheEventWhen,
    AnotherBranch,
    AnotherPipeline,
}

/// A file and what it took to read it.
struct Measured {
    config: Config,
    load: Duration,
    lint: Duration,
}

impl Measured {
    fn load(folder: &Path, key: &SigningKey, matches: Matches, size: usize) -> anyhow::Result<Self> {
        let path = file(folder, key, matches, size)?;
        let mut loads = Vec::new();
        let mut lints = Vec::new();
        for _ in 0..3 {
            let begun = Instant::now();
            let config = TriggersFile::read(&path, &Environment::default())?.usable()?;
            loads.push(begun.elapsed());
            let begun = Instant::now();
            black_box(lint(&config, published()?));
            lints.push(begun.elapsed());
        }
        loads.sort();
        lints.sort();
        let config = TriggersFile::read(&path, &Environment::default())?.usable()?;
        Ok(Self { config, load: loads[1], lint: lints[1] })
    }
}

/// A file of `size` triggers, each of a pipeline of its own. The one that is measured stands in the middle.
fn file(folder: &Path, key: &SigningKey, matches: Matches, size: usize) -> anyhow::Result<PathBuf> {
    let trigger = |place: usize| {
        let mut clauses = if place == size / 2 {
            match matches {
                Matches::TheEvent | Matches::TheEventWhen => {
                    json!({"pipeline": "fraud-train", "branch": "main"})
                }
                Matches::AnotherBranch => json!({"pipeline": "fraud-train", "branch": "release/*"}),
                Matches::AnotherPipeline => json!({"pipeline": "fruad-train", "branch": "main"}),
            }
        } else {
            json!({"pipeline": format!("team-{place}-train"), "branch": ["main", "release/*"],
                "artifact": format!("us-docker.pkg.dev/acme/ml/team-{place}@*"), "when": WHEN})
        };
        if matches == Matches::TheEventWhen {
            clauses["when"] = json!(WHEN);
        }
        json!({
            "name": format!("retrain-{place}"), "match": clauses,
            "require": {"signers": {"anyOf": ["key"]}},
            "launch": {"pipelineJob": {
                "template": "pipeline.json", "displayName": "retrain-${build.number}",
                "serviceAccount": "runner@p.iam.gserviceaccount.com", "labels": {"team": format!("team-{place}")},
                "runtimeConfig": {"parameterValues": {"image": "${artifact.uri}", "epochs": 3}},
            }},
        })
    };
    let config = json!({
        "apiVersion": "launchgate/v1",
        "service": {"audience": "launchgate-bench"},
        "vertex": {"project": "p", "location": "us-central1", "pipelineRoot": "gs://bench/root"},
        "signers": [{"id": "key", "publicKey": key.public_pem()}],
        "triggers": (0..size).map(trigger).collect::<Vec<_>>(),
    });
    let path = folder.join(format!("triggers-{size}.yaml"));
    std::fs::write(&path, serde_json::to_string_pretty(&config)?)?;
    Ok(path)
}

fn published() -> anyhow::Result<Timestamp> {
    Timestamp::parse(PUBLISHED).context("a time")
}

fn verified(key: &SigningKey, config: &Config) -> anyhow::Result<VerifiedEvent> {
    let envelope = key.envelope(PAYLOAD_TYPE, &statement(1)?)?;
    let envelope = Envelope::parse(envelope.to_json().as_bytes())?;
    let inputs = TrustInputs { published: published()?, buildkite_keys: BuildkiteKeys::Missing };
    verify(envelope, &config.signers, inputs).ok().context("the measured event must verify")
}

fn decided(config: &Config, event: &VerifiedEvent) -> anyhow::Result<Outcome> {
    Ok(decide(config, event, published()?, DecideOptions::default()).outcome())
}

fn decided_again(config: &Config, event: &VerifiedEvent) -> Outcome {
    decided(config, black_box(event)).unwrap_or(Outcome::NoMatch)
}

/// The whole cost of a `when`, as the difference it makes to a decision, beside the engine alone.
fn expression(folder: &Path, key: &SigningKey) -> anyhow::Result<()> {
    let with = Measured::load(folder, key, Matches::TheEventWhen, 1)?;
    let without = Measured::load(folder, key, Matches::TheEvent, 1)?;
    let event = verified(key, &with.config)?;
    ensure!(decided(&with.config, &event)? == Outcome::Launched, "the measured expression must be true");
    let program = cel::Program::compile(WHEN)?;
    let mut context = cel::Context::default();
    context
        .add_variable("build", json!({"number": 1, "branch": "main"}))
        .and_then(|()| context.add_variable("artifact", json!({"name": "fraud-train"})))
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(
        program.execute(&context).is_ok_and(|value| value == cel::Value::Bool(true)),
        "the bare expression must be true"
    );
    let mut works: [Box<dyn FnMut() -> bool>; 3] = [
        Box::new(|| program.execute(black_box(&context)).is_ok()),
        Box::new(|| decided_again(&without.config, &event) == Outcome::Launched),
        Box::new(|| decided_again(&with.config, &event) == Outcome::Launched),
    ];
    let [bare, without, with] = &in_turns(&mut works)[..] else { unreachable!("three were measured") };
    let ours: Vec<f64> = with.iter().zip(without).map(|(with, without)| with - without).collect();
    let ratio = median(ours.iter().zip(bare).map(|(ours, bare)| ours / bare).collect());
    println!(
        "\nexpression: the bare engine {:.2} µs, `when` in a decision {:.2} µs, ratio {ratio:.2}\n\
         the bare engine: the compiled program over variables made beforehand. `when`: what it adds to a decision, with\n\
         its variables read from the event and its rung of the ladder.",
        median(bare.clone()),
        median(ours),
    );
    Ok(())
}

/// Microseconds that one call of each work takes, turn by turn.
fn in_turns<T>(works: &mut [impl FnMut() -> T]) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(TURNS); works.len()];
    for _ in 0..TURNS {
        for (times, work) in times.iter_mut().zip(works.iter_mut()) {
            let begun = Instant::now();
            let mut calls = 0_u32;
            while begun.elapsed() < TURN {
                for _ in 0..8 {
                    black_box(work());
                }
                calls += 8;
            }
            times.push(begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
        }
    }
    times
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
