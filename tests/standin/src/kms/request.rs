//! What is asked to be signed, read as strictly as Google's JSON binding reads it.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde_json::{Map, Value};

use crate::google_error::GoogleError;

/// An `AsymmetricSignRequest`, as strict as Google's JSON binding.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The member of the oneof and its bytes.
    digest: Option<(String, Vec<u8>)>,
    pub(super) digest_crc32c: Option<u32>,
    has_data: bool,
}

impl Request {
    pub(super) fn read(body: &[u8]) -> Result<Self, GoogleError> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|_| GoogleError::bad_request("", "Invalid JSON payload received. Unexpected token."))?;
        let Value::Object(members) = body else {
            let text = "Invalid JSON payload received. Unknown name \"\": Root element must be a message.";
            return Err(GoogleError::bad_request("", text));
        };
        let mut request = Self::default();
        for (name, value) in &members {
            match name.as_str() {
                "digest" => request.digest = read_digest(value)?,
                "digestCrc32c" | "digest_crc32c" => request.digest_crc32c = Some(read_int64(name, value)?),
                "data" => request.has_data = true,
                "dataCrc32c" | "data_crc32c" => drop(read_int64(name, value)?),
                unknown => return Err(unknown_name("", unknown)),
            }
        }
        Ok(request)
    }

    /// The digest, if it is of the kind that the algorithm signs.
    pub(super) fn digest_for(&self, algorithm: &str) -> Result<&[u8], GoogleError> {
        let wanted = match algorithm.rsplit_once("_SHA") {
            Some((_, "256")) if algorithm.contains("_SIGN_") => "sha256",
            Some((_, "384")) if algorithm.contains("_SIGN_") => "sha384",
            Some((_, "512")) if algorithm.contains("_SIGN_") => "sha512",
            _ if algorithm == "EC_SIGN_ED25519" || algorithm.starts_with("RSA_SIGN_RAW") => {
                return Err(GoogleError::invalid(&format!("Keys of {algorithm} sign data, not a digest.")));
            }
            _ => return Err(GoogleError::invalid(&format!("Keys of {algorithm} do not sign."))),
        };
        match &self.digest {
            _ if self.has_data => Err(GoogleError::invalid("Only one of data and digest may be given.")),
            Some((kind, bytes)) if kind == wanted && bytes.len() == length_of(wanted) => Ok(bytes),
            Some((kind, bytes)) => Err(GoogleError::invalid(&format!(
                "A key of {algorithm} signs a {wanted} digest of {} bytes; found {kind} of {} bytes.",
                length_of(wanted),
                bytes.len()
            ))),
            None => Err(GoogleError::invalid("Required field digest is missing.")),
        }
    }
}

fn read_digest(value: &Value) -> Result<Option<(String, Vec<u8>)>, GoogleError> {
    let Value::Object(kinds) = value else {
        let text =
            format!("Invalid value at 'digest' (type.googleapis.com/google.cloud.kms.v1.Digest), {value}");
        return Err(GoogleError::bad_request("digest", &text));
    };
    known_kinds(kinds)?;
    let mut found = None;
    for (kind, value) in kinds {
        if found.is_some() {
            let text = format!(
                "Invalid value at 'digest' (oneof), oneof field 'digest' is already set. Cannot set '{kind}'"
            );
            return Err(GoogleError::bad_request("digest", &text));
        }
        let bytes =
            value.as_str().and_then(|text| STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok());
        let Some(bytes) = bytes else {
            let text =
                format!("Invalid value at 'digest.{kind}' (TYPE_BYTES), Base64 decoding failed for {value}");
            return Err(GoogleError::bad_request(&format!("digest.{kind}"), &text));
        };
        found = Some((kind.clone(), bytes));
    }
    Ok(found)
}

fn known_kinds(kinds: &Map<String, Value>) -> Result<(), GoogleError> {
    match kinds.keys().find(|kind| !["sha256", "sha384", "sha512"].contains(&kind.as_str())) {
        Some(unknown) => Err(unknown_name("digest", unknown)),
        None => Ok(()),
    }
}

/// An `Int64Value`: a text or a number in JSON. A checksum that no u32 holds matches nothing.
fn read_int64(name: &str, value: &Value) -> Result<u32, GoogleError> {
    let number = match value {
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    };
    let number = number.ok_or_else(|| {
        let text =
            format!("Invalid value at '{name}' (type.googleapis.com/google.protobuf.Int64Value), {value}");
        GoogleError::bad_request(name, &text)
    })?;
    u32::try_from(number).map_err(|_| GoogleError::invalid(&format!("{name} is no CRC32C checksum.")))
}

fn unknown_name(place: &str, name: &str) -> GoogleError {
    let at = if place.is_empty() { String::new() } else { format!(" at '{place}'") };
    GoogleError::bad_request(
        place,
        &format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."),
    )
}

fn length_of(kind: &str) -> usize {
    match kind {
        "sha256" => 32,
        "sha384" => 48,
        _ => 64,
    }
}
