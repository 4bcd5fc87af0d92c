//! A Sigstore bundle v0.3 as carrier of a DSSE envelope.
//!
//! Promises: finds the envelope inside a bundle, and refuses what could be read as bundle and as envelope.
//! Does not: look into the verification material (certificates, log entries, timestamps).

use launchgate_outcome::Reason;
use serde_json::{Map, Value};

use crate::EnvelopeError;

/// What every Sigstore bundle's media type begins with; any other `mediaType` is an unknown member.
const SIGSTORE: &str = "application/vnd.dev.sigstore.bundle";

/// The two spellings of v0.3. Source: sigstore/protobuf-specs, `sigstore_bundle.proto`.
const V0_3: [&str; 2] =
    ["application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle+json;version=0.3"];

/// The members of an envelope, and what stood beside it if it came in a bundle.
pub(crate) type Unwrapped = (Map<String, Value>, Option<Value>);

/// The members of the DSSE envelope: those of the bundle's `dsseEnvelope` together with its
/// `verificationMaterial`, or `members` themselves when they are no bundle.
pub(crate) fn unwrap(mut members: Map<String, Value>) -> Result<Unwrapped, EnvelopeError> {
    let Some(media_type) = members.get("mediaType").and_then(Value::as_str) else {
        return Ok((members, None));
    };
    if !media_type.starts_with(SIGSTORE) {
        return Ok((members, None));
    }
    if !V0_3.contains(&media_type) {
        return Err(refuse(format!("expected a Sigstore bundle v0.3 ({}), found `{media_type}`", V0_3[0])));
    }
    if let Some(name) =
        ["payload", "payloadType", "signatures"].iter().find(|name| members.contains_key(**name))
    {
        return Err(refuse(format!("a bundle with `{name}` at its top could be read as two events")));
    }
    let material = members.remove("verificationMaterial");
    match members.remove("dsseEnvelope") {
        Some(Value::Object(envelope)) => match material {
            Some(Value::Object(material)) => Ok((envelope, Some(Value::Object(material)))),
            _ => Err(refuse("expected `verificationMaterial` to be an object".to_owned())),
        },
        None if members.contains_key("messageSignature") => Err(refuse(
            "a bundle with `messageSignature` holds no statement; attest with a DSSE envelope".to_owned(),
        )),
        _ => Err(refuse("expected `dsseEnvelope` to be an object".to_owned())),
    }
}

fn refuse(message: String) -> EnvelopeError {
    EnvelopeError { reason: Reason::BundleShape, message }
}
