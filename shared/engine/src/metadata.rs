//! Events out of the meta-data of a build that has finished.
//!
//! Promises: each is taken in like a delivery of its own, whatever the others come to; the webhook is answered
//! only when every one has its recorded outcome, so a crash in between loses none: what was admitted before it is
//! a duplicate when the webhook comes again. Does not: believe who wrote there.

use futures_util::{StreamExt, stream};
use launchgate_outcome::{Reason, Refusal};
use launchgate_trust::{BuildFacts, BuildMetadata, BuildTold, Carrier, MetadataEnvelope, NotedEvent};

use crate::{
    Answer, AuthenticatedReceipt, BuildKey, Gate, NothingDecided, Receipt, ports::BuildkiteApiError,
};

/// Envelopes of one build taken in at the same time; each may make calls of its own.
const AT_ONCE: usize = 4;

/// The key of the note that makes an event by webhook.
const NOTE: &str = "launchgate:artifact";

impl Gate {
    /// Takes in what the jobs of a finished build left for launchgate.
    ///
    /// # Errors
    /// `NothingDecided` when one of them could not be taken in; the others were all the same.
    pub(crate) async fn take_in_metadata(
        &self,
        webhook: &AuthenticatedReceipt,
        facts: &BuildFacts,
        metadata: &BuildMetadata,
    ) -> Result<Vec<Answer>, NothingDecided> {
        let mut taken: Vec<_> = stream::iter(metadata.envelopes.clone())
            .map(|envelope| self.take_in_envelope(webhook, facts, envelope))
            .buffered(AT_ONCE)
            .collect()
            .await;
        if let Some(note) = metadata.artifact.as_deref()
            && self.config().signers.have_webhook()
        {
            taken.push(self.take_in_note(webhook, facts, note).await);
        }
        if metadata.too_many > 0 {
            taken.push(self.refuse_the_rest(webhook, metadata.too_many).await);
        }
        taken.into_iter().collect()
    }

    async fn take_in_envelope(
        &self,
        webhook: &AuthenticatedReceipt,
        facts: &BuildFacts,
        envelope: MetadataEnvelope,
    ) -> Result<Answer, NothingDecided> {
        let part = part_of(webhook, &envelope.key, envelope.data.into());
        self.take_in(&part, Carrier::Metadata(facts)).await
    }

    /// The event that the build's note of its artifacts makes, for a file that lets the webhook itself speak.
    async fn take_in_note(
        &self,
        webhook: &AuthenticatedReceipt,
        facts: &BuildFacts,
        note: &str,
    ) -> Result<Answer, NothingDecided> {
        let made = NotedEvent::of(facts, note, webhook.receipt().publish_time);
        match made {
            Ok(made) => {
                let part = part_of(webhook, NOTE, made.envelope().to_json().into());
                self.take_in(&part, Carrier::Webhook(made.proof())).await
            }
            Err(refusal) => {
                let part = part_of(webhook, NOTE, note.to_owned().into());
                self.reject_delivery(&part, refusal).await
            }
        }
    }

    /// The meta-data of a finished build whose webhook came without: out of Buildkite's API, if a token lets it.
    /// `None` when there is nothing to be had, which is recorded where events are made of webhooks.
    ///
    /// # Errors
    /// `NothingDecided` when the API may answer later: the webhook comes again.
    pub(crate) async fn fetched(
        &self,
        webhook: &AuthenticatedReceipt,
        facts: &BuildFacts,
    ) -> Result<Option<BuildMetadata>, NothingDecided> {
        if !self.config().may_concern(facts.build()) {
            return Ok(None);
        }
        let no_token =
            "Buildkite's webhook came without the build's meta-data, and no `buildkite.apiTokenEnv` is given";
        let why = match (self.buildkite_api(), BuildKey::of(facts.build())) {
            (Some(api), Some(build)) => match self.ask_about(api, &build).await {
                Ok(BuildTold { facts: answered, metadata: Some(metadata) })
                    if answered.id() == facts.id() && metadata.is_told =>
                {
                    return Ok(Some(metadata));
                }
                Ok(_) => "Buildkite's API shows no meta-data of the finished build either".to_owned(),
                Err(BuildkiteApiError::Later { message, .. }) => {
                    return Err(NothingDecided(format!(
                        "the build's meta-data could not be fetched: {message}"
                    )));
                }
                Err(error) => error.to_string(),
            },
            _ => no_token.to_owned(),
        };
        if self.config().signers.have_webhook() {
            let part = part_of(webhook, NOTE, bytes::Bytes::new());
            self.reject_delivery(&part, Refusal::new(Reason::MetadataAbsent, why)).await?;
        } else {
            tracing::info!(
                build = facts.id(),
                why,
                "events in this build's meta-data, if there are any, are not seen"
            );
        }
        Ok(None)
    }

    async fn refuse_the_rest(
        &self,
        webhook: &AuthenticatedReceipt,
        too_many: usize,
    ) -> Result<Answer, NothingDecided> {
        const MOST: usize = BuildMetadata::MAX_ENVELOPES;
        let message = format!(
            "the build's meta-data holds {} events; the first {MOST} by name were taken in",
            MOST + too_many
        );
        let rest = part_of(webhook, "launchgate:event", bytes::Bytes::new());
        self.reject_delivery(&rest, Refusal::new(Reason::TooManyInMetadata, message)).await
    }
}

/// A delivery of its own for what lay under `key`, as old as the webhook that brought it.
fn part_of(webhook: &AuthenticatedReceipt, key: &str, data: bytes::Bytes) -> AuthenticatedReceipt {
    let whole = webhook.receipt();
    let part = Receipt {
        message_id: format!("{}/{key}", whole.message_id),
        buildkite_signature: None,
        data,
        ..whole.clone()
    };
    AuthenticatedReceipt::new(part, webhook.sender().clone())
}
