//! The statement that this Buildkite job made something.

use launchgate_buildkite::Job;
use launchgate_service::Environment;
use launchgate_statement::{Artifact, ProvenanceDraft, Timestamp};

use crate::failure::Failure;

/// The job this process runs in, by its own word.
pub(crate) fn current(environment: &Environment) -> Result<Job, Failure> {
    Job::from_variables(environment.variables()).map_err(|error| Failure::usage(error.to_string()))
}

/// The statement that the job made these artifacts; the same words give the same bytes.
pub(crate) fn statement(
    job: Job,
    artifacts: Vec<Artifact>,
    started_on: Option<Timestamp>,
) -> Result<Vec<u8>, Failure> {
    let draft =
        ProvenanceDraft { build: job.build, artifacts, ids: job.ids, command: job.command, started_on };
    draft
        .to_statement()
        .map_err(|error| Failure::usage(format!("no statement can be made of this job: {error}")))
}
