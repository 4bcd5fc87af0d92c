//! One inbound delivery.

use bytes::Bytes;
use launchgate_outcome::Refusal;
use launchgate_statement::Timestamp;
use launchgate_trust::AuthenticatedSender;

/// One delivery by Pub/Sub, unwrapped from whichever form it came in. Nothing in it is proven.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Pub/Sub's message id; names the delivery in logs.
    pub message_id: String,
    /// When Pub/Sub took the message in: the only clock that neither job nor relay can set.
    pub publish_time: Timestamp,
    /// Full subscription name, when the delivery says it.
    pub subscription: Option<String>,
    /// Pub/Sub's count of delivery attempts, when it says it.
    pub delivery_attempt: Option<u32>,
    /// W3C `traceparent`, from the attributes.
    pub traceparent: Option<String>,
    /// Buildkite's signature header, from the attribute `buildkite-signature`; proves something only together
    /// with the data.
    pub buildkite_signature: Option<String>,
    /// The message's data.
    pub data: Bytes,
}

/// A delivery whose sender is proven. The only thing the gate takes in.
#[derive(Clone, Debug)]
pub struct AuthenticatedReceipt {
    receipt: Receipt,
    sender: AuthenticatedSender,
}

impl AuthenticatedReceipt {
    /// Joins a delivery with the proof of who sent it.
    pub fn new(receipt: Receipt, sender: AuthenticatedSender) -> Self {
        Self { receipt, sender }
    }

    /// The delivery.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Who sent it.
    pub fn sender(&self) -> &AuthenticatedSender {
        &self.sender
    }
}

/// A request by a proven sender that is no delivery: stored as rejected, never looked at again.
#[derive(Clone, Debug)]
pub struct UnreadableDelivery {
    /// Who sent it.
    pub sender: AuthenticatedSender,
    /// Pub/Sub's message id, when that much could be read.
    pub message_id: Option<String>,
    /// Its body, or the start of it.
    pub body: Bytes,
    /// What is wrong with it.
    pub refusal: Refusal,
}
