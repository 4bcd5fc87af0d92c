//! What `require.artifact` asks to be looked at: where the artifact lies, and what must be found there.
//!
//! Promises: it can be read out of the signed statement alone; what it names cannot become another thing
//! afterwards (a generation, a digest). Does not: look.

use std::fmt;

use launchgate_outcome::{Check, Voucher};
use launchgate_statement::{Artifact, ImageReference, ImageVersion, ObjectAddress, Sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of its rung.
const RUNG: &str = "require.artifact";

/// `require.artifact`, when it asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ArtifactRule {
    /// It is there, and is what the statement says as far as that is seen without reading it.
    Exists,
    /// Every byte of it is read and hashed.
    Content,
}

impl ArtifactRule {
    /// As the file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Content => "content",
        }
    }
}

/// What is to be looked at before a launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactDemand {
    /// How closely.
    pub rule: ArtifactRule,
    /// Where it lies.
    pub place: ArtifactPlace,
    /// The subject's digest: of an object's bytes, or of an image's manifest.
    pub sha256: Sha256,
    /// `waitFor.artifact`: for how long it may stay unanswered, in seconds from the decision.
    pub wait_seconds: u64,
}

/// Where an artifact lies, so that it cannot be another one tomorrow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ArtifactPlace {
    /// An object in Cloud Storage.
    Object(PinnedObject),
    /// An image in a registry, by the digest of its manifest.
    Image {
        /// `HOST` or `HOST:PORT`.
        host: String,
        /// The repository's path.
        repository: String,
    },
}

/// One generation of an object, and what the statement says of it; what it leaves out is not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedObject {
    /// The bucket.
    pub bucket: String,
    /// The object's name.
    pub object: String,
    /// The generation.
    pub generation: u64,
    /// `annotations.crc32c`, as Cloud Storage writes it: base64 of four bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<String>,
    /// `annotations.size` in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl ArtifactDemand {
    /// What a rule asks of an artifact; the error is the sentence that says why it cannot be looked at.
    pub(crate) fn of(artifact: &Artifact, rule: ArtifactRule, wait_seconds: u64) -> Result<Self, String> {
        let place = ArtifactPlace::of(artifact)?;
        Ok(Self { rule, place, sha256: artifact.sha256, wait_seconds })
    }

    /// The rung of an artifact that nobody has looked at.
    pub fn not_looked_at(&self) -> Check {
        Check::skipped(RUNG)
            .expected(self.to_string())
            .detail("it is looked at where it lies right before the launch")
    }

    /// The rung of an artifact that is what was asked for.
    pub fn met(&self, actual: impl Into<String>) -> Check {
        Check::passed(RUNG).expected(self.to_string()).actual(actual).voucher(Voucher::SignersWord)
    }

    /// The rung of one that is not.
    pub fn unmet(&self, actual: impl Into<String>) -> Check {
        Check::failed(RUNG).expected(self.to_string()).actual(actual).voucher(Voucher::SignersWord)
    }

    /// A ladder with this rung in its place.
    pub fn in_ladder(rung: Check, mut checks: Vec<Check>) -> Vec<Check> {
        match checks.iter_mut().find(|check| check.name == rung.name) {
            Some(place) => *place = rung,
            None => checks.push(rung),
        }
        checks
    }
}

/// The rung of an artifact that cannot be looked at.
pub(crate) fn not_checkable(rule: ArtifactRule, artifact: &Artifact) -> Check {
    let actual = artifact.uri.as_deref().unwrap_or("no uri").to_owned();
    Check::failed(RUNG).expected(rule.as_str()).actual(actual).voucher(Voucher::SignersWord)
}

impl fmt::Display for ArtifactDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.rule.as_str())?;
        match &self.place {
            ArtifactPlace::Object(object) => {
                write!(f, "{object}")?;
                if let Some(crc32c) = &object.crc32c {
                    write!(f, ", crc32c {crc32c}")?;
                }
                if let Some(size) = object.size {
                    write!(f, ", {size} bytes")?;
                }
                match self.rule {
                    ArtifactRule::Exists => Ok(()),
                    ArtifactRule::Content => write!(f, ", sha256 {}", self.sha256),
                }
            }
            ArtifactPlace::Image { host, repository } => {
                write!(f, "{host}/{repository}@sha256:{}", self.sha256)
            }
        }
    }
}

impl fmt::Display for PinnedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}#{}", self.bucket, self.object, self.generation)
    }
}

impl ArtifactPlace {
    fn of(artifact: &Artifact) -> Result<Self, String> {
        let Some(uri) = &artifact.uri else {
            return Err(
                "the artifact has no uri, so there is nowhere to look; emit it as gs://BUCKET/OBJECT or \
                        HOST/REPOSITORY:TAG"
                    .to_owned(),
            );
        };
        if uri.starts_with("gs://") {
            return PinnedObject::of(uri, artifact).map(Self::Object);
        }
        let reference = ImageReference::parse(uri).map_err(|problem| {
            format!(
                "the uri `{uri}` is neither gs://BUCKET/OBJECT#GENERATION nor HOST/REPOSITORY@sha256:DIGEST ({problem})"
            )
        })?;
        match reference.wanted {
            // That the digest is the subject's own was read with the statement.
            ImageVersion::Digest(_) => {
                Ok(Self::Image { host: reference.host, repository: reference.repository })
            }
            ImageVersion::Tag(tag) => Err(format!(
                "the uri `{uri}` names the tag `{tag}`, which may be another image tomorrow; emit it by digest, \
                 as `launchgate emit` does"
            )),
        }
    }
}

impl PinnedObject {
    fn of(uri: &str, artifact: &Artifact) -> Result<Self, String> {
        let address = ObjectAddress::parse(uri)
            .map_err(|problem| format!("the uri `{uri}` is not gs://BUCKET/OBJECT#GENERATION ({problem})"))?;
        let number = |name: &str| number(artifact, name);
        let generation = match (address.generation, number("generation")?) {
            (Some(named), Some(said)) if named != said => {
                return Err(format!(
                    "the uri names generation {named} and `annotations.generation` says {said}"
                ));
            }
            (Some(generation), _) | (None, Some(generation)) => generation,
            (None, None) => {
                return Err(format!(
                    "the uri `{uri}` names no generation, so the object may be another one tomorrow; emit it with \
                     its generation, as `launchgate emit` does"
                ));
            }
        };
        let crc32c = match artifact.annotations.get("crc32c") {
            None | Some(Value::Null) => None,
            // Four bytes in base64 are eight characters, the last two of them padding.
            Some(Value::String(text)) if text.len() == 8 && text.ends_with("==") => Some(text.clone()),
            Some(other) => {
                return Err(format!("`annotations.crc32c` is {other}, expected base64 of four bytes"));
            }
        };
        let size = number("size")?;
        Ok(Self { bucket: address.bucket, object: address.object, generation, crc32c, size })
    }
}

/// An annotation that is a number, or a number written as text: 64 bits are more than some readers hold.
fn number(artifact: &Artifact, name: &str) -> Result<Option<u64>, String> {
    let read = match artifact.annotations.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        Some(_) => None,
    };
    let read = read.ok_or_else(|| {
        format!("`annotations.{name}` is {}, expected a whole number", artifact.annotations[name])
    });
    read.map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn artifact(uri: Option<&str>, annotations: Value) -> Artifact {
        Artifact {
            name: "model".to_owned(),
            sha256: Sha256::of(b"model"),
            uri: uri.map(str::to_owned),
            media_type: None,
            annotations: serde_json::from_value(annotations).unwrap(),
        }
    }

    fn demand(uri: &str, annotations: Value) -> Result<String, String> {
        ArtifactDemand::of(&artifact(Some(uri), annotations), ArtifactRule::Exists, 60)
            .map(|demand| demand.to_string())
    }

    #[test]
    fn what_the_statement_says_of_an_object_is_asked_for_and_nothing_else() {
        for (uri, annotations, asked) in [
            ("gs://b/a/o#17", json!({}), "exists: gs://b/a/o#17"),
            ("gs://b/o", json!({"generation": "17"}), "exists: gs://b/o#17"),
            ("gs://b/o#17", json!({"generation": 17, "size": null}), "exists: gs://b/o#17"),
            (
                "gs://b/o#17",
                json!({"crc32c": "AAAAAA==", "size": 9}),
                "exists: gs://b/o#17, crc32c AAAAAA==, 9 bytes",
            ),
        ] {
            assert_eq!(demand(uri, annotations).unwrap(), asked);
        }
    }

    #[test]
    fn an_image_is_asked_for_by_the_subjects_digest() {
        let digest = Sha256::of(b"model");
        let uri = format!("us-docker.pkg.dev/acme/ml/train:v1@sha256:{digest}");

        assert_eq!(
            demand(&uri, json!({})).unwrap(),
            format!("exists: us-docker.pkg.dev/acme/ml/train@sha256:{digest}")
        );
    }

    #[test]
    fn what_may_be_another_thing_tomorrow_cannot_be_looked_at() {
        for (uri, annotations, said) in [
            ("gs://b/o", json!({}), "emit it with its generation"),
            ("gs://b/o", json!({"generation": "latest"}), "expected a whole number"),
            ("gs://b/o#17", json!({"generation": 18}), "names generation 17"),
            ("gs://b/o#17", json!({"size": "9 MB"}), "annotations.size"),
            ("gs://b/o#17", json!({"size": -9}), "annotations.size"),
            ("gs://b/o#17", json!({"crc32c": 7}), "annotations.crc32c"),
            ("gs://b", json!({}), "names no object"),
            ("us-docker.pkg.dev/acme/ml/train:v1", json!({}), "the tag `v1`"),
            ("us-docker.pkg.dev/acme/ml/train", json!({}), "the tag `latest`"),
            ("s3://b/o", json!({}), "neither gs://"),
            ("https://example.com/model.bin", json!({}), "neither gs://"),
        ] {
            let error = demand(uri, annotations).unwrap_err();
            assert!(error.contains(said), "{uri}: {error}");
        }
        let error = ArtifactDemand::of(&artifact(None, json!({})), ArtifactRule::Content, 60).unwrap_err();
        assert!(error.contains("has no uri"), "{error}");
    }
}
