//! An object in Cloud Storage, pinned to its generation.

use launchgate_statement::{ObjectAddress, Sha256};
use reqwest::{
    Response, Url,
    header::{ACCEPT_ENCODING, HeaderValue},
};
use serde::Deserialize;

use super::{ArtifactReader, Progress, TIMEOUT, document, found, hashing::hashed, opened, refused};
use crate::{GoogleError, http::Answer};

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

/// What Cloud Storage says of an object.
pub(super) struct Metadata {
    pub(super) generation: u64,
    pub(super) size: u64,
    pub(super) crc32c: Option<String>,
    pub(super) media_type: Option<String>,
}

/// The members of the JSON API's object resource that are read; 64-bit numbers travel as text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    generation: String,
    size: String,
    #[serde(default)]
    crc32c: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
}

/// Reads `gs://BUCKET/OBJECT[#GENERATION]`.
///
/// # Errors
/// Says what is wrong with it and what would do.
pub fn object_address(text: &str) -> Result<ObjectAddress, GoogleError> {
    ObjectAddress::parse(text).map_err(|problem| GoogleError::Address {
        address: text.to_owned(),
        problem: format!("{problem}; expected gs://BUCKET/OBJECT or gs://BUCKET/OBJECT#GENERATION"),
    })
}

impl Metadata {
    pub(super) fn read(what: &str, body: &[u8]) -> Result<Self, GoogleError> {
        let unexpected = |problem: String| GoogleError::Unexpected { what: what.to_owned(), problem };
        let resource: Resource = serde_json::from_slice(body)
            .map_err(|error| unexpected(format!("no object metadata: {error}")))?;
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| unexpected(format!("`{text}` is no 64-bit number")));
        Ok(Self {
            generation: number(&resource.generation)?,
            size: number(&resource.size)?,
            crc32c: resource.crc32c,
            media_type: resource.content_type,
        })
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
        let ObjectAddress { bucket, object, generation } = address;
        let what = format!("gs://{bucket}/{object}");
        let answer = self.object_metadata(&what, bucket, object, *generation).await?;
        let Metadata { generation, size, crc32c, media_type } =
            Metadata::read(&what, &found(&what, answer)?.body)?;

        let response = self.object_content(&what, bucket, object, generation).await?;
        if response.status() != 200 {
            return Err(refused(&what, response.status().as_u16(), b""));
        }
        let read = hashed(&what, response, size, progress).await?;
        if read.size != size {
            let problem = format!("expected {size} bytes, read more");
            return Err(GoogleError::Unexpected { what, problem });
        }
        let uri = format!("{what}#{generation}");
        Ok(BucketObject { uri, generation, size, crc32c, media_type, sha256: read.sha256 })
    }

    /// The object's metadata as answered, whatever the status.
    pub(super) async fn object_metadata(
        &self,
        what: &str,
        bucket: &str,
        object: &str,
        generation: Option<u64>,
    ) -> Result<Answer, GoogleError> {
        let mut url = self.object_url(bucket, object);
        if let Some(generation) = generation {
            url.query_pairs_mut().append_pair("generation", &generation.to_string());
        }
        let client = self.client(&self.endpoints.storage())?;
        document(what, client.get(url).headers(self.storage.headers(TIMEOUT).await?)).await
    }

    /// The bytes of one generation, about to come, whatever the status.
    pub(super) async fn object_content(
        &self,
        what: &str,
        bucket: &str,
        object: &str,
        generation: u64,
    ) -> Result<Response, GoogleError> {
        let mut url = self.object_url(bucket, object);
        url.query_pairs_mut().append_pair("alt", "media").append_pair("generation", &generation.to_string());
        let client = self.client(&self.endpoints.storage())?;
        let request = client
            .get(url)
            .headers(self.storage.headers(TIMEOUT).await?)
            // Else an object that is stored compressed comes decompressed: other bytes than those stored.
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        opened(what, request).await
    }

    fn object_url(&self, bucket: &str, object: &str) -> Url {
        let mut url = self.endpoints.storage().join("");
        // `segment` escapes the slashes of an object's name, as the API wants them.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["storage", "v1", "b", bucket, "o", object]);
        }
        url
    }
}
