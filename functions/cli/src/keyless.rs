//! Signing with the job's own Buildkite token, asked for through `buildkite-agent` on PATH.
//!
//! Promises: the token that ends up in an envelope is good for that one event of that one service; the
//! token that is asked for first, to read its claims, is neither stored nor printed nor published. Does
//! not: verify tokens; whoever reads the event does.

use std::{
    io::ErrorKind,
    process::{Command, Stdio},
};

use launchgate_buildkite::Job;
use launchgate_statement::{Envelope, Signature};
use launchgate_trust::{BuildkiteOidc, unverified_token_claims};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// What is in a token only when it is asked for; signers may be pinned to these.
const OPTIONAL_CLAIMS: &str = "organization_id,pipeline_id,build_id,cluster_id,queue_key";

/// Seconds a token is asked to live: enough to publish, little to a thief.
const LIFETIME: &str = "300";

/// A hint for people; no verifier decides by it.
const KEYID: &str = "buildkite-oidc";

/// The job's agent, and the service that tokens are for.
pub(crate) struct Keyless {
    audience: String,
}

impl Keyless {
    /// `audience` is the triggers file's `service.audience`.
    pub(crate) fn new(audience: &str) -> Result<Self, Failure> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        if (3..=63).contains(&audience.len()) && audience.bytes().all(fits) {
            return Ok(Self { audience: audience.to_owned() });
        }
        Err(Failure::usage(format!(
            "--audience `{audience}`: expected the triggers file's service.audience, 3 to 63 lower-case letters, \
             digits, dots or dashes"
        )))
    }

    /// The job, its build as Buildkite's token says it.
    pub(crate) async fn current(&self, job: Job) -> Result<Job, Failure> {
        let (_, claims) = request(format!("{}/claims", self.audience)).await?;
        job.with_claims(&claims).map_err(|error| Failure::usage(error.to_string()))
    }

    /// The envelope with a token for exactly this event as its signature.
    pub(crate) async fn signed(&self, envelope: &Envelope) -> Result<Envelope, Failure> {
        let audience = BuildkiteOidc::event_audience(&self.audience, envelope.event_digest());
        let (token, _) = request(audience).await?;
        let mut signed = envelope.clone();
        signed.signatures = vec![Signature { keyid: Some(KEYID.to_owned()), sig: token.into_bytes() }];
        Ok(signed)
    }
}

/// A token for `audience` and what it claims.
async fn request(audience: String) -> Result<(String, Map<String, Value>), Failure> {
    let asked = audience.clone();
    let answer = tokio::task::spawn_blocking(move || {
        Command::new("buildkite-agent")
            .args(["oidc", "request-token", "--audience", &asked])
            .args(["--lifetime", LIFETIME, "--claim", OPTIONAL_CLAIMS])
            .stdin(Stdio::null())
            .output()
    });
    let answer = answer.await.map_err(anyhow::Error::from)?;
    let answer = answer.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::usage(
            "--keyless needs `buildkite-agent` on PATH; does the step's container have it and the agent's token?",
        ),
        _ => Failure::usage(format!("buildkite-agent cannot be started: {error}")),
    })?;
    if !answer.status.success() {
        // What it says on stderr is for people; a token would be on stdout.
        let said: String = String::from_utf8_lossy(&answer.stderr).trim().chars().take(500).collect();
        return Err(Failure::Transient(format!("buildkite-agent gave no token for {audience}: {said}")));
    }
    let token = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let unexpected =
        |what: &str| Failure::Transient(format!("buildkite-agent answered {what}; see its version"));
    let claims =
        unverified_token_claims(token.as_bytes()).ok_or_else(|| unexpected("something that is no token"))?;
    // Said here and not only by the gate: a wrapper that swallows the audience makes tokens good for nothing.
    if claims.get("aud").and_then(Value::as_str) != Some(&audience) {
        return Err(unexpected("a token for another audience"));
    }
    Ok((token, claims))
}
