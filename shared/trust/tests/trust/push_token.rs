//! Google's token on a push request: one negative test for each rule.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use launchgate_outcome::{Outcome, Reason};
use launchgate_trust::{
    AuthenticatedSender, Jwks, PushIdentity, PushTokenError, Scheme, SigningKey, TrustError,
    verify_push_token,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{der, published, vector};

const KID: &str = "google-1";

fn key(file: &str) -> SigningKey {
    SigningKey::from_pem(&vector(&format!("keys/{file}.pem")), Some(Scheme::RsaPkcs1v15Sha256)).unwrap()
}

/// The public half of a test key as a JWK.
pub(crate) fn jwk(file: &str, kid: &str) -> Value {
    let der = der(&format!("keys/{file}.pub"));
    // The modulus lies before the exponent, 02 03 01 00 01, at the end.
    let (modulus, exponent) = der[..der.len() - 5].split_at(der.len() - 5 - 256).1.split_at(256);
    assert!(exponent.is_empty() && der.ends_with(&[2, 3, 1, 0, 1]));
    json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
}

pub(crate) fn key_set() -> Jwks {
    Jwks::parse(json!({"keys": [jwk("rsa", KID), {"kty": "EC", "kid": "ec"}]}).to_string().as_bytes())
        .unwrap()
}

pub(crate) fn identity() -> PushIdentity {
    PushIdentity {
        audience: "https://gate.example/pubsub/events".to_owned(),
        email: "push@acme.iam.gserviceaccount.com".to_owned(),
    }
}

fn header() -> Value {
    json!({"alg": "RS256", "kid": KID, "typ": "JWT"})
}

fn claims() -> Value {
    let now = published().seconds();
    json!({
        "iss": "https://accounts.google.com",
        "aud": identity().audience,
        "azp": "1234567890",
        "sub": "1234567890",
        "email": identity().email,
        "email_verified": true,
        "iat": now - 10,
        "exp": now + 3590,
    })
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    value[name] = new;
    value
}

pub(crate) fn token_of(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = signature_of(&signed);
    format!("{signed}.{signature}")
}

/// The third part of a token whose first two are `signed`.
pub(crate) fn signature_of(signed: &str) -> String {
    static KEY: std::sync::LazyLock<SigningKey> = std::sync::LazyLock::new(|| key("rsa"));
    URL_SAFE_NO_PAD.encode(KEY.sign(signed.as_bytes()).unwrap())
}

/// A right one.
pub(crate) fn a_token() -> String {
    token(&header(), &claims())
}

fn token(header: &Value, claims: &Value) -> String {
    token_of(&header.to_string(), &claims.to_string())
}

/// A right one that has exactly so many bytes.
pub(crate) fn token_of_length(length: usize) -> String {
    let of = |header: &Value, padding: usize| {
        token(header, &with(claims(), "padding", json!("x".repeat(padding))))
    };
    let about = (length - of(&header(), 0).len()) * 3 / 4;
    // Base64 without padding skips every fourth length; a longer header then gives it.
    let headers = [header(), with(header(), "cty", json!("JWT")), with(header(), "cty", json!("a JWT"))];
    let near = (about.saturating_sub(30)..about + 30)
        .flat_map(|padding| headers.iter().map(move |header| (header, padding)));
    let mut near = near.map(|(header, padding)| of(header, padding));
    near.find(|token| token.len() == length).expect("some padding gives this length")
}

fn ask(token: &str) -> Result<AuthenticatedSender, PushTokenError> {
    verify_push_token(token, &key_set(), &identity(), published())
}

fn reason(token: &str) -> Reason {
    match ask(token) {
        Err(PushTokenError::Refused { reason, message }) => {
            assert_eq!(reason.outcome(), Outcome::RejectedAuth);
            assert!(!message.contains(token) || token.is_empty());
            reason
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn googles_token_for_this_route_names_its_sender() {
    assert_eq!(ask(&token(&header(), &claims())).unwrap().name(), identity().email);
    let short = with(claims(), "iss", json!("accounts.google.com"));
    assert!(ask(&token(&header(), &short)).is_ok());
    let mut untyped = header();
    untyped.as_object_mut().unwrap().remove("typ");
    assert!(ask(&token(&untyped, &claims())).is_ok());
}

#[test]
fn what_is_no_compact_token_is_malformed() {
    let good = token(&header(), &claims());
    let parts: Vec<_> = good.split('.').collect();
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}."),
        format!("{good}.x"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}="),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        good.replace('.', "-"),
        format!("{}.{}.{}+", parts[0], parts[1], parts[2]),
        "x".repeat(100_000),
        token(&header(), &with(claims(), "pad", json!("x".repeat(9_000)))),
        token_of("[]", &claims().to_string()),
        token_of(&header().to_string(), "[]"),
        token_of(&header().to_string(), &format!("{}{{}}", claims())),
    ] {
        assert_eq!(reason(&text), Reason::TokenMalformed, "{}", text.chars().take(60).collect::<String>());
    }
}

#[test]
fn the_algorithm_is_rs256_and_the_header_chooses_no_key() {
    for alg in ["none", "None", "HS256", "RS384", "RS512", "PS256", "ES256", "rs256", ""] {
        assert_eq!(
            reason(&token(&with(header(), "alg", json!(alg)), &claims())),
            Reason::TokenMalformed,
            "{alg}"
        );
    }
    for name in ["crit", "jku", "x5u", "x5c", "jwk", "b64"] {
        for value in [json!(null), json!([]), json!("https://evil.example")] {
            assert_eq!(
                reason(&token(&with(header(), name, value), &claims())),
                Reason::TokenMalformed,
                "{name}"
            );
        }
    }
    for kid in [json!(null), json!(5), json!(""), json!("x".repeat(300))] {
        assert_eq!(reason(&token(&with(header(), "kid", kid), &claims())), Reason::TokenMalformed);
    }
    for typ in [json!("at+jwt"), json!(5), json!(null)] {
        assert_eq!(reason(&token(&with(header(), "typ", typ), &claims())), Reason::TokenMalformed);
    }
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let twice = |text: String, member: &str| format!("{},{member}}}", &text[..text.len() - 1]);
    let header_twice = twice(header().to_string(), "\"alg\":\"RS256\"");
    let claims_twice = twice(claims().to_string(), "\"email_verified\":true");
    assert_eq!(reason(&token_of(&header_twice, &claims().to_string())), Reason::TokenMalformed);
    assert_eq!(reason(&token_of(&header().to_string(), &claims_twice)), Reason::TokenMalformed);
}

#[test]
fn an_unknown_key_is_told_apart_so_that_the_set_can_be_fetched_afresh() {
    let unknown = ask(&token(&with(header(), "kid", json!("google-2")), &claims()));
    assert_eq!(unknown, Err(PushTokenError::UnknownKey("google-2".to_owned())));
    assert!(key_set().has(KID) && !key_set().has("google-2") && !key_set().has("ec"));
}

#[test]
fn another_keys_signature_under_a_known_id_is_refused() {
    let signed = token(&header(), &claims());
    let signed = signed.rsplit_once('.').unwrap().0;
    let foreign = key("rsa-other").sign(signed.as_bytes()).unwrap();
    assert_eq!(reason(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(foreign))), Reason::TokenSignature);
    assert_eq!(reason(&format!("{signed}.")), Reason::TokenSignature);
}

#[test]
fn a_signature_stripped_by_cloud_run_has_its_own_reason() {
    let good = token(&header(), &claims());
    let stripped = format!("{}.SIGNATURE_REMOVED_BY_GOOGLE", good.rsplit_once('.').unwrap().0);
    assert_eq!(reason(&stripped), Reason::SignatureStrippedByCloudRun);
}

#[test]
fn each_claim_is_what_the_route_expects() {
    let list = json!([identity().audience]);
    for (name, wrong, expected) in [
        ("iss", json!("https://accounts.google.com/"), Reason::TokenIssuer),
        ("iss", json!("https://evil.example"), Reason::TokenIssuer),
        ("iss", json!(null), Reason::TokenIssuer),
        ("iss", json!(["https://accounts.google.com"]), Reason::TokenIssuer),
        ("aud", json!("https://gate.example/pubsub/builds"), Reason::TokenAudience),
        ("aud", json!("https://gate.example/pubsub/events/"), Reason::TokenAudience),
        ("aud", list, Reason::TokenAudience),
        ("aud", json!(null), Reason::TokenAudience),
        ("email", json!("other@acme.iam.gserviceaccount.com"), Reason::TokenEmail),
        ("email", json!("PUSH@acme.iam.gserviceaccount.com"), Reason::TokenEmail),
        ("email", json!(null), Reason::TokenEmail),
        ("email_verified", json!(false), Reason::TokenEmail),
        ("email_verified", json!("true"), Reason::TokenEmail),
        ("email_verified", json!(1), Reason::TokenEmail),
        ("email_verified", json!(null), Reason::TokenEmail),
    ] {
        let text = token(&header(), &with(claims(), name, wrong.clone()));
        assert_eq!(reason(&text), expected, "{name}: {wrong}");
    }
    for (name, expected) in [
        ("iss", Reason::TokenIssuer),
        ("aud", Reason::TokenAudience),
        ("email", Reason::TokenEmail),
        ("email_verified", Reason::TokenEmail),
        ("exp", Reason::TokenExpired),
        ("iat", Reason::TokenExpired),
    ] {
        let mut missing = claims();
        missing.as_object_mut().unwrap().remove(name);
        assert_eq!(reason(&token(&header(), &missing)), expected, "{name}");
    }
}

#[test]
fn time_has_sixty_seconds_of_skew_and_no_more() {
    let now = published().seconds();
    let at = |issued: i64, expires: i64| {
        token(&header(), &with(with(claims(), "iat", json!(issued)), "exp", json!(expires)))
    };

    assert!(ask(&at(now - 3600, now - 60)).is_ok());
    assert_eq!(reason(&at(now - 3600, now - 61)), Reason::TokenExpired);
    assert!(ask(&at(now + 60, now + 3600)).is_ok());
    assert_eq!(reason(&at(now + 61, now + 3600)), Reason::TokenExpired);
    assert_eq!(reason(&at(now, now)), Reason::TokenExpired);
    assert_eq!(reason(&at(now, i64::MIN)), Reason::TokenExpired);
    assert!(ask(&token(&header(), &with(claims(), "nbf", json!(now + 60)))).is_ok());
    assert_eq!(reason(&token(&header(), &with(claims(), "nbf", json!(now + 61)))), Reason::TokenExpired);
    for name in ["iat", "exp", "nbf"] {
        for wrong in [json!("1795000000"), json!(1.795e9), json!(null), json!(u64::MAX), json!(1e300)] {
            assert_eq!(
                reason(&token(&header(), &with(claims(), name, wrong.clone()))),
                Reason::TokenExpired,
                "{name}: {wrong}"
            );
        }
    }
}

#[test]
fn a_key_set_keeps_rsa_signing_keys_and_nothing_ambiguous() {
    let parse = |keys: Value| Jwks::parse(json!({ "keys": keys }).to_string().as_bytes());
    let good = jwk("rsa", KID);
    assert!(parse(json!([good, jwk("rsa-other", "b")])).unwrap().has("b"));
    for left_out in [
        json!([{"kty": "EC", "kid": "x"}]),
        json!([with(good.clone(), "use", json!("enc"))]),
        json!([with(good.clone(), "alg", json!("RS512"))]),
        json!([with(good.clone(), "kid", json!(""))]),
        json!([with(good.clone(), "kid", json!(null))]),
        json!([]),
    ] {
        assert!(matches!(parse(left_out.clone()), Err(TrustError::NotJwks(_))), "{left_out}");
    }
    for wrong in [
        json!([good, good]),
        json!([good, 5]),
        json!({}),
        json!([with(good.clone(), "n", json!("AQAB"))]),
        json!([with(good.clone(), "n", json!("not base64!"))]),
        json!([with(good.clone(), "n", json!(null))]),
        json!([with(good.clone(), "e", json!("AQ"))]),
        json!([with(good.clone(), "e", json!("AA"))]),
        json!([with(good.clone(), "e", json!(""))]),
    ] {
        assert!(matches!(parse(wrong.clone()), Err(TrustError::NotJwks(_))), "{wrong}");
    }
    for text in ["", "[]", "{}", "{\"keys\":[],\"keys\":[]}", "{\"keys\":[]} x"] {
        assert!(matches!(Jwks::parse(text.as_bytes()), Err(TrustError::NotJwks(_))), "{text}");
    }
    // A leading zero byte, as some issuers write it, is the same key.
    let n = URL_SAFE_NO_PAD.decode(good["n"].as_str().unwrap()).unwrap();
    let padded = URL_SAFE_NO_PAD.encode([&[0][..], &n].concat());
    let set = parse(json!([with(good, "n", json!(padded))])).unwrap();
    assert!(verify_push_token(&token(&header(), &claims()), &set, &identity(), published()).is_ok());
}

#[test]
fn a_refusal_says_what_the_token_says() {
    let message = |name: &str, value: Value| {
        ask(&token(&header(), &with(claims(), name, value))).unwrap_err().to_string()
    };
    for name in ["iss", "aud", "email", "email_verified"] {
        assert!(message(name, json!("something else")).contains("found \"something else\""), "{name}");
    }
    assert!(!message("iss", json!("x".repeat(1000))).contains(&"x".repeat(201)));
}

#[test]
fn a_token_may_have_8_kib_and_a_key_set_256() {
    assert!(ask(&token_of_length(8192)).is_ok());
    assert_eq!(reason(&token_of_length(8193)), Reason::TokenMalformed);

    assert_eq!(Jwks::MAX_BYTES, 256 * 1024);
    let set = json!({"keys": [jwk("rsa", KID)]}).to_string();
    let padded = |length: usize| set.clone() + &" ".repeat(length - set.len());
    assert!(Jwks::parse(padded(Jwks::MAX_BYTES).as_bytes()).is_ok());
    assert!(Jwks::parse(padded(Jwks::MAX_BYTES + 1).as_bytes()).is_err());
}

#[test]
fn the_key_sets_of_buildkite_are_read() {
    let file: Value = serde_json::from_str(&vector("keyless.json")).unwrap();
    let set = Jwks::parse(file["jwks"].to_string().as_bytes()).unwrap();
    assert!(set.has("bk-1") && set.has("bk-2"));
}

#[test]
fn only_this_machine_is_loopback() {
    for (peer, expected) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("10.0.0.1", false),
        ("0.0.0.0", false),
        ("::ffff:10.0.0.1", false),
        ("fe80::1", false),
    ] {
        assert_eq!(AuthenticatedSender::loopback(peer.parse().unwrap()).is_some(), expected, "{peer}");
    }
}

proptest! {
    #[test]
    fn arbitrary_tokens_never_panic_nor_pass(text in "[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(ask(&text).is_err());
    }

    #[test]
    fn no_changed_character_of_a_token_is_accepted(at in any::<prop::sample::Index>(), new in "[A-Za-z0-9_.=+/ -]") {
        let good = token(&header(), &claims());
        let at = at.index(good.len());
        let changed = format!("{}{new}{}", &good[..at], &good[at + 1..]);
        prop_assert_eq!(ask(&changed).is_ok(), changed == good);
    }
}
