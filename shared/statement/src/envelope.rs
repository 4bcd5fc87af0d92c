//! The DSSE envelope.

use crate::{EnvelopeError, EventDigest};

/// A DSSE envelope whose texts are decoded and whose JSON is unambiguous. Nothing in it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is; signed together with it.
    pub payload_type: String,
    /// The decoded payload.
    pub payload: Vec<u8>,
    /// The payload's base64 text as it stood: what the official plugin signs by mistake.
    pub payload_text: String,
    /// At most 32.
    pub signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// A hint only; never decides anything.
    pub keyid: Option<String>,
    /// The decoded signature.
    pub sig: Vec<u8>,
}

impl Envelope {
    /// Bytes an envelope or bundle may have. Pub/Sub allows 10 MB; what strangers may make us parse,
    /// hash and store is bounded far below it.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Reads a DSSE envelope, or a Sigstore bundle v0.3 that holds one (its certificate is not looked at
    /// here). Unknown members are ignored, as DSSE readers do.
    ///
    /// # Errors
    /// Every error is `rejected_malformed` with its reason: `too_large`, `not_json`, `duplicate_member`,
    /// `too_deep`, `envelope_shape`, `bundle_shape`, `base64`, `too_many_signatures`.
    pub fn parse(data: &[u8]) -> Result<Self, EnvelopeError> {
        let _ = data;
        unimplemented!("envelope")
    }

    /// The digest that names the event.
    pub fn event_digest(&self) -> EventDigest {
        EventDigest::of(&self.payload_type, &self.payload)
    }

    /// The envelope as JSON, standard base64.
    pub fn to_json(&self) -> String {
        unimplemented!("envelope")
    }
}
