//! A container image in a registry, pinned to the digest of its manifest.

use launchgate_statement::Sha256;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};

use super::{ArtifactReader, Connection};
use crate::{Endpoint, GoogleError};

/// Every manifest type in use; a registry converts or refuses what is not accepted.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

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

/// `HOST/REPOSITORY` with `@sha256:DIGEST` or `:TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    host: String,
    repository: String,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Digest(Sha256),
    Tag(String),
}

impl Reference {
    fn parse(text: &str) -> Result<Self, GoogleError> {
        let error = |problem: &str| GoogleError::Address {
            address: text.to_owned(),
            problem: format!("{problem}; expected HOST/REPOSITORY@sha256:DIGEST"),
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let hex = digest.strip_prefix("sha256:").and_then(Sha256::from_hex);
                let digest = hex.ok_or_else(|| error("what follows @ is no sha256 digest in lower case"))?;
                (name, Some(digest))
            }
            None => (text, None),
        };
        let (host, path) = name.split_once('/').ok_or_else(|| error("it names no registry"))?;
        // As Docker tells a registry from a user of its own hub.
        if !(host.contains('.') || host.contains(':') || host == "localhost") {
            return Err(error("it names no registry"));
        }
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let is_path = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/');
        if !repository.bytes().all(is_path)
            || repository.split('/').any(|part| matches!(part, "" | "." | ".."))
        {
            return Err(error("the repository's name is not acceptable"));
        }
        let is_tag = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let wanted = match (digest, tag) {
            // A tag beside a digest says nothing: the digest alone decides.
            (Some(digest), _) => Wanted::Digest(digest),
            (None, Some(tag)) if !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(is_tag) => {
                Wanted::Tag(tag.to_owned())
            }
            (None, Some(_)) => return Err(error("the tag is not acceptable")),
            (None, None) => Wanted::Tag("latest".to_owned()),
        };
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), wanted })
    }

    /// Google's registries take an access token; to any other host none is ever shown.
    fn is_googles(&self) -> bool {
        self.host == "gcr.io" || self.host.ends_with(".gcr.io") || self.host.ends_with(".pkg.dev")
    }
}

impl ArtifactReader {
    /// Reads the manifest of `HOST/REPOSITORY@sha256:…` (or `:TAG`, when `tags` allows it) and hashes it.
    ///
    /// # Errors
    /// When it is not there, may not be read, is not what the digest says, or names a tag that is refused.
    pub async fn image(&self, address: &str, tags: Tags) -> Result<Image, GoogleError> {
        let reference = Reference::parse(address)?;
        let wanted = match &reference.wanted {
            Wanted::Digest(digest) => format!("sha256:{digest}"),
            Wanted::Tag(tag) if tags == Tags::Resolve => tag.clone(),
            Wanted::Tag(tag) => {
                return Err(GoogleError::Address {
                    address: address.to_owned(),
                    problem: format!(
                        "the tag `{tag}` can be moved to another image; name it by digest \
                         (HOST/REPOSITORY@sha256:…), or ask for the tag to be resolved"
                    ),
                });
            }
        };
        let (endpoint, replaced) = match self.endpoints.registry_override() {
            Some(endpoint) => (endpoint.clone(), true),
            None => (Self::registry(&reference, address)?, false),
        };
        let credentials = (replaced || reference.is_googles()).then_some(&self.registry);
        let connection = Connection::open(&endpoint, credentials).await?;
        let url = endpoint.join(&format!("/v2/{}/manifests/{wanted}", reference.repository));
        let request = connection.client.get(url).header(ACCEPT, HeaderValue::from_static(MANIFESTS));

        let answer = connection.document(address, request).await?;

        let sha256 = Sha256::of(&answer.body);
        let unexpected = |problem: String| GoogleError::Unexpected { what: address.to_owned(), problem };
        if let Wanted::Digest(digest) = reference.wanted
            && digest != sha256
        {
            return Err(unexpected(format!("the registry answered a manifest of sha256:{sha256}")));
        }
        let told = answer.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
        if told.is_some_and(|told| told.starts_with("sha256:") && told[7..] != sha256.to_hex()) {
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

    fn registry(reference: &Reference, address: &str) -> Result<Endpoint, GoogleError> {
        let https = format!("https://{}", reference.host);
        let http = format!("http://{}", reference.host);
        let endpoint = Endpoint::parse(&https)
            .map_err(|problem| GoogleError::Address { address: address.to_owned(), problem })?;
        // A registry on this machine speaks plain http, as Docker takes it too.
        Ok(if endpoint.is_loopback() { Endpoint::parse(&http).unwrap_or(endpoint) } else { endpoint })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_and_tags_are_told_apart() {
        let digest = Wanted::Digest(Sha256::from_hex(HEX).unwrap());
        let pinned = Reference::parse(&format!("us-docker.pkg.dev/acme/ml/train@sha256:{HEX}")).unwrap();
        assert_eq!(pinned.host, "us-docker.pkg.dev");
        assert_eq!(pinned.repository, "acme/ml/train");
        assert_eq!(pinned.wanted, digest);
        assert!(pinned.is_googles());
        let both = Reference::parse(&format!("localhost:5000/train:v1@sha256:{HEX}")).unwrap();
        assert_eq!((both.repository.as_str(), both.wanted), ("train", digest));
        let tagged = Reference::parse("ghcr.io/acme/train:v1").unwrap();
        assert_eq!(tagged.wanted, Wanted::Tag("v1".to_owned()));
        assert!(!tagged.is_googles());
        assert_eq!(Reference::parse("ghcr.io/acme/train").unwrap().wanted, Wanted::Tag("latest".to_owned()));
    }

    #[test]
    fn what_names_no_image_is_an_error() {
        for bad in [
            "train",
            "acme/train:v1",
            "ghcr.io/Acme/train:v1",
            "ghcr.io/acme//train",
            "ghcr.io/../train",
            "ghcr.io/acme/train:",
            "ghcr.io/acme/train:a/b",
            "ghcr.io/acme/train@sha256:abc",
            "ghcr.io/acme/train@md5:abc",
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_googles_registries_are_shown_a_token() {
        for host in ["evil-pkg.dev", "pkg.dev.evil.com", "gcr.io.evil.com", "notgcr.io"] {
            assert!(!Reference::parse(&format!("{host}/a:b")).unwrap().is_googles(), "{host}");
        }
    }
}
