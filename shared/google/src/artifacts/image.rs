//! A container image in a registry, pinned to the digest of its manifest.

use launchgate_statement::{ImageReference, ImageVersion, Sha256};
use reqwest::{Method, header::CONTENT_TYPE};

use super::{ArtifactReader, found, registry::OwnMachine};
use crate::{GoogleError, http::Answer};

/// What to do with a name that says a tag, which may mean another image tomorrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// Refuse it.
    Refuse,
    /// Ask the registry what it means now, and pin that.
    Resolve,
}

/// An image as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `HOST/REPOSITORY@sha256:…`.
    pub uri: String,
    /// Of the manifest's bytes.
    pub sha256: Sha256,
    /// The manifest's media type.
    pub media_type: Option<String>,
    /// Bytes of the manifest.
    pub size: u64,
}

impl ArtifactReader {
    /// Reads the manifest of `HOST/REPOSITORY@sha256:…` (or `:TAG`, when `tags` allows it) and hashes it.
    ///
    /// # Errors
    /// When it is not there, may not be read, is not what the digest says, or names a tag that is refused.
    pub async fn image(&self, address: &str, tags: Tags) -> Result<Image, GoogleError> {
        let bad_address = |problem| GoogleError::Address { address: address.to_owned(), problem };
        let reference = ImageReference::parse(address)
            .map_err(|problem| bad_address(format!("{problem}; expected HOST/REPOSITORY@sha256:DIGEST")))?;
        let wanted = match &reference.wanted {
            ImageVersion::Digest(digest) => format!("sha256:{digest}"),
            ImageVersion::Tag(tag) if tags == Tags::Resolve => tag.clone(),
            ImageVersion::Tag(tag) => {
                return Err(bad_address(format!(
                    "the tag `{tag}` can be moved to another image; name it by digest \
                     (HOST/REPOSITORY@sha256:…), or ask for the tag to be resolved"
                )));
            }
        };
        let mut repository = self.repository(&reference.host, &reference.repository, OwnMachine::Ask)?;

        let answer = found(address, repository.manifest(Method::GET, &wanted).await?)?;

        let sha256 = Sha256::of(&answer.body);
        let unexpected = |problem: String| GoogleError::Unexpected { what: address.to_owned(), problem };
        if let ImageVersion::Digest(digest) = reference.wanted
            && digest != sha256
        {
            return Err(unexpected(format!("the registry answered a manifest of sha256:{sha256}")));
        }
        if told_digest(&answer).is_some_and(|told| told != format!("sha256:{sha256}")) {
            return Err(unexpected(format!("its digest header differs from its content, sha256:{sha256}")));
        }
        Ok(Image {
            uri: format!("{}/{}@sha256:{sha256}", reference.host, reference.repository),
            sha256,
            media_type: answer
                .headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .map(|value| value.split(';').next().unwrap_or(value).trim().to_owned()),
            size: answer.body.len() as u64,
        })
    }
}

/// The digest that the registry itself names, if it is one that can be compared.
pub(super) fn told_digest(answer: &Answer) -> Option<&str> {
    let told = answer.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
    told.filter(|told| told.starts_with("sha256:"))
}
