//! Events made up for trying out a gate: what `send --fixture` delivers and what the demo's cast is made of.
//!
//! Does not: serve production; everything here is a story about a build that never ran.

use launchgate_engine::{Judgement, judge};
use launchgate_outcome::{Check, CheckStatus, Outcome};
use launchgate_statement::{
    Artifact, Build, BuildkiteIds, Envelope, PAYLOAD_TYPE, ProvenanceDraft, Sha256, Timestamp,
};
use launchgate_triggers::{Config, DecideOptions};
use launchgate_trust::{BuildkiteKeys, Scheme, SignerKind, SigningKey, TrustInputs};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// A build and what it made.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// The build.
    pub(crate) build: Build,
    /// What it made.
    pub(crate) artifacts: Vec<Artifact>,
    /// When it began.
    pub(crate) started_on: Timestamp,
}

impl Story {
    /// A build of a pipeline that made one artifact a minute before `now`.
    pub(crate) fn new(
        organization: &str,
        pipeline: &str,
        number: u64,
        artifact: Artifact,
        now: Timestamp,
    ) -> Self {
        let build = Build {
            organization: Some(organization.to_owned()),
            pipeline: Some(pipeline.to_owned()),
            number: Some(number),
            branch: Some("main".to_owned()),
            commit: Some("3f".repeat(20)),
            step: Some("build".to_owned()),
            job: Some(job_id(number)),
            source: Some("webhook".to_owned()),
            repository: Some(format!("https://github.com/{organization}/{pipeline}.git")),
            ..Build::default()
        };
        Self { build, artifacts: vec![artifact], started_on: now.plus_micros(-60_000_000) }
    }

    /// On another branch.
    pub(crate) fn on_branch(mut self, branch: &str) -> Self {
        self.build.branch = Some(branch.to_owned());
        self
    }

    /// Begun so many days earlier.
    pub(crate) fn days_old(mut self, days: i64) -> Self {
        self.started_on = self.started_on.plus_micros(-days * 24 * 3600 * 1_000_000);
        self
    }

    /// With one more artifact.
    pub(crate) fn with(mut self, artifact: Artifact) -> Self {
        self.artifacts.push(artifact);
        self
    }

    /// With an annotation on every artifact.
    pub(crate) fn annotated(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        for artifact in &mut self.artifacts {
            artifact.annotations.insert(key.to_owned(), value.clone());
        }
        self
    }

    /// Signed as `emit` signs.
    pub(crate) fn signed(&self, key: &SigningKey) -> Result<Envelope, Failure> {
        let statement = self.statement(Some(self.started_on))?;
        Ok(key.envelope(PAYLOAD_TYPE, &statement).map_err(anyhow::Error::from)?)
    }

    /// As `emit --keyless` writes it, before a token is in it: without a clock.
    pub(crate) fn unsigned(&self) -> Result<Envelope, Failure> {
        Ok(Envelope::unsigned(PAYLOAD_TYPE, self.statement(None)?))
    }

    fn statement(&self, started_on: Option<Timestamp>) -> Result<Vec<u8>, Failure> {
        let draft = ProvenanceDraft {
            build: self.build.clone(),
            artifacts: self.artifacts.clone(),
            ids: BuildkiteIds::default(),
            command: Some("make image".to_owned()),
            started_on,
        };
        draft.to_statement().map_err(|error| Failure::usage(format!("no statement can be made: {error}")))
    }

    /// Changed so that a trigger of the file matches, if the misses say how: the first in the file's order
    /// that would launch, else the first that matches.
    pub(crate) fn fitted_to(
        self,
        config: &Config,
        key: &SigningKey,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let Judgement::Decided(decided) = self.judged(config, key, now)? else { return Ok(self) };
        let Some(unmatched) = decided.decisions.unmatched.first() else { return Ok(self) };
        let mut misses: Vec<_> = unmatched.nearest.iter().collect();
        misses.sort_by_key(|(name, _)| config.triggers.iter().position(|trigger| trigger.name == *name));
        let mut matching = None;
        for (_, clauses) in misses {
            let mut story = self.clone();
            clauses
                .iter()
                .filter(|check| check.status == CheckStatus::Failed)
                .for_each(|check| story.mend(check));
            match story.judged(config, key, now)?.outcome() {
                Outcome::Launched => return Ok(story),
                Outcome::NoMatch => {}
                _ => matching = matching.or(Some(story)),
            }
        }
        Ok(matching.unwrap_or(self))
    }

    fn judged(&self, config: &Config, key: &SigningKey, now: Timestamp) -> Result<Judgement, Failure> {
        let data = self.signed(key)?.to_json();
        // Signed by a key: no token asks for Buildkite's.
        let inputs = TrustInputs { published: now, buildkite_keys: BuildkiteKeys::Missing };
        Ok(judge(config, data.as_bytes(), inputs, DecideOptions::default()).map_err(anyhow::Error::from)?)
    }

    /// Makes one clause pass, where it is known how.
    fn mend(&mut self, clause: &Check) {
        let Some(value) = clause.expected.as_deref().and_then(example) else { return };
        match clause.name.as_str() {
            "match.organization" => self.build.organization = Some(value),
            "match.pipeline" => self.build.pipeline = Some(value),
            "match.branch" => self.build.branch = Some(value),
            "match.tag" => self.build.tag = Some(value),
            "match.step" => self.build.step = Some(value),
            "match.artifact" => self.artifacts.iter_mut().for_each(|artifact| place(artifact, &value)),
            _ => {}
        }
    }
}

/// A text that the first positive pattern of a list matches.
fn example(patterns: &str) -> Option<String> {
    let positive = patterns.split(", ").find(|pattern| !pattern.starts_with('!'))?;
    Some(positive.replace("**", "x").replace(['*', '?'], "x"))
}

/// Puts an artifact where a pattern wants it; an image's digest is its own.
fn place(artifact: &mut Artifact, example: &str) {
    if !example.contains(['/', ':']) {
        example.clone_into(&mut artifact.name);
    } else if let Some((repository, _)) = example.split_once('@') {
        artifact.uri = Some(format!("{repository}@{}", artifact.digest()));
    } else {
        artifact.uri = Some(example.to_owned());
    }
}

/// A job's UUID, different for each build number.
fn job_id(number: u64) -> String {
    let hex = Sha256::of(&number.to_be_bytes()).to_hex();
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// An artifact that exists only in a story.
pub(crate) fn image(name: &str, uri_front: &str, content: &[u8]) -> Artifact {
    let sha256 = Sha256::of(content);
    Artifact {
        name: name.to_owned(),
        sha256,
        uri: Some(format!("{uri_front}@sha256:{sha256}")),
        media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
        annotations: Map::from_iter([("kind".to_owned(), "container".into())]),
    }
}

/// The envelope with another branch in its payload and the signatures it had.
pub(crate) fn tampered(envelope: &Envelope) -> Envelope {
    let mut payload = envelope.payload.clone();
    // Any flipped bit is as good; a digit of the job's id keeps the statement readable for `inspect`.
    if let Some(byte) = payload.iter_mut().rev().find(|byte| byte.is_ascii_digit()) {
        *byte = if *byte == b'9' { b'8' } else { *byte + 1 };
    }
    Envelope {
        signatures: envelope.signatures.clone(),
        ..Envelope::unsigned(envelope.payload_type.clone(), payload)
    }
}

/// A key that no triggers file knows.
pub(crate) fn strangers_key() -> Result<SigningKey, Failure> {
    Ok(SigningKey::generate(Scheme::Ed25519).map_err(anyhow::Error::from)?)
}

/// A pipeline that the signer of this key may speak for, when the file names one.
pub(crate) fn pipeline_of(config: &Config, key: &SigningKey) -> Option<String> {
    let fingerprint = key.public_key().ok()?.fingerprint();
    let signer = config.signers.iter().find(|signer| match &signer.kind {
        SignerKind::PublicKey(public) => public.fingerprint() == fingerprint,
        _ => false,
    })?;
    signer.pipelines.as_ref()?.positive().first().and_then(|pattern| example(pattern.as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tampered_envelope_differs_in_its_payload_alone() {
        let now = Timestamp::from_seconds(1_795_000_000);
        let story = Story::new(
            "acme",
            "fraud-train",
            1,
            image("fraud-train", "us-docker.pkg.dev/acme/ml/fraud-train", b"x"),
            now,
        );
        let envelope = story.signed(&strangers_key().unwrap()).unwrap();

        let changed = tampered(&envelope);

        assert_ne!(changed.payload, envelope.payload);
        assert_eq!(changed.signatures, envelope.signatures);
    }

    #[test]
    fn a_pattern_is_met_by_its_example() {
        assert_eq!(example("!x-*, fraud-*"), Some("fraud-x".to_owned()));
        assert_eq!(example("!x"), None);
    }
}
