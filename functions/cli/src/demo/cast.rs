//! The events of the demo and what each must come to.

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{Artifact, Timestamp};

use super::stage::Stage;
use crate::{
    clock,
    failure::Failure,
    fixture::{Story, strangers_key, tampered},
};

/// One event, as it is delivered, and what it must come to.
pub(super) struct Scene {
    /// A file name for it.
    pub(super) name: &'static str,
    /// What is done, in a few words.
    pub(super) title: &'static str,
    /// The message data.
    pub(super) data: Vec<u8>,
    /// When Pub/Sub took it in.
    pub(super) published: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<Reason>,
    /// Runs that must exist because of it.
    pub(super) runs: usize,
}

/// The cast, in order of appearance.
pub(super) fn scenes(stage: &Stage) -> Result<Vec<Scene>, Failure> {
    let now = clock::now_in_seconds();
    let [model, features] = &stage.artifacts;
    let release = &stage.release;
    let scene = |name, title, data: Vec<u8>, outcome, reason, runs| Scene {
        name,
        title,
        data,
        published: now,
        outcome,
        reason,
        runs,
    };
    let story = |pipeline: &str, number: u64| build(pipeline, number, model, now);

    let good = story("fraud-train", 101).signed(release)?;
    let tampered = tampered(&story("fraud-train", 102).signed(release)?);
    Ok(vec![
        scene("good", "signed by the release key", good.to_json().into_bytes(), Outcome::Launched, None, 1),
        scene("again", "the same event again", good.to_json().into_bytes(), Outcome::Duplicate, None, 0),
        scene(
            "tampered",
            "payload changed after signing",
            tampered.to_json().into_bytes(),
            Outcome::RejectedSignature,
            Some(Reason::UnknownSigner),
            0,
        ),
        scene(
            "wrong-key",
            "signed by a stranger's key",
            story("fraud-train", 103).signed(&strangers_key()?)?.to_json().into_bytes(),
            Outcome::RejectedSignature,
            Some(Reason::UnknownSigner),
            0,
        ),
        scene(
            "wrong-pipeline",
            "a pipeline the key may not speak for",
            story("payments-train", 104).signed(release)?.to_json().into_bytes(),
            Outcome::RejectedSignature,
            Some(Reason::PipelineNotAllowed),
            0,
        ),
        scene(
            "retired-key",
            "signed by a key that ran out in 2020",
            story("fraud-train", 105).signed(&stage.retired)?.to_json().into_bytes(),
            Outcome::RejectedSignature,
            Some(Reason::SignerExpired),
            0,
        ),
        scene(
            "expired",
            "a build of last month",
            story("fraud-train", 106).days_old(31).signed(release)?.to_json().into_bytes(),
            Outcome::DeniedPolicy,
            Some(Reason::TooOld),
            0,
        ),
        scene(
            "no-match",
            "a build of a feature branch",
            story("fraud-train", 107).on_branch("try-adam").signed(release)?.to_json().into_bytes(),
            Outcome::NoMatch,
            Some(Reason::NoTriggerMatches),
            0,
        ),
        scene(
            "bad-parameters",
            "epochs is a word, not a number",
            story("fraud-train", 108).annotated("epochs", "three").signed(release)?.to_json().into_bytes(),
            Outcome::InvalidParameters,
            Some(Reason::ParameterType),
            0,
        ),
        scene(
            "two-artifacts",
            "two artifacts in one event",
            story("fraud-train", 109).with(features.clone()).signed(release)?.to_json().into_bytes(),
            Outcome::Launched,
            None,
            2,
        ),
        scene(
            "refused-by-vertex",
            "Vertex AI refuses: no actAs on the service account",
            story("fraud-restricted", 110).signed(release)?.to_json().into_bytes(),
            Outcome::FailedLaunch,
            Some(Reason::ActAsDenied),
            0,
        ),
        scene(
            "observed",
            "a trigger that only observes",
            story("fraud-score", 111).signed(release)?.to_json().into_bytes(),
            Outcome::Observed,
            None,
            0,
        ),
        scene(
            "not-an-event",
            "something that is no event",
            br#"{"hello": "world"}"#.to_vec(),
            Outcome::RejectedMalformed,
            Some(Reason::EnvelopeShape),
            0,
        ),
    ])
}

fn build(pipeline: &str, number: u64, artifact: &Artifact, now: Timestamp) -> Story {
    Story::new("acme", pipeline, number, artifact.clone(), now)
}
