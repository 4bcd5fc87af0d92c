//! An object in Cloud Storage, pinned to its generation and hashed from its bytes.

use launchgate_statement::Sha256;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};
use ring::digest::{Context, SHA256};
use serde::Deserialize;

use super::{ArtifactReader, Connection, Progress, STALL_TIMEOUT, refused, unreachable};
use crate::{GoogleError, http::cut_off};

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

/// An object as it lies there, with the digest of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketObject {
    /// `gs://BUCKET/OBJECT#GENERATION`.
    pub uri: String,
    /// The generation that was read.
    pub generation: u64,
    /// Size in bytes.
    pub size: u64,
    /// As Cloud Storage gives it: base64 of four bytes, big-endian.
    pub crc32c: Option<String>,
    /// `Content-Type` of the object.
    pub media_type: Option<String>,
    /// Of the bytes as stored.
    pub sha256: Sha256,
}

/// The members of the JSON API's object resource that are read; 64-bit numbers travel as text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    generation: String,
    size: String,
    #[serde(default)]
    crc32c: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
}

impl ObjectAddress {
    /// Reads `gs://BUCKET/OBJECT[#GENERATION]`.
    pub fn parse(text: &str) -> Result<Self, GoogleError> {
        let error = |problem: &str| GoogleError::Address {
            address: text.to_owned(),
            problem: format!("{problem}; expected gs://BUCKET/OBJECT or gs://BUCKET/OBJECT#GENERATION"),
        };
        let rest = text.strip_prefix("gs://").ok_or_else(|| error("it does not start with gs://"))?;
        let (bucket, object) = rest.split_once('/').ok_or_else(|| error("it names no object"))?;
        let (object, generation) = match object.rsplit_once('#') {
            Some((object, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                let generation = digits.parse().map_err(|_| error("the generation is no 64-bit number"))?;
                (object, Some(generation))
            }
            Some(_) => return Err(error("what follows # is no generation")),
            None => (object, None),
        };
        if bucket.is_empty() || object.is_empty() || object.ends_with('/') {
            return Err(error("bucket or object is empty, or it is a folder"));
        }
        Ok(Self { bucket: bucket.to_owned(), object: object.to_owned(), generation })
    }
}

impl ArtifactReader {
    /// Looks the object up, then reads all of it (that very generation) to hash it: Cloud Storage keeps no
    /// SHA-256.
    ///
    /// # Errors
    /// When it is not there, may not be read, or is not whole.
    pub async fn object(
        &self,
        address: &ObjectAddress,
        progress: Progress<'_>,
    ) -> Result<BucketObject, GoogleError> {
        let endpoint = self.endpoints.storage();
        let connection = Connection::open(&endpoint, Some(&self.storage)).await?;
        let mut url = endpoint.join("");
        // `segment` escapes the slashes of an object's name, as the API wants them.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["storage", "v1", "b", &address.bucket, "o", &address.object]);
        }
        let what = format!("gs://{}/{}", address.bucket, address.object);

        let mut found_at = url.clone();
        if let Some(generation) = address.generation {
            found_at.query_pairs_mut().append_pair("generation", &generation.to_string());
        }
        let answer = connection.document(&what, connection.client.get(found_at)).await?;
        let unexpected = |problem: String| GoogleError::Unexpected { what: what.clone(), problem };
        let metadata: Metadata = serde_json::from_slice(&answer.body)
            .map_err(|error| unexpected(format!("no object metadata: {error}")))?;
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| unexpected(format!("`{text}` is no 64-bit number")));
        let (generation, size) = (number(&metadata.generation)?, number(&metadata.size)?);

        url.query_pairs_mut().append_pair("alt", "media").append_pair("generation", &generation.to_string());
        let sha256 = connection.hash(&what, url, size, progress).await?;
        Ok(BucketObject {
            uri: format!("{what}#{generation}"),
            generation,
            size,
            crc32c: metadata.crc32c,
            media_type: metadata.content_type,
            sha256,
        })
    }
}

impl Connection {
    async fn hash(
        &self,
        what: &str,
        url: reqwest::Url,
        size: u64,
        progress: Progress<'_>,
    ) -> Result<Sha256, GoogleError> {
        let request = self
            .client
            .get(url)
            .headers(self.headers.clone())
            // Else an object that is stored compressed comes decompressed: other bytes than those stored.
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let stalled = |_| GoogleError::Unreachable {
            what: what.to_owned(),
            cause: format!("nothing came for {} s", STALL_TIMEOUT.as_secs()),
        };
        let cut = |error: reqwest::Error| unreachable(what, &cut_off(&error));
        let mut response =
            tokio::time::timeout(STALL_TIMEOUT, request.send()).await.map_err(stalled)?.map_err(cut)?;
        if response.status() != 200 {
            return Err(refused(what, response.status().as_u16(), b""));
        }
        let mut context = Context::new(&SHA256);
        let mut done = 0;
        loop {
            let chunk = tokio::time::timeout(STALL_TIMEOUT, response.chunk()).await.map_err(stalled)?;
            let Some(chunk) = chunk.map_err(cut)? else { break };
            context.update(&chunk);
            done += chunk.len() as u64;
            progress(done, size);
        }
        if done != size {
            return Err(GoogleError::Unexpected {
                what: what.to_owned(),
                problem: format!("expected {size} bytes, read {done}"),
            });
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Ok(Sha256::from_bytes(digest))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_a_generation() {
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
}
