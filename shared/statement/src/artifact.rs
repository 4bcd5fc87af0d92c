//! One subject of a statement: the artifact and where it lies.

use launchgate_outcome::Reason;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::members::{Members, excerpt, shape};
use crate::{Sha256, StatementError};

/// An in-toto `ResourceDescriptor` as launchgate uses it. Every signer kind binds all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// The subject's name, not empty.
    pub name: String,
    /// The subject's SHA-256.
    pub sha256: Sha256,
    /// Where it lies: `HOST/REPOSITORY@sha256:…`, `gs://BUCKET/OBJECT#GENERATION`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// IANA or OCI media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Extra facts that ride in the signed subject; `kind`, `generation`, `crc32c`, `size`, …
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String, Value>,
}

impl Artifact {
    /// `sha256:…`, as OCI writes digests.
    pub fn digest(&self) -> String {
        format!("sha256:{}", self.sha256)
    }

    /// `annotations.kind` when it is text: `container`, `model`, `file`, …
    pub fn kind(&self) -> Option<&str> {
        self.annotations.get("kind").and_then(Value::as_str)
    }

    /// Reads the subject at `index`.
    pub(crate) fn read(subject: Value, index: usize) -> Result<Self, StatementError> {
        let place = format!("subject[{index}]");
        let Value::Object(mut subject) = subject else {
            return Err(shape(format!("expected `{place}` to be an object")));
        };
        let annotations = match subject.remove("annotations") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(annotations)) => annotations,
            Some(_) => return Err(shape(format!("expected `{place}.annotations` to be an object"))),
        };
        let members = Members::of(&place, &subject);
        let name = members.text("name")?.to_owned();
        let digest = members.object("digest")?;
        let sha256 = match digest.value("sha256") {
            Some(Value::String(text)) => Sha256::from_hex(text),
            _ => None,
        };
        let Some(sha256) = sha256 else {
            let message = digest.shape("sha256", "64 lower-case hex digits").message;
            return Err(StatementError { reason: Reason::SubjectDigest, message });
        };
        let uri = members.optional_text("uri")?.map(str::to_owned);
        if let Some(uri) = &uri
            && let Some(other) = other_digest(uri, sha256)
        {
            let message =
                format!("`{place}.uri` says sha256 `{}`, but `{place}.digest` says {sha256}", excerpt(other));
            return Err(StatementError { reason: Reason::SubjectDigest, message });
        }
        let media_type = members.optional_text("mediaType")?.map(str::to_owned);
        Ok(Self { name, sha256, uri, media_type, annotations })
    }
}

/// The first `sha256:…` inside `uri` (also written `sha256%3A…`) that is not `digest`.
///
/// Registries fetch what the uri says while triggers and labels read the digest set: if the two could
/// differ, what was matched would not be what is run.
fn other_digest(uri: &str, digest: Sha256) -> Option<&str> {
    const ALGORITHM: &[u8] = b"sha256";
    let hex = digest.to_hex();
    let windows = uri.as_bytes().windows(ALGORITHM.len()).enumerate();
    windows.filter(|(_, window)| window.eq_ignore_ascii_case(ALGORITHM)).find_map(|(at, _)| {
        let rest = &uri[at + ALGORITHM.len()..];
        let value = rest.strip_prefix(':').or_else(|| {
            let escaped = rest.get(..3).filter(|escaped| escaped.eq_ignore_ascii_case("%3a"));
            escaped.map(|_| &rest[3..])
        })?;
        let end = value.find(|c: char| !c.is_alphanumeric()).unwrap_or(value.len());
        (value[..end] != hex).then_some(&value[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_inside_the_uri_is_the_subjects_own() {
        let digest = Sha256::of(b"x");
        let other = Sha256::of(b"y");
        for uri in [
            format!("host/repo@sha256:{digest}"),
            format!("host/repo:tag@sha256:{digest}"),
            format!("oci://host/repo@sha256:{digest}?a=b"),
            format!("pkg:oci/repo@sha256%3A{digest}?tag=1"),
            "host/sha256/repo:latest".to_owned(),
            "gs://bucket/object#17".to_owned(),
        ] {
            assert_eq!(other_digest(&uri, digest), None, "{uri}");
        }
        for uri in [
            format!("host/repo@sha256:{other}"),
            format!("host/repo@SHA256:{other}"),
            format!("host/repo@sha256:{}", digest.to_hex().to_uppercase()),
            format!("host/repo@sha256:{digest}0"),
            format!("host/repo@sha256:{}", &digest.to_hex()[..63]),
            "host/repo@sha256:".to_owned(),
            format!("pkg:oci/repo@sha256%3a{other}"),
            format!("host/repo@sha256:{digest}@sha256:{other}"),
        ] {
            assert!(other_digest(&uri, digest).is_some(), "{uri}");
        }
    }
}
