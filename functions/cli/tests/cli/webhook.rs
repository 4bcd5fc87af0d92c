//! `verify --webhook`: Buildkite's signature of a webhook.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use launchgate_statement::Sha256;
use ring::hmac;
use serde_json::Value;

use crate::folder::{Folder, PUBLISHED, Ran, finish};

const VARIABLE: &str = "WEBHOOK_SECRETS";

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/trust/webhook-hmac.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// `verify --webhook body.json` with a header and the variable's value.
fn verify(folder: &Folder, header: &str, secrets: Option<&str>, more: &[&str]) -> Ran {
    let arguments = ["verify", "--webhook", "body.json", "--signature", header, "--secret-env", VARIABLE];
    let mut command = folder.command(&[&arguments, more].concat());
    command.envs(secrets.map(|secrets| (VARIABLE, secrets)));
    finish(command)
}

/// The first vector: accepted at [`PUBLISHED`] with the first secret.
fn a_good_webhook(folder: &Folder) -> (String, String) {
    let vectors = vectors();
    let good = &vectors["vectors"][0];
    assert_eq!((good["name"].as_str(), good["now"].as_str()), (Some("good"), Some(PUBLISHED)));
    folder.write("body.json", good["body"].as_str().unwrap());
    (good["header"].as_str().unwrap().to_owned(), vectors["secrets"][0].as_str().unwrap().to_owned())
}

#[test]
fn every_webhook_vector_is_answered_as_expected() {
    let folder = Folder::new();
    let file = vectors();
    let secrets: Vec<_> = file["secrets"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    let secrets = secrets.join(",");
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let cases = file["vectors"].as_array().unwrap();
    for case in cases {
        folder.write("body.json", &text(case, "body"));

        let ran = verify(&folder, &text(case, "header"), Some(&secrets), &["--at", &text(case, "now")]);

        let said = match ran.code {
            0 => "accept",
            3 => "reject",
            code => panic!("{}: exit code {code}: {ran:?}", case["name"]),
        };
        let expect = text(case, "expect");
        assert!(expect.split('|').any(|one| one == said), "{}: expected {expect}: {ran:?}", case["name"]);
        assert_eq!(said == "accept", ran.stdout.contains("verified"), "{}: {ran:?}", case["name"]);
    }
    assert!(cases.len() >= 25);
}

#[test]
fn a_missing_or_empty_secret_is_wrong_use() {
    let folder = Folder::new();
    let (header, secret) = a_good_webhook(&folder);
    let at = ["--at", PUBLISHED];
    verify(&folder, &header, Some(&secret), &at).ok();

    for secrets in
        [None, Some(""), Some(" "), Some(","), Some(&*format!("{secret},")), Some(&*format!(",{secret}"))]
    {
        let ran = verify(&folder, &header, secrets, &at);

        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{secrets:?}: {ran:?}");
        assert!(ran.stderr.contains(VARIABLE) && !ran.stderr.contains(&secret), "{ran:?}");
    }
}

#[test]
fn a_rejected_webhook_is_told_why_and_what_to_do() {
    let folder = Folder::new();
    let (header, secret) = a_good_webhook(&folder);
    let at = ["--at", PUBLISHED];
    let unsigned = header.split(',').next().unwrap();

    for (header, secrets, at, said) in [
        (&*header, "other", at, VARIABLE),
        (&*header, &*secret, ["--at", "2026-11-18T11:16:40Z"], "--at"),
        (unsigned, &*secret, at, "no signature"),
        ("--output", &*secret, at, "no timestamp"),
        ("\u{1b}[31m=,timestamp=1", &*secret, at, "no signature"),
    ] {
        let ran = verify(&folder, header, Some(secrets), &at);

        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stdout.contains("rejected_signature") && ran.stdout.contains(said), "{ran:?}");
        assert!(ran.stdout.contains("why:") && ran.stdout.contains("fix:"), "{ran:?}");
        assert!(!ran.stdout.contains(&secret) && !ran.stdout.contains('\u{1b}'), "{ran:?}");
    }
}

#[test]
fn without_a_time_a_webhook_is_judged_by_now() {
    let folder = Folder::new();
    folder.write("body.json", "{}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let header = |seconds: u64| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signature = hmac::sign(&key, format!("{seconds}.{{}}").as_bytes());
        let hex = Sha256::from_bytes(signature.as_ref().try_into().unwrap());
        format!("timestamp={seconds},signature={hex}")
    };

    let fresh = verify(&folder, &header(now), Some("secret"), &[]);
    let stale = verify(&folder, &header(now - 1000), Some("secret"), &[]);

    assert_eq!((fresh.code, stale.code), (0, 3), "{fresh:?} {stale:?}");
}

#[test]
fn the_answer_for_programs_says_when_it_was_signed() {
    let folder = Folder::new();
    let (header, secret) = a_good_webhook(&folder);
    let more = ["--at", "2026-11-18T11:06:50Z", "--output", "json"];

    let good = verify(&folder, &header, Some(&secret), &more).ok().json();
    let bad = verify(&folder, &header, Some("other"), &more);

    assert_eq!((good["verified"].as_bool(), good["signedAt"].as_str()), (Some(true), Some(PUBLISHED)));
    assert_eq!(bad.code, 3);
    assert_eq!(bad.json()["verified"], false);
    assert_eq!(bad.json()["outcome"], "rejected_signature");
}

#[test]
fn an_event_and_a_webhook_are_not_mixed() {
    let folder = Folder::new();
    let (header, _) = a_good_webhook(&folder);

    for arguments in [
        &["verify"][..],
        &["verify", "--webhook", "body.json"],
        &["verify", "--webhook", "body.json", "--signature", &header],
        &["verify", "--webhook", "body.json", "--secret-env", VARIABLE],
        &["verify", "event.json", "--signature", &header],
        &["verify", "event.json", "--at", PUBLISHED],
        &["verify", "event.json", "--webhook", "body.json", "--signature", &header, "--secret-env", VARIABLE],
        &[
            "verify",
            "--webhook",
            "body.json",
            "--signature",
            &header,
            "--secret-env",
            VARIABLE,
            "--config",
            "x",
        ],
    ] {
        assert_eq!(folder.run(arguments).code, 2, "{arguments:?}");
    }
}
