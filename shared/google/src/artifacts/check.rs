//! The engine's look at an artifact, between decision and launch.
//!
//! Promises: what ends a decision is certain (it is not there, it is another thing, it can never be looked at);
//! whatever may be otherwise in a minute is no answer. Does not: keep what it reads.

use std::time::Duration;

use async_trait::async_trait;
use launchgate_engine::ports::{ArtifactCheck, ArtifactSeen};
use launchgate_outcome::Reason;
use launchgate_statement::Sha256;
use launchgate_triggers::{ArtifactDemand, ArtifactPlace, ArtifactRule, PinnedObject};
use reqwest::{Method, header::HeaderMap};
use time::OffsetDateTime;

use super::{
    ArtifactReader,
    bucket::Metadata,
    hashing::hashed,
    image::told_digest,
    refused,
    registry::{OwnMachine, Repository},
};
use crate::{GoogleError, http::Answer, redaction::redacted, retry_after::retry_after};

/// Bytes of one artifact that are read under `artifact: content`. Within the half hour that a check may take this
/// asks for 30 MB/s, which a machine in the same region has; what is larger would be cut off for ever.
pub(super) const MOST_BYTES: u64 = 50 * 1024 * 1024 * 1024;

/// Why an artifact is not (known to be) what was asked for.
#[derive(Debug)]
pub(super) enum NotAsAsked {
    /// It is not, and looking again does not change that.
    Otherwise { reason: Reason, actual: String, message: String },
    /// The other side said something that is no answer.
    Refused { error: GoogleError, status: u16, retry_after: Option<Duration> },
    /// Nothing was said.
    Unanswered(GoogleError),
}

impl From<GoogleError> for NotAsAsked {
    fn from(error: GoogleError) -> Self {
        match error {
            GoogleError::Refused { status, .. } => Self::Refused { error, status, retry_after: None },
            GoogleError::Address { .. } => Self::Otherwise {
                reason: Reason::ArtifactNotCheckable,
                actual: "no address that can be asked".to_owned(),
                message: error.to_string(),
            },
            error => Self::Unanswered(error),
        }
    }
}

#[async_trait]
impl ArtifactCheck for ArtifactReader {
    async fn look(&self, demand: &ArtifactDemand, limit: Duration) -> ArtifactSeen {
        let looked = tokio::time::timeout(limit, async {
            match self.look_at(demand).await {
                Ok(actual) => ArtifactSeen::Equal { actual },
                Err(otherwise) => self.explained(&demand.place, otherwise).await,
            }
        });
        looked.await.unwrap_or_else(|_| ArtifactSeen::Unanswered {
            message: format!("not done within {} s", limit.as_secs()),
            retry_after: None,
        })
    }
}

impl ArtifactReader {
    async fn look_at(&self, demand: &ArtifactDemand) -> Result<String, NotAsAsked> {
        match &demand.place {
            ArtifactPlace::Object(object) => self.look_at_object(object, demand).await,
            ArtifactPlace::Image { host, repository } => {
                let repository = self.repository(host, repository, OwnMachine::Refuse)?;
                match demand.rule {
                    ArtifactRule::Exists => look_at_manifest(repository, demand.sha256).await,
                    ArtifactRule::Content => repository.look_at_content(demand.sha256).await,
                }
            }
        }
    }

    async fn look_at_object(
        &self,
        object: &PinnedObject,
        demand: &ArtifactDemand,
    ) -> Result<String, NotAsAsked> {
        let PinnedObject { bucket, object: name, generation, crc32c, size } = object;
        let what = object.to_string();
        let gone = || missing(format!("{what}: there is no such generation; it was deleted or overwritten"));
        let answer = self.object_metadata(&what, bucket, name, Some(*generation)).await?;
        if answer.status == 404 {
            return Err(gone());
        }
        let answer = answered(&what, answer)?;
        let found = Metadata::read(&what, &answer.body)?;
        let actual = format!(
            "generation {}, crc32c {}, {} bytes",
            found.generation,
            found.crc32c.as_deref().unwrap_or("none"),
            found.size
        );
        let differs = |fact: &str, said: &dyn std::fmt::Display, lies: &dyn std::fmt::Display| {
            otherwise(&actual, format!("{what}: the statement says {fact} {said}, the object has {lies}"))
        };
        if found.generation != *generation {
            return Err(differs("generation", generation, &found.generation));
        }
        if let Some(crc32c) = crc32c
            && found.crc32c.as_ref() != Some(crc32c)
        {
            return Err(differs("crc32c", crc32c, &found.crc32c.as_deref().unwrap_or("none")));
        }
        if let Some(size) = size
            && found.size != *size
        {
            return Err(differs("size", size, &found.size));
        }
        if demand.rule == ArtifactRule::Exists {
            return Ok(actual);
        }
        small_enough(&what, found.size)?;
        let response = self.object_content(&what, bucket, name, *generation).await?;
        match response.status().as_u16() {
            200 => {}
            404 => return Err(gone()),
            status => return Err(no_answer(&what, status, response.headers(), b"")),
        }
        let read = hashed(&what, response, found.size, &mut |_, _| ()).await?;
        let actual = format!("{actual}, sha256 {}", read.sha256);
        if read.size != found.size || read.sha256 != demand.sha256 {
            let message = format!(
                "{what}: the statement says sha256 {}, its bytes have {}",
                demand.sha256, read.sha256
            );
            return Err(otherwise(&actual, message));
        }
        Ok(actual)
    }

    /// A sentence for people, with the line that lets us see the artifact where that is what is missing.
    async fn explained(&self, place: &ArtifactPlace, otherwise: NotAsAsked) -> ArtifactSeen {
        match otherwise {
            NotAsAsked::Otherwise { reason: Reason::ArtifactMissing, actual, message } => {
                let fix = self.access_fix(place).await;
                let message = format!("{message}. Where it is there and launchgate may not see it: {fix}");
                ArtifactSeen::Otherwise { reason: Reason::ArtifactMissing, actual, message }
            }
            NotAsAsked::Otherwise { reason, actual, message } => {
                ArtifactSeen::Otherwise { reason, actual, message }
            }
            NotAsAsked::Refused { error, status: 401 | 403, retry_after } => {
                let message = format!("{}. Grant it: {}", said(&error), self.access_fix(place).await);
                ArtifactSeen::Unanswered { message, retry_after }
            }
            NotAsAsked::Refused { error, retry_after, .. } => {
                ArtifactSeen::Unanswered { message: said(&error), retry_after }
            }
            NotAsAsked::Unanswered(error) => {
                ArtifactSeen::Unanswered { message: error.to_string(), retry_after: None }
            }
        }
    }
}

/// `artifact: exists` of an image: one request, in which the registry names the digest itself.
async fn look_at_manifest(mut repository: Repository<'_>, wanted: Sha256) -> Result<String, NotAsAsked> {
    let reference = format!("sha256:{wanted}");
    let answer = repository.manifest(Method::HEAD, &reference).await?;
    if answer.status == 404 {
        return Err(no_manifest(&repository, &reference));
    }
    let answer = answered(&repository.name(), answer)?;
    let Some(told) = told_digest(&answer) else {
        // A registry that does not name it is asked for the manifest itself.
        return repository.look_at_whole_manifest(wanted).await.map(|_| format!("manifest {reference}"));
    };
    if told != reference {
        let message =
            format!("{}: asked for the manifest {reference}, the registry has {told}", repository.name());
        return Err(otherwise(&format!("manifest {told}"), message));
    }
    Ok(format!("manifest {reference}"))
}

pub(super) fn no_manifest(repository: &Repository<'_>, reference: &str) -> NotAsAsked {
    missing(format!("{}: there is no manifest {reference}", repository.name()))
}

pub(super) fn missing(message: String) -> NotAsAsked {
    NotAsAsked::Otherwise { reason: Reason::ArtifactMissing, actual: "nothing".to_owned(), message }
}

pub(super) fn otherwise(actual: &str, message: String) -> NotAsAsked {
    NotAsAsked::Otherwise { reason: Reason::ArtifactDiffers, actual: actual.to_owned(), message }
}

pub(super) fn not_checkable(actual: String, message: String) -> NotAsAsked {
    NotAsAsked::Otherwise { reason: Reason::ArtifactNotCheckable, actual, message }
}

pub(super) fn small_enough(what: &str, size: u64) -> Result<(), NotAsAsked> {
    if size <= MOST_BYTES {
        return Ok(());
    }
    let most = MOST_BYTES >> 30;
    Err(not_checkable(
        format!("{size} bytes"),
        format!(
            "{what} has {size} bytes; `artifact: content` reads up to {most} GiB: ask for `artifact: exists`"
        ),
    ))
}

/// The answer, if it is one.
pub(super) fn answered(what: &str, answer: Answer) -> Result<Answer, NotAsAsked> {
    match answer.status {
        200 => Ok(answer),
        status => Err(no_answer(what, status, &answer.headers, &answer.body)),
    }
}

pub(super) fn no_answer(what: &str, status: u16, headers: &HeaderMap, body: &[u8]) -> NotAsAsked {
    let retry_after = retry_after(headers, OffsetDateTime::now_utc());
    NotAsAsked::Refused { error: refused(what, status, body), status, retry_after }
}

/// The refusal without the hint for people at a terminal; a line of its own says more here.
fn said(error: &GoogleError) -> String {
    match error {
        GoogleError::Refused { what, status, message } => {
            let message = message.split("; the account needs read access").next().unwrap_or_default();
            let message = redacted(message.trim());
            let excerpt: String = message.chars().take(300).collect();
            if excerpt.is_empty() {
                format!("{what}: HTTP {status}")
            } else {
                format!("{what}: HTTP {status}: {excerpt}")
            }
        }
        error => error.to_string(),
    }
}
