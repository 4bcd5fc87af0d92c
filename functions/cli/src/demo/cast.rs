//! The events of the demo and what each must come to.

use launchgate_outcome::{Outcome, Reason};
use launchgate_standin::{Attestation, BuildkiteStandin, BuildkiteWebhook, SigningKey as BuildkiteKey};
use launchgate_statement::{Envelope, EventId, Signature, Timestamp};
use launchgate_trust::BuildkiteOidc;
use serde_json::Value;

use super::stage::Stage;
use crate::{
    clock,
    failure::Failure,
    fixture::{Story, strangers_key, tampered},
};

/// One event or webhook, as it is delivered, and what must come of it.
pub(super) struct Scene {
    /// A file name for it.
    pub(super) name: &'static str,
    /// What is done, in a few words.
    pub(super) title: &'static str,
    /// The message data.
    pub(super) data: Vec<u8>,
    /// Set when it is no event but Buildkite's webhook about one.
    pub(super) webhook: Option<AboutEvent>,
    /// When Pub/Sub took it in.
    pub(super) published: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<Reason>,
    /// Runs that must exist because of it.
    pub(super) runs: usize,
}

/// What a webhook is about.
pub(super) struct AboutEvent {
    /// The message data of the event of the same build, delivered before.
    pub(super) event: Vec<u8>,
    /// Its id.
    pub(super) id: EventId,
    /// Buildkite's signature header.
    pub(super) signature: String,
}

/// The cast, in order of appearance.
pub(super) fn scenes(stage: &Stage) -> Result<Vec<Scene>, Failure> {
    let mut cast = Cast { published: clock::now_in_seconds(), scenes: Vec::new() };
    let [model, features] = &stage.artifacts;
    let release = &stage.release;
    let story =
        |pipeline: &str, number: u64| Story::new("acme", pipeline, number, model.clone(), cast.published);
    let train = |number: u64| story("fraud-train", number);

    let keyless = by_token(&train(112), &train(112), |_| ())?;
    let stolen = by_token(&train(113), &train(112), |_| ())?;
    let unbound = by_token(&train(114), &train(114), |claims| claims["aud"] = "sts.googleapis.com".into())?;
    let of_another_build = by_token(&train(115), &train(115), |claims| claims["build_number"] = 112.into())?;
    let an_hour_old = by_token(&train(116), &train(116), |claims| {
        for name in ["iat", "nbf", "exp"] {
            claims[name] = (claims[name].as_i64().unwrap_or_default() - 3600).into();
        }
    })?;
    let [ours, theirs] = [117, 118].map(|number| story("fraud-open", number));
    let [of_main, of_a_fork] = [by_token(&ours, &ours, |_| ())?, by_token(&theirs, &theirs, |_| ())?];
    let releases = [119, 120].map(|number| story("fraud-release", number));
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
    cast.launches("keyless", "signed by the job's own token", &keyless, 1);
    cast.fails("stolen-token", "that token on another statement", &stolen, Reason::BindingMismatch);
    cast.fails("unbound-token", "a token for another audience", &unbound, Reason::UnboundToken);
    cast.fails("foreign-token", "a token of another build", &of_another_build, Reason::IdentityMismatch);
    cast.fails("late-token", "a token of an hour ago", &an_hour_old, Reason::BuildkiteTokenTime);
    cast.fails("open", "keyless, of a pipeline that builds forks", &of_main, Reason::BuildFactsAwaited);
    let told = BuildkiteWebhook::finished(&job(&ours));
    cast.told("open-webhook", "Buildkite says: of no pull request", &of_main, &told, Ok(1));
    cast.fails("fork", "the same of a fork that calls itself main", &of_a_fork, Reason::BuildFactsAwaited);
    let told = BuildkiteWebhook::finished(&job(&theirs))
        .of_pull_request(7, "https://github.com/mallory/fraud-open.git");
    cast.told(
        "fork-webhook",
        "Buildkite says: a fork's pull request",
        &of_a_fork,
        &told,
        Err(Reason::ForkBuild),
    );
    cast.bundles(stage, releases)?;
    cast.is_no_event(
        "not-an-event",
        "something that is no event",
        br#"{"hello": "world"}"#,
        Reason::EnvelopeShape,
    );
    Ok(cast.scenes)
}

/// An event whose signature is the token that Buildkite minted for `bound`, its claims bent.
fn by_token(story: &Story, bound: &Story, bend: impl FnOnce(&mut Value)) -> Result<Envelope, Failure> {
    let job = job(story);
    let audience = BuildkiteOidc::event_audience(AUDIENCE, bound.unsigned()?.event_digest());
    let mut claims = BuildkiteStandin::claims(&job, &audience);
    bend(&mut claims);
    let token = BuildkiteStandin::mint_with(&claims, BuildkiteKey::First);
    let mut envelope = story.unsigned()?;
    envelope.signatures.push(Signature { keyid: None, sig: token.into_bytes() });
    Ok(envelope)
}

/// A Sigstore bundle around the story's statement, its certificate issued to the job of `certified`.
fn by_bundle(
    stage: &Stage,
    story: &Story,
    certified: &Story,
    published: Timestamp,
) -> Result<Value, Failure> {
    let attestation = Attestation::of_job(&job(certified), published.seconds() - 1);
    Ok(stage.sigstore.attest(&story.unsigned()?.payload, &attestation))
}

/// The job that a story is of, as Buildkite runs it.
fn job(story: &Story) -> Value {
    let build = &story.build;
    let number = build.number.unwrap_or_default();
    let mut job = BuildkiteStandin::a_job(build.pipeline.as_deref().unwrap_or_default(), number);
    job["build_commit"] = build.commit.as_deref().into();
    job["job_id"] = build.job.as_deref().into();
    job["build_id"] = format!("0199a3c5-8a3e-4f6b-9f55-{number:012}").into();
    job
}

/// The webhook secret that Buildkite and the service share.
pub(super) const WEBHOOK_SECRET: &str = "shared-with-buildkite";

/// `service.audience` of the demo's file.
const AUDIENCE: &str = "launchgate-demo";

/// Scenes as they are written down, all delivered at one instant.
struct Cast {
    published: Timestamp,
    scenes: Vec<Scene>,
}

impl Cast {
    /// Sigstore bundles of two builds: one right, one torn, one of the other build.
    fn bundles(&mut self, stage: &Stage, [release, another]: [Story; 2]) -> Result<(), Failure> {
        let bundle = by_bundle(stage, &release, &release, self.published)?;
        let foreign_bundle = by_bundle(stage, &another, &release, self.published)?;
        let mut torn_bundle = bundle.clone();
        torn_bundle["dsseEnvelope"] =
            by_bundle(stage, &another, &another, self.published)?["dsseEnvelope"].take();
        self.add(
            "bundle",
            "a Sigstore bundle made by the job",
            bundle.to_string().into_bytes(),
            (Outcome::Launched, None, 1),
        );
        let [torn_bundle, foreign_bundle] =
            [torn_bundle, foreign_bundle].map(|it| it.to_string().into_bytes());
        self.is_no_event(
            "torn-bundle",
            "that bundle around another statement",
            &torn_bundle,
            Reason::BundleSignature,
        );
        self.is_no_event(
            "foreign-bundle",
            "a bundle of another build",
            &foreign_bundle,
            Reason::IdentityMismatch,
        );
        Ok(())
    }

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

    /// The webhook about an event that waits: it launches so many runs, or the event ends for this reason.
    fn told(
        &mut self,
        name: &'static str,
        title: &'static str,
        about: &Envelope,
        webhook: &BuildkiteWebhook,
        comes_to: Result<usize, Reason>,
    ) {
        let body = webhook.body();
        let signature = BuildkiteWebhook::signature(WEBHOOK_SECRET, &body, self.published.seconds());
        let expected = match comes_to {
            Ok(runs) => (Outcome::Launched, None, runs),
            Err(reason) => (reason.outcome(), Some(reason), 0),
        };
        self.add(name, title, body, expected);
        if let Some(scene) = self.scenes.last_mut() {
            let (event, id) = (about.to_json().into_bytes(), about.event_digest().id());
            scene.webhook = Some(AboutEvent { event, id, signature });
        }
    }

    fn add(
        &mut self,
        name: &'static str,
        title: &'static str,
        data: Vec<u8>,
        expected: (Outcome, Option<Reason>, usize),
    ) {
        let (outcome, reason, runs) = expected;
        let published = self.published;
        self.scenes.push(Scene { name, title, data, webhook: None, published, outcome, reason, runs });
    }
}
