//! The DSSE envelope.

use launchgate_outcome::Reason;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::strict_json::kind;
use crate::{EnvelopeError, EventDigest, JsonError, base64_text, bundle, parse_object};

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
    /// The `verificationMaterial` of the Sigstore bundle that it came in, as it stood.
    pub verification_material: Option<Value>,
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

    /// Signatures an envelope may have: each may cost one verification for each configured key.
    pub const MAX_SIGNATURES: usize = 32;

    /// Levels of JSON in an envelope, bundle or statement.
    pub(crate) const MAX_DEPTH: usize = 64;

    /// Reads a DSSE envelope, or a Sigstore bundle v0.3 that holds one (whose verification material is
    /// kept, not looked at). Unknown members are ignored, as DSSE readers do.
    ///
    /// # Errors
    /// Every error is `rejected_malformed` with its reason: `too_large`, `not_json`, `duplicate_member`,
    /// `too_deep`, `envelope_shape`, `bundle_shape`, `base64`, `too_many_signatures`.
    pub fn parse(data: &[u8]) -> Result<Self, EnvelopeError> {
        if data.len() > Self::MAX_BYTES {
            let message = format!("expected at most {} bytes, found {}", Self::MAX_BYTES, data.len());
            return Err(EnvelopeError { reason: Reason::TooLarge, message });
        }
        let (mut members, verification_material) = bundle::unwrap(parse_object(data, Self::MAX_DEPTH)?)?;

        let payload_text = text(&mut members, "payload", "payload")?;
        let payload_type = text(&mut members, "payloadType", "payloadType")?;
        let signatures = match members.remove("signatures") {
            Some(Value::Array(signatures)) => signatures,
            found => return Err(shape("signatures", "an array", found.as_ref())),
        };
        if signatures.len() > Self::MAX_SIGNATURES {
            let message =
                format!("expected at most {} signatures, found {}", Self::MAX_SIGNATURES, signatures.len());
            return Err(EnvelopeError { reason: Reason::TooManySignatures, message });
        }
        let signatures =
            signatures.into_iter().enumerate().map(|(index, value)| Signature::read(value, index));
        let signatures = signatures.collect::<Result<_, _>>()?;
        let payload = base64(&payload_text, "payload")?;
        Ok(Self { payload_type, payload, payload_text, signatures, verification_material })
    }

    /// An envelope around `payload`, not signed yet.
    pub fn unsigned(payload_type: impl Into<String>, payload: Vec<u8>) -> Self {
        let payload_text = base64_text::encode(&payload);
        Self {
            payload_type: payload_type.into(),
            payload,
            payload_text,
            signatures: Vec::new(),
            verification_material: None,
        }
    }

    /// The digest that names the event.
    pub fn event_digest(&self) -> EventDigest {
        EventDigest::of(&self.payload_type, &self.payload)
    }

    /// The envelope alone as JSON, standard base64; without the bundle it may have come in.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown<'a> {
            payload: String,
            payload_type: &'a str,
            signatures: Vec<ShownSignature<'a>>,
        }
        #[derive(Serialize)]
        struct ShownSignature<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            keyid: Option<&'a str>,
            sig: String,
        }
        let signatures = self.signatures.iter();
        let signatures = signatures
            .map(|one| ShownSignature { keyid: one.keyid.as_deref(), sig: base64_text::encode(&one.sig) })
            .collect();
        let payload = base64_text::encode(&self.payload);
        serde_json::to_string(&Shown { payload, payload_type: &self.payload_type, signatures })
            .expect("strings and lists always have a JSON form")
    }
}

impl Signature {
    fn read(value: Value, index: usize) -> Result<Self, EnvelopeError> {
        let place = |name: &str| format!("signatures[{index}].{name}");
        let mut members = match value {
            Value::Object(members) => members,
            other => return Err(shape(&format!("signatures[{index}]"), "an object", Some(&other))),
        };
        let sig = base64(&text(&mut members, "sig", &place("sig"))?, &place("sig"))?;
        let keyid = match members.remove("keyid") {
            None | Some(Value::Null) => None,
            Some(Value::String(keyid)) => Some(keyid),
            found => return Err(shape(&place("keyid"), "a string", found.as_ref())),
        };
        Ok(Self { keyid, sig })
    }
}

fn text(members: &mut Map<String, Value>, name: &str, place: &str) -> Result<String, EnvelopeError> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        found => Err(shape(place, "a string", found.as_ref())),
    }
}

fn base64(text: &str, place: &str) -> Result<Vec<u8>, EnvelopeError> {
    base64_text::decode(text)
        .map_err(|error| EnvelopeError { reason: Reason::Base64, message: format!("`{place}`: {error}") })
}

fn shape(place: &str, expected: &str, found: Option<&Value>) -> EnvelopeError {
    let found = found.map_or("nothing", kind);
    let message = format!("expected `{place}` to be {expected}, found {found}");
    EnvelopeError { reason: Reason::EnvelopeShape, message }
}

impl From<JsonError> for EnvelopeError {
    fn from(error: JsonError) -> Self {
        let reason = match error {
            JsonError::DuplicateMember { .. } => Reason::DuplicateMember,
            JsonError::TooDeep { .. } => Reason::TooDeep,
            JsonError::Syntax(_) | JsonError::IntegerTooLarge { .. } | JsonError::NotAnObject { .. } => {
                Reason::NotJson
            }
        };
        Self { reason, message: error.to_string() }
    }
}
