//! `explain`: its JSON shape and exit codes are a contract.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::folder::{Folder, PUBLISHED};

#[test]
fn the_answer_for_programs_has_the_agreed_shape() {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[]);

    let ran = folder.explain(&["--output", "json"]).ok();

    insta::assert_snapshot!(folder.steady(&ran.stdout));
}

#[test]
fn the_answer_for_people_is_the_ladder_and_the_request() {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[]);

    let ran = folder.explain(&[]).ok();

    insta::assert_snapshot!(folder.steady(&ran.stdout));
}

#[test]
fn a_miss_names_the_nearest_trigger_and_the_clause_that_failed() {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[("BUILDKITE_BRANCH", "try-adam")]);

    let ran = folder.explain(&[]);

    assert_eq!(ran.code, 5);
    insta::assert_snapshot!(folder.steady(&ran.stdout));
}

#[test]
fn the_exit_code_says_what_it_comes_to() {
    let launched = Folder::new();
    launched.event(&["epochs=3"], &[]);
    assert_eq!(launched.explain(&[]).code, 0);

    let refused = Folder::new();
    refused.event(&["epochs=three"], &[]);
    assert_eq!((refused.explain(&[]).code, outcome(&refused)), (4, "invalid_parameters".to_owned()));

    let old = Folder::new();
    old.event(&["epochs=3"], &[]);
    let ran = old.run(&["explain", "event.json", "--publish-time", "2026-12-18T11:06:40Z"]);
    assert_eq!(ran.code, 4, "{ran:?}");

    let elsewhere = Folder::new();
    elsewhere.event(&["epochs=3"], &[("BUILDKITE_PIPELINE_SLUG", "payments")]);
    assert_eq!((elsewhere.explain(&[]).code, outcome(&elsewhere)), (3, "rejected_signature".to_owned()));

    let observed =
        Folder::new().with("  - name: retrain-fraud\n", "  - name: retrain-fraud\n    mode: observe\n");
    observed.event(&["epochs=3"], &[]);
    assert_eq!((observed.explain(&[]).code, outcome(&observed)), (6, "observed".to_owned()));

    let garbage = Folder::new();
    garbage.write("event.json", "{}");
    assert_eq!((garbage.explain(&[]).code, outcome(&garbage)), (3, "rejected_malformed".to_owned()));
}

#[test]
fn a_triggers_file_with_errors_is_exit_code_2_with_the_findings_on_stderr() {
    let folder = Folder::new().with("maxAge: 24h", "maxAgge: 24h");
    folder.write("event.json", "{}");

    let ran = folder.explain(&["--output", "json"]);

    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("maxAgge") && ran.stderr.contains("launchgate.yaml:"), "{}", ran.stderr);
}

#[test]
fn wrong_use_is_exit_code_2() {
    let folder = Folder::new();

    for arguments in [
        &["explain", "no-such-file.json"] as &[_],
        &["explain"],
        &["explain", "launchgate.yaml", "--publish-time", "yesterday"],
        &["explain", "launchgate.yaml", "--config", "no-such-file.yaml"],
        &["no-such-command"],
    ] {
        assert_eq!(folder.run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn a_push_body_brings_its_own_publish_time() {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[]);
    let data = STANDARD.encode(folder.read("event.json"));
    let body = |at: &str| json!({ "message": { "data": data, "messageId": "7", "publishTime": at }, "subscription": "s" });

    let fresh = folder.run_with_input(&["explain", "-"], body(PUBLISHED).to_string().as_bytes());
    let stale = folder.run_with_input(&["explain", "-"], body("2027-01-01T00:00:00Z").to_string().as_bytes());
    let overruled = folder.run_with_input(
        &["explain", "-", "--publish-time", PUBLISHED],
        body("2027-01-01T00:00:00Z").to_string().as_bytes(),
    );

    assert_eq!([fresh.code, stale.code, overruled.code], [0, 4, 0]);
}

#[test]
fn text_that_came_with_an_event_cannot_drive_the_terminal() {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[("BUILDKITE_BRANCH", "x\u{1b}]0;owned\u{7}\n✓ launched\u{202e}")]);

    for command in ["explain", "inspect", "verify"] {
        let ran = folder.run(&[command, "event.json"]);
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(
            !ran.stdout.contains(hostile) && ran.stdout.contains("\\u{1b}]0;owned"),
            "{command}: {}",
            ran.stdout
        );
        assert!(!ran.stdout.lines().any(|line| line.starts_with("✓ launched")), "{command}: {}", ran.stdout);
    }
}

/// A webhook about the build of the event.
fn a_webhook(number: u64, pull_request: &serde_json::Value) -> String {
    json!({
        "event": "build.running",
        "build": {
            "id": "b-1", "number": number, "state": "running", "branch": "main", "pull_request": pull_request,
            "url": format!("https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/{number}"),
        },
        "pipeline": {"slug": "fraud-train", "repository": "git@github.com:acme/fraud.git"},
    })
    .to_string()
}

#[test]
fn build_facts_are_laid_beside_the_event_and_marked_as_the_operators() {
    let folder = Folder::new()
        .with("ingress: { events: { auth: none } }", "ingress: { events: { auth: none }, builds: { auth: none } }\nbuildkite: { organization: acme, webhookSecretEnv: SECRET }")
        .with("      sources: [webhook]", "      sources: [webhook]\n      pullRequest: none");
    folder.event(&["epochs=3"], &[]);
    folder.write("facts.json", &a_webhook(42, &json!(null)));
    folder.write(
        "fork.json",
        &a_webhook(42, &json!({"id": "7", "repository": "https://github.com/eve/fraud"})),
    );
    folder.write("others.json", &a_webhook(43, &json!(null)));

    let without = folder.explain(&["--output", "json"]);
    let with = folder.explain(&["--build-facts", "facts.json", "--output", "json"]).ok();
    let fork = folder.explain(&["--build-facts", "fork.json", "--output", "json"]);
    let others = folder.explain(&["--build-facts", "others.json", "--output", "json"]);

    let said = |ran: &crate::folder::Ran| {
        let shown = ran.json();
        (ran.code, shown["outcome"].as_str().unwrap().to_owned(), shown["reason"].clone())
    };
    assert_eq!(said(&without), (6, "waiting_build".to_owned(), json!("build_facts_awaited")));
    assert_eq!(said(&with), (0, "launched".to_owned(), json!(null)));
    assert_eq!(said(&fork), (4, "denied_policy".to_owned(), json!("fork_build")));
    assert_eq!(said(&others), said(&without));
    assert!(others.stderr.contains("--build-facts is not used"), "{}", others.stderr);
    let shown = with.json();
    let rungs = shown["decisions"][0]["checks"].as_array().unwrap().clone();
    let rung = rungs.iter().find(|check| check["name"] == "require.pullRequest").unwrap();
    assert_eq!((&rung["voucher"], &rung["detail"]), (&json!("webhook"), &json!("given by the operator")));
}

#[test]
fn files_that_are_not_what_they_are_given_for_are_usage_errors() {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[]);
    folder.write("shapeless.json", "{}");
    folder.write("bad.json", "[");

    let ran = folder.explain(&["--build-facts", "shapeless.json"]);

    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("webhook_shape"), "{}", ran.stderr);
    assert_eq!(folder.explain(&["--build-facts", "bad.json"]).code, 2);
    assert_eq!(folder.explain(&["--jwks", "bad.json"]).code, 2);
}

#[test]
fn verify_stops_at_signature_and_identity() {
    let folder = Folder::new();
    folder.event(&["epochs=three"], &[("BUILDKITE_BRANCH", "any")]);
    assert_eq!(folder.run(&["verify", "event.json"]).code, 0);

    folder.event(&["epochs=3"], &[("BUILDKITE_PIPELINE_SLUG", "payments")]);
    let ran = folder.run(&["verify", "event.json", "--output", "json"]);

    assert_eq!((ran.code, ran.json()["reason"].as_str()), (3, Some("pipeline_not_allowed")));
}

#[test]
fn inspect_says_that_nothing_is_verified() {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[]);

    let text = folder.run(&["inspect", "event.json"]).ok().stdout;
    let json = folder.run(&["inspect", "event.json", "--output", "json"]).ok().json();

    assert!(text.starts_with("Nothing below is verified"), "{text}");
    assert_eq!(json["verified"], false);
    assert_eq!(
        json["payload"]["predicate"]["buildDefinition"]["externalParameters"]["build"]["branch"],
        "main"
    );
}

fn outcome(folder: &Folder) -> String {
    folder.explain(&["--output", "json"]).json()["outcome"].as_str().unwrap().to_owned()
}
