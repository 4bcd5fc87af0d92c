//! What became of an event, told to a job of the event's own build.
//!
//! Promises: a job learns of its own build's events alone; of others it does not even learn that they exist. Does not:
//! change anything.

use launchgate_outcome::Refusal;
use launchgate_statement::{EventId, Timestamp};
use launchgate_trust::{AskingJob, BuildkiteKeys, verify_asking_job};

use crate::{Gate, NothingDecided, StoredEvent};

impl Gate {
    /// Whether any signer of the file speaks by Buildkite's tokens, without which no job can be told from another.
    pub fn answers_jobs(&self) -> bool {
        self.config().signers.need_buildkite_keys()
    }

    /// The job that asks about `event` with this token at the instant `now`; inside, why its token does not count.
    ///
    /// # Errors
    /// `NothingDecided` when Buildkite's keys cannot be fetched.
    pub async fn asking_job(
        &self,
        token: &str,
        event: &EventId,
        now: Timestamp,
    ) -> Result<Result<AskingJob, Refusal>, NothingDecided> {
        let signers = &self.config().signers;
        let ask = |keys: BuildkiteKeys<'_>| verify_asking_job(token, event, signers, keys, now);
        self.with_buildkite_keys(&[], ask).await
    }

    /// What is recorded of `event`, if it is of the job's own build.
    ///
    /// # Errors
    /// `NothingDecided` when the ledger does not answer.
    pub async fn asked_by(
        &self,
        job: &AskingJob,
        event: &EventId,
    ) -> Result<Option<StoredEvent>, NothingDecided> {
        let stored = self.ledger().event(event).await?;
        Ok(stored.filter(|stored| job.is_of(&stored.event.build)))
    }
}
