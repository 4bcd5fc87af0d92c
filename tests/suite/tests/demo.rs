//! `launchgate demo`: a newcomer's first minute.

use launchgate_suite::{Folder, a_key};
use regex::Regex;

#[test]
fn every_event_of_the_demo_comes_to_what_it_must() {
    let played = Folder::trusting(&a_key()).launchgate(&["demo", "--output", "json"]).success().json();

    assert_eq!(played["ok"], true);
    let events = played["events"].as_array().unwrap();
    assert!(events.len() >= 10, "{events:#?}");
    let outcomes: std::collections::BTreeSet<_> =
        events.iter().map(|event| event["found"]["outcome"].as_str().unwrap()).collect();
    for outcome in [
        "launched",
        "waiting_build",
        "duplicate",
        "rejected_signature",
        "denied_policy",
        "no_match",
        "invalid_parameters",
        "failed_launch",
    ] {
        assert!(outcomes.contains(outcome), "no event of the demo ends in {outcome}");
    }
}

#[test]
fn the_demo_shows_people_a_table_and_one_refusal_explained() {
    let played = Folder::trusting(&a_key()).launchgate(&["demo"]);
    played.success();

    for word in ["outcome", "reason", "launched", "lg-", "explain", "gcloud"] {
        assert!(played.stdout.contains(word), "{word} is not in\n{}", played.stdout);
    }
}

/// The lines, with what differs from run to run (ids, digests of keys, ports, times) as one letter each.
fn without_what_differs(text: &str) -> Vec<String> {
    let differs = [
        (r"[0-9a-f]{32}", "I"),
        (r"SHA-256 [0-9a-f]{16}", "K"),
        (r"127[.]0[.]0[.]1:[0-9]+", "P"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", "T"),
    ];
    let differs = differs.map(|(pattern, letter)| (Regex::new(pattern).unwrap(), letter));
    let line = |line: &str| {
        differs.iter().fold(line.trim_end().to_owned(), |line, (pattern, letter)| {
            pattern.replace_all(&line, *letter).into_owned()
        })
    };
    text.lines().map(line).collect()
}

#[test]
fn the_readme_shows_what_a_run_prints() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let shown = readme.split("## What you should see").nth(1).unwrap();
    let shown = shown.split("```text\n").nth(1).unwrap().split("```").next().unwrap();

    let played = Folder::trusting(&a_key()).launchgate(&["demo"]);
    played.success();

    // A line `…` stands for lines that are left out.
    let printed = without_what_differs(&played.stdout);
    let mut rest = printed.as_slice();
    for part in shown.split("…\n") {
        let wanted = without_what_differs(part);
        let at = rest.windows(wanted.len().max(1)).position(|lines| lines == wanted);
        let at =
            at.unwrap_or_else(|| panic!("README.md shows\n{part}\nand the demo prints\n{}", played.stdout));
        rest = &rest[at + wanted.len()..];
    }
}
