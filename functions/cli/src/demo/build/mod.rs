//! A whole build, told by what its steps run: this program as a step of a job, with the stand-in's `buildkite-agent`
//! on PATH, against the real service.
//!
//! Promises: every command that is shown was run as a process of its own, in the environment that an agent gives a
//! job; it ends well only if each came to what is said beside it. Does not: reach anything outside this machine.

mod stage;
mod step;

use launchgate_outcome::Outcome;
use launchgate_standin::BuildkiteStandin;
use launchgate_statement::{Envelope, EventId};
use serde_json::{Value, json};

use self::{
    stage::Stage,
    step::{Step, Told},
};
use crate::{failure::Failure, output::Output};

/// Plays the builds, reports, and answers the exit code: 0 if all went as it must, else 1.
pub(crate) async fn play(output: &Output) -> Result<u8, Failure> {
    let stage = Stage::set().await?;
    let mut told = Told::new(output);
    by_topic(&stage, &mut told).await?;
    when_the_build_has_passed(&stage, &mut told).await?;
    by_meta_data(&stage, &mut told).await?;
    let code = told.ended()?;
    stage.strike().await?;
    Ok(code)
}

/// What every step emits.
const ARTIFACT: [&str; 6] = [
    "--artifact",
    "model.bin",
    "--uri",
    "gs://acme-models/fraud/model.bin#1763460000000001",
    "--set",
    "epochs=3",
];

const KEYLESS: [&str; 4] = ["emit", "--keyless", "--audience", "launchgate-demo"];

async fn by_topic(stage: &Stage, told: &mut Told<'_>) -> Result<(), Failure> {
    told.chapter("Build 301 of fraud-train: keyless by topic")?;
    let job = BuildkiteStandin::a_job("fraud-train", 301);
    let event = emitted(stage, &job, told).await?;
    let verified = stage.launchgate(&job, &["verify", "event.json"]).await?;
    told.step(Step::of(&verified, "Buildkite's keys verify it, no secret is shared").ends_with(0))?;
    let delivered = stage.deliver(&stage.file("event.json")?).await?;
    told.step(Step::aside(
        "Pub/Sub delivers it to the gate",
        &format!("HTTP {delivered}"),
        delivered == 204,
    ))?;
    let waited = stage.wait(&job, &event, &[]).await?;
    told.step(
        Step::of(&waited, "the step waits, and goes on when a run was started").ends_with(0).says("launched"),
    )?;
    told.step(stage.runs(1))?;
    let hinted = stage.run_ends().await?;
    told.step(Step::aside(
        "the run ends; Cloud Logging says that it changed",
        &format!("HTTP {hinted}"),
        hinted == 204,
    ))?;
    let waited = stage.wait(&job, &event, &["--for", "completion"]).await?;
    told.step(Step::of(&waited, "a later step waits for the run's end").ends_with(0).says("succeeded"))
}

async fn when_the_build_has_passed(stage: &Stage, told: &mut Told<'_>) -> Result<(), Failure> {
    told.chapter("Build 302 of fraud-release: the gate waits until the build has passed")?;
    let job = BuildkiteStandin::a_job("fraud-release", 302);
    let event = emitted(stage, &job, told).await?;
    let delivered = stage.deliver(&stage.file("event.json")?).await?;
    told.step(Step::aside(
        "Pub/Sub delivers it to the gate",
        &format!("HTTP {delivered}"),
        delivered == 204,
    ))?;
    let running = stage.webhook(&job, false, None).await?;
    told.step(Step::aside("Buildkite's webhook: build.running", &format!("HTTP {running}"), running == 204))?;
    let waited = stage.wait(&job, &event, &[]).await?;
    told.step(
        Step::of(&waited, "a step of the build cannot wait for the build's end")
            .ends_with(6)
            .says("waits for this build"),
    )?;
    let finished = stage.webhook(&job, true, None).await?;
    told.step(Step::aside(
        "Buildkite's webhook: build.finished, passed",
        &format!("HTTP {finished}"),
        finished == 204,
    ))?;
    let outcome = stage.outcome(&event).await?;
    told.step(Step::outcome("what the ledger then holds", outcome, Outcome::Launched))?;
    told.step(stage.runs(2))
}

async fn by_meta_data(stage: &Stage, told: &mut Told<'_>) -> Result<(), Failure> {
    told.chapter("Build 303 of fraud-train: keyless by meta-data, without any Google credential")?;
    let job = BuildkiteStandin::a_job("fraud-train", 303);
    let arguments = [&KEYLESS[..], &ARTIFACT, &["--via", "meta-data"]].concat();
    let emitted = stage.launchgate(&job, &arguments).await?;
    told.step(Step::of(&emitted, "the event stands in the build's own meta-data").ends_with(0))?;
    let key = format!("launchgate:event:{}", job["job_id"].as_str().unwrap_or_default());
    let kept = stage.meta_data(&job);
    let event = kept.get(&key).and_then(|kept| Envelope::parse(kept.as_bytes()).ok());
    let same = event.is_some_and(|event| event.event_digest().id().as_str() == emitted.stdout.trim());
    told.step(Step::aside("the build's meta-data", &key, same))?;
    let finished = stage.webhook(&job, true, Some(json!(kept))).await?;
    told.step(Step::aside(
        "Buildkite's webhook carries it: build.finished",
        &format!("HTTP {finished}"),
        finished == 204,
    ))
}

/// A step that emits, its event kept in event.json; nothing is published, there is no Pub/Sub here.
async fn emitted(stage: &Stage, job: &Value, told: &mut Told<'_>) -> Result<EventId, Failure> {
    let emitted = stage.launchgate(job, &[&KEYLESS[..], &ARTIFACT, &["--dry-run"]].concat()).await?;
    stage.keep("event.json", &emitted.stdout)?;
    told.step(Step::of(&emitted, "signed by the job's own Buildkite token").ends_with(0).without_data())?;
    let envelope = Envelope::parse(emitted.stdout.as_bytes());
    let envelope = envelope.map_err(|error| anyhow::anyhow!("emit printed no envelope: {error}"))?;
    Ok(envelope.event_digest().id())
}
