//! The keyless signer: whose Buildkite tokens count, and what one of them proves. Source: DESIGN §3.
//!
//! Promises: a token speaks for exactly one event, only near the instant it was minted, and never for a
//! build other than its own. Does not: fetch keys; read clocks; say anything about isolation of the job.

use launchgate_outcome::{Reason, Refusal};
use launchgate_statement::{Build, EventDigest, EventId, Statement, Timestamp, is_commit_id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::buildkite_token::BuildkiteToken;
use crate::carrier::TokenTime;
use crate::mismatch::{Mismatch, PINNED, bounded};
use crate::{BuildRun, IdentityClaims, Jwk};

/// Who issues the tokens. Compared as text: a slash, a port or another scheme is another issuer.
pub(crate) const ISSUER: &str = "https://agent.buildkite.com";

/// Seconds by which Buildkite's clock and Pub/Sub's may differ.
const SKEW: i128 = 60;

/// The longest lifetime that Buildkite grants; a longer one was not granted by it.
const LONGEST_LIFETIME: i64 = 7200;

/// Seconds after `iat` within which an event must be published: a stolen token is worth little longer,
/// whatever lifetime the job asked for.
const OLDEST: i128 = 900;

const MICROS: i128 = 1_000_000;

/// Whose tokens count. Every pin given must be met; a token without the pinned claim meets none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildkiteOidc {
    /// The service's audience: tokens are minted for `<audience>/event/<event digest>`.
    pub audience: String,
    /// Organization slug.
    pub organization: String,
    /// Organization id, which survives renaming and is never given to somebody else.
    pub organization_id: Option<String>,
    /// Pipeline ids, one of which must be the token's.
    pub pipeline_ids: Option<Vec<String>>,
    /// Cluster id.
    pub cluster: Option<String>,
    /// Queue key.
    pub queue: Option<String>,
    /// Whether the pipelines it speaks for build forks under the forks' own branch names.
    pub fork_builds: ForkBuilds,
}

/// Whether pipelines build pull requests of third-party forks under the branch names that the forks chose.
/// A fork can name its branch `main`, and no token says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkBuilds {
    /// No third-party fork is built, or its branch gets a prefix: the branch in a token can be believed.
    Disabled,
    /// Forks are built: branch and tag count only beside build facts that show no pull request from a fork.
    Enabled,
}

/// What a verified token proved, kept with the event: enough to count it again without asking Buildkite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenProof {
    /// `iat`.
    pub issued: Timestamp,
    /// When the event was published in the copy that this token was verified with.
    pub published: Timestamp,
    /// The facts it vouches for.
    pub build: Build,
    /// Who it is of, for pins.
    pub identity: TokenIdentity,
    /// All that it says.
    #[serde(default, skip_serializing_if = "IdentityClaims::is_empty")]
    pub claims: IdentityClaims,
    /// The key that signed it, as Buildkite may have rotated it away when somebody asks again.
    pub key: Jwk,
    /// When its build ran, where it counted by that: it lay in the build's meta-data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<BuildRun>,
}

/// The claims that pins look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "each is the claim of that name")]
pub struct TokenIdentity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_slug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_key: Option<String>,
}

impl BuildkiteOidc {
    /// The audience of a token that signs this event.
    pub fn event_audience(audience: &str, digest: EventDigest) -> String {
        format!("{audience}/event/{}", digest.0)
    }

    /// The audience of a token by which a job asks what became of this event. It signs nothing: an event needs
    /// `event_audience`, and neither is ever taken for the other.
    pub fn wait_audience(audience: &str, event: &EventId) -> String {
        format!("{audience}/wait/{event}")
    }

    /// Whether a token that says this is about this event and was published in its time.
    pub(crate) fn accepts(
        &self,
        claims: &Map<String, Value>,
        digest: EventDigest,
        published: Timestamp,
        counts: TokenTime,
    ) -> Result<(), Refusal> {
        self.check_binding(claims, digest)?;
        let lifetime = Lifetime::read(claims)?;
        match counts {
            TokenTime::Publishing => lifetime.covers(published),
            TokenTime::Run(run) => lifetime.is_of(run),
        }
    }

    /// Whether a token that says this was minted by Buildkite for exactly this event.
    pub(crate) fn check_binding(
        &self,
        claims: &Map<String, Value>,
        digest: EventDigest,
    ) -> Result<(), Refusal> {
        check_issuer(claims)?;
        // One text, equal: a list, even of one, is not what Buildkite writes, and of two would make the
        // token good elsewhere too.
        let audience = claims.get("aud").and_then(Value::as_str);
        let expected = Self::event_audience(&self.audience, digest);
        if audience == Some(&expected) {
            return Ok(());
        }
        let of_ours = audience.and_then(|text| text.strip_prefix(&*self.audience)?.strip_prefix("/event/"));
        let reason = match of_ours {
            Some(hex) if is_digest(hex) => Reason::BindingMismatch,
            _ => Reason::UnboundToken,
        };
        Err(Refusal::new(reason, format!("expected `aud` {expected}, found {}", shown(claims, "aud"))))
    }

    /// What the token proves of the statement.
    pub(crate) fn prove(
        &self,
        token: &BuildkiteToken,
        statement: &Statement,
        published: Timestamp,
        counts: TokenTime,
    ) -> Result<TokenProof, Mismatch> {
        let claims = Claims(&token.claims);
        let identity = identity(&token.claims)?;
        let build = claims.agreeing_with(statement)?;
        claims.ids_agree_with(statement)?;
        self.check_pins(&identity)?;
        let issued = claims.0.get("iat").and_then(Value::as_i64).unwrap_or_default();
        let issued = Timestamp::from_seconds(issued);
        let run = match counts {
            TokenTime::Publishing => None,
            TokenTime::Run(run) => run,
        };
        let claims = IdentityClaims::of_token(&token.claims);
        Ok(TokenProof { issued, published, build, identity, claims, key: token.jwk.clone(), run })
    }

    /// Whether the token is one of those that this signer lets speak.
    pub(crate) fn check_pins(&self, identity: &TokenIdentity) -> Result<(), Mismatch> {
        let one = |text: &Option<String>| text.as_ref().map(|text| vec![text.clone()]);
        let pins = [
            ("organization_slug", Some(vec![self.organization.clone()]), &identity.organization_slug),
            ("organization_id", one(&self.organization_id), &identity.organization_id),
            ("pipeline_id", self.pipeline_ids.clone(), &identity.pipeline_id),
            ("cluster_id", one(&self.cluster), &identity.cluster_id),
            ("queue_key", one(&self.queue), &identity.queue_key),
        ];
        for (claim, pin, actual) in pins {
            let Some(allowed) = pin else { continue };
            if !actual.as_ref().is_some_and(|actual| allowed.contains(actual)) {
                let expected = allowed.join(" or ");
                let actual = actual.as_deref().map_or_else(|| "absent".to_owned(), bounded);
                return Err(Mismatch { of: TOKEN, claim, by: PINNED, expected, actual });
            }
        }
        Ok(())
    }
}

/// Who a token is of.
pub(crate) fn identity(claims: &Map<String, Value>) -> Result<TokenIdentity, Mismatch> {
    let claims = Claims(claims);
    Ok(TokenIdentity {
        organization_slug: claims.owned("organization_slug")?,
        organization_id: claims.owned("organization_id")?,
        pipeline_id: claims.owned("pipeline_id")?,
        build_id: claims.owned("build_id")?,
        cluster_id: claims.owned("cluster_id")?,
        queue_key: claims.owned("queue_key")?,
    })
}

/// Whether Buildkite says that it issued the token.
pub(crate) fn check_issuer(claims: &Map<String, Value>) -> Result<(), Refusal> {
    if claims.get("iss").and_then(Value::as_str) == Some(ISSUER) {
        return Ok(());
    }
    let message = format!("expected `iss` {ISSUER}, found {}", shown(claims, "iss"));
    Err(Refusal::new(Reason::BuildkiteTokenIssuer, message))
}

/// The times of a token, in whole seconds: `iat < exp ≤ iat + 7200`. Source: DESIGN §3, "Token time".
pub(crate) struct Lifetime {
    issued: i64,
    /// `max(iat, nbf)`.
    begins: i64,
    expires: i64,
}

impl Lifetime {
    pub(crate) fn read(claims: &Map<String, Value>) -> Result<Self, Refusal> {
        let seconds = |name: &str| {
            claims.get(name).and_then(Value::as_i64).ok_or_else(|| {
                let message = format!("expected `{name}` in whole seconds, found {}", shown(claims, name));
                Refusal::new(Reason::BuildkiteTokenTime, message)
            })
        };
        let (issued, expires) = (seconds("iat")?, seconds("exp")?);
        let begins = if claims.contains_key("nbf") { issued.max(seconds("nbf")?) } else { issued };
        if expires <= issued {
            let message = format!("the token expires ({expires}) no later than it was issued ({issued})");
            return Err(Refusal::new(Reason::BuildkiteTokenTime, message));
        }
        if i128::from(expires) - i128::from(issued) > i128::from(LONGEST_LIFETIME) {
            let message =
                format!("the token lives longer than the {LONGEST_LIFETIME} s that Buildkite grants");
            return Err(Refusal::new(Reason::BuildkiteTokenTime, message));
        }
        Ok(Self { issued, begins, expires })
    }

    /// `max(iat, nbf) − 60 ≤ published ≤ exp + 60`, `published − iat ≤ 900`. `published` is Google's clock, the
    /// only one in the exchange that neither job nor relay can set.
    pub(crate) fn covers(&self, published: Timestamp) -> Result<(), Refusal> {
        let refuse = |reason, message: String| Err(Refusal::new(reason, message));
        let micros = |seconds: i64| i128::from(seconds) * MICROS;
        let at = i128::from(published.micros());
        if at < micros(self.begins) - SKEW * MICROS {
            let message = format!(
                "the token counts from {}, but the event was published at {published}",
                Timestamp::from_seconds(self.begins)
            );
            return refuse(Reason::BuildkiteTokenTime, message);
        }
        if at > micros(self.expires) + SKEW * MICROS {
            let message = format!(
                "the token expired at {}, but the event was published at {published}",
                Timestamp::from_seconds(self.expires)
            );
            return refuse(Reason::BuildkiteTokenTime, message);
        }
        if at - micros(self.issued) > OLDEST * MICROS {
            let message = format!(
                "the event was published at {published}, more than {OLDEST} s after its token was issued at {}",
                Timestamp::from_seconds(self.issued)
            );
            return refuse(Reason::TokenTooOld, message);
        }
        Ok(())
    }

    /// `started_at − 60 ≤ iat ≤ finished_at + 60`: what lay in meta-data arrives after its token expired, and
    /// Buildkite's own word says when the build ran. Source: DESIGN §3, "Meta-data way for keyless".
    fn is_of(&self, run: Option<BuildRun>) -> Result<(), Refusal> {
        let issued = Timestamp::from_seconds(self.issued);
        let message = match run {
            Some(run) if run.covers(issued) => return Ok(()),
            Some(BuildRun { started, finished }) => {
                format!("the token was issued at {issued}, but its build ran from {started} to {finished}")
            }
            None => "the token lay in meta-data, and Buildkite does not say when the build ran".to_owned(),
        };
        Err(Refusal::new(Reason::BuildkiteTokenTime, message))
    }
}

/// The claims of a token, text by text. `""`, null and absent are none.
struct Claims<'c>(&'c Map<String, Value>);

const TOKEN: &str = "the token's";

impl Claims<'_> {
    fn text(&self, claim: &'static str) -> Result<Option<&str>, Mismatch> {
        match self.0.get(claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(&**text).filter(|text| !text.is_empty())),
            Some(_) => Err(Mismatch {
                of: TOKEN,
                claim,
                by: "it should be",
                expected: "a text".to_owned(),
                actual: shown(self.0, claim),
            }),
        }
    }

    fn owned(&self, claim: &'static str) -> Result<Option<String>, Mismatch> {
        Ok(self.text(claim)?.map(str::to_owned))
    }

    /// The facts of the build, each equal to the statement's. `sub` is never compared: the job chooses it.
    fn agreeing_with(&self, statement: &Statement) -> Result<Build, Mismatch> {
        let said = &statement.build;
        let same = |claim: &'static str, said: &Option<String>| {
            let actual = self.owned(claim)?;
            if actual == *said { Ok(actual) } else { Err(differs(claim, said.as_deref(), actual.as_deref())) }
        };
        // These three are in every token; one without them is not about a job.
        let always = |claim: &'static str, said: &Option<String>| match same(claim, said)? {
            Some(text) => Ok(Some(text)),
            None => Err(differs(claim, Some("something"), None)),
        };
        let number = self.0.get("build_number").and_then(Value::as_u64);
        if number.is_none() || number != said.number {
            let expected = said.number.map(|number| number.to_string());
            let actual = self.0.get("build_number").map(|_| shown(self.0, "build_number"));
            return Err(differs("build_number", expected.as_deref(), actual.as_deref()));
        }
        Ok(Build {
            organization: always("organization_slug", &said.organization)?,
            pipeline: always("pipeline_slug", &said.pipeline)?,
            number,
            branch: same("build_branch", &said.branch)?,
            tag: same("build_tag", &said.tag)?,
            commit: self.commit(said.commit.as_deref())?,
            step: same("step_key", &said.step)?,
            job: always("job_id", &said.job)?,
            source: self.unless_said("build_source", said.source.as_deref())?,
            runner: self.unless_said("runner_environment", said.runner.as_deref())?,
            ..Build::default()
        })
    }

    /// The commit that the token vouches for. One that was created for a name (`HEAD`) vouches for none,
    /// and says nothing against the statement's.
    fn commit(&self, said: Option<&str>) -> Result<Option<String>, Mismatch> {
        let actual = self.text("build_commit")?;
        match actual {
            Some(name) if !is_commit_id(name) => Ok(None),
            actual if actual == said => Ok(actual.map(str::to_owned)),
            actual => Err(differs("build_commit", said, actual)),
        }
    }

    /// A fact that the statement may leave out, but not give otherwise.
    fn unless_said(&self, claim: &'static str, said: Option<&str>) -> Result<Option<String>, Mismatch> {
        let actual = self.text(claim)?;
        match (actual, said) {
            (Some(actual), Some(said)) if actual != said => Err(differs(claim, Some(said), Some(actual))),
            _ => Ok(actual.map(str::to_owned)),
        }
    }

    /// The optional ids, where both the token and the statement have them.
    fn ids_agree_with(&self, statement: &Statement) -> Result<(), Mismatch> {
        let said = |name: &str| {
            let definition = statement.predicate.get("buildDefinition")?;
            definition
                .get("internalParameters")?
                .get("buildkite")?
                .get(name)?
                .as_str()
                .filter(|id| !id.is_empty())
        };
        for claim in ["organization_id", "pipeline_id", "build_id"] {
            self.unless_said(claim, said(claim))?;
        }
        Ok(())
    }
}

fn differs(claim: &'static str, expected: Option<&str>, actual: Option<&str>) -> Mismatch {
    Mismatch::with_statement(TOKEN, claim, expected, actual)
}

fn is_digest(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A claim for a message; its text is bounded because a stranger may have written it.
pub(crate) fn shown(claims: &Map<String, Value>, name: &str) -> String {
    claims.get(name).map_or_else(|| "nothing".to_owned(), |value| bounded(&value.to_string()))
}
