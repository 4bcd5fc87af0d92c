//! Artifacts that lie at Google: objects in buckets, images in registries.

use launchgate_google::{ArtifactReader, CredentialSettings, Endpoints, GoogleError, Tags, object_address};
use launchgate_service::Environment;
use launchgate_statement::Artifact;
use serde_json::{Map, Value};

use crate::{artifact_arguments::Found, failure::Failure, output::Output, progress::Progress};

/// An object; its bytes are read once and hashed.
pub(crate) async fn object(
    address: &str,
    environment: &Environment,
    output: &Output,
) -> Result<Found, Failure> {
    let parsed = object_address(address).map_err(|error| failed(&error))?;
    let mut progress = Progress::of(address, 0, output);
    let mut tell = |read: u64, whole: u64| {
        progress.has_length(whole);
        progress.at(read);
    };
    let object = reader(environment)?.object(&parsed, &mut tell).await.map_err(|error| failed(&error))?;
    progress.finished();
    let mut annotations = Map::from_iter([
        ("kind".to_owned(), Value::from("object")),
        // Text: generations exceed what a double holds exactly, and some readers know only doubles.
        ("generation".to_owned(), object.generation.to_string().into()),
        ("size".to_owned(), object.size.into()),
    ]);
    if let Some(crc32c) = object.crc32c {
        annotations.insert("crc32c".to_owned(), crc32c.into());
    }
    let name = last_part(&parsed.object).to_owned();
    let (sha256, uri, media_type) = (object.sha256, Some(object.uri), object.media_type);
    Ok(Found { name: name.clone(), artifact: Artifact { name, sha256, uri, media_type, annotations } })
}

/// An image; a tag is resolved to what the registry has under it now, and only that is signed.
pub(crate) async fn image(reference: &str, environment: &Environment) -> Result<Found, Failure> {
    let image = reader(environment)?.image(reference, Tags::Resolve).await.map_err(|error| failed(&error))?;
    let repository = image.uri.split('@').next().unwrap_or_default();
    let name = last_part(repository).to_owned();
    let annotations = Map::from_iter([("kind".to_owned(), Value::from("container"))]);
    let (sha256, uri, media_type) = (image.sha256, Some(image.uri), image.media_type);
    Ok(Found { name: name.clone(), artifact: Artifact { name, sha256, uri, media_type, annotations } })
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn reader(environment: &Environment) -> Result<ArtifactReader, Failure> {
    let variables = environment.variables();
    let endpoints = Endpoints::from_variables(variables).map_err(|error| failed(&error))?;
    Ok(ArtifactReader::new(endpoints, &CredentialSettings::from_variables(variables)))
}

/// What a mistake of Google's side means for the command: whether the same one may work later.
pub(crate) fn failed(error: &GoogleError) -> Failure {
    let message = error.to_string();
    match error {
        GoogleError::Unreachable { .. } | GoogleError::Refused { status: 429 | 500..=599, .. } => {
            Failure::Transient(message)
        }
        GoogleError::Publish { cause, .. } if !is_final(cause) => Failure::Transient(message),
        _ => Failure::Usage(message),
    }
}

/// Answers of Pub/Sub that waiting does not change; they begin with their code.
fn is_final(cause: &str) -> bool {
    const FINAL: [&str; 4] = ["PERMISSION_DENIED", "NOT_FOUND", "INVALID_ARGUMENT", "UNAUTHENTICATED"];
    FINAL.iter().any(|code| cause.starts_with(code))
}
