//! What a provenance predicate claims of its build.
//!
//! Promises: either all of it fits together or there is an error that names the two members that do not.
//! Does not: believe any of it.

use launchgate_outcome::Reason;
use serde_json::{Map, Value};

use crate::invocation::{Invocation, PipelineUrl, build_number, is_build_number};
use crate::members::{Members, excerpt, shape};
use crate::{BUILD_TYPE, Build, StatementError, Timestamp, repository_name};

/// The parts of a predicate that launchgate speaks about.
pub(crate) struct Claims {
    pub(crate) build: Build,
    pub(crate) builder: String,
    pub(crate) started_on: Option<Timestamp>,
}

impl Claims {
    /// Reads SLSA provenance v1 with Buildkite's build type.
    pub(crate) fn read(predicate: &Map<String, Value>) -> Result<Self, StatementError> {
        let predicate = Members::of("predicate", predicate);
        let definition = predicate.object("buildDefinition")?;
        let build_type = definition.text("buildType")?;
        if build_type != BUILD_TYPE {
            let message = format!("expected `buildType` {BUILD_TYPE}, found `{}`", excerpt(build_type));
            return Err(StatementError { reason: Reason::BuildType, message });
        }
        let external = definition.object("externalParameters")?;
        let internal = definition.optional_object("internalParameters")?;
        let buildkite = internal.as_ref().map(|internal| internal.optional_object("buildkite"));
        let buildkite = buildkite.transpose()?.flatten();
        let run = predicate.object("runDetails")?;
        let builder = run.object("builder")?.text("id")?.to_owned();
        let metadata = run.optional_object("metadata")?;

        let mut build = Build::default();
        read_external(&external, &mut build)?;
        if let Some(buildkite) = &buildkite {
            read_buildkite(buildkite, &mut build)?;
        }
        if let Some(metadata) = &metadata {
            agree_with_invocation(metadata, &mut build)?;
        }
        if build.number.is_none() {
            return Err(shape(
                "expected a build number in `internalParameters.buildkite.build_number` or \
                 `runDetails.metadata.invocationId`, found none"
                    .to_owned(),
            ));
        }
        agree_with_sources(&definition, &build)?;
        let started_on = metadata.as_ref().map(read_started_on).transpose()?.flatten();
        Ok(Self { build, builder, started_on })
    }
}

fn read_external(external: &Members<'_, '_>, build: &mut Build) -> Result<(), StatementError> {
    let Some(page) = PipelineUrl::parse(external.text("pipeline")?) else {
        return Err(external.shape("pipeline", "https://buildkite.com/ORGANIZATION/PIPELINE"));
    };
    build.organization = Some(page.organization.to_owned());
    build.pipeline = Some(page.pipeline.to_owned());
    build.repository = owned(external, "repository")?;
    if let Some(of_build) = external.optional_object("build")? {
        build.branch = owned(&of_build, "branch")?;
        build.tag = owned(&of_build, "tag")?;
        build.commit = owned(&of_build, "commit")?;
    }
    if let Some(step) = external.optional_object("step")? {
        build.step = owned(&step, "key")?;
        // Read only so that a wrong type is an error: it is part of the signed form.
        step.optional_text("command")?;
    }
    if let Some(job) = external.optional_object("job")? {
        build.job = owned(&job, "id")?;
    }
    Ok(())
}

fn read_buildkite(buildkite: &Members<'_, '_>, build: &mut Build) -> Result<(), StatementError> {
    build.number = match buildkite.value("build_number") {
        None => None,
        Some(value) => {
            let number = match value {
                // The official plugin writes it as text.
                Value::String(text) => build_number(text),
                value => value.as_u64().filter(|&number| is_build_number(number)),
            };
            Some(number.ok_or_else(|| buildkite.shape("build_number", "a whole number from 1"))?)
        }
    };
    // Read only so that a wrong type is an error: whoever has them from Buildkite compares them.
    for id in ["organization_id", "pipeline_id", "build_id"] {
        buildkite.optional_text(id)?;
    }
    build.source = owned(buildkite, "source")?;
    build.runner = owned(buildkite, "runner_environment")?;
    build.creator = owned(buildkite, "creator")?;
    // `false` is how Buildkite's own environment says none.
    build.pull_request = owned(buildkite, "pull_request")?.filter(|number| number != "false");
    Ok(())
}

fn owned(members: &Members<'_, '_>, name: &str) -> Result<Option<String>, StatementError> {
    Ok(members.optional_text(name)?.map(str::to_owned))
}

/// The `invocationId` says organization, pipeline, number and job again; it may fill in what is missing,
/// never say something else.
fn agree_with_invocation(metadata: &Members<'_, '_>, build: &mut Build) -> Result<(), StatementError> {
    let Some(text) = metadata.optional_text("invocationId")? else { return Ok(()) };
    let Some(invocation) = Invocation::parse(text) else {
        return Err(
            metadata.shape("invocationId", "https://buildkite.com/ORGANIZATION/PIPELINE/builds/NUMBER#JOB")
        );
    };
    let said = |place: &str, expected: &str| {
        contradiction("runDetails.metadata.invocationId", text, place, expected)
    };
    let PipelineUrl { organization, pipeline } = invocation.pipeline;
    if build.organization.as_deref() != Some(organization) || build.pipeline.as_deref() != Some(pipeline) {
        let [organization, pipeline] =
            [&build.organization, &build.pipeline].map(|slug| slug.as_deref().unwrap_or(""));
        return Err(said("externalParameters.pipeline", &PipelineUrl::text(organization, pipeline)));
    }
    if *build.number.get_or_insert(invocation.number) != invocation.number {
        let number = build.number.unwrap_or_default().to_string();
        return Err(said("internalParameters.buildkite.build_number", &number));
    }
    match (&build.job, invocation.job) {
        (Some(job), Some(named)) if job != named => Err(said("externalParameters.job.id", job)),
        (None, Some(named)) => {
            build.job = Some(named.to_owned());
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The commit that was checked out must be the build's where both are commit ids (`HEAD` is none).
///
/// Other repositories among the dependencies (submodules, plugins) have commits of their own: compared
/// are those of the build's repository, or a lone one.
fn agree_with_sources(definition: &Members<'_, '_>, build: &Build) -> Result<(), StatementError> {
    let dependencies = definition.list("resolvedDependencies")?;
    let mut sources = Vec::new();
    for (index, dependency) in dependencies.iter().enumerate() {
        let place = format!("resolvedDependencies[{index}]");
        let Value::Object(dependency) = dependency else {
            return Err(shape(format!("expected `{place}` to be an object")));
        };
        let dependency = Members::of(&place, dependency);
        let uri = dependency.optional_text("uri")?;
        let digest = dependency.optional_object("digest")?;
        let Some(digest) = digest else { continue };
        if let Some(commit) = digest.optional_text("gitCommit")? {
            sources.push((uri, commit));
        }
    }
    let Some(claimed) = build.commit.as_deref().filter(|commit| is_commit_id(commit)) else { return Ok(()) };
    let lone = sources.len() == 1;
    let of_the_build = |uri: Option<&str>| {
        let of = uri.map(without_ref).and_then(repository_name);
        let repository = build.repository.as_deref().and_then(repository_name);
        of.is_none() || repository.is_none() || of == repository
    };
    for (uri, commit) in sources {
        let differs = is_commit_id(commit) && !commit.eq_ignore_ascii_case(claimed);
        if differs && (lone || of_the_build(uri)) {
            return Err(contradiction(
                "resolvedDependencies.digest.gitCommit",
                commit,
                "build.commit",
                claimed,
            ));
        }
    }
    Ok(())
}

/// `git+https://host/repo` of `git+https://host/repo@refs/heads/main`; an `@` with a host after it is the
/// user's.
fn without_ref(uri: &str) -> &str {
    if let Some((remote, _)) = uri.split_once("@refs/") {
        return remote;
    }
    match uri.rsplit_once('@') {
        Some((remote, name)) if !name.contains(['/', ':']) => remote,
        _ => uri,
    }
}

/// Whether `text` is a whole git object id (SHA-1 or SHA-256), not a name such as `HEAD`.
#[must_use]
pub fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn read_started_on(metadata: &Members<'_, '_>) -> Result<Option<Timestamp>, StatementError> {
    let Some(text) = metadata.optional_text("startedOn")? else { return Ok(None) };
    let at = Timestamp::parse(text);
    at.map(Some).ok_or_else(|| metadata.shape("startedOn", "an RFC 3339 time"))
}

fn contradiction(place: &str, found: &str, other: &str, expected: &str) -> StatementError {
    let (found, expected) = (excerpt(found), excerpt(expected));
    let message = format!("`{place}` says `{found}`, but `{other}` says `{expected}`");
    StatementError { reason: Reason::SelfContradiction, message }
}
