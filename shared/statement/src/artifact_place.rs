//! Where an artifact lies, read out of its address: an object in Cloud Storage or an image in a registry.
//!
//! Promises: what is read names one server and one thing on it, without characters that mean something in a
//! URL. Does not: know whether it is there.

use crate::Sha256;

/// `gs://BUCKET/OBJECT` with or without `#GENERATION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAddress {
    /// The bucket.
    pub bucket: String,
    /// The object's name; may hold slashes.
    pub object: String,
    /// The generation, when it is named.
    pub generation: Option<u64>,
}

impl ObjectAddress {
    /// Reads `gs://BUCKET/OBJECT[#GENERATION]`; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("gs://").ok_or("it does not start with gs://")?;
        let (bucket, object) = rest.split_once('/').ok_or("it names no object")?;
        let (object, generation) = match object.rsplit_once('#') {
            Some((object, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                let generation = digits.parse().map_err(|_| "the generation is no 64-bit number")?;
                (object, Some(generation))
            }
            Some(_) => return Err("what follows # is no generation"),
            None => (object, None),
        };
        if bucket.is_empty() || object.is_empty() || object.ends_with('/') {
            return Err("bucket or object is empty, or it is a folder");
        }
        Ok(Self { bucket: bucket.to_owned(), object: object.to_owned(), generation })
    }
}

/// `HOST/REPOSITORY` with `@sha256:DIGEST` or `:TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// The registry: a host name with or without a port.
    pub host: String,
    /// The repository's path in it.
    pub repository: String,
    /// Which of its images.
    pub wanted: ImageVersion,
}

/// Which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageVersion {
    /// That one, whatever happens.
    Digest(Sha256),
    /// Whatever has this tag; tomorrow that may be another.
    Tag(String),
}

impl ImageReference {
    /// Reads `HOST/REPOSITORY[:TAG][@sha256:DIGEST]`; the error says what is wrong with it. Without either it
    /// means the tag `latest`, as for everyone else.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let hex = digest.strip_prefix("sha256:").and_then(Sha256::from_hex);
                (name, Some(hex.ok_or("what follows @ is no sha256 digest in lower case")?))
            }
            None => (text, None),
        };
        let (host, path) = name.split_once('/').ok_or("it names no registry")?;
        // As Docker tells a registry from a user of its own hub.
        if !(host.contains('.') || host.contains(':') || host == "localhost") {
            return Err("it names no registry");
        }
        if !is_host(host) {
            return Err("the registry's name is not HOST or HOST:PORT");
        }
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let is_path = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/');
        if !repository.bytes().all(is_path)
            || repository.split('/').any(|part| matches!(part, "" | "." | ".."))
        {
            return Err("the repository's name is not acceptable");
        }
        let is_tag = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let wanted = match (digest, tag) {
            // A tag beside a digest says nothing: the digest alone decides.
            (Some(digest), _) => ImageVersion::Digest(digest),
            (None, Some(tag)) if !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(is_tag) => {
                ImageVersion::Tag(tag.to_owned())
            }
            (None, Some(_)) => return Err("the tag is not acceptable"),
            (None, None) => ImageVersion::Tag("latest".to_owned()),
        };
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), wanted })
    }
}

/// `NAME`, `NAME:PORT`, or an IPv6 address in brackets: nothing that a URL would read as more than a server.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let digits = |port: &str| !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let named = match bracketed {
        Some(address) => address.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')),
        None => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    !name.is_empty() && named && port.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn objects_are_read_with_and_without_a_generation() {
        let parsed = ObjectAddress::parse("gs://acme-models/fraud/v3/model.bin#1700000000000001").unwrap();
        assert_eq!(parsed.bucket, "acme-models");
        assert_eq!(parsed.object, "fraud/v3/model.bin");
        assert_eq!(parsed.generation, Some(1_700_000_000_000_001));
        assert_eq!(ObjectAddress::parse("gs://b/o").unwrap().generation, None);
    }

    #[test]
    fn what_names_no_object_is_an_error() {
        for bad in [
            "s3://b/o",
            "gs://b",
            "gs://b/",
            "gs:///o",
            "gs://b/o#",
            "gs://b/o#latest",
            "gs://b/folder/",
            "gs://b/o#99999999999999999999",
        ] {
            assert!(ObjectAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_and_tags_are_told_apart() {
        let digest = ImageVersion::Digest(Sha256::from_hex(HEX).unwrap());
        let pinned = ImageReference::parse(&format!("us-docker.pkg.dev/acme/ml/train@sha256:{HEX}")).unwrap();
        assert_eq!(pinned.host, "us-docker.pkg.dev");
        assert_eq!(pinned.repository, "acme/ml/train");
        assert_eq!(pinned.wanted, digest);
        let both = ImageReference::parse(&format!("localhost:5000/train:v1@sha256:{HEX}")).unwrap();
        assert_eq!((both.repository.as_str(), both.wanted), ("train", digest));
        let tagged = ImageReference::parse("ghcr.io/acme/train:v1").unwrap();
        assert_eq!(tagged.wanted, ImageVersion::Tag("v1".to_owned()));
        let latest = ImageReference::parse("ghcr.io/acme/train").unwrap();
        assert_eq!(latest.wanted, ImageVersion::Tag("latest".to_owned()));
        assert_eq!(ImageReference::parse("[::1]:5000/train:v1").unwrap().host, "[::1]:5000");
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
            "https://ghcr.io/acme/train",
            "oci://ghcr.io/acme/train",
            "ghcr.io?x=/train:v1",
            "ghcr.io#/train:v1",
            "ghcr.io:80:80/train:v1",
            "ghcr.io:/train:v1",
            "a b.io/train:v1",
            "[::1/train:v1",
        ] {
            assert!(ImageReference::parse(bad).is_err(), "{bad}");
        }
    }
}
