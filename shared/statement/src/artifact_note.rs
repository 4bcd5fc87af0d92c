//! What a build says of its artifacts in its meta-data, and the statement that is made of it.
//!
//! Promises: the same artifacts of the same build give the same bytes, hence the same event id, in whatever order
//! and spelling they were noted; each lies at an address whose content never changes. Does not: believe any of it.
//! Source: DESIGN §3, "buildkiteWebhook"; RFC 8785.

use launchgate_outcome::Reason;
use serde_json::{Map, Value, json};

use crate::invocation::PipelineUrl;
use crate::members::{Members, excerpt};
use crate::{
    Artifact, BUILD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, Sha256, Statement, StatementError, parse_object,
};

/// The builder id of statements that launchgate makes of a webhook; no tool ran on the agent.
pub const WEBHOOK_BUILDER_ID: &str = "urn:launchgate:webhook:v1";

/// Members of one noted artifact.
const MEMBERS: [&str; 5] = ["name", "uri", "sha256", "mediaType", "annotations"];

/// Levels of JSON in a note: a list of objects with annotations.
const DEPTH: usize = 16;

/// Whole numbers that every JSON reader reads alike. Source: RFC 8785 §3.2.2.3, RFC 7493 §2.2.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The value of `launchgate:artifact`: one object or a list of at most 32, with the members `name`, `uri`, `sha256`
/// and, when they are needed, `mediaType` and `annotations`.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtifactNote {
    /// By name, then digest.
    artifacts: Vec<Artifact>,
}

/// The build that a note is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotedBuild<'a> {
    /// Organization slug.
    pub organization: &'a str,
    /// Pipeline slug.
    pub pipeline: &'a str,
    /// Build number.
    pub number: u64,
    /// The build's id.
    pub id: &'a str,
}

impl ArtifactNote {
    /// Reads a note.
    ///
    /// # Errors
    /// `rejected_statement / artifact_note`, with what stands where it should not.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        // A list is no object, so it is read as a member of one; whatever else the text brings in is refused.
        let wrapped = format!("{{\"note\":{text}}}");
        let mut wrapped = parse_object(wrapped.as_bytes(), DEPTH).map_err(wrong)?;
        let note = wrapped.remove("note").filter(|_| wrapped.is_empty());
        let noted = match note {
            Some(Value::Array(list)) => list,
            Some(object @ Value::Object(_)) => vec![object],
            _ => return Err(wrong("expected one object or a list of them")),
        };
        if !(1..=Statement::MAX_ARTIFACTS).contains(&noted.len()) {
            let most = Statement::MAX_ARTIFACTS;
            return Err(wrong(format!("expected 1 to {most} artifacts, found {}", noted.len())));
        }
        let artifacts = noted.iter().enumerate().map(|(index, value)| artifact(value, index));
        let mut artifacts = artifacts.collect::<Result<Vec<_>, _>>()?;
        artifacts.sort_by(|one, other| {
            (&one.name, one.sha256.as_bytes()).cmp(&(&other.name, other.sha256.as_bytes()))
        });
        Ok(Self { artifacts })
    }

    /// The statement that these artifacts are of this build, as canonical JSON. It holds no clock and nothing that
    /// may change of a build (its state, the commit that `HEAD` came to): that is for build facts to say.
    ///
    /// # Errors
    /// Whatever `Statement::parse` says of the result: a digest in a `uri` that is another, an artifact twice.
    pub fn to_statement(&self, build: NotedBuild<'_>) -> Result<Vec<u8>, StatementError> {
        let page = PipelineUrl::text(build.organization, build.pipeline);
        let statement = json!({
            "_type": STATEMENT_TYPE,
            "subject": self.artifacts.iter().map(subject).collect::<Vec<_>>(),
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {"pipeline": page},
                    "internalParameters": {
                        "buildkite": {"build_id": build.id, "build_number": build.number.to_string()},
                    },
                },
                "runDetails": {
                    "builder": {"id": WEBHOOK_BUILDER_ID},
                    "metadata": {"invocationId": format!("{page}/builds/{}", build.number)},
                },
            },
        });
        let bytes = serde_json_canonicalizer::to_vec(&statement).map_err(wrong)?;
        Statement::parse(&bytes)?;
        Ok(bytes)
    }
}

fn artifact(value: &Value, index: usize) -> Result<Artifact, StatementError> {
    let place = format!("artifact {}", index + 1);
    let Value::Object(map) = value else { return Err(wrong(format!("expected {place} to be an object"))) };
    if let Some(unknown) = map.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        let message = format!("{place} has `{}`; it may have {}", excerpt(unknown), MEMBERS.join(", "));
        return Err(wrong(message));
    }
    let members = Members::of(&place, map);
    let text = |name: &str| members.text(name).map_err(|error| wrong(error.message));
    let (name, uri, sha256) = (text("name")?, text("uri")?, text("sha256")?);
    let sha256 = Sha256::from_hex(sha256)
        .ok_or_else(|| wrong(format!("expected {place} to have `sha256` of 64 lower-case hex digits")))?;
    if !is_immutable(uri, sha256) {
        let message = format!(
            "expected {place} to have a `uri` that names its content for good, REGISTRY/IMAGE@sha256:DIGEST or \
             gs://BUCKET/OBJECT#GENERATION, found `{}`",
            excerpt(uri)
        );
        return Err(wrong(message));
    }
    let annotations = match map.get("annotations") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(annotations)) if annotations.values().all(is_portable) => annotations.clone(),
        Some(Value::Object(_)) => {
            return Err(wrong(format!(
                "{place} has a number that not every reader reads alike: write it as text"
            )));
        }
        Some(_) => return Err(wrong(format!("expected `annotations` of {place} to be an object"))),
    };
    let media_type = members.optional_text("mediaType").map_err(|error| wrong(error.message))?;
    Ok(Artifact {
        name: name.to_owned(),
        sha256,
        uri: Some(uri.to_owned()),
        media_type: media_type.map(str::to_owned),
        annotations,
    })
}

/// Whether the address names one content for good: an image by this very digest, an object by its generation.
fn is_immutable(uri: &str, sha256: Sha256) -> bool {
    if let Some(object) = uri.strip_prefix("gs://") {
        let generation = object.rsplit_once('#').map(|(_, generation)| generation);
        return generation.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()));
    }
    uri.rsplit_once('@').is_some_and(|(_, digest)| digest == format!("sha256:{sha256}"))
}

/// Whether two readers read the same value: whole numbers beyond 2⁵³ are rounded by some.
fn is_portable(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.as_u64().or(number.as_i64().map(i64::unsigned_abs)).is_none_or(|it| it <= SAFE_INTEGER)
        }
        Value::Array(list) => list.iter().all(is_portable),
        Value::Object(members) => members.values().all(is_portable),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn subject(artifact: &Artifact) -> Value {
    let mut subject = json!({
        "name": artifact.name, "digest": {"sha256": artifact.sha256}, "uri": artifact.uri,
    });
    if let Some(media_type) = &artifact.media_type {
        subject["mediaType"] = media_type.as_str().into();
    }
    if !artifact.annotations.is_empty() {
        subject["annotations"] = Value::Object(artifact.annotations.clone());
    }
    subject
}

fn wrong(message: impl std::fmt::Display) -> StatementError {
    StatementError { reason: Reason::ArtifactNote, message: format!("`launchgate:artifact`: {message}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const BUILD: NotedBuild<'static> =
        NotedBuild { organization: "acme", pipeline: "fraud-train", number: 7, id: "b-1" };

    fn noted(text: &str) -> Result<Vec<u8>, StatementError> {
        ArtifactNote::parse(text)?.to_statement(BUILD)
    }

    fn image(name: &str, seed: &[u8]) -> Value {
        let sha256 = Sha256::of(seed);
        json!({"name": name, "sha256": sha256, "uri": format!("us-docker.pkg.dev/acme/ml/{name}@sha256:{sha256}")})
    }

    fn bent(member: &str, value: Value) -> String {
        let mut image = image("a", b"a");
        image[member] = value;
        image.to_string()
    }

    #[test]
    fn the_same_artifacts_give_the_same_bytes_in_whatever_order_and_spelling() {
        let (a, b) = (image("a", b"a"), image("b", b"b"));
        let one = noted(&json!([a, b]).to_string()).unwrap();
        let spelled = serde_json::to_string_pretty(&json!([b, a])).unwrap().replace("\"a\"", "\"\\u0061\"");

        assert_eq!(one, noted(&spelled).unwrap());
        assert_ne!(one, noted(&json!([a]).to_string()).unwrap());
    }

    #[test]
    fn the_statement_is_canonical_json_without_a_clock_of_the_build_alone() {
        let sha256 = Sha256::of(b"m");
        let note = json!({
            "name": "m", "sha256": sha256, "uri": "gs://acme-models/m#17", "mediaType": "x/y",
            "annotations": {"z": 1.5, "dataset": "2026-11", "é": [1, true, null]},
        });

        let bytes = noted(&note.to_string()).unwrap();

        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"buildDefinition":{{"buildType":"https://buildkite.github.io/slsa-buildtypes/job/v1","externalParameters":{{"pipeline":"https://buildkite.com/acme/fraud-train"}},"internalParameters":{{"buildkite":{{"build_id":"b-1","build_number":"7"}}}}}},"runDetails":{{"builder":{{"id":"urn:launchgate:webhook:v1"}},"metadata":{{"invocationId":"https://buildkite.com/acme/fraud-train/builds/7"}}}}}},"predicateType":"https://slsa.dev/provenance/v1","subject":[{{"annotations":{{"dataset":"2026-11","z":1.5,"é":[1,true,null]}},"digest":{{"sha256":"{sha256}"}},"mediaType":"x/y","name":"m","uri":"gs://acme-models/m#17"}}]}}"#
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn one_object_is_a_list_of_one() {
        assert_eq!(noted(&image("a", b"a").to_string()), noted(&json!([image("a", b"a")]).to_string()));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let many = vec![image("a", b"a"); 33];
        for text in [
            String::new(),
            "x".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            "[1]".to_owned(),
            format!("{}, \"more\": 1", image("a", b"a")),
            format!("{}}}", image("a", b"a")),
            json!(many).to_string(),
            bent("template", json!("gs://evil/template.yaml")),
            bent("name", json!("")),
            bent("name", json!(5)),
            bent("sha256", json!("AB".repeat(32))),
            bent("uri", json!("us-docker.pkg.dev/acme/ml/a:latest")),
            bent("uri", json!(format!("us-docker.pkg.dev/acme/ml/a@sha256:{}", Sha256::of(b"other")))),
            bent("uri", json!("gs://acme-models/m")),
            bent("uri", json!("gs://acme-models/m#")),
            bent("uri", json!("gs://acme-models/m#new")),
            bent("annotations", json!([])),
            bent("annotations", json!({"rows": 9_007_199_254_740_993_u64})),
            r#"{"name":"a","name":"b"}"#.to_owned(),
        ] {
            assert_eq!(noted(&text).unwrap_err().reason, Reason::ArtifactNote, "{text}");
        }
    }

    #[test]
    fn an_artifact_that_stands_twice_is_one_too_many() {
        let twice = json!([image("a", b"a"), image("a", b"a")]);
        assert_eq!(noted(&twice.to_string()).unwrap_err().reason, Reason::DuplicateSubject);
    }
}
