//! One subject of a statement: the artifact and where it lies.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Sha256;

/// An in-toto ResourceDescriptor as launchgate uses it. Every signer kind binds all of it.
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
}
