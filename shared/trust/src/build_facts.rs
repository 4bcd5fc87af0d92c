//! Build facts: what Buildkite itself says of a build, read out of a webhook's body.
//!
//! Promises: they exist only out of a body whose HMAC was verified, or are marked as given by an operator;
//! the organization is read from the signed body; whatever does not say whose branch was built counts as a
//! fork. Does not: say anything of artifacts; decide what a build may start.
//! Source: buildkite.com/docs/apis/webhooks/pipelines/build-events and …/rest-api/builds.

use launchgate_outcome::{Reason, Refusal, Voucher};
use launchgate_statement::{Build, EnvelopeError, FactName, Timestamp, is_commit_id, parse_object};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{BuildMetadata, BuildRun, Repository, VerifiedWebhook, VouchedFacts};

/// The facts that Buildkite's own word on a build proves.
pub const BUILD_FACTS: &[FactName] = &[
    FactName::Organization,
    FactName::Pipeline,
    FactName::Number,
    FactName::Branch,
    FactName::Tag,
    FactName::Commit,
    FactName::Source,
    FactName::Repository,
    FactName::State,
    FactName::Creator,
    FactName::PullRequest,
];

/// Levels of JSON in a webhook: a pipeline with its steps has about eight; meta-data is flat.
const DEPTH: usize = 64;

/// Bytes of one text that is kept. People outside the organization choose branch names and their own.
const TEXT: usize = 4096;

/// The events that tell of a build. Each carries the whole build as it is then.
const BUILD_EVENTS: [&str; 5] =
    ["build.scheduled", "build.running", "build.failing", "build.finished", "build.skipped"];

/// Where Buildkite's REST API lives; `build.url` is an address there.
const BUILDS: &str = "https://api.buildkite.com/v2/organizations/";

/// What Buildkite says of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildFacts {
    id: String,
    build: Build,
    blocked: bool,
    pull_request: PullRequest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    origin: FactsOrigin,
}

/// Whose branch was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PullRequest {
    /// The build is of no pull request.
    None,
    /// Of one whose branch lies in the pipeline's own repository.
    SameRepository,
    /// Of one whose branch lies elsewhere, or that does not say where.
    Fork,
}

/// How facts came to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FactsOrigin {
    /// By the HMAC of Buildkite's webhook, signed at this instant.
    Webhook(Timestamp),
    /// Buildkite's REST API answered so at this instant.
    Rest(Timestamp),
    /// An operator handed them in, for an explanation; nothing proves them.
    Operator,
}

/// What an authentic webhook tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookTells {
    /// Of a build.
    Build(Box<BuildTold>),
    /// Of something that is not used here: the name of its event.
    Unused(String),
}

/// What Buildkite tells of a build at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildTold {
    /// The build as it is then.
    pub facts: BuildFacts,
    /// What jobs left in its meta-data, once it has finished: before, it may still change.
    pub metadata: Option<BuildMetadata>,
}

/// The event that tells that a build has finished.
const FINISHED: &str = "build.finished";

impl BuildTold {
    /// Reads what Buildkite's REST API answered at this instant to who asked for a build, over a connection that
    /// proves the server. The meta-data are told once the build has finished.
    ///
    /// # Errors
    /// Why the body is not a build as the API writes it.
    pub fn answered(body: &[u8], at: Timestamp) -> Result<Self, Refusal> {
        let build = parse(body)?;
        let facts = BuildFacts::of(&build, object(&build, "pipeline", "pipeline")?, FactsOrigin::Rest(at))?;
        let metadata = facts.finished_at().map(|_| BuildMetadata::of(&build));
        Ok(Self { facts, metadata })
    }
}

impl BuildFacts {
    /// Reads an authentic webhook.
    ///
    /// # Errors
    /// Why the body is not one that Buildkite writes, with its stable reason.
    pub fn read(webhook: &VerifiedWebhook<'_>) -> Result<WebhookTells, Refusal> {
        let body = parse(webhook.body())?;
        match text(&body, "event", "event")? {
            Some(event) if BUILD_EVENTS.contains(&event) => {
                let facts = Self::of_body(&body, FactsOrigin::Webhook(webhook.signed()))?;
                let metadata = (event == FINISHED).then(|| object(&body, "build", "build"));
                let metadata = metadata.transpose()?.map(BuildMetadata::of);
                Ok(WebhookTells::Build(Box::new(BuildTold { facts, metadata })))
            }
            Some(event) => Ok(WebhookTells::Unused(event.chars().take(64).collect())),
            None => Err(wrong("event", "the name of an event", &body, "event")),
        }
    }

    /// Reads a webhook's body that an operator hands in; nothing proves it, and the facts say so.
    ///
    /// # Errors
    /// Why it is not a body that Buildkite writes of a build.
    pub fn given_by_operator(body: &[u8]) -> Result<Self, Refusal> {
        Self::of_body(&parse(body)?, FactsOrigin::Operator)
    }

    fn of_body(body: &Map<String, Value>, origin: FactsOrigin) -> Result<Self, Refusal> {
        Self::of(object(body, "build", "build")?, object(body, "pipeline", "pipeline")?, origin)
    }

    fn of(
        build: &Map<String, Value>,
        pipeline: &Map<String, Value>,
        origin: FactsOrigin,
    ) -> Result<Self, Refusal> {
        let id = needed(build, "id", "build.id")?.to_owned();
        let slug = needed(pipeline, "slug", "pipeline.slug")?;
        let number = build.get("number").and_then(Value::as_u64).filter(|&n| i64::try_from(n).is_ok());
        let number = number.ok_or_else(|| wrong("build.number", "a build number", build, "number"))?;
        let url = needed(build, "url", "build.url")?;
        let organization = organization_in(url, slug, number).ok_or_else(|| {
            let expected = format!("`{BUILDS}ORGANIZATION/pipelines/{slug}/builds/{number}`");
            wrong("build.url", &expected, build, "url")
        })?;
        let own = |member, path| Ok::<_, Refusal>(text(build, member, path)?.map(str::to_owned));
        let repository = text(pipeline, "repository", "pipeline.repository")?;
        let (pull_request, pull_request_id) = pull_request(build, repository)?;
        let cluster = match own("cluster_id", "build.cluster_id")? {
            Some(cluster) => Some(cluster),
            None => text(pipeline, "cluster_id", "pipeline.cluster_id")?.map(str::to_owned),
        };
        Ok(Self {
            build: Build {
                organization: Some(organization.to_owned()),
                pipeline: Some(slug.to_owned()),
                number: Some(number),
                branch: own("branch", "build.branch")?,
                tag: own("tag", "build.tag")?,
                commit: own("commit", "build.commit")?,
                source: own("source", "build.source")?,
                state: own("state", "build.state")?,
                repository: repository.map(str::to_owned),
                creator: creator(build)?,
                pull_request: pull_request_id,
                ..Build::default()
            },
            blocked: boolean(build, "blocked", "build.blocked")?,
            pull_request,
            cluster,
            started_at: instant(build, "started_at", "build.started_at")?,
            finished_at: instant(build, "finished_at", "build.finished_at")?,
            id,
            origin,
        })
    }

    /// The build's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The facts of `BUILD_FACTS`; organization, pipeline and number are always there.
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// Whether somebody has to unblock the build before it goes on.
    pub fn blocked(&self) -> bool {
        self.blocked
    }

    /// Whose branch was built.
    pub fn pull_request(&self) -> PullRequest {
        self.pull_request
    }

    /// The cluster that runs it.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// When its first job started.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// When it finished; a retried job makes it finish again, later.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.finished_at
    }

    /// From its start to its end, where Buildkite says both.
    pub fn run(&self) -> Option<BuildRun> {
        Some(BuildRun { started: self.started_at?, finished: self.finished_at? })
    }

    /// What proves them; for what an operator hands in, what it would be.
    pub fn voucher(&self) -> Voucher {
        match self.origin {
            FactsOrigin::Webhook(_) | FactsOrigin::Operator => Voucher::Webhook,
            FactsOrigin::Rest(_) => Voucher::Rest,
        }
    }

    /// How they came to be believed.
    pub fn origin(&self) -> FactsOrigin {
        self.origin
    }

    /// Whether these take the place of `other`, which are of the same build: finished after unfinished, the
    /// later end, then what Buildkite signed later. Webhooks come in any order.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let signed = |facts: &Self| match facts.origin {
            FactsOrigin::Webhook(at) | FactsOrigin::Rest(at) => Some(at),
            FactsOrigin::Operator => None,
        };
        (self.finished_at, signed(self)) > (other.finished_at, signed(other))
    }

    /// Whether these are of the build of which organization, pipeline and number are known, and the id if `id`
    /// is: a pipeline that was made anew under an old name counts its builds from 1 again.
    pub fn are_of(&self, build: &Build, id: Option<&str>) -> bool {
        self.build.organization == build.organization
            && self.build.pipeline == build.pipeline
            && self.build.number == build.number
            && id.is_none_or(|id| id == self.id)
    }

    /// The first of branch, tag and commit that a permitted signer says otherwise. A token that names no tag
    /// says that there is none. Commits are compared only where both are ids: a build may be created for a
    /// name (`HEAD`).
    pub fn disagreement(&self, vouched: &VouchedFacts) -> Option<FactName> {
        let said = vouched.build();
        let differs = |fact| match said.fact(fact) {
            Some(said) => self.build.fact(fact) != Some(said),
            None => vouched.has_token() && self.build.fact(fact).is_some(),
        };
        let commits = (self.build.commit.as_deref(), said.commit.as_deref());
        let commit_differs = matches!(commits, (Some(ours), Some(said))
            if is_commit_id(ours) && is_commit_id(said) && !ours.eq_ignore_ascii_case(said));
        let named = [FactName::Branch, FactName::Tag].into_iter().find(|fact| differs(*fact));
        named.or(commit_differs.then_some(FactName::Commit))
    }
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    parse_object(body, DEPTH).map_err(|error| EnvelopeError::from(error).into())
}

/// The organization in a build's address, which must be of this pipeline and number. The body has no other
/// place for it.
fn organization_in<'u>(url: &'u str, pipeline: &str, number: u64) -> Option<&'u str> {
    let (organization, rest) = url.strip_prefix(BUILDS)?.split_once('/')?;
    let is_slug = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    let same = rest == format!("pipelines/{pipeline}/builds/{number}");
    (same && is_slug(organization) && is_slug(pipeline)).then_some(organization)
}

/// Null, `{}` and an id of null all mean none. Source: facts measured on Buildkite's API.
fn pull_request(
    build: &Map<String, Value>,
    pipeline_repository: Option<&str>,
) -> Result<(PullRequest, Option<String>), Refusal> {
    let path = "build.pull_request";
    let members = match build.get("pull_request") {
        None | Some(Value::Null) => return Ok((PullRequest::None, None)),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(wrong(path, "an object", build, "pull_request")),
    };
    let id = match members.get("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if !id.is_empty() && id.len() <= TEXT => Some(id.clone()),
        Some(Value::Number(id)) if id.is_u64() => Some(id.to_string()),
        Some(_) => return Err(wrong("build.pull_request.id", "a number as text", members, "id")),
    };
    let repository = text(members, "repository", "build.pull_request.repository")?;
    // One that names a repository and no id is a pull request all the same: nothing shows that it is none.
    if id.is_none() && repository.is_none() {
        return Ok((PullRequest::None, None));
    }
    let normal = |text: Option<&str>| text.map(Repository::normalise).filter(Repository::is_address);
    let whose = match (normal(repository), normal(pipeline_repository)) {
        (Some(head), Some(own)) if head == own => PullRequest::SameRepository,
        _ => PullRequest::Fork,
    };
    Ok((whose, id))
}

/// Who started the build, by the name Buildkite shows.
fn creator(build: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match build.get("creator") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(creator)) => Ok(text(creator, "name", "build.creator.name")?.map(str::to_owned)),
        Some(_) => Err(wrong("build.creator", "an object", build, "creator")),
    }
}

/// RFC 3339 as the REST API has it, or `2026-11-18 11:06:40 UTC`, which webhooks have carried too.
fn instant(map: &Map<String, Value>, member: &str, path: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(written) = text(map, member, path)? else { return Ok(None) };
    let plain = || Timestamp::parse(&format!("{}Z", written.strip_suffix(" UTC")?.replacen(' ', "T", 1)));
    Timestamp::parse(written).or_else(plain).map(Some).ok_or_else(|| wrong(path, "a time", map, member))
}

fn boolean(map: &Map<String, Value>, member: &str, path: &str) -> Result<bool, Refusal> {
    match map.get(member) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(wrong(path, "true or false", map, member)),
    }
}

fn object<'m>(
    map: &'m Map<String, Value>,
    member: &str,
    path: &str,
) -> Result<&'m Map<String, Value>, Refusal> {
    map.get(member).and_then(Value::as_object).ok_or_else(|| wrong(path, "an object", map, member))
}

fn needed<'m>(map: &'m Map<String, Value>, member: &str, path: &str) -> Result<&'m str, Refusal> {
    text(map, member, path)?.ok_or_else(|| wrong(path, "a text", map, member))
}

/// A text; absent, null and `""` are none.
fn text<'m>(map: &'m Map<String, Value>, member: &str, path: &str) -> Result<Option<&'m str>, Refusal> {
    match map.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= TEXT => Ok(Some(&**text).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong(path, &format!("a text of at most {TEXT} bytes"), map, member)),
    }
}

fn wrong(path: &str, expected: &str, map: &Map<String, Value>, member: &str) -> Refusal {
    let found = map.get(member).map_or_else(|| "nothing".to_owned(), Value::to_string);
    let found: String = found.chars().take(200).collect();
    Refusal::new(Reason::WebhookShape, format!("expected `{path}` to be {expected}, found {found}"))
}
