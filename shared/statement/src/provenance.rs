//! SLSA provenance v1 with Buildkite's build type, and how `emit` and `sign` write it.

use launchgate_outcome::Reason;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::claims::is_commit_id;
use crate::invocation::PipelineUrl;
use crate::{Artifact, Build, PREDICATE_TYPE, STATEMENT_TYPE, Sha256, Statement, StatementError, Timestamp};

/// Buildkite's own SLSA build type. Source: buildkite/slsa-buildtypes job/v1.
pub const BUILD_TYPE: &str = "https://buildkite.github.io/slsa-buildtypes/job/v1";

/// The builder id that launchgate's own statements carry. Source: DESIGN §2.
pub const BUILDER_ID: &str = "urn:launchgate:emit:v1";

/// What a new statement is written from.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenanceDraft {
    /// What is known of the build; organization, pipeline, number and job are required.
    pub build: Build,
    /// 1 to 32 artifacts.
    pub artifacts: Vec<Artifact>,
    /// Buildkite's own ids of what the slugs name, when known.
    pub ids: BuildkiteIds,
    /// The step's command, when known.
    pub command: Option<String>,
    /// `startedOn`; absent in keyless statements, which hold no clock.
    pub started_on: Option<Timestamp>,
}

/// Ids that survive the renaming of a slug and are never given to something else. The build type has no place
/// for those of cluster and queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildkiteIds {
    /// Of the organization.
    pub organization: Option<String>,
    /// Of the pipeline.
    pub pipeline: Option<String>,
    /// Of the build.
    pub build: Option<String>,
}

impl ProvenanceDraft {
    /// The statement as compact JSON with members in a fixed order: the same draft gives the same
    /// bytes, hence the same event id.
    ///
    /// # Errors
    /// Whatever `Statement::parse` would say of the result.
    pub fn to_statement(&self) -> Result<Vec<u8>, StatementError> {
        let missing = |name: &str| StatementError {
            reason: Reason::StatementShape,
            message: format!("a statement needs the build's {name}; found none"),
        };
        let build = &self.build;
        let organization = build.organization.as_deref().ok_or_else(|| missing("organization"))?;
        let pipeline = build.pipeline.as_deref().ok_or_else(|| missing("pipeline"))?;
        let number = build.number.ok_or_else(|| missing("number"))?;
        let job = build.job.as_deref().ok_or_else(|| missing("job id"))?;
        let page = PipelineUrl::text(organization, pipeline);
        let invocation = format!("{page}/builds/{number}#{job}");

        let written = Written {
            statement_type: STATEMENT_TYPE,
            subject: self.artifacts.iter().map(Subject::of).collect(),
            predicate_type: PREDICATE_TYPE,
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: BUILD_TYPE,
                    external_parameters: ExternalParameters {
                        pipeline: &page,
                        repository: build.repository.as_deref(),
                        build: Refs { branch: &build.branch, tag: &build.tag, commit: &build.commit },
                        step: Step { key: &build.step, command: &self.command },
                        job: Id { id: job },
                    },
                    internal_parameters: InternalParameters {
                        buildkite: Buildkite {
                            organization_id: &self.ids.organization,
                            pipeline_id: &self.ids.pipeline,
                            build_id: &self.ids.build,
                            build_number: number.to_string(),
                            source: &build.source,
                            runner_environment: &build.runner,
                            creator: &build.creator,
                            pull_request: &build.pull_request,
                        },
                    },
                    resolved_dependencies: source(build).into_iter().collect(),
                },
                run_details: RunDetails {
                    builder: Id { id: BUILDER_ID },
                    metadata: Metadata { invocation_id: &invocation, started_on: self.started_on },
                },
            },
        };
        let bytes =
            serde_json::to_vec(&written).expect("texts, lists and maps with text keys have a JSON form");
        Statement::parse(&bytes)?;
        Ok(bytes)
    }
}

/// The source that was built, when both the repository and a whole commit id are known.
fn source(build: &Build) -> Option<Dependency<'_>> {
    let commit = build.commit.as_deref().filter(|commit| is_commit_id(commit))?;
    let repository = build.repository.as_deref()?;
    let reference = match (&build.tag, &build.branch) {
        (Some(tag), _) => format!("@refs/tags/{tag}"),
        (None, Some(branch)) => format!("@refs/heads/{branch}"),
        (None, None) => String::new(),
    };
    // SLSA wants a URI: scp's short form becomes the ssh address it stands for.
    let uri = match repository.split_once(':') {
        _ if repository.contains("://") => format!("git+{repository}{reference}"),
        Some((host, path)) => format!("git+ssh://{host}/{}{reference}", path.trim_start_matches('/')),
        None => format!("git+{repository}{reference}"),
    };
    Some(Dependency { uri, digest: GitCommit { git_commit: commit } })
}

/// `value` with the members of every object sorted, whatever order its maps keep.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(sorted_members(members)),
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn sorted_members(members: &Map<String, Value>) -> Map<String, Value> {
    let mut names: Vec<_> = members.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    names.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
}

// The written form, in the order of its members.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(rename = "_type")]
    statement_type: &'a str,
    subject: Vec<Subject<'a>>,
    predicate_type: &'a str,
    predicate: Predicate<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject<'a> {
    name: &'a str,
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    annotations: Map<String, Value>,
}

impl<'a> Subject<'a> {
    fn of(artifact: &'a Artifact) -> Self {
        Self {
            name: &artifact.name,
            digest: Digest { sha256: artifact.sha256 },
            uri: artifact.uri.as_deref(),
            media_type: artifact.media_type.as_deref(),
            annotations: sorted_members(&artifact.annotations),
        }
    }
}

#[derive(Serialize)]
struct Digest {
    sha256: Sha256,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    build_definition: BuildDefinition<'a>,
    run_details: RunDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition<'a> {
    build_type: &'a str,
    external_parameters: ExternalParameters<'a>,
    internal_parameters: InternalParameters<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resolved_dependencies: Vec<Dependency<'a>>,
}

#[derive(Serialize)]
struct ExternalParameters<'a> {
    pipeline: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<&'a str>,
    build: Refs<'a>,
    step: Step<'a>,
    job: Id<'a>,
}

#[derive(Serialize)]
struct Refs<'a> {
    branch: &'a Option<String>,
    tag: &'a Option<String>,
    commit: &'a Option<String>,
}

#[derive(Serialize)]
struct Step<'a> {
    key: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: &'a Option<String>,
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct InternalParameters<'a> {
    buildkite: Buildkite<'a>,
}

#[derive(Serialize)]
struct Buildkite<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_id: &'a Option<String>,
    build_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_environment: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request: &'a Option<String>,
}

#[derive(Serialize)]
struct Dependency<'a> {
    uri: String,
    digest: GitCommit<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GitCommit<'a> {
    git_commit: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunDetails<'a> {
    builder: Id<'a>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    invocation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_on: Option<Timestamp>,
}
