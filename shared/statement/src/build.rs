//! What is said of a build.

use serde::{Deserialize, Serialize};

/// What one source says of the build. Which of these facts count is decided by who vouches for them
/// (`trust`); this type only holds words. Tag and step given as `""` or null are `None` here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Build {
    /// Organization slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Pipeline slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Build number, from 1 within the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Branch the build was created for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Tag, for tag builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Commit; a hex id, or what the build was created with (`HEAD`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Step key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Job id (UUID).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// How the build was started: `webhook`, `schedule`, `ui`, `api`, `trigger_job`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `buildkite-hosted` or `self-hosted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// Repository address as Buildkite knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Build state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Who started the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// Pull request number, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<String>,
}

/// The name of one build fact, as `build.NAME` in expressions and `match.NAME` in triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the field of `Build` with the same name")]
pub enum FactName {
    Organization,
    Pipeline,
    Number,
    Branch,
    Tag,
    Commit,
    Step,
    Job,
    Source,
    Runner,
    Repository,
    State,
    Creator,
    PullRequest,
}

impl FactName {
    /// Every fact, in the order of `Build`.
    pub const ALL: [Self; 14] = [
        Self::Organization,
        Self::Pipeline,
        Self::Number,
        Self::Branch,
        Self::Tag,
        Self::Commit,
        Self::Step,
        Self::Job,
        Self::Source,
        Self::Runner,
        Self::Repository,
        Self::State,
        Self::Creator,
        Self::PullRequest,
    ];

    /// The name in expressions and in the triggers file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Pipeline => "pipeline",
            Self::Number => "number",
            Self::Branch => "branch",
            Self::Tag => "tag",
            Self::Commit => "commit",
            Self::Step => "step",
            Self::Job => "job",
            Self::Source => "source",
            Self::Runner => "runner",
            Self::Repository => "repository",
            Self::State => "state",
            Self::Creator => "creator",
            Self::PullRequest => "pullRequest",
        }
    }
}

impl Build {
    /// The fact as text, when it is there.
    pub fn fact(&self, name: FactName) -> Option<std::borrow::Cow<'_, str>> {
        let text = match name {
            FactName::Number => return self.number.map(|number| number.to_string().into()),
            FactName::Organization => &self.organization,
            FactName::Pipeline => &self.pipeline,
            FactName::Branch => &self.branch,
            FactName::Tag => &self.tag,
            FactName::Commit => &self.commit,
            FactName::Step => &self.step,
            FactName::Job => &self.job,
            FactName::Source => &self.source,
            FactName::Runner => &self.runner,
            FactName::Repository => &self.repository,
            FactName::State => &self.state,
            FactName::Creator => &self.creator,
            FactName::PullRequest => &self.pull_request,
        };
        text.as_deref().map(Into::into)
    }

    /// Takes the fact `name` over from `other`; whether there was one.
    pub fn take_from(&mut self, other: &Self, name: FactName) -> bool {
        let (place, text) = match name {
            FactName::Number => {
                self.number = other.number.or(self.number);
                return other.number.is_some();
            }
            FactName::Organization => (&mut self.organization, &other.organization),
            FactName::Pipeline => (&mut self.pipeline, &other.pipeline),
            FactName::Branch => (&mut self.branch, &other.branch),
            FactName::Tag => (&mut self.tag, &other.tag),
            FactName::Commit => (&mut self.commit, &other.commit),
            FactName::Step => (&mut self.step, &other.step),
            FactName::Job => (&mut self.job, &other.job),
            FactName::Source => (&mut self.source, &other.source),
            FactName::Runner => (&mut self.runner, &other.runner),
            FactName::Repository => (&mut self.repository, &other.repository),
            FactName::State => (&mut self.state, &other.state),
            FactName::Creator => (&mut self.creator, &other.creator),
            FactName::PullRequest => (&mut self.pull_request, &other.pull_request),
        };
        if text.is_some() {
            place.clone_from(text);
        }
        text.is_some()
    }
}
