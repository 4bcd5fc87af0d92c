//! Signing with the job's own Buildkite token, asked for through `buildkite-agent` on PATH or, where there is none,
//! from the agent API itself.
//!
//! Promises: the token that ends up in an envelope is good for that one event of that one service; the
//! token that is asked for first, to read its claims, is neither stored nor printed nor published. Does
//! not: verify tokens; whoever reads the event does.

use std::time::Duration;

use launchgate_buildkite::{AgentApi, Job, TokenWanted};
use launchgate_service::Environment;
use launchgate_statement::{Envelope, EventId, Signature};
use launchgate_trust::{BuildkiteOidc, unverified_token_claims};
use serde_json::{Map, Value};

use crate::{
    failure::Failure,
    job_agent::{Ended, call},
    meta_data::failed,
};

/// What is in a token only when it is asked for; signers may be pinned to these.
const OPTIONAL_CLAIMS: [&str; 5] = ["organization_id", "pipeline_id", "build_id", "cluster_id", "queue_key"];

/// Seconds a token is asked to live: enough to publish, little to a thief.
const LIFETIME: u32 = 300;

/// Seconds after its issue until which an event must be published, whatever lifetime its token has.
/// Source: DESIGN §3, "Token time".
const PUBLISHED_WITHIN: i64 = 900;

/// Seconds before a token's end when it is no longer sent: as long as one try to publish takes at most, with some
/// for clocks that differ.
const MARGIN: i64 = 60;

/// A hint for people; no verifier decides by it.
const KEYID: &str = "buildkite-oidc";

/// The job's agent, and the service that tokens are for.
pub(crate) struct Keyless {
    audience: String,
    /// For a job without a `buildkite-agent`; `None` when it lacks the access token too.
    api: Option<AgentApi>,
}

/// An envelope with a token in it.
pub(crate) struct Sealed {
    pub(crate) envelope: Envelope,
    /// For how long from now the token may be published.
    pub(crate) young_for: Duration,
}

impl Keyless {
    /// `audience` is the triggers file's `service.audience`.
    pub(crate) fn new(audience: &str, environment: &Environment) -> Result<Self, Failure> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        if (3..=63).contains(&audience.len()) && audience.bytes().all(fits) {
            let api = AgentApi::from_variables(environment.variables()).map_err(|error| failed(&error))?;
            return Ok(Self { audience: audience.to_owned(), api });
        }
        Err(Failure::usage(format!(
            "--audience `{audience}`: expected the triggers file's service.audience, 3 to 63 lower-case letters, \
             digits, dots or dashes"
        )))
    }

    /// The job, its build as Buildkite's token says it.
    pub(crate) async fn current(&self, job: Job) -> Result<Job, Failure> {
        let (_, claims) = self.request(&format!("{}/claims", self.audience)).await?;
        job.with_claims(&claims).map_err(|error| Failure::usage(error.to_string()))
    }

    /// The envelope with a token for exactly this event as its signature.
    pub(crate) async fn signed(&self, envelope: &Envelope) -> Result<Sealed, Failure> {
        let audience = BuildkiteOidc::event_audience(&self.audience, envelope.event_digest());
        let (token, claims) = self.request(&audience).await?;
        let mut envelope = envelope.clone();
        envelope.signatures = vec![Signature { keyid: Some(KEYID.to_owned()), sig: token.into_bytes() }];
        Ok(Sealed { envelope, young_for: young_for(&claims) })
    }

    /// A token that says of which build the asker is, for questions about this one event; with it, for how long
    /// from now it may be used.
    pub(crate) async fn asking_about(&self, event: &EventId) -> Result<(String, Duration), Failure> {
        let (token, claims) = self.request(&BuildkiteOidc::wait_audience(&self.audience, event)).await?;
        Ok((token, young_for(&claims)))
    }

    /// A token for `audience` and what it claims.
    async fn request(&self, audience: &str) -> Result<(String, Map<String, Value>), Failure> {
        let token = match (by_agent(audience).await?, &self.api) {
            (Some(token), _) => token,
            (None, Some(api)) => {
                let wanted = TokenWanted { audience, lifetime: LIFETIME, claims: &OPTIONAL_CLAIMS };
                api.oidc_token(wanted).await.map_err(|error| failed(&error))?
            }
            (None, None) => {
                return Err(Failure::usage(
                    "a job's own token needs `buildkite-agent` on PATH, or BUILDKITE_AGENT_ACCESS_TOKEN to ask the agent \
                     API itself; does the step's container have either?",
                ));
            }
        };
        let unexpected =
            |what: &str| Failure::Transient(format!("buildkite-agent answered {what}; see its version"));
        let claims = unverified_token_claims(token.as_bytes())
            .ok_or_else(|| unexpected("something that is no token"))?;
        // Said here and not only by the gate: a wrapper that swallows the audience makes tokens good for nothing.
        if claims.get("aud").and_then(Value::as_str) != Some(audience) {
            return Err(unexpected("a token for another audience"));
        }
        Ok((token, claims))
    }
}

/// For how long a token that was issued now may be published, by what Buildkite granted.
fn young_for(claims: &Map<String, Value>) -> Duration {
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
    let granted = seconds("exp").saturating_sub(seconds("iat")).min(PUBLISHED_WITHIN);
    Duration::from_secs(u64::try_from(granted - MARGIN).unwrap_or_default())
}

/// A token by `buildkite-agent`; `None` when there is none on PATH.
async fn by_agent(audience: &str) -> Result<Option<String>, Failure> {
    let lifetime = LIFETIME.to_string();
    let claims = OPTIONAL_CLAIMS.join(",");
    let arguments =
        ["oidc", "request-token", "--audience", audience, "--lifetime", &lifetime, "--claim", &claims];
    match call(arguments.map(str::to_owned).to_vec(), None).await? {
        Some(Ended::Well(token)) => Ok(Some(token.trim().to_owned())),
        // What it says on stderr is for people; a token would be on stdout.
        Some(Ended::Badly(said)) => {
            Err(Failure::Transient(format!("buildkite-agent gave no token for {audience}: {said}")))
        }
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_young_until_shortly_before_its_end_or_the_publish_limit() {
        let of = |claims: Value| young_for(claims.as_object().unwrap()).as_secs();
        assert_eq!(of(json!({"iat": 1000, "exp": 1300})), 240);
        assert_eq!(of(json!({"iat": 1000, "exp": 8200})), 840);
        for worthless in [json!({"iat": 1000, "exp": 1030}), json!({"iat": 1000}), json!({})] {
            assert_eq!(of(worthless.clone()), 0, "{worthless}");
        }
    }
}
