//! An event in the meta-data of its build, for agents without any Google credential: Buildkite's webhook carries it
//! to the gate when the build has ended. Source: DESIGN §3, "Meta-data way for keyless".
//!
//! Promises: one job has one event there, and a second one never takes its place unseen; what was written is what
//! stands there afterwards. Does not: keep other jobs of the cluster from overwriting it.

use launchgate_buildkite::Job;
use launchgate_statement::{Envelope, EventDigest, Statement};

use crate::{failure::Failure, meta_data::MetaData, output::Output};

/// Buildkite keeps values of at most 100 kB; some room is left for what counts them otherwise.
const LIMIT: usize = 90_000;

/// Where a job's event stands.
pub(crate) fn key(job: &Job) -> String {
    format!("launchgate:event:{}", job.build.job.as_deref().unwrap_or_default())
}

/// Puts the envelope there.
pub(crate) async fn put(
    meta_data: &MetaData,
    key: &str,
    envelope: &str,
    output: &Output,
) -> Result<(), Failure> {
    let size = envelope.len();
    if size > LIMIT {
        return Err(Failure::usage(format!(
            "the envelope has {size} bytes; in meta-data it may have {LIMIT}: name fewer artifacts, or publish to a \
             --topic"
        )));
    }
    let digest = digest_of(envelope.as_bytes());
    if let Some(standing) = meta_data.get(key).await? {
        match digest_of(standing.as_bytes()) {
            // The same event with an older signature, of an emit that was tried again.
            standing if standing == digest => {}
            Some(other) if is_of_this_job(standing.as_bytes(), key) => {
                return Err(Failure::usage(format!(
                    "this job has emitted {} by meta-data already, and a build keeps one event of a job: name all \
                     artifacts in one `emit`",
                    other.id()
                )));
            }
            _ => output
                .warn(&format!("something that is no event of this job stood in {key}; it is overwritten")),
        }
    }
    meta_data.set(key, envelope).await?;
    // A proxy that answers in Buildkite's place, or an agent that redacts, would else be found out by nobody.
    if meta_data.get(key).await?.as_deref().map(str::trim_end) == Some(envelope.trim_end()) {
        Ok(())
    } else {
        Err(Failure::Transient(format!(
            "{key} does not hold what was just put there; does another job write it?"
        )))
    }
}

fn digest_of(text: &[u8]) -> Option<EventDigest> {
    Envelope::parse(text).ok().map(|envelope| envelope.event_digest())
}

/// Whether the statement in it says that it is of the job whose key this is.
fn is_of_this_job(text: &[u8], own: &str) -> bool {
    let statement = Envelope::parse(text).ok().and_then(|envelope| Statement::parse(&envelope.payload).ok());
    let job = statement.and_then(|statement| statement.build.job);
    job.is_some_and(|job| own == format!("launchgate:event:{job}"))
}
