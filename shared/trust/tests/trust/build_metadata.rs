//! Envelopes out of a build's meta-data: of the same build, from the time when it ran.

use launchgate_outcome::{CheckStatus, Reason};
use launchgate_statement::{Envelope, Timestamp};
use launchgate_trust::{
    BuildFacts, BuildMetadata, BuildTold, BuildkiteKeys, Carrier, Rejection, TrustInputs, VerifiedEvent,
    VerifiedWebhook, WebhookSecrets, WebhookTells, verify_carried,
};
use serde_json::{Value, json};

use crate::keyless::{claims, envelope, key_set, keyless, rejection, token, with, without};
use crate::{a_key, a_signer, published, signed_by, signers, webhook::header};

/// The build of the keyless tests' event: it began ten minutes before the token was issued, and ended ten after.
fn a_webhook() -> Value {
    let at = |seconds: i64| Timestamp::from_seconds(published().seconds() - 30 + seconds).to_string();
    json!({
        "event": "build.finished",
        "build": {
            "id": "b-1", "number": 42, "state": "passed", "blocked": false, "source": "webhook",
            "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42",
            "branch": "main", "tag": "v1", "commit": "d18aac96b905b4b3c839891b7a91c9414149514c", "pull_request": null,
            "started_at": at(-600), "finished_at": at(600),
            "meta_data": {},
        },
        "pipeline": {"slug": "fraud-train", "repository": "git@github.com:acme/fraud-train.git"},
    })
}

fn told(webhook: &Value) -> BuildTold {
    let (body, secrets) = (webhook.to_string().into_bytes(), WebhookSecrets::parse("s").unwrap());
    let at = hours_later();
    let webhook = VerifiedWebhook::verify(&header("s", at.seconds(), &body), &body, &secrets, at).unwrap();
    match BuildFacts::read(&webhook).unwrap() {
        WebhookTells::Build(told) => *told,
        WebhookTells::Unused(event) => panic!("{event} is used"),
    }
}

fn telling(pointer: &str, value: Value) -> BuildFacts {
    let mut webhook = a_webhook();
    *webhook.pointer_mut(pointer).unwrap() = value;
    told(&webhook).facts
}

/// When a webhook brought the envelope: every token has long expired.
fn hours_later() -> Timestamp {
    Timestamp::from_seconds(published().seconds() + 5 * 3600)
}

fn judge(envelope: Envelope, carrier: Carrier<'_>) -> Result<VerifiedEvent, Rejection> {
    let keys = key_set();
    let inputs = TrustInputs { published: hours_later(), buildkite_keys: BuildkiteKeys::Complete(&keys) };
    verify_carried(envelope, &keyless(), inputs, carrier).map_err(rejection)
}

fn reason(envelope: Envelope, facts: &BuildFacts) -> Reason {
    judge(envelope, Carrier::Metadata(facts)).expect_err("a rejection").refusal.reason
}

fn issued(seconds: i64) -> Envelope {
    let at = published().seconds() - 30 + seconds;
    let claims = with(with(with(claims(), "iat", json!(at)), "nbf", json!(at)), "exp", json!(at + 300));
    envelope(&[token(&claims)])
}

#[test]
fn an_expired_token_out_of_its_own_builds_meta_data_counts_and_as_a_message_it_does_not() {
    let facts = told(&a_webhook()).facts;

    let event = judge(issued(0), Carrier::Metadata(&facts)).unwrap();
    let as_message = judge(issued(0), Carrier::Message).unwrap_err();

    let rung = event.checks().iter().find(|check| check.name == "metadata").unwrap();
    assert_eq!(rung.status, CheckStatus::Passed);
    assert_eq!(as_message.refusal.reason, Reason::BuildkiteTokenTime);
}

#[test]
fn a_token_counts_from_a_minute_before_its_build_began_to_a_minute_after_it_ended() {
    let facts = told(&a_webhook()).facts;
    for (seconds, counts) in [(-661, false), (-660, true), (660, true), (661, false)] {
        let judged = judge(issued(seconds), Carrier::Metadata(&facts));
        assert_eq!(judged.is_ok(), counts, "{seconds}");
        if let Err(rejection) = judged {
            assert_eq!(rejection.refusal.reason, Reason::BuildkiteTokenTime);
        }
    }
}

#[test]
fn a_build_that_does_not_say_when_it_ran_makes_no_token_count() {
    for pointer in ["/build/started_at", "/build/finished_at"] {
        assert_eq!(reason(issued(0), &telling(pointer, Value::Null)), Reason::BuildkiteTokenTime);
    }
}

#[test]
fn a_token_of_a_lifetime_that_buildkite_never_grants_does_not_count_either() {
    let facts = told(&a_webhook()).facts;
    let long = with(claims(), "exp", json!(published().seconds() - 30 + 7201));
    let backwards = with(claims(), "exp", json!(1));
    for claims in [long, backwards, without(claims(), "iat")] {
        assert_eq!(reason(envelope(&[token(&claims)]), &facts), Reason::BuildkiteTokenTime);
    }
}

#[test]
fn an_envelope_of_another_build_is_foreign_whatever_differs() {
    let api = "https://api.buildkite.com/v2/organizations";
    let elsewhere = |organization: &str, pipeline: &str, number: u64| {
        let mut webhook = a_webhook();
        webhook["build"]["url"] = json!(format!("{api}/{organization}/pipelines/{pipeline}/builds/{number}"));
        webhook["build"]["number"] = json!(number);
        webhook["pipeline"]["slug"] = json!(pipeline);
        told(&webhook).facts
    };
    let others = [
        elsewhere("umbrella", "fraud-train", 42),
        elsewhere("acme", "other", 42),
        elsewhere("acme", "fraud-train", 43),
        telling("/build/branch", json!("try-adam")),
        telling("/build/tag", Value::Null),
        telling("/build/commit", json!("ab".repeat(20))),
        telling("/build/id", json!("b-2")),
    ];
    for facts in others {
        assert_eq!(reason(issued(0), &facts), Reason::ForeignMetadata, "{facts:?}");
    }
}

#[test]
fn a_commit_that_is_a_name_is_not_compared() {
    assert!(judge(issued(0), Carrier::Metadata(&telling("/build/commit", json!("HEAD")))).is_ok());
}

#[test]
fn a_foreign_envelope_is_named_so_even_if_its_token_is_of_another_time_or_nobody_signed_it() {
    let facts = telling("/build/id", json!("b-2"));
    assert_eq!(reason(issued(90_000), &facts), Reason::ForeignMetadata);
    assert_eq!(reason(envelope(&[]), &facts), Reason::ForeignMetadata);
}

#[test]
fn a_build_id_that_only_the_token_says_is_compared_too() {
    let facts = told(&a_webhook()).facts;
    // The statement must not name an id, else the token already disagrees with it.
    let payload = |id: Option<&str>| {
        let mut statement: Value = serde_json::from_slice(&crate::keyless::payload()).unwrap();
        let ids = &mut statement["predicate"]["buildDefinition"]["internalParameters"]["buildkite"];
        ids["build_id"] = json!(id);
        statement.to_string().into_bytes()
    };
    let by = |id: &str| {
        let mut envelope = Envelope::unsigned(launchgate_statement::PAYLOAD_TYPE, payload(None));
        let audience = format!("launchgate-prod/event/{}", envelope.event_digest().0);
        let claims = with(with(claims(), "build_id", json!(id)), "aud", json!(audience));
        envelope.signatures = vec![launchgate_statement::Signature { keyid: None, sig: token(&claims) }];
        envelope
    };

    assert!(judge(by("b-1"), Carrier::Metadata(&facts)).is_ok());
    assert_eq!(reason(by("b-2"), &facts), Reason::ForeignMetadata);
}

#[test]
fn a_key_signed_envelope_is_taken_out_of_meta_data_if_it_is_of_the_same_build() {
    let key = a_key();
    let mut webhook = a_webhook();
    webhook["build"]["tag"] = Value::Null;
    let judge = |facts: &BuildFacts| {
        let inputs = TrustInputs { published: hours_later(), buildkite_keys: BuildkiteKeys::Missing };
        let signers = signers([a_signer("one", &key)]);
        verify_carried(signed_by(&[&key]), &signers, inputs, Carrier::Metadata(facts)).map_err(rejection)
    };

    assert!(judge(&told(&webhook).facts).is_ok());
    webhook["build"]["branch"] = json!("other");
    assert_eq!(judge(&told(&webhook).facts).unwrap_err().refusal.reason, Reason::ForeignMetadata);
}

#[test]
fn what_counted_by_the_builds_run_counts_by_it_whenever_it_is_verified_again() {
    let facts = told(&a_webhook()).facts;
    let event = judge(issued(0), Carrier::Metadata(&facts)).unwrap();
    let kept = serde_json::to_string(event.signatures()).unwrap();
    let kept: Vec<_> = serde_json::from_str(&kept).unwrap();

    let again = judge(issued(0), Carrier::recorded(&kept, hours_later()));
    // A signature of a later copy says nothing of how the first one came.
    let other = judge(issued(0), Carrier::recorded(&kept, published()));

    assert_eq!(again.unwrap().signatures(), event.signatures());
    assert_eq!(other.unwrap_err().refusal.reason, Reason::BuildkiteTokenTime);
}

#[test]
fn only_launchgates_keys_of_a_finished_build_are_read_and_at_most_so_many() {
    let mut webhook = a_webhook();
    webhook["build"]["meta_data"] = json!({"launchgate:event:j-2": "two", "launchgate:event:j-1": "one", "launchgate:event": "x", "release": "y"});
    let metadata = told(&webhook).metadata.unwrap();
    let read: Vec<_> = metadata.envelopes.iter().map(|one| (&*one.key, &*one.data)).collect();
    assert_eq!(read, [("launchgate:event:j-1", "one"), ("launchgate:event:j-2", "two")]);
    assert!(metadata.is_told && metadata.too_many == 0);

    for index in 0..40 {
        webhook["build"]["meta_data"][format!("launchgate:event:{index:02}")] = json!("x");
    }
    let metadata = told(&webhook).metadata.unwrap();
    assert_eq!((metadata.envelopes.len(), metadata.too_many), (BuildMetadata::MAX_ENVELOPES, 10));

    webhook["build"].as_object_mut().unwrap().remove("meta_data");
    assert_eq!(told(&webhook).metadata, Some(BuildMetadata::default()));
    webhook["event"] = json!("build.running");
    assert_eq!(told(&webhook).metadata, None, "it may still change");
}
