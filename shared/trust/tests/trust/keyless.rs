//! Buildkite's token as signature: other people's vectors, and one negative test for each rule.

use launchgate_outcome::{CheckStatus, Reason, Voucher};
use launchgate_statement::{Build, Envelope, FactName, FactName as F, PAYLOAD_TYPE, Signature, Timestamp};
use launchgate_trust::{
    BuildFacts, BuildkiteKeys, BuildkiteOidc, ForkBuilds, Jwks, PatternList, Rejection, Root, Signer,
    SignerId, SignerKind, Signers, TrustInputs, Unverified, VerifiedEvent, Wildcards,
    unverified_token_claims, verify,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::push_token::{jwk, token_of};
use crate::suite::{Suite, version_of};
use crate::{a_key, a_signer, a_statement, at, published, signed_by, signers, vector};

const AUDIENCE: &str = "launchgate-prod";
const KID: &str = "bk";

pub(crate) fn oidc() -> BuildkiteOidc {
    BuildkiteOidc {
        audience: AUDIENCE.to_owned(),
        organization: "acme".to_owned(),
        organization_id: None,
        pipeline_ids: None,
        cluster: None,
        queue: None,
        fork_builds: ForkBuilds::Disabled,
    }
}

pub(crate) fn signer(id: &str, oidc: BuildkiteOidc) -> Signer {
    Signer {
        id: SignerId::new(id),
        kind: SignerKind::BuildkiteOidc(oidc),
        not_before: None,
        not_after: None,
        revoked: false,
        pipelines: None,
        builders: None,
    }
}

pub(crate) fn keyless() -> Signers {
    signers([signer("buildkite", oidc())])
}

pub(crate) fn key_set() -> Jwks {
    Jwks::parse(json!({"keys": [jwk("rsa", KID)]}).to_string().as_bytes()).unwrap()
}

/// A statement that says everything a token says.
pub(crate) fn payload() -> Vec<u8> {
    let mut statement: Value = serde_json::from_slice(&a_statement()).unwrap();
    let definition = &mut statement["predicate"]["buildDefinition"];
    definition["externalParameters"]["build"]["tag"] = json!("v1");
    definition["externalParameters"]["step"] = json!({"key": "build"});
    definition["externalParameters"]["job"] = json!({"id": "j-1"});
    definition["externalParameters"]["repository"] = json!("https://github.com/acme/fraud-train");
    definition["internalParameters"]["buildkite"] = json!({
        "build_number": "42", "source": "webhook", "creator": "eve",
        "organization_id": "o-1", "pipeline_id": "p-1", "build_id": "b-1",
    });
    statement.to_string().into_bytes()
}

pub(crate) fn claims() -> Value {
    let issued = published().seconds() - 30;
    json!({
        "iss": "https://agent.buildkite.com",
        "sub": "whatever the job chose",
        "aud": BuildkiteOidc::event_audience(AUDIENCE, Envelope::unsigned(PAYLOAD_TYPE, payload()).event_digest()),
        "iat": issued, "nbf": issued, "exp": issued + 300,
        "organization_slug": "acme", "pipeline_slug": "fraud-train", "build_number": 42,
        "build_branch": "main", "build_tag": "v1", "build_commit": "d18aac96b905b4b3c839891b7a91c9414149514c",
        "step_key": "build", "job_id": "j-1", "agent_id": "a-1",
        "build_source": "webhook", "runner_environment": "self-hosted",
        "organization_id": "o-1", "pipeline_id": "p-1", "build_id": "b-1", "cluster_id": "c-1", "queue_key": "default",
    })
}

pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

pub(crate) fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub(crate) fn token(claims: &Value) -> Vec<u8> {
    token_of(&json!({"alg": "RS256", "kid": KID, "typ": "JWT"}).to_string(), &claims.to_string()).into_bytes()
}

pub(crate) fn envelope(tokens: &[Vec<u8>]) -> Envelope {
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, payload());
    envelope.signatures = tokens.iter().map(|sig| Signature { keyid: None, sig: sig.clone() }).collect();
    envelope
}

fn ask(
    envelope: Envelope,
    signers: &Signers,
    published: Timestamp,
    buildkite_keys: BuildkiteKeys<'_>,
) -> Result<VerifiedEvent, Unverified> {
    verify(envelope, signers, TrustInputs { published, buildkite_keys })
}

fn judge_at(claims: &Value, signers: &Signers, published: Timestamp) -> Result<VerifiedEvent, Rejection> {
    let keys = key_set();
    ask(envelope(&[token(claims)]), signers, published, BuildkiteKeys::Complete(&keys)).map_err(rejection)
}

/// The event of these tests with a right token.
pub(crate) fn an_envelope() -> Envelope {
    envelope(&[token(&claims())])
}

/// By the signer and the keys of these tests.
pub(crate) fn judge_envelope(envelope: Envelope) -> Result<VerifiedEvent, Rejection> {
    static KEYS: std::sync::LazyLock<Jwks> = std::sync::LazyLock::new(key_set);
    ask(envelope, &keyless(), published(), BuildkiteKeys::Complete(&KEYS)).map_err(rejection)
}

/// The event of these tests with this as its only signature.
pub(crate) fn judge_token(token: Vec<u8>) -> Result<VerifiedEvent, Rejection> {
    judge_envelope(envelope(&[token]))
}

fn judge(claims: &Value) -> Result<VerifiedEvent, Rejection> {
    judge_at(claims, &keyless(), published())
}

pub(crate) fn rejection(unverified: Unverified) -> Rejection {
    match unverified {
        Unverified::Rejected(rejection) => rejection,
        Unverified::KeyWanted(wanted) => panic!("{wanted}"),
    }
}

fn reason(claims: &Value) -> Reason {
    judge(claims).expect_err("a rejection").refusal.reason
}

#[derive(Deserialize)]
struct KeylessFile {
    config: Value,
    jwks: Value,
    vectors: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    note: String,
    expect: String,
    envelope: String,
    publish_time: String,
}

/// Our vectors of Buildkite tokens, made with Python.
pub(crate) fn suite() -> Suite {
    let content = vector("keyless.json");
    let file: KeylessFile = serde_json::from_str(&content).unwrap();
    let text = |name: &str| file.config[name].as_str().unwrap().to_owned();
    let oidc = BuildkiteOidc { audience: text("audience"), organization: text("organization"), ..oidc() };
    let signers = signers([signer("buildkite", oidc)]);
    let keys = Jwks::parse(file.jwks.to_string().as_bytes()).unwrap();
    let mut suite = Suite::new("Buildkite token vectors of this repository", version_of(&content), 100);
    for case in &file.vectors {
        let (answer, reason) = match Envelope::parse(case.envelope.as_bytes()) {
            Err(error) => (error.reason.outcome().to_string(), error.reason.as_str()),
            Ok(envelope) => {
                match ask(envelope, &signers, at(&case.publish_time), BuildkiteKeys::Complete(&keys)) {
                    Ok(_) => ("verified".to_owned(), ""),
                    Err(unverified) => {
                        let refusal = rejection(unverified).refusal;
                        (refusal.outcome.to_string(), refusal.reason.as_str())
                    }
                }
            }
        };
        suite.answered(answer == "verified");
        let codes = ["identity_mismatch", "unbound_token", "binding_mismatch", "token_too_old"];
        let named = codes.into_iter().find(|code| case.note.contains(code));
        if !case.expect.split('|').any(|one| one == answer) || named.is_some_and(|code| code != reason) {
            let Case { name, expect, note, .. } = case;
            suite.wrong(format!("{name}: expected {expect}, got {answer}/{reason} ({note})"));
        }
    }
    suite
}

#[test]
fn keyless_vectors_are_answered_as_expected() {
    suite().holds();
}

#[test]
fn each_way_of_refusing_a_token_has_its_own_reason() {
    let file: KeylessFile = serde_json::from_str(&vector("keyless.json")).unwrap();
    let keys = Jwks::parse(file.jwks.to_string().as_bytes()).unwrap();
    for (name, reason) in [
        ("jwt/alg-none", "buildkite_token_malformed"),
        ("jwt/jku", "buildkite_token_malformed"),
        ("jwt/wrong-key-right-kid", "buildkite_token_signature"),
        ("jwt/kid-unknown", "buildkite_token_unknown_key"),
        ("issuer/slash", "buildkite_token_issuer"),
        ("time/published-after-exp", "buildkite_token_time"),
        ("time/lifetime-24h", "buildkite_token_time"),
        ("time/long-token-used-late", "token_too_old"),
        ("audience/array-two", "unbound_token"),
        ("binding/upper-case-digest", "unbound_token"),
        ("binding/payload-changed", "binding_mismatch"),
        ("key-signature-with-our-keyid", "unknown_signer"),
    ] {
        let case = file.vectors.iter().find(|case| case.name == name).unwrap();
        let envelope = Envelope::parse(case.envelope.as_bytes()).unwrap();
        let answer = ask(envelope, &keyless(), at(&case.publish_time), BuildkiteKeys::Complete(&keys));
        assert_eq!(rejection(answer.unwrap_err()).refusal.reason.as_str(), reason, "{name}");
    }
}

#[test]
fn a_bound_token_makes_an_event_and_buildkite_is_its_root() {
    let event = judge(&claims()).unwrap();

    let signature = &event.signatures()[0];
    assert_eq!((&signature.root, signature.voucher), (&Root::Buildkite, Voucher::Token));
    let ladder: Vec<_> = event.checks().iter().map(|check| (check.name.as_str(), check.status)).collect();
    let passed = ["envelope", "payloadType", "signature", "statement", "identity", "scope"];
    assert_eq!(ladder, passed.map(|name| (name, CheckStatus::Passed)));
}

#[test]
fn a_token_vouches_for_what_buildkite_says_and_for_nothing_else() {
    let facts = judge(&claims()).unwrap().facts(&[SignerId::new("buildkite")]);

    let vouched: Vec<_> = FactName::ALL.into_iter().filter(|fact| facts.voucher(*fact).is_some()).collect();
    let all = [F::Organization, F::Pipeline, F::Number, F::Branch, F::Tag, F::Commit, F::Step, F::Job];
    assert_eq!(vouched, [&all[..], &[F::Source, F::Runner]].concat());
    assert_eq!(facts.build().runner.as_deref(), Some("self-hosted"), "the token says it, the statement not");
    assert_eq!((facts.build().repository.as_ref(), facts.build().creator.as_ref()), (None, None));
    let time = facts.time().unwrap();
    let issued = Timestamp::from_seconds(published().seconds() - 30);
    assert_eq!((time.at, time.source, time.voucher), (issued, "token iat", Voucher::Token));
}

#[test]
fn a_token_that_names_no_tag_disagrees_with_facts_that_do() {
    let body = json!({
        "event": "build.running",
        "build": {
            "id": "b-1", "number": 42, "branch": "main", "tag": "v2",
            "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42",
        },
        "pipeline": {"slug": "fraud-train"},
    });
    let told = BuildFacts::given_by_operator(body.to_string().as_bytes()).unwrap();

    let facts = judge(&claims()).unwrap().facts(&[SignerId::new("buildkite")]);

    assert_eq!(facts.build_id(), Some("b-1"));
    assert_eq!(told.disagreement(&facts), Some(FactName::Tag), "the token says v1");
}

#[test]
fn a_tokens_time_goes_before_a_keys_word_whatever_their_order() {
    let key = a_key();
    let both = signers([a_signer("key", &key), signer("buildkite", oidc())]);
    let mut signed = envelope(&[token(&claims())]);
    signed.signatures.extend(key.envelope(PAYLOAD_TYPE, &payload()).unwrap().signatures);
    let keys = key_set();

    let event = ask(signed, &both, published(), BuildkiteKeys::Complete(&keys)).unwrap();

    let facts = event.facts(&["key", "buildkite"].map(SignerId::new));
    assert_eq!((facts.time().unwrap().source, facts.roots()), ("token iat", 2));
    assert_eq!(facts.voucher(FactName::Repository), Some(Voucher::Key));
    let of_key = event.facts(&[SignerId::new("key")]);
    assert_eq!((of_key.time().unwrap().source, of_key.build().runner.as_ref()), ("startedOn", None));
}

#[test]
fn two_signers_by_token_are_one_root() {
    let two = signers([signer("a", oidc()), signer("b", oidc())]);

    let event = judge_at(&claims(), &two, published()).unwrap();

    assert_eq!(event.signatures().len(), 2);
    assert_eq!(event.facts(&["a", "b"].map(SignerId::new)).roots(), 1);
}

#[test]
fn every_claim_must_agree_with_the_statement() {
    for claim in [
        "organization_slug",
        "pipeline_slug",
        "build_branch",
        "build_tag",
        "job_id",
        "step_key",
        "build_source",
        "organization_id",
        "pipeline_id",
        "build_id",
    ] {
        let rejection = judge(&with(claims(), claim, json!("other"))).unwrap_err();
        assert_eq!(rejection.refusal.reason, Reason::IdentityMismatch, "{claim}");
        assert!(rejection.refusal.message.contains(claim), "{}", rejection.refusal.message);
        let rung = rejection.checks.iter().find(|check| check.status == CheckStatus::Failed).unwrap();
        assert_eq!((rung.name.as_str(), rung.actual.as_deref()), ("identity", Some("other")));
        assert!(rung.expected.as_deref().unwrap().starts_with(claim));
        assert_eq!(reason(&with(claims(), claim, json!(["acme"]))), Reason::IdentityMismatch, "{claim}");
    }
    let other = json!("ff".repeat(20));
    assert_eq!(reason(&with(claims(), "build_commit", other)), Reason::IdentityMismatch);
    for number in [json!(43), json!("42"), json!(42.5), json!(-42), json!(null)] {
        assert_eq!(reason(&with(claims(), "build_number", number)), Reason::IdentityMismatch);
    }
}

#[test]
fn a_claim_that_is_absent_null_or_empty_is_none_and_does_not_agree_with_something() {
    for claim in [
        "organization_slug",
        "pipeline_slug",
        "build_branch",
        "build_tag",
        "build_commit",
        "job_id",
        "step_key",
    ] {
        for claims in
            [without(claims(), claim), with(claims(), claim, json!(null)), with(claims(), claim, json!(""))]
        {
            assert_eq!(reason(&claims), Reason::IdentityMismatch, "{claim}");
        }
    }
}

#[test]
fn a_commit_that_is_no_id_is_not_vouched_for_and_no_mismatch() {
    for name in ["HEAD", "main", "d18aac9"] {
        let event = judge(&with(claims(), "build_commit", json!(name))).unwrap();
        let facts = event.facts(&[SignerId::new("buildkite")]);
        assert_eq!((facts.voucher(FactName::Commit), facts.build().commit.as_ref()), (None, None));
        assert!(event.statement().build.commit.is_some());
    }
}

#[test]
fn sub_is_never_compared() {
    assert!(judge(&without(claims(), "sub")).is_ok());
}

type Pin = (&'static str, Box<dyn Fn(&mut BuildkiteOidc)>, Box<dyn Fn(&mut BuildkiteOidc)>);

#[test]
fn a_pin_is_met_by_its_claim_alone_and_never_by_its_absence() {
    let pinned = |change: &dyn Fn(&mut BuildkiteOidc)| {
        let mut pinned = oidc();
        change(&mut pinned);
        signers([signer("buildkite", pinned)])
    };
    let text = |value: &str| Some(value.to_owned());
    let pins: [Pin; 4] = [
        (
            "organization_id",
            Box::new(move |pin| pin.organization_id = text("o-1")),
            Box::new(move |pin| pin.organization_id = text("o-2")),
        ),
        (
            "pipeline_id",
            Box::new(move |pin| pin.pipeline_ids = Some(vec!["p-0".to_owned(), "p-1".to_owned()])),
            Box::new(move |pin| pin.pipeline_ids = Some(vec!["p-2".to_owned()])),
        ),
        (
            "cluster_id",
            Box::new(move |pin| pin.cluster = text("c-1")),
            Box::new(move |pin| pin.cluster = text("c-2")),
        ),
        (
            "queue_key",
            Box::new(move |pin| pin.queue = text("default")),
            Box::new(move |pin| pin.queue = text("gpu")),
        ),
    ];
    for (claim, right, wrong) in &pins {
        let answer = |signers: &Signers, claims: &Value| {
            judge_at(claims, signers, published()).map(drop).map_err(|no| no.refusal.reason)
        };
        let right = pinned(right);
        assert_eq!(answer(&right, &claims()), Ok(()), "{claim}");
        assert_eq!(answer(&pinned(wrong), &claims()), Err(Reason::IdentityMismatch), "{claim}");
        assert_eq!(answer(&right, &without(claims(), claim)), Err(Reason::IdentityMismatch), "{claim}");
        assert_eq!(answer(&right, &with(claims(), claim, json!(null))), Err(Reason::IdentityMismatch));
    }
    let other = pinned(&|pin| pin.organization = "umbrella".to_owned());
    let rejection = judge_at(&claims(), &other, published()).unwrap_err();
    assert_eq!(rejection.refusal.reason, Reason::IdentityMismatch);
    assert!(rejection.refusal.message.contains("pinned to umbrella"), "{}", rejection.refusal.message);
}

#[test]
fn a_token_counts_from_a_minute_before_its_time_to_a_minute_after_it() {
    let issued = published().seconds() - 30;
    let answer = |claims: &Value, micros: i64| {
        let time = Timestamp::from_seconds(issued).plus_micros(micros);
        judge_at(claims, &keyless(), time).map(drop).map_err(|no| no.refusal.reason)
    };
    let second = 1_000_000;
    let time = Err(Reason::BuildkiteTokenTime);

    assert_eq!(answer(&claims(), -60 * second), Ok(()));
    assert_eq!(answer(&claims(), -60 * second - 1), time);
    assert_eq!(answer(&claims(), 360 * second), Ok(()));
    assert_eq!(answer(&claims(), 360 * second + 1), time);

    let late = with(claims(), "nbf", json!(issued + 100));
    assert_eq!(answer(&late, 40 * second), Ok(()));
    assert_eq!(answer(&late, 40 * second - 1), time);
    let early = with(claims(), "nbf", json!(issued - 1000));
    assert_eq!(answer(&early, -60 * second - 1), time, "nbf before iat widens nothing");
    assert_eq!(answer(&without(claims(), "nbf"), -60 * second), Ok(()));
    assert_eq!(answer(&without(claims(), "nbf"), -60 * second - 1), time);

    let long = with(claims(), "exp", json!(issued + 7200));
    assert_eq!(answer(&long, 900 * second), Ok(()));
    assert_eq!(answer(&long, 900 * second + 1), Err(Reason::TokenTooOld));
}

#[test]
fn a_lifetime_is_whole_seconds_above_none_and_no_longer_than_buildkite_grants() {
    let issued = published().seconds() - 30;
    assert!(judge(&with(claims(), "exp", json!(issued + 7200))).is_ok());
    for (claim, value) in [
        ("exp", json!(issued + 7201)),
        ("exp", json!(issued)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(i64::MIN)),
        ("exp", json!(u64::MAX)),
        ("exp", json!((issued + 300).to_string())),
        ("exp", json!(1_795_000_270.5)),
        ("exp", json!(null)),
        ("iat", json!(null)),
        ("iat", json!(i64::MIN)),
        ("iat", json!(issued.to_string())),
        ("nbf", json!(null)),
        ("nbf", json!(1.5)),
        ("nbf", json!(i64::MAX)),
    ] {
        let claims = with(claims(), claim, value);
        assert_eq!(reason(&claims), Reason::BuildkiteTokenTime, "{claims}");
    }
    for claim in ["iat", "exp"] {
        assert_eq!(reason(&without(claims(), claim)), Reason::BuildkiteTokenTime);
    }
}

#[test]
fn the_audience_is_one_text_that_names_this_event_of_this_service() {
    let own = claims()["aud"].as_str().unwrap().to_owned();
    let other = format!("{AUDIENCE}/event/{}", "0".repeat(64));
    assert_eq!(reason(&with(claims(), "aud", json!(other))), Reason::BindingMismatch);
    for audience in [
        json!(AUDIENCE),
        json!(format!("{AUDIENCE}/claims")),
        json!([own]),
        json!([own, "other"]),
        json!(format!("{own}/")),
        json!(format!(" {own}")),
        json!(own.replace("launchgate-prod", "launchgate-test")),
        json!(own.replace("launchgate-prod", "launchgate")),
        json!(own.to_uppercase()),
        json!(BuildkiteOidc::wait_audience(AUDIENCE, &an_envelope().event_digest().id())),
        json!(null),
        json!(7),
    ] {
        assert_eq!(reason(&with(claims(), "aud", audience.clone())), Reason::UnboundToken, "{audience}");
    }
}

#[test]
fn a_key_that_is_not_at_hand_decides_nothing_unless_the_set_is_complete() {
    let other = Jwks::parse(json!({"keys": [jwk("rsa", "other")]}).to_string().as_bytes()).unwrap();
    let answer = |keys: BuildkiteKeys<'_>| ask(envelope(&[token(&claims())]), &keyless(), published(), keys);

    for keys in [BuildkiteKeys::Missing, BuildkiteKeys::Held(&other)] {
        let Err(Unverified::KeyWanted(wanted)) = answer(keys) else { panic!("{keys:?}") };
        assert_eq!(wanted.kid, KID);
    }
    let rejection = rejection(answer(BuildkiteKeys::Complete(&other)).unwrap_err());
    assert_eq!(rejection.refusal.reason, Reason::BuildkiteTokenUnknownKey);
    assert!(answer(BuildkiteKeys::Held(&key_set())).is_ok());
}

#[test]
fn a_token_that_no_key_could_make_acceptable_waits_for_none() {
    let foreign = with(claims(), "aud", json!("launchgate-prod/claims"));
    let answer = ask(envelope(&[token(&foreign)]), &keyless(), published(), BuildkiteKeys::Missing);
    assert_eq!(rejection(answer.unwrap_err()).refusal.reason, Reason::UnboundToken);

    // Nor does any token where nobody speaks by one.
    let key = a_key();
    let mut signed = signed_by(&[&key]);
    signed.signatures.push(Signature { keyid: None, sig: token(&claims()) });
    assert!(ask(signed, &signers([a_signer("a", &key)]), published(), BuildkiteKeys::Missing).is_ok());
}

#[test]
fn a_key_kept_with_the_event_verifies_it_after_the_key_was_rotated_away() {
    let event = judge(&claims()).unwrap();
    let text = serde_json::to_string(event.signatures()).unwrap();
    let kept: Vec<launchgate_trust::VerifiedSignature> = serde_json::from_str(&text).unwrap();
    assert_eq!(kept, event.signatures());
    let proof = kept[0].token.as_ref().unwrap();

    let today = Jwks::default().with(std::slice::from_ref(&proof.key)).unwrap();
    let again =
        ask(envelope(&[token(&claims())]), &keyless(), proof.published, BuildkiteKeys::Complete(&today));

    assert_eq!(again.unwrap().signatures(), kept);
}

#[test]
fn what_a_token_says_is_kept_and_one_kept_without_it_is_still_a_signer() {
    let said = with(with(claims(), "step_key", json!("build")), "agent_tag:queue", json!("gpu"));
    let event = judge(&with(said.clone(), "cluster_name", json!(null))).unwrap();
    let permitted = [SignerId::new("buildkite")];
    assert_eq!(json!(event.identity(&permitted).unwrap()), said, "all but what is null");
    assert!(event.identity(&[SignerId::new("key")]).is_none());

    let mut kept = serde_json::to_value(event.signatures()).unwrap();
    kept[0]["token"].as_object_mut().unwrap().remove("claims").unwrap();
    let kept: Vec<launchgate_trust::VerifiedSignature> = serde_json::from_value(kept).unwrap();
    let key = a_key();
    let both = signers([a_signer("key", &key), signer("buildkite", oidc())]);
    let copy =
        ask(key.envelope(PAYLOAD_TYPE, &payload()).unwrap(), &both, published(), BuildkiteKeys::Missing);
    let joined = copy.unwrap().joined(&kept, &both);
    assert_eq!(joined.signatures().len(), 2);
    assert!(joined.identity(&permitted).unwrap().is_empty());
}

#[test]
fn an_earlier_token_is_joined_only_while_todays_pins_let_it_through() {
    let key = a_key();
    let earlier = judge(&claims()).unwrap().signatures().to_vec();
    let joined = |oidc: BuildkiteOidc| {
        let both = signers([a_signer("key", &key), signer("buildkite", oidc)]);
        let signed = key.envelope(PAYLOAD_TYPE, &payload()).unwrap();
        let event = ask(signed, &both, published(), BuildkiteKeys::Missing).unwrap();
        event.joined(&earlier, &both).signatures().len()
    };

    assert_eq!(joined(oidc()), 2);
    assert_eq!(joined(BuildkiteOidc { cluster: Some("c-2".to_owned()), ..oidc() }), 1);
    assert_eq!(joined(BuildkiteOidc { organization: "umbrella".to_owned(), ..oidc() }), 1);
}

#[test]
fn a_token_that_disagrees_does_not_spoil_one_that_agrees_nor_a_key() {
    let key = a_key();
    let liar = token(&with(claims(), "build_branch", json!("other")));
    let keys = key_set();
    let twice = envelope(&[liar.clone(), token(&claims())]);
    assert!(ask(twice, &keyless(), published(), BuildkiteKeys::Complete(&keys)).is_ok());

    let both = signers([a_signer("key", &key), signer("buildkite", oidc())]);
    let mut signed = key.envelope(PAYLOAD_TYPE, &payload()).unwrap();
    signed.signatures.push(Signature { keyid: None, sig: liar });
    let event = ask(signed, &both, published(), BuildkiteKeys::Complete(&keys)).unwrap();
    assert_eq!(event.signatures().len(), 1);
    let skipped = event.checks().iter().find(|check| check.status == CheckStatus::Skipped).unwrap();
    assert_eq!(skipped.name, "identity");
    assert_eq!(event.facts(&[SignerId::new("buildkite")]).build(), &Build::default());
}

#[test]
fn windows_pipelines_and_revocation_hold_for_tokens_too() {
    let answer = |change: &dyn Fn(&mut Signer)| {
        let mut one = signer("buildkite", oidc());
        change(&mut one);
        judge_at(&claims(), &signers([one]), published()).unwrap_err().refusal.reason
    };
    assert_eq!(answer(&|one| one.revoked = true), Reason::RevokedSigner);
    assert_eq!(answer(&|one| one.not_after = Some(published())), Reason::SignerExpired);
    let other = PatternList::parse(["other"], Wildcards::Name).unwrap();
    assert_eq!(answer(&|one| one.pipelines = Some(other.clone())), Reason::PipelineNotAllowed);
    assert_eq!(answer(&|one| one.builders = Some(Vec::new())), Reason::BuilderNotAllowed);
}

#[test]
fn a_padded_token_is_refused_and_not_read_over() {
    let padded = [&token(&claims())[..], b"="].concat();
    let rejection = judge_token(padded).unwrap_err();
    assert_eq!(rejection.refusal.reason, Reason::BuildkiteTokenMalformed);
}

#[test]
fn a_refusal_says_what_the_token_says_and_no_more_of_it_than_fits() {
    let message = |claims: &Value| judge(claims).unwrap_err().refusal.message;
    assert!(message(&with(claims(), "iss", json!("https://evil.example"))).contains("https://evil.example"));
    assert!(message(&without(claims(), "iss")).contains("found nothing"));
    let long = message(&with(claims(), "iss", json!("x".repeat(1000))));
    assert!(long.contains(&"x".repeat(150)) && !long.contains(&"x".repeat(201)), "{long}");
}

#[test]
fn what_has_not_the_form_of_a_token_is_an_unknown_signature_and_claims_nothing() {
    for sig in ["ey-without-a-dot", "dots.without.ey", ""] {
        let other = b"another signature".to_vec();
        let answer = judge_envelope(envelope(&[sig.as_bytes().to_vec(), other]));
        assert_eq!(answer.unwrap_err().refusal.reason, Reason::UnknownSigner, "{sig}");
        assert_eq!(unverified_token_claims(sig.as_bytes()), None, "{sig}");
    }
    assert_eq!(unverified_token_claims(&[0xff; 64]), None);
    let shown = unverified_token_claims(&token(&claims())).unwrap();
    assert_eq!(Value::Object(shown), claims());
}

#[test]
fn claims_are_shown_of_a_token_of_8_kib_and_of_no_longer_one() {
    let shown = |length| unverified_token_claims(crate::push_token::token_of_length(length).as_bytes());
    assert!(shown(8192).is_some());
    assert_eq!(shown(8193), None);
}

#[test]
fn only_an_rs256_token_by_an_rsa_key_speaks_for_a_job() {
    let named = |header: Value| token_of(&header.to_string(), &claims().to_string()).into_bytes();
    let answer = |signature| {
        let keys = key_set();
        let answer = ask(envelope(&[signature]), &keyless(), published(), BuildkiteKeys::Complete(&keys));
        rejection(answer.unwrap_err()).refusal.reason
    };
    for alg in ["none", "HS256", "ES256", "PS256", "RS512"] {
        let header = json!({"alg": alg, "kid": KID, "typ": "JWT"});
        assert_eq!(answer(named(header)), Reason::BuildkiteTokenMalformed, "{alg}");
    }
    let header = json!({"alg": "RS256", "kid": KID, "typ": "JWT"});
    for name in ["crit", "jku", "x5u", "x5c", "jwk"] {
        let header = with(header.clone(), name, json!("https://evil.example"));
        assert_eq!(answer(named(header)), Reason::BuildkiteTokenMalformed, "{name}");
    }
}

#[test]
fn of_several_refused_tokens_the_one_that_came_nearest_is_named() {
    let mut forged = token(&claims());
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let old = with(claims(), "iat", json!(published().seconds() - 1000));
    let far_to_near = [
        (b"eyJhbGciOiJub25lIn0.e30.".to_vec(), Reason::BuildkiteTokenMalformed),
        (forged, Reason::BuildkiteTokenSignature),
        (token(&with(claims(), "iss", json!("https://evil.example"))), Reason::BuildkiteTokenIssuer),
        (token(&with(claims(), "aud", json!(AUDIENCE))), Reason::UnboundToken),
        (
            token(&with(claims(), "aud", json!(format!("{AUDIENCE}/event/{}", "0".repeat(64))))),
            Reason::BindingMismatch,
        ),
        (token(&with(claims(), "exp", json!(0))), Reason::BuildkiteTokenTime),
        (token(&old), Reason::TokenTooOld),
    ];
    for pair in far_to_near.windows(2) {
        let [(far, _), (near, reason)] = pair else { unreachable!("windows of two") };
        for both in [[far.clone(), near.clone()], [near.clone(), far.clone()]] {
            let rejection = judge_envelope(envelope(&both)).unwrap_err();
            assert_eq!(rejection.refusal.reason, *reason);
        }
    }
}

#[test]
fn the_scope_is_shown_once_for_each_kind_of_proof_that_there_is() {
    let scopes = |event: &VerifiedEvent| -> Vec<_> {
        event
            .checks()
            .iter()
            .filter(|check| check.name == "scope")
            .map(|check| check.voucher.unwrap())
            .collect()
    };
    assert_eq!(scopes(&judge(&claims()).unwrap()), [Voucher::Token]);

    let key = a_key();
    let both = signers([a_signer("key", &key), signer("buildkite", oidc())]);
    let mut signed = envelope(&[token(&claims())]);
    signed.signatures.extend(key.envelope(PAYLOAD_TYPE, &payload()).unwrap().signatures);
    let keys = key_set();
    let event = ask(signed, &both, published(), BuildkiteKeys::Complete(&keys)).unwrap();
    assert_eq!(scopes(&event), [Voucher::Key, Voucher::Token]);
}

#[test]
fn buildkites_keys_are_needed_where_somebody_speaks_by_its_tokens() {
    assert!(keyless().need_buildkite_keys());
    assert!(!signers([a_signer("key", &a_key())]).need_buildkite_keys());
}
