//! The job that this process runs in, as its environment describes it.
//!
//! A job can set its own variables, so these facts are the job's word; what makes them count is who signs
//! the statement. Source: buildkite.com/docs/pipelines/configure/environment-variables.

use std::collections::BTreeMap;

use launchgate_statement::{Build, BuildkiteIds, is_commit_id};
use serde_json::{Map, Value};

/// What the variables of a job say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The build. Organization, pipeline, number and job id are always there; a variable that is empty, and
    /// the pull request `false`, are none.
    pub build: Build,
    /// Buildkite's ids of organization, pipeline and build; known from a token alone.
    pub ids: BuildkiteIds,
    /// The step's command.
    pub command: Option<String>,
}

/// Why the variables do not describe a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// Not inside a job at all.
    #[error(
        "not inside a Buildkite job: {variable} is not set; run this in a step, or set \
         BUILDKITE_ORGANIZATION_SLUG, BUILDKITE_PIPELINE_SLUG, BUILDKITE_BUILD_NUMBER and BUILDKITE_JOB_ID"
    )]
    NotInAJob {
        /// The first variable missed.
        variable: &'static str,
    },
    /// Inside a job, but a variable is missing: mostly a container that does not hand them on.
    #[error("{variable} is not set or empty; does the step's container pass Buildkite's variables on?")]
    Missing {
        /// The variable.
        variable: &'static str,
    },
    /// The agent's token lacks what every token has.
    #[error("the token of buildkite-agent has no claim `{claim}`; is it Buildkite's own agent?")]
    NoClaim {
        /// The claim.
        claim: &'static str,
    },
    /// A variable holds something else than Buildkite puts there.
    #[error("{variable} is `{found}`; expected {expected}")]
    Unexpected {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
}

const ORGANIZATION: &str = "BUILDKITE_ORGANIZATION_SLUG";
const PIPELINE: &str = "BUILDKITE_PIPELINE_SLUG";
const NUMBER: &str = "BUILDKITE_BUILD_NUMBER";
const JOB: &str = "BUILDKITE_JOB_ID";
const SOURCE: &str = "BUILDKITE_SOURCE";
const PULL_REQUEST: &str = "BUILDKITE_PULL_REQUEST";

/// How Buildkite says that a build was started.
const SOURCES: [&str; 5] = ["webhook", "schedule", "ui", "api", "trigger_job"];

impl Job {
    /// Reads the `BUILDKITE_…` variables out of `variables`; others are not looked at.
    ///
    /// # Errors
    /// Names the variable, what it holds, and what to do.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Result<Self, JobError> {
        let optional =
            |name: &str| variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let inside = optional("BUILDKITE").is_some() || optional(JOB).is_some();
        let required = |variable: &'static str| match optional(variable) {
            Some(value) => Ok(value.to_owned()),
            None if inside => Err(JobError::Missing { variable }),
            None => Err(JobError::NotInAJob { variable }),
        };
        let text = |name: &str| optional(name).map(str::to_owned);
        let build = Build {
            organization: Some(required(ORGANIZATION)?),
            pipeline: Some(required(PIPELINE)?),
            number: Some(number(&required(NUMBER)?)?),
            job: Some(required(JOB)?),
            branch: text("BUILDKITE_BRANCH"),
            tag: text("BUILDKITE_TAG"),
            commit: text("BUILDKITE_COMMIT"),
            step: text("BUILDKITE_STEP_KEY"),
            source: optional(SOURCE).map(source).transpose()?,
            runner: optional("BUILDKITE_COMPUTE_TYPE").map(runner),
            repository: text("BUILDKITE_REPO"),
            state: None,
            creator: text("BUILDKITE_BUILD_CREATOR"),
            pull_request: optional(PULL_REQUEST).map(pull_request).transpose()?.flatten(),
        };
        Ok(Self { build, ids: BuildkiteIds::default(), command: text("BUILDKITE_COMMAND") })
    }
}

impl Job {
    /// This job with the build's facts as Buildkite's own token claims them, not as the environment does: a
    /// job can set its variables, and a statement that differs from its token is refused. What no token says
    /// (repository, creator, pull request, command) stays.
    ///
    /// A commit that the token gives by name (`HEAD`) vouches for none; the environment's is kept then.
    ///
    /// # Errors
    /// When a claim that every token has is missing.
    pub fn with_claims(mut self, claims: &Map<String, Value>) -> Result<Self, JobError> {
        let text = |claim: &str| {
            claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let required = |claim: &'static str| text(claim).map(Some).ok_or(JobError::NoClaim { claim });
        let number = claims.get("build_number").and_then(Value::as_u64);
        let commit = match text("build_commit") {
            Some(name) if !is_commit_id(&name) => self.build.commit.take(),
            commit => commit,
        };
        self.build = Build {
            organization: required("organization_slug")?,
            pipeline: required("pipeline_slug")?,
            number: Some(number.ok_or(JobError::NoClaim { claim: "build_number" })?),
            job: required("job_id")?,
            branch: text("build_branch"),
            tag: text("build_tag"),
            commit,
            step: text("step_key"),
            source: text("build_source"),
            runner: text("runner_environment"),
            ..self.build
        };
        self.ids = BuildkiteIds {
            organization: text("organization_id"),
            pipeline: text("pipeline_id"),
            build: text("build_id"),
        };
        Ok(self)
    }
}

fn number(text: &str) -> Result<u64, JobError> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| JobError::Unexpected {
        variable: NUMBER,
        found: text.to_owned(),
        expected: "a number from 1",
    })
}

fn source(text: &str) -> Result<String, JobError> {
    if SOURCES.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(JobError::Unexpected {
        variable: SOURCE,
        found: text.to_owned(),
        expected: "webhook, schedule, ui, api or trigger_job",
    })
}

/// `self-hosted` or `hosted`, in the words of the OIDC claim `runner_environment`.
fn runner(text: &str) -> String {
    match text {
        "hosted" => "buildkite-hosted".to_owned(),
        other => other.to_owned(),
    }
}

/// A number, or the word `false` for a build that is of no pull request.
fn pull_request(text: &str) -> Result<Option<String>, JobError> {
    match text {
        "false" => Ok(None),
        number if number.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(number.to_owned())),
        _ => Err(JobError::Unexpected {
            variable: PULL_REQUEST,
            found: text.to_owned(),
            expected: "a number or `false`",
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A job of a scheduled build, with `changes` applied; an empty value is as Buildkite sets "none".
    fn job(changes: &[(&str, Option<&str>)]) -> Result<Job, JobError> {
        let mut variables: BTreeMap<String, String> = [
            ("BUILDKITE", "true"),
            ("BUILDKITE_ORGANIZATION_SLUG", "acme"),
            ("BUILDKITE_PIPELINE_SLUG", "fraud-train"),
            ("BUILDKITE_BUILD_NUMBER", "418"),
            ("BUILDKITE_JOB_ID", "0190046e-e199-453b-a302-a21a4d649d31"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_TAG", ""),
            ("BUILDKITE_COMMIT", "83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d"),
            ("BUILDKITE_STEP_KEY", "train"),
            ("BUILDKITE_SOURCE", "schedule"),
            ("BUILDKITE_COMPUTE_TYPE", "self-hosted"),
            ("BUILDKITE_REPO", "git@github.com:acme/fraud.git"),
            ("BUILDKITE_BUILD_CREATOR", "Ada"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("BUILDKITE_COMMAND", "make train"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in changes {
            match value {
                Some(value) => variables.insert((*name).to_owned(), (*value).to_owned()),
                None => variables.remove(*name),
            };
        }
        Job::from_variables(&variables)
    }

    #[test]
    fn every_fact_is_read() {
        let expected = Build {
            organization: Some("acme".to_owned()),
            pipeline: Some("fraud-train".to_owned()),
            number: Some(418),
            branch: Some("main".to_owned()),
            tag: None,
            commit: Some("83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d".to_owned()),
            step: Some("train".to_owned()),
            job: Some("0190046e-e199-453b-a302-a21a4d649d31".to_owned()),
            source: Some("schedule".to_owned()),
            runner: Some("self-hosted".to_owned()),
            repository: Some("git@github.com:acme/fraud.git".to_owned()),
            state: None,
            creator: Some("Ada".to_owned()),
            pull_request: None,
        };
        let ids = BuildkiteIds::default();
        assert_eq!(job(&[]).unwrap(), Job { build: expected, ids, command: Some("make train".to_owned()) });
    }

    #[test]
    fn ids_come_from_a_token_and_only_those_that_it_has() {
        let mut claims = Map::from_iter([
            ("organization_slug".to_owned(), "acme".into()),
            ("pipeline_slug".to_owned(), "fraud-train".into()),
            ("build_number".to_owned(), 418.into()),
            ("job_id".to_owned(), "0190046e-e199-453b-a302-a21a4d649d31".into()),
            ("organization_id".to_owned(), "o-1".into()),
            ("pipeline_id".to_owned(), Value::Null),
        ]);
        let inside = job(&[("BUILDKITE_ORGANIZATION_ID", Some("o-9"))]).unwrap();
        assert_eq!(inside.ids, BuildkiteIds::default());

        let with = |claims: &Map<String, Value>| inside.clone().with_claims(claims).unwrap().ids;
        let organization = Some("o-1".to_owned());
        assert_eq!(with(&claims), BuildkiteIds { organization, ..BuildkiteIds::default() });
        claims.remove("organization_id");
        assert_eq!(with(&claims), BuildkiteIds::default());
    }

    #[test]
    fn a_pull_request_is_a_number_and_false_is_none() {
        let of = |value| job(&[("BUILDKITE_PULL_REQUEST", Some(value))]).map(|job| job.build.pull_request);
        assert_eq!(of("12").unwrap().as_deref(), Some("12"));
        assert_eq!(of("false").unwrap(), None);
        assert_eq!(of("").unwrap(), None);
        assert!(of("yes").is_err());
    }

    #[test]
    fn hosted_agents_are_named_as_the_token_names_them() {
        let job = job(&[("BUILDKITE_COMPUTE_TYPE", Some("hosted"))]).unwrap();
        assert_eq!(job.build.runner.as_deref(), Some("buildkite-hosted"));
    }

    #[test]
    fn a_missing_variable_is_named() {
        for variable in [ORGANIZATION, PIPELINE, NUMBER, JOB] {
            for change in [None, Some(""), Some("  ")] {
                assert_eq!(job(&[(variable, change)]), Err(JobError::Missing { variable }), "{change:?}");
            }
        }
        let outside = Job::from_variables(&BTreeMap::new()).unwrap_err();
        assert!(outside.to_string().contains("not inside a Buildkite job"), "{outside}");
    }

    #[test]
    fn a_number_and_a_source_that_are_none_are_errors() {
        for number in ["0", "-1", "1.5", "x", "99999999999999999999999"] {
            let error = job(&[(NUMBER, Some(number))]).unwrap_err();
            assert!(error.to_string().contains(&format!("{NUMBER} is `{number}`")), "{error}");
        }
        assert!(job(&[(SOURCE, Some("cron"))]).is_err());
        assert_eq!(job(&[(SOURCE, None)]).unwrap().build.source, None);
    }
}
