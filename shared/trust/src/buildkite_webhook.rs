//! The webhook signer: an event made of Buildkite's own word that a build has finished. The weakest kind.
//!
//! Promises: such an event exists only out of build facts that Buildkite's HMAC or API proves, and speaks for that
//! build alone. Does not: prove the artifact, which is the word of whoever could write the build's meta-data, any
//! job of its cluster among them. Source: DESIGN §3.

use launchgate_outcome::Refusal;
use launchgate_statement::{
    ArtifactNote, Build, Envelope, EventDigest, NotedBuild, PAYLOAD_TYPE, StatementError, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{BuildFacts, FactsOrigin};

/// Whose webhooks count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildkiteWebhook {
    /// Organization slug.
    pub organization: String,
}

/// What Buildkite's webhook proved of an event that was made of it, kept with the event: the webhook itself is not
/// kept, and its secret may be another when somebody asks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookProof {
    /// The statement that was made of it.
    pub(crate) event: EventDigest,
    /// Organization, pipeline and number.
    pub(crate) build: Build,
    /// The build's id.
    pub(crate) build_id: String,
    /// When the event was published in the copy that was made of this webhook.
    pub(crate) published: Timestamp,
}

/// An envelope without signature, made of a webhook, with what proves it.
#[derive(Clone, Debug)]
pub struct NotedEvent {
    envelope: Envelope,
    proof: WebhookProof,
}

impl NotedEvent {
    /// The event that a build's `launchgate:artifact` makes.
    ///
    /// # Errors
    /// `artifact_note` and what `Statement::parse` says: the note is nothing an event can be made of.
    pub fn of(facts: &BuildFacts, note: &str, published: Timestamp) -> Result<Self, Refusal> {
        let Build { organization, pipeline, number, .. } = facts.build().clone();
        let proven = !matches!(facts.origin(), FactsOrigin::Operator);
        let (Some(organization), Some(pipeline), Some(number), true) =
            (organization, pipeline, number, proven)
        else {
            let message = "only Buildkite's own word on a build makes an event of its meta-data";
            return Err(Refusal::new(launchgate_outcome::Reason::MetadataAbsent, message));
        };
        let build = NotedBuild { organization: &organization, pipeline: &pipeline, number, id: facts.id() };
        let statement = ArtifactNote::parse(note).and_then(|note| note.to_statement(build));
        let statement = statement.map_err(|error: StatementError| Refusal::from(error))?;
        let envelope = Envelope::unsigned(PAYLOAD_TYPE, statement);
        let proof = WebhookProof {
            event: envelope.event_digest(),
            build: Build {
                organization: Some(organization),
                pipeline: Some(pipeline),
                number: Some(number),
                ..Build::default()
            },
            build_id: facts.id().to_owned(),
            published,
        };
        Ok(Self { envelope, proof })
    }

    /// The envelope; by itself it is signed by nobody.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What proves it.
    pub fn proof(&self) -> &WebhookProof {
        &self.proof
    }
}

impl WebhookProof {
    /// The build's id.
    pub fn build_id(&self) -> &str {
        &self.build_id
    }

    /// Organization, pipeline and number.
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// The event that was made of the webhook.
    pub fn event(&self) -> EventDigest {
        self.event
    }
}

impl BuildkiteWebhook {
    /// Whether the webhook is of the organization that this signer lets speak.
    pub(crate) fn accepts(&self, proof: &WebhookProof) -> bool {
        proof.build.organization.as_ref() == Some(&self.organization)
    }
}
