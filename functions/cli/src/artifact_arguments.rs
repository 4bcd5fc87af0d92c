//! `--artifact`: what a build made, read where it lies, as subjects of a statement.
//!
//! Promises: a digest is of bytes that were read (a file, an object) or was said by the registry that
//! serves them (an image); a uri always names an immutable thing. Does not: upload anything.

use std::{collections::BTreeSet, path::PathBuf, str::FromStr};

use clap::{ArgGroup, Args};
use launchgate_service::Environment;
use launchgate_statement::Artifact;
use serde_json::{Map, Value};

use crate::{built_images, failure::Failure, local_file, output::Output, remote_artifact};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("artifacts").multiple(true).args(["artifact", "images_from"])))]
pub(crate) struct ArtifactArguments {
    /// A file, gs://BUCKET/OBJECT[#GENERATION] or IMAGE@sha256:…; NAME= gives it a name of its own; repeat it for
    /// several. An IMAGE:TAG is resolved now, and only the digest that the registry has under it is signed
    #[arg(long, value_name = "[NAME=]WHERE")]
    artifact: Vec<Wanted>,
    /// The images that `docker buildx build --push --metadata-file FILE` (or `bake`) wrote down, by the digests
    /// that were pushed; repeat it for several files
    #[arg(long, value_name = "FILE")]
    images_from: Vec<PathBuf>,
    /// Where a file will lie for those who use it (with exactly one file)
    #[arg(long, value_name = "URI", requires = "artifact")]
    uri: Option<String>,
    /// Media type of the artifacts; default: by kind
    #[arg(long, value_name = "TYPE", requires = "artifacts")]
    media_type: Option<String>,
    /// An annotation, signed with the artifact; a value that is JSON keeps its type (epochs=3), any other
    /// is text; repeat it for several
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "artifacts")]
    set: Vec<Annotation>,
}

/// One `--artifact`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    name: Option<String>,
    place: Place,
}

/// Where an artifact lies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Object(String),
    Image(String),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let (name, place) = match text.split_once('=') {
            Some((name, rest)) if is_name(name) => (Some(name.to_owned()), rest),
            _ => (None, text),
        };
        if place.is_empty() {
            return Err("expected a file, gs://BUCKET/OBJECT or IMAGE@sha256:DIGEST".to_owned());
        }
        let place = if place.starts_with("gs://") {
            Place::Object(place.to_owned())
        } else if is_image(place) {
            Place::Image(place.to_owned())
        } else {
            Place::File(place.into())
        };
        Ok(Self { name, place })
    }
}

/// An image reference names a registry host (with a dot or a port) and a digest or a tag; anything else
/// is a path. A file with such a name is written `./…`.
fn is_image(text: &str) -> bool {
    let Some((host, rest)) = text.split_once('/') else { return false };
    let is_host =
        host != "." && host != ".." && (host.contains('.') || host.contains(':') || host == "localhost");
    is_host
        && !host.starts_with('.')
        && (rest.contains("@sha256:") || rest.rsplit('/').next().is_some_and(|last| last.contains(':')))
}

/// One `--set`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Annotation {
    pub(crate) key: String,
    pub(crate) value: Value,
}

impl FromStr for Annotation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
        if key.is_empty() {
            return Err("expected KEY=VALUE with a key".to_owned());
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok(Self { key: key.to_owned(), value })
    }
}

/// What was found of one artifact, before names and annotations are added.
#[derive(Debug)]
pub(crate) struct Found {
    /// The name it gets when none is given.
    pub(crate) name: String,
    /// Digest, uri, media type and the annotations that the place itself knows.
    pub(crate) artifact: Artifact,
}

impl ArtifactArguments {
    /// Reads every artifact, one after the other.
    pub(crate) async fn read(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Result<Vec<Artifact>, Failure> {
        let one_file = matches!(self.artifact.as_slice(), [Wanted { place: Place::File(_), .. }]);
        if self.uri.is_some() && !(one_file && self.images_from.is_empty()) {
            return Err(Failure::usage(
                "--uri goes with exactly one file; objects and images have a uri already",
            ));
        }
        let annotations = self.annotations()?;
        let mut all = self.artifact.clone();
        for path in &self.images_from {
            let images = built_images::read(path, output)?.into_iter();
            all.extend(images.map(|(name, address)| Wanted { name, place: Place::Image(address) }));
        }
        let mut artifacts = Vec::with_capacity(all.len());
        for wanted in &all {
            let found = match &wanted.place {
                Place::File(path) => local_file::read(path, output)?,
                Place::Object(address) => remote_artifact::object(address, environment, output).await?,
                Place::Image(reference) => remote_artifact::image(reference, environment).await?,
            };
            let mut artifact = found.artifact;
            artifact.name = wanted.name.clone().unwrap_or(found.name);
            if let Some(uri) = &self.uri {
                artifact.uri = Some(uri.clone());
            }
            if let Some(media_type) = &self.media_type {
                artifact.media_type = Some(media_type.clone());
            }
            artifact.annotations.extend(annotations.clone());
            artifacts.push(artifact);
        }
        Ok(artifacts)
    }

    fn annotations(&self) -> Result<Map<String, Value>, Failure> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.set.iter().find(|annotation| !seen.insert(&annotation.key)) {
            return Err(Failure::usage(format!("--set {} is given twice", twice.key)));
        }
        Ok(self.set.iter().map(|annotation| (annotation.key.clone(), annotation.value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn an_artifact_is_an_image_an_object_or_else_a_file() {
        let digest = "a".repeat(64);
        let image = format!("us-docker.pkg.dev/acme/ml/train@sha256:{digest}");
        for (text, name, place) in [
            ("model.tar.gz", None, Place::File("model.tar.gz".into())),
            ("out/model:v1", None, Place::File("out/model:v1".into())),
            ("./host.io/x:1", None, Place::File("./host.io/x:1".into())),
            ("m=out/a=b.bin", Some("m"), Place::File("out/a=b.bin".into())),
            ("out/a=b.bin", None, Place::File("out/a=b.bin".into())),
            ("gs://bucket/a/b#7", None, Place::Object("gs://bucket/a/b#7".to_owned())),
            (&image, None, Place::Image(image.clone())),
            (
                "train=localhost:5000/ml/train:v1",
                Some("train"),
                Place::Image("localhost:5000/ml/train:v1".to_owned()),
            ),
        ] {
            assert_eq!(text.parse(), Ok(Wanted { name: name.map(str::to_owned), place }), "{text}");
        }
    }

    #[test]
    fn an_annotation_keeps_the_type_that_json_gives_it() {
        for (text, value) in [
            ("k=3", json!(3)),
            ("k=0.5", json!(0.5)),
            ("k=true", json!(true)),
            ("k=2026-11", json!("2026-11")),
            ("k=\"3\"", json!("3")),
            ("k=", json!("")),
            ("k=a=b", json!("a=b")),
            ("k=[1,2]", json!([1, 2])),
        ] {
            assert_eq!(text.parse::<Annotation>().unwrap().value, value, "{text}");
        }
    }
}
