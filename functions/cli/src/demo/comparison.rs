//! Whether what `explain` prints is what Vertex AI got, byte for byte.

use launchgate_standin::Recorded;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{Played, stage::Stage};
use crate::{commands::explain::Explanation, failure::Failure};

/// What was compared.
pub(super) struct Comparison {
    /// Requests that the stand-in received and `explain` prints, byte for byte the same.
    pub(super) same: usize,
    /// What is not so, in words.
    pub(super) different: Vec<String>,
}

/// As a program reads the output of `explain --output json`.
#[derive(Deserialize)]
struct Explained {
    decisions: Vec<ExplainedDecision>,
}

#[derive(Deserialize)]
struct ExplainedDecision {
    launch_id: String,
    outcome: String,
    request: Option<ExplainedRequest>,
}

#[derive(Deserialize)]
struct ExplainedRequest {
    method: String,
    path: String,
    query: Map<String, Value>,
    body: Box<RawValue>,
}

/// Compares every request received with the decision that was to cause it, and the other way round.
pub(super) fn compare(stage: &Stage, played: &[Played]) -> Result<Comparison, Failure> {
    let mut received = stage.vertex.creates();
    let mut comparison = Comparison { same: 0, different: Vec::new() };
    for Played { scene, record } in played {
        // A second delivery of a known event is not decided again.
        if record.outcome == launchgate_outcome::Outcome::Duplicate {
            continue;
        }
        let judgement = stage.judged(scene)?;
        let printed =
            serde_json::to_string_pretty(&Explanation::of(&judgement)).map_err(anyhow::Error::from)?;
        let explained: Explained = serde_json::from_str(&printed).map_err(anyhow::Error::from)?;
        for decision in explained.decisions.into_iter().filter(|decision| decision.outcome == "launched") {
            let Some(request) = decision.request else { continue };
            let of_it = |one: &Recorded| one.query("pipelineJobId") == Some(&decision.launch_id);
            match received.iter().position(of_it) {
                Some(index) if is_same(&request, &received.remove(index)) => comparison.same += 1,
                Some(_) => comparison
                    .different
                    .push(format!("{}: explain prints another request than was sent", scene.name)),
                None => comparison
                    .different
                    .push(format!("{}: explain prints a request that was not sent", scene.name)),
            }
        }
    }
    comparison.different.extend(
        received.iter().map(|one| format!("{} {} was sent and nothing explains it", one.method, one.path)),
    );
    Ok(comparison)
}

fn is_same(explained: &ExplainedRequest, received: &Recorded) -> bool {
    let query: Map<String, Value> =
        received.query.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    explained.method == received.method
        && explained.path == received.path
        && explained.query == query
        && explained.body.get().as_bytes() == received.body_bytes
}
