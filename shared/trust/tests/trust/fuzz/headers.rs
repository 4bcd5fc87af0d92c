//! `X-Buildkite-Signature`.

use launchgate_statement::Sha256;
use launchgate_trust::{WebhookSecrets, verify_webhook};
use ring::hmac;
use serde_json::Value;

use super::{Answer, edit::Recipe, run};
use crate::{published, vector};

const SECRET: &str = "fuzzed";

fn signature(timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let made = hmac::sign(&key, &[timestamp.as_bytes(), b".", body].concat());
    Sha256::from_bytes(made.as_ref().try_into().unwrap()).to_hex()
}

/// A part of a header as another reader finds it.
fn part<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

#[test]
fn an_accepted_header_says_what_was_signed_and_means_the_same_when_written_again() {
    let file: Value = serde_json::from_str(&vector("webhook-hmac.json")).unwrap();
    let seeds = file["vectors"].as_array().unwrap().iter();
    let seeds: Vec<_> = seeds.map(|case| case["header"].as_str().unwrap().as_bytes().to_vec()).collect();
    let secrets = WebhookSecrets::parse(&format!("older,{SECRET}")).unwrap();
    let (body, now) = (&b"{\"event\":\"build.finished\"}"[..], published());

    run("header", |recipe: &Recipe| {
        let header = if recipe.is_signed_again() {
            // A right signature, over a time that is edited, or in a header that is.
            let time = (now.seconds() + i64::from(recipe.choice) * 4 - 510).to_string().into_bytes();
            let edits_time = recipe.choice.is_multiple_of(4);
            let time = if edits_time { recipe.edited(&time) } else { time };
            let time = String::from_utf8_lossy(&time).into_owned();
            let made = signature(&time, body);
            let made = if recipe.choice.is_multiple_of(3) { made.to_uppercase() } else { made };
            let header = format!("timestamp={time},signature={made}").into_bytes();
            if edits_time { header } else { recipe.edited(&header) }
        } else {
            recipe.edited(recipe.seed(&seeds))
        };
        let header = String::from_utf8_lossy(&header).into_owned();
        let answer = verify_webhook(&header, body, &secrets, now);
        if let Ok(signed) = &answer {
            let (time, made) = (part(&header, "timestamp").unwrap(), part(&header, "signature").unwrap());
            assert_eq!(made.to_lowercase(), signature(time, body));
            assert_eq!(time.parse(), Ok(signed.seconds()));
            assert!((signed.seconds() - now.seconds()).abs() <= 300);
            let again = format!("timestamp={time},signature={made}");
            assert_eq!(verify_webhook(&again, body, &secrets, now).as_ref(), Ok(signed));
            assert!(verify_webhook(&header, &body[1..], &secrets, now).is_err());
        }
        Answer::of(&answer)
    });
}
