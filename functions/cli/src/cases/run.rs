//! Running cases against a triggers file.

use std::{fs, path::Path};

use launchgate_engine::{Judgement, judge};
use launchgate_standin::BuildkiteWebhook;
use launchgate_statement::{Artifact, Build, BuildkiteIds, ProvenanceDraft, Timestamp};
use launchgate_triggers::{Config, DecideOptions};
use launchgate_trust::{BuildFacts, BuildkiteKeys, Jwks, TrustInputs};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    coverage::Coverage,
    expectation::mismatches,
    file::{Case, CaseBuildFacts, CaseFile, CasePullRequest},
    proof::StandInSigners,
};
use crate::{
    command_line::ConfigArgument, event_source::GivenEvent, failure::Failure, fixture::image,
    template_arguments::TemplateArguments,
};

/// A triggers file as it is, and once more with signers that sign on demand.
pub(crate) struct Runner {
    real: Config,
    stand_in: Config,
    signers: StandInSigners,
    coverage: Coverage,
}

/// What a case came to.
#[derive(Debug, Serialize)]
pub(crate) struct CaseResult {
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) millis: u64,
}

/// One thing that is not as expected.
#[derive(Debug, Serialize)]
pub(crate) struct Mismatch {
    pub(crate) what: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
}

impl Mismatch {
    pub(crate) fn new(what: impl Into<String>, expected: impl Into<String>, actual: String) -> Self {
        Self { what: what.into(), expected: expected.into(), actual }
    }
}

impl Runner {
    pub(crate) fn load(config: &Path, templates: &TemplateArguments) -> Result<Self, Failure> {
        let file = ConfigArgument { config: config.to_owned(), templates: templates.clone() };
        let (real, mut stand_in) = (file.load()?, file.load()?);
        let signers = StandInSigners::of(&real.signers)?;
        stand_in.signers = signers.signers.clone();
        let coverage = Coverage::of(&real);
        Ok(Self { real, stand_in, signers, coverage })
    }

    /// What the cases so far have tried.
    pub(crate) fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    pub(crate) fn run(&mut self, file: &CaseFile, case: &Case, now: Timestamp) -> CaseResult {
        let begun = std::time::Instant::now();
        let published = case.now.or(file.now).unwrap_or(now);
        let found = match self.judged(file, case, published) {
            Ok(judgement) => {
                self.coverage.add(&judgement);
                mismatches(&case.expect, &judgement)
            }
            Err(why) => vec![Mismatch::new("case", case.expect.outcome.to_string(), why)],
        };
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        CaseResult { name: case.name.clone(), passed: found.is_empty(), mismatches: found, millis }
    }

    fn judged(&self, file: &CaseFile, case: &Case, published: Timestamp) -> Result<Judgement, String> {
        let options = DecideOptions::default();
        if let Some(event) = &case.event {
            let given = GivenEvent::read(&file.beside(event)).map_err(|failure| words(&failure))?;
            let keys = case.jwks.as_ref().map(|path| {
                let path = file.beside(path);
                let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                Jwks::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
            });
            let keys = keys.transpose()?.unwrap_or_default();
            let inputs = TrustInputs { published, buildkite_keys: BuildkiteKeys::Complete(&keys) };
            return judge(&self.real, &given.data, inputs, options).map_err(|wanted| wanted.to_string());
        }
        let data = self.signed(case, published)?;
        let buildkite_keys = BuildkiteKeys::Complete(&self.signers.buildkite_keys);
        let inputs = TrustInputs { published, buildkite_keys };
        let facts = case.build_facts.as_ref().map(|facts| told(case, facts)).transpose()?;
        let facts: Vec<_> = facts.into_iter().collect();
        let options = DecideOptions { build_facts: &facts, ..options };
        judge(&self.stand_in, &data, inputs, options).map_err(|wanted| wanted.to_string())
    }

    /// The message data of a build that might be.
    fn signed(&self, case: &Case, published: Timestamp) -> Result<Vec<u8>, String> {
        let build = case.build.as_ref().map(super::file::CaseBuild::facts).unwrap_or_default();
        let mut artifacts = Vec::new();
        for artifact in &case.artifacts {
            artifacts.push(artifact.artifact()?);
        }
        if artifacts.is_empty() {
            artifacts.push(an_image(&build));
        }
        let first = self.stand_in.signers.iter().next().map(|signer| vec![signer.id.to_string()]);
        let by = case.signed_by.clone().or(first).unwrap_or_default();
        let claims = claims(&build);
        let started = case.started_on.unwrap_or_else(|| published.plus_micros(-300_000_000));
        let draft = ProvenanceDraft {
            build,
            artifacts,
            command: None,
            started_on: Some(started),
            ids: BuildkiteIds::default(),
        };
        let statement = draft.to_statement().map_err(|error| format!("no statement can be made: {error}"))?;
        self.signers.signed(&statement, &by, &claims, published)
    }
}

/// The artifact of a build that does not say what it made.
fn an_image(build: &Build) -> Artifact {
    let pipeline = build.pipeline.as_deref().unwrap_or_default();
    let organization = build.organization.as_deref().unwrap_or_default();
    image(pipeline, &format!("us-docker.pkg.dev/{organization}/ml/{pipeline}"), pipeline.as_bytes())
}

/// What Buildkite's webhook would say of the build.
fn told(case: &Case, facts: &CaseBuildFacts) -> Result<BuildFacts, String> {
    let build = case.build.as_ref().map(super::file::CaseBuild::facts).unwrap_or_default();
    let job = claims(&build);
    let state = facts.state.as_deref().unwrap_or("passed");
    let webhook = match state {
        "running" | "scheduled" => BuildkiteWebhook::running(&job),
        _ => BuildkiteWebhook::finished(&job),
    };
    let mut webhook = webhook.with("/build/state", state).with("/build/blocked", facts.blocked);
    if let Some(repository) = &build.repository {
        webhook = webhook.with("/pipeline/repository", repository.as_str());
    }
    let own = webhook.pipeline_repository();
    let webhook = match facts.pull_request {
        CasePullRequest::None => webhook,
        CasePullRequest::SameRepository => webhook.of_pull_request(1, &own),
        CasePullRequest::Fork => webhook.of_pull_request(1, "https://github.com/a-fork/of-it.git"),
    };
    BuildFacts::given_by_operator(&webhook.body()).map_err(|refusal| refusal.message)
}

/// What Buildkite would claim of the build.
fn claims(build: &Build) -> Value {
    json!({
        "organization_slug": build.organization, "pipeline_slug": build.pipeline,
        "build_number": build.number, "build_branch": build.branch, "build_tag": build.tag,
        "build_commit": build.commit, "step_key": build.step, "job_id": build.job,
        "build_source": build.source, "build_id": "0199a3c5-8a3e-4f6b-9f55-000000000001",
        "runner_environment": build.runner.as_deref().unwrap_or("self-hosted"),
    })
}

fn words(failure: &Failure) -> String {
    match failure {
        Failure::Usage(text) | Failure::Transient(text) => text.clone(),
        Failure::Config(unusable) => unusable.to_string(),
        Failure::Internal(error) => format!("{error:#}"),
        Failure::NoReader => String::new(),
    }
}
