//! What a Buildkite token says: of the event, of its time, and claim by claim of the build.

use launchgate_outcome::Reason as R;
use launchgate_standin::SigningKey;
use launchgate_statement::Signature;
use serde_json::{Value, json};

use super::{
    case::{AUDIENCE, Case, refused},
    hold,
};

/// Moves the token's time; what it is allowed to live stays, or becomes `lifetime`.
fn minted(seconds_ago: i64, lifetime: Option<i64>) -> impl Fn(Value) -> Value {
    move |mut claims| {
        let at = |claims: &Value, name: &str| claims[name].as_i64().unwrap() - seconds_ago;
        let issued = at(&claims, "iat");
        claims["exp"] = lifetime.map_or_else(|| at(&claims, "exp"), |lifetime| issued + lifetime).into();
        claims["iat"] = issued.into();
        claims["nbf"] = issued.into();
        claims
    }
}

fn tokens() -> Vec<Case> {
    let other_event = format!("{AUDIENCE}/event/{}", "0".repeat(64));
    vec![
        refused(R::BuildkiteTokenMalformed, "signature", "no token").by_token().envelope(
            |mut envelope, _| {
                envelope.signatures =
                    vec![Signature { keyid: None, sig: b"eyJhbGciOiJub25lIn0.e30.".into() }];
                envelope
            },
        ),
        refused(R::BuildkiteTokenSignature, "signature", "a token changed").by_token().envelope(
            |mut envelope, _| {
                // The first character of the signature: the last one has bits that are not all its own.
                let sig = &mut envelope.signatures[0].sig;
                let at = sig.iter().rposition(|byte| *byte == b'.').unwrap() + 1;
                sig[at] = if sig[at] == b'A' { b'B' } else { b'A' };
                envelope
            },
        ),
        refused(R::BuildkiteTokenUnknownKey, "signature", "a key that is not Buildkite's")
            .token_key(SigningKey::Stranger),
        refused(R::BuildkiteTokenIssuer, "signature", "another issuer")
            .claim("iss", "https://agent.buildkite.com/"),
        refused(R::UnboundToken, "signature", "a token for something else").claim("aud", "sts.amazonaws.com"),
        refused(R::UnboundToken, "signature", "a token for the claims")
            .claim("aud", format!("{AUDIENCE}/claims")),
        refused(R::BindingMismatch, "signature", "a token of another event").claim("aud", other_event),
        refused(R::BuildkiteTokenTime, "signature", "an expired token").claims(minted(400, None)),
        refused(R::BuildkiteTokenTime, "signature", "a token of tomorrow").claims(minted(-86_400, None)),
        refused(R::BuildkiteTokenTime, "signature", "a lifetime never granted").claims(minted(0, Some(7201))),
        refused(R::TokenTooOld, "signature", "a long token, late").claims(minted(1000, Some(7200))),
    ]
}

/// Each claim that the statement says too, saying something else.
fn claims() -> Vec<Case> {
    let texts = [
        "organization_slug",
        "pipeline_slug",
        "build_branch",
        "build_tag",
        "step_key",
        "job_id",
        "build_source",
        "runner_environment",
        "build_id",
    ];
    let other = |claim: &'static str, value: Value| {
        refused(R::IdentityMismatch, "identity", format!("another {claim}")).claim(claim, value)
    };
    let mut cases: Vec<_> = texts.into_iter().map(|claim| other(claim, json!("other"))).collect();
    cases.push(other("build_number", json!(43)));
    cases.push(other("build_commit", json!("4a".repeat(20))));
    // Other ids in the token would miss their pins too: here the statement says others.
    for id in ["organization_id", "pipeline_id"] {
        let place = format!("/predicate/buildDefinition/internalParameters/buildkite/{id}");
        let case = refused(R::IdentityMismatch, "identity", format!("another {id} in the statement"));
        cases.push(case.by_token().statement(&place, "other"));
    }
    cases
}

/// Each pin, set to something else, and set while the token does not have its claim.
fn pins() -> Vec<Case> {
    let pins = [
        ("organizationId", "organization_id", json!("other")),
        ("pipelineIds", "pipeline_id", json!(["other"])),
        ("cluster", "cluster_id", json!("other")),
        ("queue", "queue_key", json!("other")),
    ];
    let mut cases = vec![
        refused(R::IdentityMismatch, "identity", "pinned to another organization")
            .by_token()
            .file("/signers/2/buildkiteOidc/organization", "other"),
    ];
    for (pin, claim, other) in pins {
        let place = format!("/signers/2/buildkiteOidc/{pin}");
        let pinned = refused(R::IdentityMismatch, "identity", format!("pinned to another {pin}"));
        cases.push(pinned.by_token().file(&place, other));
        let absent = refused(R::IdentityMismatch, "identity", format!("pinned, but no {claim}"));
        cases.push(absent.claim(claim, Value::Null));
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [tokens(), claims(), pins()].into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_none_of_this_event_is_refused() {
    hold(tokens()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_differs_in_one_claim_is_refused() {
    hold(claims()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_misses_one_pin_is_refused() {
    hold(pins()).await;
}
