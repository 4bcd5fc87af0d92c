//! Build facts out of a webhook: what is read, what is refused, whose branch was built.

use launchgate_outcome::{Reason, Refusal, Voucher};
use launchgate_statement::{Build, FactName, Timestamp};
use launchgate_trust::{
    BuildFacts, FactsOrigin, PullRequest, SignerId, VerifiedWebhook, WebhookError, WebhookSecrets,
    WebhookTells,
};
use serde_json::{Value, json};

use crate::{a_key, a_signer, judge, published, signed_by, signers, webhook::header};

const COMMIT: &str = "d18aac96b905b4b3c839891b7a91c9414149514c";

/// A build that passed, of no pull request, as Buildkite tells of it.
fn a_webhook() -> Value {
    json!({
        "event": "build.finished",
        "build": {
            "id": "b-1", "number": 42, "state": "passed", "blocked": false, "source": "webhook",
            "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42",
            "branch": "main", "tag": null, "commit": COMMIT, "pull_request": null,
            "creator": {"id": "u-1", "name": "Ada"}, "cluster_id": "c-1",
            "started_at": "2026-11-18T11:01:00.123Z", "finished_at": "2026-11-18T11:06:00Z",
            "meta_data": {"launchgate:artifact": "x"},
        },
        "pipeline": {"slug": "fraud-train", "repository": "git@github.com:acme/fraud.git"},
        "sender": {"id": "u-1", "name": "Ada"},
    })
}

fn told(webhook: &Value, signed: i64) -> Result<WebhookTells, Refusal> {
    let (body, secrets) = (webhook.to_string().into_bytes(), WebhookSecrets::parse("s").unwrap());
    let at = Timestamp::from_seconds(signed);
    let webhook = VerifiedWebhook::verify(&header("s", signed, &body), &body, &secrets, at).unwrap();
    BuildFacts::read(&webhook)
}

fn facts_signed(webhook: &Value, signed: i64) -> BuildFacts {
    match told(webhook, signed).unwrap() {
        WebhookTells::Build(told) => told.facts,
        WebhookTells::Unused(event) => panic!("{event} is used"),
    }
}

fn facts(webhook: &Value) -> BuildFacts {
    facts_signed(webhook, published().seconds())
}

fn with(pointer: &str, value: Value) -> Value {
    let mut webhook = a_webhook();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    webhook.pointer_mut(parent).unwrap()[name] = value;
    webhook
}

#[test]
fn everything_that_buildkite_says_of_a_build_is_read() {
    let facts = facts(&a_webhook());

    let text = |text: &str| Some(text.to_owned());
    let build = Build {
        organization: text("acme"),
        pipeline: text("fraud-train"),
        number: Some(42),
        branch: text("main"),
        commit: text(COMMIT),
        source: text("webhook"),
        repository: text("git@github.com:acme/fraud.git"),
        state: text("passed"),
        creator: text("Ada"),
        ..Build::default()
    };
    assert_eq!(facts.build(), &build);
    assert_eq!((facts.id(), facts.blocked(), facts.cluster()), ("b-1", false, Some("c-1")));
    assert_eq!(facts.pull_request(), PullRequest::None);
    assert_eq!(facts.started_at(), Timestamp::parse("2026-11-18T11:01:00.123Z"));
    assert_eq!(facts.finished_at(), Timestamp::parse("2026-11-18T11:06:00Z"));
    assert_eq!(facts.origin(), FactsOrigin::Webhook(published()));
}

#[test]
fn a_blocked_build_says_so() {
    assert!(facts(&with("/build/blocked", json!(true))).blocked());
}

#[test]
fn a_pull_requests_number_is_a_whole_one() {
    for id in [json!(1.5), json!(-7)] {
        let webhook = with("/build/pull_request", json!({"id": id}));
        assert!(told(&webhook, published().seconds()).is_err(), "{webhook}");
    }
    let facts = facts(&with("/build/pull_request", json!({"id": 7})));
    assert_eq!(facts.build().pull_request.as_deref(), Some("7"));
}

#[test]
fn the_ledgers_form_is_read_back_as_it_was() {
    let webhook =
        with("/build/pull_request", json!({"id": "7", "repository": "https://github.com/eve/fraud"}));
    let facts = facts(&webhook);

    let kept = serde_json::to_string(&facts).unwrap();

    assert_eq!(serde_json::from_str::<BuildFacts>(&kept).unwrap(), facts);
}

#[test]
fn a_pull_request_is_of_the_same_repository_only_if_it_says_so() {
    for (told, whose) in [
        (json!(null), PullRequest::None),
        (json!({}), PullRequest::None),
        (json!({"id": null}), PullRequest::None),
        (json!({"id": ""}), PullRequest::Fork),
        (json!({"id": "7", "repository": "https://GitHub.com/acme/fraud.git"}), PullRequest::SameRepository),
        (json!({"id": 7, "repository": "ssh://git@github.com:22/acme/fraud"}), PullRequest::SameRepository),
        (json!({"id": "7", "repository": "https://github.com/eve/fraud.git"}), PullRequest::Fork),
        (json!({"id": "7", "repository": "https://github.com/acme/fraud2"}), PullRequest::Fork),
        (json!({"id": "7", "repository": null}), PullRequest::Fork),
        (json!({"id": "7", "repository": ""}), PullRequest::Fork),
        (json!({"id": "7"}), PullRequest::Fork),
        (json!({"id": null, "repository": "https://github.com/eve/fraud"}), PullRequest::Fork),
    ] {
        let webhook = with("/build/pull_request", told.clone());
        // `""` is no number Buildkite writes: it is refused, which is no less than a fork.
        if told == json!({"id": ""}) {
            assert_eq!(self::told(&webhook, published().seconds()).unwrap_err().reason, Reason::WebhookShape);
            continue;
        }
        assert_eq!(facts(&webhook).pull_request(), whose, "{told}");
    }
}

#[test]
fn a_pipeline_without_a_repository_makes_every_pull_request_a_fork() {
    for repository in [json!(null), json!(""), json!("fraud")] {
        let mut webhook = with("/pipeline/repository", repository.clone());
        webhook["build"]["pull_request"] = json!({"id": "7", "repository": repository});
        assert_eq!(facts(&webhook).pull_request(), PullRequest::Fork, "{repository}");
    }
}

#[test]
fn the_organization_is_the_one_in_the_signed_address_of_the_build() {
    let of = |url: &str| told(&with("/build/url", json!(url)), published().seconds());
    let api = "https://api.buildkite.com/v2/organizations";

    let WebhookTells::Build(theirs) = of(&format!("{api}/umbrella/pipelines/fraud-train/builds/42")).unwrap()
    else {
        panic!("facts");
    };
    assert_eq!(theirs.facts.build().organization.as_deref(), Some("umbrella"));
    for url in [
        format!("{api}/acme/pipelines/other/builds/42"),
        format!("{api}/acme/pipelines/fraud-train/builds/43"),
        format!("{api}/acme/pipelines/fraud-train/builds/42/"),
        format!("{api}/acme/pipelines/fraud-train/builds/42?x"),
        format!("{api}//pipelines/fraud-train/builds/42"),
        format!("{api}/a%2e/pipelines/fraud-train/builds/42"),
        "https://api.buildkite.com.evil.example/v2/organizations/acme/pipelines/fraud-train/builds/42".into(),
        "http://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42".into(),
        "https://buildkite.com/acme/fraud-train/builds/42".into(),
    ] {
        assert_eq!(of(&url).unwrap_err().reason, Reason::WebhookShape, "{url}");
    }
}

#[test]
fn every_member_of_a_wrong_type_is_refused_and_named() {
    for (pointer, value) in [
        ("/event", json!(7)),
        ("/event", json!(null)),
        ("/build", json!([])),
        ("/build/id", json!(null)),
        ("/build/id", json!(7)),
        ("/build/number", json!("42")),
        ("/build/number", json!(-1)),
        ("/build/number", json!(u64::MAX)),
        ("/build/url", json!(null)),
        ("/build/branch", json!({})),
        ("/build/branch", json!("x".repeat(5000))),
        ("/build/tag", json!(1)),
        ("/build/commit", json!([])),
        ("/build/state", json!(true)),
        ("/build/source", json!(1)),
        ("/build/blocked", json!("false")),
        ("/build/pull_request", json!("7")),
        ("/build/pull_request", json!({"id": {}})),
        ("/build/creator", json!("Ada")),
        ("/build/started_at", json!("yesterday")),
        ("/build/finished_at", json!(1_795_000_000)),
        ("/pipeline", json!(null)),
        ("/pipeline/slug", json!("../x")),
        ("/pipeline/repository", json!([])),
    ] {
        let refusal = told(&with(pointer, value.clone()), published().seconds()).unwrap_err();
        assert_eq!(refusal.reason, Reason::WebhookShape, "{pointer} {value}");
        assert!(refusal.message.len() < 600, "{}", refusal.message);
    }
}

#[test]
fn bodies_that_two_readers_could_read_differently_are_malformed() {
    let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    for (body, reason) in [
        ("[]", Reason::NotJson),
        ("", Reason::NotJson),
        (r#"{"event":"build.finished"} x"#, Reason::NotJson),
        (r#"{"event":"ping","event":"build.finished"}"#, Reason::DuplicateMember),
        (&deep, Reason::TooDeep),
    ] {
        let secrets = WebhookSecrets::parse("s").unwrap();
        let header = header("s", published().seconds(), body.as_bytes());
        let webhook = VerifiedWebhook::verify(&header, body.as_bytes(), &secrets, published()).unwrap();
        assert_eq!(BuildFacts::read(&webhook).unwrap_err().reason, reason, "{body}");
        assert_eq!(BuildFacts::given_by_operator(body.as_bytes()).unwrap_err().reason, reason);
    }
}

#[test]
fn events_that_tell_of_no_build_are_unused_and_named_within_bounds() {
    for event in ["ping", "job.finished", "agent.lost", "build.invented"] {
        let webhook = json!({"event": event, "build": 7});
        let told = told(&webhook, published().seconds()).unwrap();
        assert_eq!(told, WebhookTells::Unused(event.to_owned()));
    }
    let long = json!({"event": "x".repeat(500)});
    assert_eq!(told(&long, published().seconds()).unwrap(), WebhookTells::Unused("x".repeat(64)));
}

#[test]
fn without_the_hmac_there_are_no_facts_but_an_operators() {
    let body = a_webhook().to_string().into_bytes();
    let secrets = WebhookSecrets::parse("s").unwrap();
    let forged = header("guess", published().seconds(), &body);

    let refused = VerifiedWebhook::verify(&forged, &body, &secrets, published()).unwrap_err();
    let given = BuildFacts::given_by_operator(&body).unwrap();

    assert_eq!((&refused, refused.reason()), (&WebhookError::Signature, Reason::WebhookSignature));
    assert_eq!(given.origin(), FactsOrigin::Operator);
}

#[test]
fn the_later_end_wins_then_the_later_word() {
    let at = |finished: Value, signed: i64| facts_signed(&with("/build/finished_at", finished), signed);
    let early = json!("2026-11-18T11:06:00Z");
    let late = json!("2026-11-18 11:07:00 UTC");

    assert!(at(late.clone(), 10).is_newer_than(&at(early.clone(), 20)), "a retried job");
    assert!(!at(early.clone(), 20).is_newer_than(&at(late.clone(), 10)), "out of order");
    assert!(at(early.clone(), 10).is_newer_than(&at(json!(null), 20)), "finished after unfinished");
    assert!(at(json!(null), 20).is_newer_than(&at(json!(null), 10)));
    assert!(!at(late.clone(), 10).is_newer_than(&at(late, 10)), "the same again");
}

#[test]
fn facts_are_of_a_build_by_organization_pipeline_number_and_id() {
    let facts = facts(&a_webhook());
    let build = facts.build().clone();

    assert!(facts.are_of(&build, None) && facts.are_of(&build, Some("b-1")));
    assert!(!facts.are_of(&build, Some("b-2")), "a pipeline made anew under an old name");
    for other in [
        Build { organization: Some("umbrella".into()), ..build.clone() },
        Build { pipeline: Some("other".into()), ..build.clone() },
        Build { number: Some(43), ..build },
    ] {
        assert!(!facts.are_of(&other, None), "{other:?}");
    }
}

#[test]
fn facts_fill_what_no_signer_says_and_never_replace_it() {
    let key = a_key();
    let event = judge(signed_by(&[&key]), &signers([a_signer("key", &key)])).unwrap();
    let mut vouched = event.facts(&[SignerId::new("key")]);

    vouched.add_build_facts(&facts(&with("/build/branch", json!("evil"))));

    assert_eq!(vouched.voucher(FactName::Branch), Some(Voucher::Key));
    assert_eq!(vouched.build().branch.as_deref(), Some("main"));
    assert_eq!(vouched.voucher(FactName::State), Some(Voucher::Webhook));
    assert_eq!(vouched.build().creator.as_deref(), Some("Ada"));
}

#[test]
fn facts_that_say_another_branch_tag_or_commit_disagree() {
    let key = a_key();
    let event = judge(signed_by(&[&key]), &signers([a_signer("key", &key)])).unwrap();
    let vouched = event.facts(&[SignerId::new("key")]);
    let disagreement = |webhook: &Value| facts(webhook).disagreement(&vouched);

    assert_eq!(disagreement(&a_webhook()), None);
    assert_eq!(disagreement(&with("/build/branch", json!("evil"))), Some(FactName::Branch));
    assert_eq!(disagreement(&with("/build/branch", json!(null))), Some(FactName::Branch));
    assert_eq!(disagreement(&with("/build/commit", json!("ab".repeat(20)))), Some(FactName::Commit));
    assert_eq!(disagreement(&with("/build/commit", json!("HEAD"))), None, "no id yet");
    assert_eq!(disagreement(&with("/build/commit", json!(COMMIT.to_uppercase()))), None);
    assert_eq!(disagreement(&with("/build/tag", json!("v1"))), None, "a key's word names no tag");
}
