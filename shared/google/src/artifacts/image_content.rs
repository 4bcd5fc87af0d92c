//! `artifact: content` of an image: its manifest and everything the manifest names, read and hashed.

use std::collections::BTreeMap;

use launchgate_statement::Sha256;
use reqwest::Method;
use serde::Deserialize;

use super::{
    check::{NotAsAsked, answered, missing, no_answer, no_manifest, not_checkable, otherwise, small_enough},
    hashing::hashed,
    registry::Repository,
};

/// Manifests of one index, blobs of one image: far more than any real one has. Each costs a request.
const MOST_MANIFESTS: usize = 256;
const MOST_BLOBS: usize = 4096;

/// What a manifest or an index names; of whichever type it calls itself, everything is followed.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    /// Of artifact manifests, which came before 1.1 of the image spec and went with it.
    #[serde(default)]
    blobs: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
}

impl Descriptor {
    fn sha256(&self, what: &str) -> Result<Sha256, NotAsAsked> {
        let hex = self.digest.strip_prefix("sha256:").and_then(Sha256::from_hex);
        hex.ok_or_else(|| {
            let shown: String = self.digest.chars().take(80).collect();
            let message = format!("{what} names a part by `{shown}`, which is no sha256 digest");
            not_checkable("a part of another digest".to_owned(), message)
        })
    }
}

impl Repository<'_> {
    /// Reads and hashes everything; gives what was found, in one line.
    pub(super) async fn look_at_content(mut self, wanted: Sha256) -> Result<String, NotAsAsked> {
        let what = self.name();
        let mut open = vec![wanted];
        let mut manifests = BTreeMap::new();
        let mut blobs: BTreeMap<Sha256, u64> = BTreeMap::new();
        while let Some(next) = open.pop() {
            if manifests.contains_key(&next) {
                continue;
            }
            let body = self.look_at_whole_manifest(next).await?;
            manifests.insert(next, body.len() as u64);
            let manifest: Manifest = serde_json::from_slice(&body).map_err(|error| {
                let message = format!("{what}: the manifest sha256:{next} cannot be read: {error}");
                not_checkable("no manifest".to_owned(), message)
            })?;
            for descriptor in &manifest.manifests {
                open.push(descriptor.sha256(&what)?);
            }
            let Manifest { config, layers, blobs: others, .. } = manifest;
            for descriptor in config.iter().chain(&layers).chain(&others) {
                blobs.insert(descriptor.sha256(&what)?, descriptor.size);
            }
            if manifests.len() + open.len() > MOST_MANIFESTS || blobs.len() > MOST_BLOBS {
                let message = format!("{what} has more parts than are read; ask for `artifact: exists`");
                return Err(not_checkable("too many parts".to_owned(), message));
            }
        }
        let whole = manifests.values().chain(blobs.values());
        let bytes = whole.fold(0_u64, |sum, size| sum.saturating_add(*size));
        small_enough(&what, bytes)?;
        for (digest, size) in &blobs {
            self.look_at_blob(*digest, *size).await?;
        }
        let (manifests, blobs) = (manifests.len(), blobs.len());
        Ok(format!("manifest sha256:{wanted}; {manifests} manifests, {blobs} blobs, {bytes} bytes hashed"))
    }

    /// A manifest's bytes, which hash to its digest.
    pub(super) async fn look_at_whole_manifest(
        &mut self,
        wanted: Sha256,
    ) -> Result<bytes::Bytes, NotAsAsked> {
        let reference = format!("sha256:{wanted}");
        let answer = self.manifest(Method::GET, &reference).await?;
        if answer.status == 404 {
            return Err(no_manifest(self, &reference));
        }
        let answer = answered(&self.name(), answer)?;
        let found = Sha256::of(&answer.body);
        if found != wanted {
            let message =
                format!("{}: asked for the manifest {reference}, its bytes have sha256:{found}", self.name());
            return Err(otherwise(&format!("manifest sha256:{found}"), message));
        }
        Ok(answer.body)
    }

    async fn look_at_blob(&mut self, wanted: Sha256, size: u64) -> Result<(), NotAsAsked> {
        let reference = format!("sha256:{wanted}");
        let what = format!("{}, blob {reference}", self.name());
        let response = self.blob(&reference).await?;
        match response.status().as_u16() {
            200 => {}
            404 => return Err(missing(format!("{what}: there is no such blob"))),
            status => return Err(no_answer(&what, status, response.headers(), b"")),
        }
        let found = hashed(&what, response, size, &mut |_, _| ()).await?;
        if found.size != size || found.sha256 != wanted {
            let actual = if found.size == size {
                format!("blob sha256:{}", found.sha256)
            } else {
                format!("a blob of more than {size} bytes")
            };
            return Err(otherwise(&actual, format!("{what}: found {actual}")));
        }
        Ok(())
    }
}
