//! The demo: real signed events over real HTTP through the real service, against a stand-in of Vertex AI.
//!
//! Promises: it ends well only if every event came to what the cast says, as the ledger holds it, and what
//! was sent to Vertex AI is byte for byte what `explain` prints. Needs no cloud, no account, no network.

pub(crate) mod build;
mod cast;
mod comparison;
mod record;
mod report;
mod stage;

use crate::{commands::send::Delivery, failure::Failure, output::Output};

use self::{cast::Scene, comparison::compare, record::Record, report::Report, stage::Stage};

/// Plays every scene, reports, and answers the exit code: 0 if all went as the cast says, else 1.
pub(crate) async fn play(keep: Option<u16>, output: &Output) -> Result<u8, Failure> {
    let stage = Stage::set(keep.unwrap_or(0)).await?;
    let scenes = cast::scenes(&stage)?;
    if !output.is_json() {
        output.data(&report::opening(&stage, &scenes))?;
    }
    let mut played = Vec::with_capacity(scenes.len());
    for scene in scenes {
        played.push(perform(&stage, scene).await?);
    }
    let report = Report { comparison: compare(&stage, &played)?, played };
    if output.is_json() {
        output.json(&report.json())?;
    } else {
        output.data(&report.rendered(&stage, output.paint))?;
    }
    if keep.is_some() {
        let stop = launchgate_service::terminated();
        stage.save_events(&report.played)?;
        output.say(&report::invitation(&stage));
        stop.await;
    }
    stage.strike().await?;
    Ok(u8::from(!report.is_as_expected()))
}

/// A scene and what came of it.
struct Played {
    scene: Scene,
    record: Record,
}

async fn perform(stage: &Stage, scene: Scene) -> Result<Played, Failure> {
    let delivery = match &scene.webhook {
        None => Delivery::to(&stage.events_url(), &scene.data, scene.published, None),
        Some(about) => {
            Delivery::of_webhook(&stage.builds_url(), &scene.data, &about.signature, scene.published)
        }
    };
    let answer = delivery.send().await?;
    let record = record::read(stage.ledger(), &scene, &delivery, answer.status).await?;
    Ok(Played { scene, record })
}
