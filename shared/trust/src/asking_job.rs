//! A job that asks what became of an event, by its own Buildkite token.
//!
//! Promises: an `AskingJob` is of a build that Buildkite vouched for just now, in a token that was minted for exactly
//! this question to this service, and that some keyless signer of the file lets speak. Such a token signs no event,
//! and an event's token asks nothing: their audiences differ. Does not: say whether the event is of that build.

use launchgate_outcome::{Reason, Refusal};
use launchgate_statement::{Build, EventId, Timestamp};
use serde_json::Value;

use crate::buildkite_oidc::{Lifetime, check_issuer, identity, shown};
use crate::buildkite_token::{BuildkiteToken, NoToken};
use crate::{BuildkiteKeys, BuildkiteOidc, Jwks, KeyWanted, SignerKind, Signers};

/// A job whose token held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskingJob {
    organization: String,
    pipeline: String,
    number: u64,
}

impl AskingJob {
    /// Whether a recorded event is of the same build.
    pub fn is_of(&self, build: &Build) -> bool {
        build.organization.as_deref() == Some(&*self.organization)
            && build.pipeline.as_deref() == Some(&*self.pipeline)
            && build.number == Some(self.number)
    }
}

/// Reads the token by which a job asks about `event` at the instant `now`.
///
/// # Errors
/// `KeyWanted` when a key is named that is not at hand; inside, why the token does not count.
pub fn verify_asking_job(
    token: &str,
    event: &EventId,
    signers: &Signers,
    keys: BuildkiteKeys<'_>,
    now: Timestamp,
) -> Result<Result<AskingJob, Refusal>, KeyWanted> {
    let none = Jwks::default();
    let (held, complete) = match keys {
        BuildkiteKeys::Missing => (&none, false),
        BuildkiteKeys::Held(keys) => (keys, false),
        BuildkiteKeys::Complete(keys) => (keys, true),
    };
    let claims = match BuildkiteToken::read(token.as_bytes(), held) {
        None => {
            let message = "expected a compact token of Buildkite's";
            return Ok(Err(Refusal::new(Reason::BuildkiteTokenMalformed, message)));
        }
        Some(Ok(token)) => token.claims,
        Some(Err(NoToken::Refused(refusal))) => return Ok(Err(refusal)),
        Some(Err(NoToken::UnknownKey { kid, unverified })) => {
            // What no key could mend is no reason to ask Buildkite for keys.
            return match judged(&unverified, event, signers, now) {
                Err(refusal) => Ok(Err(refusal)),
                Ok(_) if !complete => Err(KeyWanted { kid }),
                Ok(_) => {
                    let message = "Buildkite publishes no key of the id that the token names";
                    Ok(Err(Refusal::new(Reason::BuildkiteTokenUnknownKey, message)))
                }
            };
        }
    };
    Ok(judged(&claims, event, signers, now))
}

fn judged(
    claims: &serde_json::Map<String, Value>,
    event: &EventId,
    signers: &Signers,
    now: Timestamp,
) -> Result<AskingJob, Refusal> {
    check_issuer(claims)?;
    let speaks = signers.iter().filter(|signer| !signer.revoked).filter_map(|signer| match &signer.kind {
        SignerKind::BuildkiteOidc(oidc) => Some(oidc),
        _ => None,
    });
    let speaks: Vec<&BuildkiteOidc> = speaks.collect();
    let audience = claims.get("aud").and_then(Value::as_str);
    let expected = |oidc: &&BuildkiteOidc| BuildkiteOidc::wait_audience(&oidc.audience, event);
    // One text, equal, as for events.
    if !speaks.iter().any(|oidc| audience == Some(&expected(oidc))) {
        let expected = speaks.first().map_or_else(|| "a buildkiteOidc signer".to_owned(), expected);
        let message = format!("expected `aud` {expected}, found {}", shown(claims, "aud"));
        return Err(Refusal::new(Reason::UnboundToken, message));
    }
    Lifetime::read(claims)?.covers(now)?;
    let mismatch = |mismatch: crate::mismatch::Mismatch| mismatch.refusal();
    let identity = identity(claims).map_err(mismatch)?;
    let mut refused = None;
    if !speaks.iter().any(|oidc| oidc.check_pins(&identity).map_err(|pin| refused = Some(pin)).is_ok()) {
        return Err(refused.map_or_else(no_build, mismatch));
    }
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty());
    let number = claims.get("build_number").and_then(Value::as_u64);
    match (text("organization_slug"), text("pipeline_slug"), number) {
        (Some(organization), Some(pipeline), Some(number)) => {
            Ok(AskingJob { organization: organization.to_owned(), pipeline: pipeline.to_owned(), number })
        }
        _ => Err(no_build()),
    }
}

fn no_build() -> Refusal {
    Refusal::new(Reason::IdentityMismatch, "the token names no build")
}
