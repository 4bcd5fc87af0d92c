//! The images that a build has pushed, out of the file that `docker buildx build --metadata-file` writes; also
//! `docker buildx bake`'s, which holds one such object for each target.
//!
//! Promises: every image is named by the digest that was pushed, never by a tag; what was built and not pushed is said
//! to be left out. Does not: ask the registry; who reads the artifact does.
//! Source: docs.docker.com/reference/cli/docker/buildx/build and …/bake, `--metadata-file`.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{failure::Failure, output::Output};

const DIGEST: &str = "containerimage.digest";
const NAMES: &str = "image.name";

/// One image: the name it gets (a target's; `None` for the repository's own) and HOST/REPOSITORY@sha256:….
pub(crate) type BuiltImage = (Option<String>, String);

/// The images in a metadata file, by their targets' names: their order is part of the statement.
pub(crate) fn read(path: &Path, output: &Output) -> Result<Vec<BuiltImage>, Failure> {
    let said = |problem: String| Failure::usage(format!("--images-from {}: {problem}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| said(format!("it cannot be read: {error}")))?;
    let metadata: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|error| said(format!("expected what buildx writes to --metadata-file, found {error}")))?;
    let (images, left_out) = images(&metadata).map_err(said)?;
    for target in left_out {
        output.warn(&format!(
            "--images-from: `{target}` was built and not pushed under a name; it is left out"
        ));
    }
    Ok(images)
}

/// The images, and the targets that have none.
fn images(metadata: &Map<String, Value>) -> Result<(Vec<BuiltImage>, Vec<String>), String> {
    if let Some(digest) = metadata.get(DIGEST) {
        let names = metadata.get(NAMES).and_then(Value::as_str).unwrap_or_default();
        if names.is_empty() {
            return Err("the image has no `image.name`: was it pushed (--push) under a tag?".to_owned());
        }
        return Ok((vec![(None, address(names, digest)?)], Vec::new()));
    }
    let (mut images, mut left_out) = (Vec::new(), Vec::new());
    for (target, built) in metadata {
        // Beside targets stands what is of the build, under names with a dot in them.
        let Some(digest) = built.get(DIGEST) else { continue };
        match built.get(NAMES).and_then(Value::as_str).filter(|names| !names.is_empty()) {
            Some(names) => {
                let address = address(names, digest).map_err(|problem| format!("{target}: {problem}"))?;
                images.push((Some(target.clone()), address));
            }
            None => left_out.push(target.clone()),
        }
    }
    if images.is_empty() {
        return Err(
            "it holds no image with `containerimage.digest` and `image.name`: was it pushed?".to_owned()
        );
    }
    images.sort();
    Ok((images, left_out))
}

/// HOST/REPOSITORY@DIGEST of tags that are all of one repository.
fn address(names: &str, digest: &Value) -> Result<String, String> {
    let digest = digest.as_str().unwrap_or_default();
    let mut repositories: Vec<&str> = names.split(',').map(|name| repository(name.trim())).collect();
    repositories.dedup();
    match repositories.as_slice() {
        [one] => Ok(format!("{one}@{digest}")),
        several => Err(format!(
            "it was pushed to {}; name the one that is to be used with --artifact NAME=HOST/REPOSITORY@{digest}",
            several.join(" and ")
        )),
    }
}

/// A reference without tag and digest.
fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    let last = name.rfind('/').map_or(0, |at| at + 1);
    name[last..].find(':').map_or(name, |at| &name[..last + at])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn read(metadata: &Value) -> Result<(Vec<BuiltImage>, Vec<String>), String> {
        images(metadata.as_object().unwrap())
    }

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    #[test]
    fn a_build_is_one_image_under_its_digest_whatever_its_tags() {
        let metadata = json!({
            "buildx.build.ref": "default/default/x", "containerimage.config.digest": digest("c"),
            "containerimage.digest": digest("a"),
            "image.name": "localhost:5000/ml/train:v1,localhost:5000/ml/train:latest",
        });

        let (images, left_out) = read(&metadata).unwrap();

        assert_eq!(images, [(None, format!("localhost:5000/ml/train@{}", digest("a")))]);
        assert!(left_out.is_empty());
    }

    #[test]
    fn each_target_of_bake_is_an_image_of_its_name_and_what_was_not_pushed_is_left_out() {
        let metadata = json!({
            "buildx.build.warnings": [{"detail": "x"}],
            "train": {"containerimage.digest": digest("a"), "image.name": "eu.gcr.io/acme/train:v1"},
            "score": {"containerimage.digest": digest("b"), "image.name": "eu.gcr.io/acme/score"},
            "base": {"containerimage.digest": digest("d")},
        });

        let (images, left_out) = read(&metadata).unwrap();

        let image =
            |name: &str, letter| (Some(name.to_owned()), format!("eu.gcr.io/acme/{name}@{}", digest(letter)));
        assert_eq!(images, [image("score", "b"), image("train", "a")]);
        assert_eq!(left_out, ["base"]);
    }

    #[test]
    fn what_names_no_single_pushed_image_says_why() {
        for (metadata, said) in [
            (json!({}), "no image"),
            (json!({"base": {"containerimage.digest": digest("d")}}), "was it pushed"),
            (json!({"containerimage.digest": digest("a")}), "image.name"),
            (
                json!({"containerimage.digest": digest("a"), "image.name": "a.io/x:1,b.io/x:1"}),
                "a.io/x and b.io/x",
            ),
        ] {
            let error = read(&metadata).unwrap_err();
            assert!(error.contains(said), "{metadata}: {error}");
        }
    }
}
