//! Tokens: Google's on a push request, Buildkite's as a signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use launchgate_statement::parse_object;
use launchgate_trust::verify_push_token;
use serde_json::Value;

use super::{Answer, edit::Recipe, run};
use crate::{keyless, published, push_token};

/// Header, claims and signature of a token, decoded.
fn parts(token: &str) -> [Vec<u8>; 3] {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    [(); 3].map(|()| parts.next().unwrap())
}

/// What comes of a right token: edited as text, or in its parts, which may be signed again.
fn bent(recipe: &Recipe, right: &str) -> String {
    if !recipe.is_signed_again() && recipe.choice.is_multiple_of(3) {
        return String::from_utf8_lossy(&recipe.edited(right.as_bytes())).into_owned();
    }
    let [header, claims, signature] = parts(right);
    let mut said = [header, claims];
    recipe.edit(&mut said);
    let [header, claims] = said.map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let signature = if recipe.is_signed_again() {
        push_token::signature_of(&signed)
    } else {
        URL_SAFE_NO_PAD.encode(signature)
    };
    format!("{signed}.{signature}")
}

/// The members of a part, by another reader than the verifier's.
fn members(token: &str, part: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap();
    assert!(parse_object(&bytes, 8).is_ok(), "a member twice, or too deep");
    serde_json::from_slice(&bytes).unwrap()
}

/// What every accepted token must be: itself, or signed again over a header that chooses nothing.
fn is_rs256_of_ours(recipe: &Recipe, token: &str, right: &str) {
    assert!(recipe.is_signed_again() || token == right, "a changed token verifies: {token}");
    let header = members(token, 0);
    assert_eq!(header["alg"], "RS256");
    for name in ["crit", "jku", "x5u", "x5c", "jwk", "b64"] {
        assert!(header.get(name).is_none(), "{name}");
    }
}

#[test]
fn a_push_token_that_passes_is_the_right_one_or_says_the_same() {
    let right = push_token::a_token();
    let (keys, expected, now) = (push_token::key_set(), push_token::identity(), published());

    run("push token", |recipe: &Recipe| {
        let token = bent(recipe, &right);
        let answer = verify_push_token(&token, &keys, &expected, now);
        if answer.is_ok() {
            is_rs256_of_ours(recipe, &token, &right);
            let claims = members(&token, 1);
            assert_eq!(claims["aud"], *expected.audience);
            assert_eq!(claims["email"], *expected.email);
            assert_eq!(claims["email_verified"], true);
            assert!(claims["iss"].as_str().unwrap().ends_with("accounts.google.com"));
            assert!(claims["exp"].as_i64().unwrap() + 60 >= now.seconds());
            assert!(claims["iat"].as_i64().unwrap() - 60 <= now.seconds());
        }
        Answer::of(&answer)
    });
}

#[test]
fn a_buildkite_token_that_passes_is_the_right_one_or_says_the_same() {
    let claims = keyless::claims();
    let right = String::from_utf8(keyless::token(&claims)).unwrap();

    run("Buildkite token", |recipe: &Recipe| {
        let token = bent(recipe, &right);
        let answer = keyless::judge_token(token.clone().into_bytes());
        if answer.is_ok() {
            is_rs256_of_ours(recipe, &token, &right);
            let said = members(&token, 1);
            for name in
                ["iss", "aud", "organization_slug", "pipeline_slug", "build_number", "build_branch", "job_id"]
            {
                assert_eq!(said[name], claims[name], "{name}");
            }
            let [issued, expires] = ["iat", "exp"].map(|name| said[name].as_i64().unwrap());
            assert!(issued < expires && expires <= issued + 7200);
            assert!((-60..=900).contains(&(published().seconds() - issued)));
        }
        Answer::of(&answer)
    });
}
