//! Identity-Aware Proxy's token: one negative test for each rule, and that no key crosses over to another
//! algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use launchgate_outcome::Reason;
use launchgate_statement::Timestamp;
use launchgate_trust::{
    IapAudience, IapIdentity, IapTokenError, Jwks, JwtAlgorithm, PushIdentity, PushTokenError, Scheme,
    SigningKey, TrustError, verify_iap_token, verify_push_token,
};
use proptest::prelude::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm};
use serde_json::{Value, json};

use crate::push_token::{jwk as rsa_jwk, token_of as rsa_token_of};
use crate::{der, published, vector};

const KID: &str = "iap-1";
const AUDIENCE: &str = "/projects/123456789012/locations/us-central1/services/launchgate-console";

/// The uncompressed point at the end of a `SubjectPublicKeyInfo`.
fn point() -> Vec<u8> {
    let der = der("keys/p256.pub");
    der[der.len() - 65..].to_vec()
}

fn jwk(kid: &str) -> Value {
    let point = point();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y})
}

/// Also a key of another type under the same id: what a token names decides no type.
fn key_set() -> Jwks {
    let keys = json!({"keys": [jwk(KID), rsa_jwk("rsa", "rsa-only"), rsa_jwk("rsa-other", KID)]});
    Jwks::parse(keys.to_string().as_bytes()).unwrap()
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": KID, "typ": "JWT"})
}

fn claims() -> Value {
    let now = published().seconds();
    json!({
        "iss": "https://cloud.google.com/iap", "aud": AUDIENCE, "azp": AUDIENCE,
        "sub": "accounts.google.com:118133858486581853996", "email": "ada@acme.example", "hd": "acme.example",
        "google": {"access_levels": ["accessPolicies/1/accessLevels/a"]},
        "iat": now - 10, "exp": now + 590,
    })
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    value[name] = new;
    value
}

fn signed(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn p256(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(algorithm, &der("keys/p256.pem"), &SystemRandom::new()).unwrap()
}

fn token_of(header: &str, claims: &str) -> String {
    let signed = signed(header, claims);
    let key = p256(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn token(header: &Value, claims: &Value) -> String {
    token_of(&header.to_string(), &claims.to_string())
}

fn ask(token: &str) -> Result<IapIdentity, IapTokenError> {
    verify_iap_token(token, &key_set(), &IapAudience::parse(AUDIENCE).unwrap(), published())
}

/// The name of the claim that is at fault.
fn claim_at_fault(claims: &Value) -> &'static str {
    match ask(&token(&header(), claims)) {
        Err(IapTokenError::Claim { claim, .. }) => claim,
        other => panic!("expected a claim to be at fault, got {other:?} for {claims}"),
    }
}

fn is_malformed(token: &str) -> bool {
    matches!(ask(token), Err(IapTokenError::Malformed(_)))
}

#[test]
fn the_proxys_token_for_this_resource_names_its_visitor() {
    let visitor = ask(&token(&header(), &claims())).unwrap();
    assert_eq!(visitor.email, "ada@acme.example");
    assert_eq!(visitor.subject, "accounts.google.com:118133858486581853996");
    assert_eq!(visitor.hosted_domain.as_deref(), Some("acme.example"));

    let mut private = claims();
    private.as_object_mut().unwrap().remove("hd");
    assert_eq!(ask(&token(&header(), &private)).unwrap().hosted_domain, None);
}

#[test]
fn an_audience_is_one_of_a_resource_by_its_projects_number() {
    for good in [AUDIENCE, "/projects/1/global/backendServices/22"] {
        assert_eq!(IapAudience::parse(good).unwrap().as_str(), good);
    }
    for wrong in [
        "",
        "/",
        "*",
        "https://console.acme.example",
        "projects/1/global/backendServices/2",
        "/projects/acme-ml/global/backendServices/2",
        "/projects/1/global/backendServices/",
        "/projects/1/global/backendServices/name",
        "/projects/1/global/backendServices/2/",
        "/projects//global/backendServices/2",
        "/projects/1/apps/acme-ml",
        "/projects/1/locations//services/a",
        "/projects/1/locations/us-central1/services/A",
        " /projects/1/locations/us-central1/services/a",
    ] {
        assert!(IapAudience::parse(wrong).unwrap_err().contains("/projects/NUMBER/"), "{wrong}");
    }
}

#[test]
fn the_algorithm_is_es256_and_the_header_chooses_no_key() {
    for alg in ["none", "None", "", "HS256", "RS256", "ES384", "ES512", "ES256K", "es256", "EdDSA"] {
        assert!(is_malformed(&token(&with(header(), "alg", json!(alg)), &claims())), "{alg}");
    }
    for name in ["crit", "jku", "x5u", "x5c", "jwk", "b64"] {
        for value in [json!(null), json!([]), json!("https://evil.example"), jwk(KID)] {
            assert!(is_malformed(&token(&with(header(), name, value), &claims())), "{name}");
        }
    }
    for kid in [json!(null), json!(5), json!(""), json!("x".repeat(300))] {
        assert!(is_malformed(&token(&with(header(), "kid", kid), &claims())));
    }
    let unknown = ask(&token(&with(header(), "kid", json!("iap-2")), &claims()));
    assert_eq!(unknown, Err(IapTokenError::UnknownKey("iap-2".to_owned())));
}

#[test]
fn a_public_key_is_no_shared_secret_and_no_signature_is_none() {
    let text = claims().to_string();
    let jwk_text = jwk(KID).to_string();
    let pem = vector("keys/p256.pub");
    let secrets: [&[u8]; 4] = [&point(), &der("keys/p256.pub"), pem.as_bytes(), jwk_text.as_bytes()];
    for secret in secrets {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        for alg in ["HS256", "ES256"] {
            let signed = signed(&with(header(), "alg", json!(alg)).to_string(), &text);
            let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, signed.as_bytes()));
            assert!(ask(&format!("{signed}.{tag}")).is_err(), "{alg}");
        }
    }
    for alg in ["none", "ES256"] {
        let signed = signed(&with(header(), "alg", json!(alg)).to_string(), &text);
        for signature in ["", "SIGNATURE_REMOVED_BY_GOOGLE", &URL_SAFE_NO_PAD.encode([0; 64])] {
            assert!(ask(&format!("{signed}.{signature}")).is_err(), "{alg} {signature}");
        }
    }
}

#[test]
fn a_signature_is_two_numbers_side_by_side_and_never_der() {
    let signed = signed(&header().to_string(), &claims().to_string());
    let p256 = SigningKey::from_pem(&vector("keys/p256.pem"), None).unwrap();
    let in_der = p256.sign(signed.as_bytes()).unwrap();
    assert!(p256.public_key().unwrap().verifies(signed.as_bytes(), &in_der), "the key is the right one");

    let ask_with = |signature: &[u8]| ask(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)));
    assert_eq!(ask_with(&in_der), Err(IapTokenError::Signature));

    let good = token(&header(), &claims());
    let good = URL_SAFE_NO_PAD.decode(good.rsplit('.').next().unwrap()).unwrap();
    assert_eq!(good.len(), 64);
    for wrong in [&good[..63], &[&good[..], &[0]].concat(), &[&[0][..], &good].concat(), &good[32..]] {
        assert_eq!(ask_with(wrong), Err(IapTokenError::Signature), "{} bytes", wrong.len());
    }
    let other = SigningKey::generate(Scheme::EcdsaP256).unwrap().sign(signed.as_bytes()).unwrap();
    assert_eq!(ask_with(&other), Err(IapTokenError::Signature));
}

#[test]
fn a_key_of_the_wrong_type_never_verifies() {
    let push = PushIdentity { audience: AUDIENCE.to_owned(), email: "ada@acme.example".to_owned() };
    let at_push_route = |token: &str| verify_push_token(token, &key_set(), &push, published());
    let of_google = json!({
        "iss": "https://accounts.google.com", "aud": AUDIENCE, "email": push.email, "email_verified": true,
        "iat": published().seconds() - 10, "exp": published().seconds() + 590,
    });
    let rs256 = |kid: &str| json!({"alg": "RS256", "kid": kid, "typ": "JWT"}).to_string();
    let malformed =
        |answer| matches!(answer, Err(PushTokenError::Refused { reason: Reason::TokenMalformed, .. }));

    // Each door takes its own tokens out of this mixed set.
    assert!(at_push_route(&rsa_token_of(&rs256("rsa-only"), &of_google.to_string())).is_ok());
    assert!(ask(&token(&header(), &claims())).is_ok());

    // A token of one algorithm at the door of the other, whatever else is right.
    assert!(malformed(at_push_route(&token(&header(), &of_google))));
    assert!(is_malformed(&rsa_token_of(&rs256("rsa-only"), &claims().to_string())));

    // The pinned algorithm, but the id of a key of the other type only: as if it did not exist.
    let ec_only = Jwks::parse(json!({"keys": [jwk(KID)]}).to_string().as_bytes()).unwrap();
    let named = rsa_token_of(&rs256(KID), &of_google.to_string());
    let unknown = PushTokenError::UnknownKey(KID.to_owned());
    assert_eq!(verify_push_token(&named, &ec_only, &push, published()), Err(unknown));
    let named = token(&with(header(), "kid", json!("rsa-only")), &claims());
    assert_eq!(ask(&named), Err(IapTokenError::UnknownKey("rsa-only".to_owned())));

    // The right id and the other type's signature under the pinned name.
    let es256_name = header().to_string();
    assert_eq!(ask(&rsa_token_of(&es256_name, &claims().to_string())), Err(IapTokenError::Signature));
    let rs256_name: Value = serde_json::from_str(&rs256("rsa-only")).unwrap();
    let crossed = at_push_route(&token(&rs256_name, &of_google));
    assert!(matches!(crossed, Err(PushTokenError::Refused { reason: Reason::TokenSignature, .. })));
}

#[test]
fn a_member_that_stands_twice_and_an_oversized_token_are_refused() {
    let twice = |text: String, member: &str| format!("{},{member}}}", &text[..text.len() - 1]);
    let header_twice = twice(header().to_string(), "\"alg\":\"ES256\"");
    let claims_twice = twice(claims().to_string(), "\"email\":\"ada@acme.example\"");
    assert!(is_malformed(&token_of(&header_twice, &claims().to_string())));
    assert!(is_malformed(&token_of(&header().to_string(), &claims_twice)));
    assert!(is_malformed(&token(&header(), &with(claims(), "pad", json!("x".repeat(9_000))))));
    let good = token(&header(), &claims());
    for text in [String::new(), "..".to_owned(), format!("{good}."), format!("{good}="), format!(" {good}")] {
        assert!(is_malformed(&text), "{text}");
    }
}

#[test]
fn issuer_audience_and_account_are_exact() {
    for (claim, wrong) in [
        ("iss", json!("https://cloud.google.com/iap/")),
        ("iss", json!("https://accounts.google.com")),
        ("iss", json!(null)),
        ("aud", json!([AUDIENCE])),
        ("aud", json!([AUDIENCE, "other"])),
        ("aud", json!("/projects/123456789012/locations/us-central1/services/launchgate-consol")),
        ("aud", json!(format!("{AUDIENCE}/"))),
        ("aud", json!("")),
        ("aud", json!(null)),
        ("sub", json!("securetoken.google.com/acme:118133858486581853996")),
        ("sub", json!("accounts.google.com:")),
        ("sub", json!("118133858486581853996")),
        ("sub", json!(5)),
        ("email", json!("securetoken.google.com/acme:ada@acme.example")),
        ("email", json!("ada")),
        ("email", json!("")),
        ("email", json!(["ada@acme.example"])),
        ("hd", json!("")),
        ("hd", json!(null)),
    ] {
        assert_eq!(claim_at_fault(&with(claims(), claim, wrong.clone())), claim, "{wrong}");
    }
    for claim in ["iss", "aud", "sub", "email", "iat", "exp"] {
        let mut missing = claims();
        missing.as_object_mut().unwrap().remove(claim);
        assert_eq!(claim_at_fault(&missing), claim);
    }
}

#[test]
fn a_token_lives_ten_minutes_with_half_a_minute_of_skew() {
    let now = published().seconds();
    let at = |issued: i64, expires: i64| {
        ask(&token(&header(), &with(with(claims(), "iat", json!(issued)), "exp", json!(expires))))
    };
    let is_time = |answer| matches!(answer, Err(IapTokenError::Time(_)));

    assert!(at(now - 630, now - 30).is_ok());
    assert!(is_time(at(now - 631, now - 31)));
    assert!(at(now + 30, now + 600).is_ok());
    assert!(is_time(at(now + 31, now + 600)));
    assert!(at(now - 60, now + 600).is_ok());
    assert!(is_time(at(now - 60, now + 601)));
    for (issued, expires) in [(now, now), (now, now - 1), (i64::MIN, now + 1), (now, i64::MAX), (0, i64::MIN)]
    {
        assert!(is_time(at(issued, expires)), "{issued} {expires}");
    }
    assert!(ask(&token(&header(), &with(claims(), "nbf", json!(now + 30)))).is_ok());
    assert!(is_time(ask(&token(&header(), &with(claims(), "nbf", json!(now + 31))))));
    for claim in ["iat", "exp", "nbf"] {
        for wrong in [json!("1795000000"), json!(1.795e9), json!(null), json!(u64::MAX)] {
            assert_eq!(claim_at_fault(&with(claims(), claim, wrong)), claim);
        }
    }
}

#[test]
fn a_key_set_keeps_p256_signing_keys_and_refuses_points_off_the_curve() {
    let parse = |keys: Value| Jwks::parse(json!({ "keys": keys }).to_string().as_bytes());
    let good = jwk(KID);
    for left_out in [
        with(good.clone(), "crv", json!("P-384")),
        with(good.clone(), "crv", json!(null)),
        with(good.clone(), "kty", json!("OKP")),
        with(good.clone(), "use", json!("enc")),
        with(good.clone(), "alg", json!("ES384")),
        with(good.clone(), "alg", json!("RS256")),
        with(good.clone(), "kid", json!("")),
    ] {
        assert!(!parse(json!([left_out, rsa_jwk("rsa", "a")])).unwrap().has(KID), "{left_out}");
    }
    let point = point();
    let (short, long) = (URL_SAFE_NO_PAD.encode(&point[1..32]), URL_SAFE_NO_PAD.encode(&point[32..]));
    for wrong in [
        json!([good, good]),
        json!([with(good.clone(), "x", good["y"].clone())]),
        json!([with(good.clone(), "y", json!("AA"))]),
        json!([with(good.clone(), "x", json!(null))]),
        json!([with(good.clone(), "x", json!("not base64!"))]),
        json!([with(with(good.clone(), "x", json!(short)), "y", json!(long))]),
        json!([with(good.clone(), "x", json!(format!("AA{}", good["x"].as_str().unwrap())))]),
    ] {
        assert!(matches!(parse(wrong.clone()), Err(TrustError::NotJwks(_))), "{wrong}");
    }

    let ec_only = parse(json!([good])).unwrap();
    assert_eq!(ec_only.jwk(KID), None, "only RSA keys are kept beside events");
    assert!(ec_only.clone().able_to(JwtAlgorithm::Es256).is_ok());
    assert!(matches!(ec_only.able_to(JwtAlgorithm::Rs256), Err(TrustError::NotJwks(_))));
}

proptest! {
    #[test]
    fn no_changed_character_of_a_token_is_accepted(at in any::<prop::sample::Index>(), new in "[A-Za-z0-9_.=+/ -]") {
        let good = token(&header(), &claims());
        let at = at.index(good.len());
        let changed = format!("{}{new}{}", &good[..at], &good[at + 1..]);
        prop_assert_eq!(ask(&changed).is_ok(), changed == good);
    }

    #[test]
    fn the_clock_decides_alone(offset in -2_000_i64..2_000) {
        let good = token(&header(), &claims());
        let now = Timestamp::from_seconds(published().seconds() + offset);
        let answer = verify_iap_token(&good, &key_set(), &IapAudience::parse(AUDIENCE).unwrap(), now);
        prop_assert_eq!(answer.is_ok(), (-40..=620).contains(&offset));
    }
}
