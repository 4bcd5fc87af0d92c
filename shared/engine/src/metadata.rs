//! Events out of the meta-data of a build that has finished.
//!
//! Promises: each is taken in like a delivery of its own, whatever the others come to; the webhook is answered
//! only when every one has its recorded outcome, so a crash in between loses none: what was admitted before it is
//! a duplicate when the webhook comes again. Does not: believe who wrote there.

use futures_util::{StreamExt, stream};
use launchgate_outcome::{Reason, Refusal};
use launchgate_trust::{BuildFacts, BuildMetadata, Carrier, MetadataEnvelope};

use crate::{Answer, AuthenticatedReceipt, Gate, NothingDecided, Receipt};

/// Envelopes of one build taken in at the same time; each may make calls of its own.
const AT_ONCE: usize = 4;

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
