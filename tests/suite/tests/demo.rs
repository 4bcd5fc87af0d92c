//! `launchgate demo`: a newcomer's first minute.

use launchgate_suite::{Folder, a_key};

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
