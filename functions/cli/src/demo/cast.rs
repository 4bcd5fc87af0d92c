//! The events of the demo and what each must come to.

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{Envelope, Timestamp};

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
    let mut cast = Cast { published: clock::now_in_seconds(), scenes: Vec::new() };
    let [model, features] = &stage.artifacts;
    let release = &stage.release;
    let story =
        |pipeline: &str, number: u64| Story::new("acme", pipeline, number, model.clone(), cast.published);
    let train = |number: u64| story("fraud-train", number);

    let good = train(101).signed(release)?;
    let forged = tampered(&train(102).signed(release)?);
    let by_a_stranger = train(103).signed(&strangers_key()?)?;
    let elsewhere = story("payments-train", 104).signed(release)?;
    let by_a_retired_key = train(105).signed(&stage.retired)?;
    let last_months = train(106).days_old(31).signed(release)?;
    let of_a_branch = train(107).on_branch("try-adam").signed(release)?;
    let wordy = train(108).annotated("epochs", "three").signed(release)?;
    let twofold = train(109).with(features.clone()).signed(release)?;
    let restricted = story("fraud-restricted", 110).signed(release)?;
    let observed = story("fraud-score", 111).signed(release)?;

    cast.launches("good", "signed by the release key", &good, 1);
    cast.ends("again", "the same event again", &good, Outcome::Duplicate);
    cast.fails("tampered", "payload changed after signing", &forged, Reason::UnknownSigner);
    cast.fails("wrong-key", "signed by a stranger's key", &by_a_stranger, Reason::UnknownSigner);
    cast.fails(
        "wrong-pipeline",
        "a pipeline the key may not speak for",
        &elsewhere,
        Reason::PipelineNotAllowed,
    );
    cast.fails(
        "retired-key",
        "signed by a key that ran out in 2020",
        &by_a_retired_key,
        Reason::SignerExpired,
    );
    cast.fails("expired", "a build of last month", &last_months, Reason::TooOld);
    cast.fails("no-match", "a build of a feature branch", &of_a_branch, Reason::NoTriggerMatches);
    cast.fails("bad-parameters", "epochs is a word, not a number", &wordy, Reason::ParameterType);
    cast.launches("two-artifacts", "two artifacts in one event", &twofold, 2);
    cast.fails("refused-by-vertex", "Vertex AI refuses: no actAs", &restricted, Reason::ActAsDenied);
    cast.ends("observed", "a trigger that only observes", &observed, Outcome::Observed);
    cast.is_no_event(
        "not-an-event",
        "something that is no event",
        br#"{"hello": "world"}"#,
        Reason::EnvelopeShape,
    );
    Ok(cast.scenes)
}

/// Scenes as they are written down, all delivered at one instant.
struct Cast {
    published: Timestamp,
    scenes: Vec<Scene>,
}

impl Cast {
    fn launches(&mut self, name: &'static str, title: &'static str, envelope: &Envelope, runs: usize) {
        self.add(name, title, envelope.to_json().into_bytes(), (Outcome::Launched, None, runs));
    }

    fn ends(&mut self, name: &'static str, title: &'static str, envelope: &Envelope, outcome: Outcome) {
        self.add(name, title, envelope.to_json().into_bytes(), (outcome, None, 0));
    }

    fn fails(&mut self, name: &'static str, title: &'static str, envelope: &Envelope, reason: Reason) {
        self.is_no_event(name, title, envelope.to_json().as_bytes(), reason);
    }

    fn is_no_event(&mut self, name: &'static str, title: &'static str, data: &[u8], reason: Reason) {
        self.add(name, title, data.to_vec(), (reason.outcome(), Some(reason), 0));
    }

    fn add(
        &mut self,
        name: &'static str,
        title: &'static str,
        data: Vec<u8>,
        expected: (Outcome, Option<Reason>, usize),
    ) {
        let (outcome, reason, runs) = expected;
        self.scenes.push(Scene { name, title, data, published: self.published, outcome, reason, runs });
    }
}
