//! A job that asks about an event: what its token must say, one negative test for each rule.

use launchgate_outcome::Reason;
use launchgate_statement::{Build, EventId, Timestamp};
use launchgate_trust::{AskingJob, BuildkiteKeys, BuildkiteOidc, Jwks, Signers, verify_asking_job};
use serde_json::{Value, json};

use crate::keyless::{claims as of_an_event, key_set, keyless, oidc, signer, token, with, without};
use crate::{published, signers};

fn event() -> EventId {
    EventId::parse("ev-0123456789abcdef0123456789abcdef").unwrap()
}

/// The claims of a token that asks about the event, minted half a minute ago.
fn claims() -> Value {
    with(of_an_event(), "aud", json!(BuildkiteOidc::wait_audience("launchgate-prod", &event())))
}

fn ask_at(claims: &Value, signers: &Signers, now: Timestamp) -> Result<AskingJob, Reason> {
    let token = String::from_utf8(token(claims)).unwrap();
    let keys = key_set();
    let asked = verify_asking_job(&token, &event(), signers, BuildkiteKeys::Complete(&keys), now);
    asked.unwrap().map_err(|refusal| refusal.reason)
}

fn ask(claims: &Value) -> Result<AskingJob, Reason> {
    ask_at(claims, &keyless(), published())
}

fn build(organization: &str, pipeline: &str, number: u64) -> Build {
    let text = |text: &str| Some(text.to_owned());
    Build {
        organization: text(organization),
        pipeline: text(pipeline),
        number: Some(number),
        ..Build::default()
    }
}

#[test]
fn a_job_is_of_its_own_build_and_of_no_other() {
    let job = ask(&claims()).unwrap();

    assert!(job.is_of(&build("acme", "fraud-train", 42)));
    for other in [
        build("acme", "fraud-train", 43),
        build("acme", "fraud-score", 42),
        build("evil", "fraud-train", 42),
        Build::default(),
    ] {
        assert!(!job.is_of(&other), "{other:?}");
    }
}

#[test]
fn the_audience_is_one_text_that_asks_about_this_event_of_this_service() {
    let own = BuildkiteOidc::wait_audience("launchgate-prod", &event());
    assert_eq!(own, "launchgate-prod/wait/ev-0123456789abcdef0123456789abcdef");
    for audience in [
        of_an_event()["aud"].clone(),
        json!("launchgate-prod"),
        json!("launchgate-prod/claims"),
        json!([own]),
        json!(own.replace("prod", "test")),
        json!(own.replace("wait", "event")),
        json!(own.replace("ev-0", "ev-1")),
        json!(format!("{own}/")),
        json!(null),
    ] {
        assert_eq!(ask(&with(claims(), "aud", audience.clone())), Err(Reason::UnboundToken), "{audience}");
    }
}

#[test]
fn issuer_time_pins_and_build_are_asked_for_as_of_an_event() {
    let issued = published().seconds();
    for (bent, reason) in [
        (with(claims(), "iss", json!("https://agent.buildkite.com/")), Reason::BuildkiteTokenIssuer),
        (with(claims(), "exp", json!(issued - 61)), Reason::BuildkiteTokenTime),
        (with(claims(), "iat", json!(issued + 61)), Reason::BuildkiteTokenTime),
        (with(claims(), "organization_slug", json!("evil")), Reason::IdentityMismatch),
        (without(claims(), "organization_slug"), Reason::IdentityMismatch),
        (without(claims(), "pipeline_slug"), Reason::IdentityMismatch),
        (with(claims(), "build_number", json!("42")), Reason::IdentityMismatch),
    ] {
        assert_eq!(ask(&bent), Err(reason), "{bent}");
    }
    let old = with(with(claims(), "iat", json!(issued - 901)), "nbf", json!(issued - 901));
    assert_eq!(ask(&with(old, "exp", json!(issued + 60))), Err(Reason::TokenTooOld));

    let mut pinned = oidc();
    pinned.organization_id = Some("o-2".to_owned());
    let pinned = signers([signer("buildkite", pinned)]);
    assert_eq!(ask_at(&claims(), &pinned, published()), Err(Reason::IdentityMismatch));
    let both = signers([pinned.iter().next().unwrap().clone(), signer("other", oidc())]);
    assert!(ask_at(&claims(), &both, published()).is_ok(), "one of them lets it speak");
}

#[test]
fn a_revoked_signer_lets_nobody_ask() {
    let mut revoked = signer("buildkite", oidc());
    revoked.revoked = true;

    assert_eq!(ask_at(&claims(), &signers([revoked]), published()), Err(Reason::UnboundToken));
}

#[test]
fn a_key_that_is_not_at_hand_settles_nothing_but_what_no_key_could_mend_is_settled() {
    let ask = |claims: &Value, keys: BuildkiteKeys<'_>| {
        let token = String::from_utf8(token(claims)).unwrap();
        let asked = verify_asking_job(&token, &event(), &keyless(), keys, published());
        asked.map(|asked| asked.map_err(|refusal| refusal.reason))
    };

    assert!(ask(&claims(), BuildkiteKeys::Missing).is_err());
    let bent = with(claims(), "aud", json!("sts.googleapis.com"));
    assert_eq!(ask(&bent, BuildkiteKeys::Missing), Ok(Err(Reason::UnboundToken)));
    let none = Jwks::default();
    assert_eq!(ask(&claims(), BuildkiteKeys::Complete(&none)), Ok(Err(Reason::BuildkiteTokenUnknownKey)));
    let asked = verify_asking_job("ey.x", &event(), &keyless(), BuildkiteKeys::Missing, published());
    assert_eq!(asked.unwrap().unwrap_err().reason, Reason::BuildkiteTokenMalformed);
    let asked = verify_asking_job("Bearer", &event(), &keyless(), BuildkiteKeys::Missing, published());
    assert_eq!(asked.unwrap().unwrap_err().reason, Reason::BuildkiteTokenMalformed);
}
