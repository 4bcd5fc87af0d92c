//! What this Buildkite job says of its build: the variables every job has.
//!
//! A job can set them to anything; what makes them count is the key that signs the statement, for the
//! pipelines that key may speak for. Source: buildkite.com/docs/pipelines/configure/environment-variables.

use launchgate_service::Environment;
use launchgate_statement::{Artifact, Build, ProvenanceDraft, Timestamp};

use crate::failure::Failure;

/// A job's build, and the command of its step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Organization, pipeline, number and job id are always there.
    pub(crate) build: Build,
    /// The step's command.
    pub(crate) command: Option<String>,
}

impl Job {
    /// Reads `BUILDKITE_…`.
    pub(crate) fn of(environment: &Environment) -> Result<Self, Failure> {
        let optional = |name: &str| environment.get(name).map(str::to_owned);
        let required = |name: &str| {
            optional(name).ok_or_else(|| {
                Failure::usage(format!(
                    "{name} is not set: this runs inside a Buildkite job; elsewhere set BUILDKITE_ORGANIZATION_SLUG, \
                     BUILDKITE_PIPELINE_SLUG, BUILDKITE_BUILD_NUMBER and BUILDKITE_JOB_ID yourself, or sign a statement file"
                ))
            })
        };
        let number = required("BUILDKITE_BUILD_NUMBER")?;
        let wrong = |_| Failure::usage(format!("BUILDKITE_BUILD_NUMBER is not a build number: {number}"));
        Ok(Self {
            build: Build {
                organization: Some(required("BUILDKITE_ORGANIZATION_SLUG")?),
                pipeline: Some(required("BUILDKITE_PIPELINE_SLUG")?),
                number: Some(number.parse().map_err(wrong)?),
                job: Some(required("BUILDKITE_JOB_ID")?),
                branch: optional("BUILDKITE_BRANCH"),
                tag: optional("BUILDKITE_TAG"),
                commit: optional("BUILDKITE_COMMIT"),
                step: optional("BUILDKITE_STEP_KEY"),
                source: optional("BUILDKITE_SOURCE"),
                runner: optional("BUILDKITE_COMPUTE_TYPE").map(|kind| match kind.as_str() {
                    "hosted" => "buildkite-hosted".to_owned(),
                    _ => kind,
                }),
                repository: optional("BUILDKITE_REPO"),
                state: None,
                creator: optional("BUILDKITE_BUILD_CREATOR"),
                pull_request: optional("BUILDKITE_PULL_REQUEST").filter(|text| text != "false"),
            },
            command: optional("BUILDKITE_COMMAND"),
        })
    }

    /// The job's id.
    pub(crate) fn id(&self) -> &str {
        self.build.job.as_deref().unwrap_or_default()
    }

    /// The statement that this job made these artifacts; the same words give the same bytes.
    pub(crate) fn statement(
        self,
        artifacts: Vec<Artifact>,
        started_on: Option<Timestamp>,
    ) -> Result<Vec<u8>, Failure> {
        let draft = ProvenanceDraft { build: self.build, artifacts, command: self.command, started_on };
        draft
            .to_statement()
            .map_err(|error| Failure::usage(format!("no statement can be made of this job: {error}")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn environment(extra: &[(&str, &str)]) -> Environment {
        let least = [
            ("BUILDKITE_ORGANIZATION_SLUG", "acme"),
            ("BUILDKITE_PIPELINE_SLUG", "fraud-train"),
            ("BUILDKITE_BUILD_NUMBER", "42"),
            ("BUILDKITE_JOB_ID", "0184990a-477b-4fa8-9968-496074483cee"),
        ];
        Environment::from_vars(
            least.iter().chain(extra).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn a_build_without_pull_request_or_tag_has_none() {
        let job =
            Job::of(&environment(&[("BUILDKITE_PULL_REQUEST", "false"), ("BUILDKITE_TAG", "")])).unwrap();

        assert_eq!((job.build.pull_request, job.build.tag), (None, None));
    }

    #[test]
    fn outside_a_job_the_missing_variable_is_named() {
        let failure = Job::of(&Environment::default()).unwrap_err();

        assert!(matches!(failure, Failure::Usage(message) if message.contains("BUILDKITE_BUILD_NUMBER")));
    }
}
