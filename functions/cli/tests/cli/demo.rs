//! The demo is the promise of the README: it must pass, and it must be able to fail.

use serde_json::Value;

use crate::folder::Folder;

#[test]
fn every_event_of_the_demo_comes_to_what_it_must() {
    let ran = Folder::new().run(&["demo", "--output", "json"]);

    let report = ran.json();
    assert_eq!((ran.code, &report["ok"]), (0, &Value::Bool(true)), "{report:#}");
    let events = report["events"].as_array().unwrap();
    assert!(events.len() >= 10, "{} events", events.len());
    let runs: usize = events.iter().map(|event| event["found"]["runs"].as_array().unwrap().len()).sum();
    assert_eq!(runs, 6);
    // The launches and the one that Vertex AI refused.
    assert_eq!(report["requests"]["same"], 7);
    let found = |name: &str| {
        let event = events.iter().find(|event| event["name"] == name).unwrap();
        (event["found"]["outcome"].as_str().unwrap(), event["found"]["reason"].as_str())
    };
    assert_eq!(found("open"), ("waiting_build", Some("build_facts_awaited")));
    assert_eq!(found("open-webhook"), ("launched", None));
    assert_eq!(found("fork-webhook"), ("denied_policy", Some("fork_build")));
}

#[test]
fn the_table_names_outcome_reason_and_run_and_a_refusal_is_explained() {
    let ran = Folder::new().run(&["demo"]).ok();

    for said in [
        "launched",
        "rejected_signature",
        "pipeline_not_allowed",
        "too_old",
        "act_as_denied",
        "lg-retrain-fraud-",
        "gcloud iam",
    ] {
        assert!(ran.stdout.contains(said), "{said}:\n{}", ran.stdout);
    }
    assert!(ran.stdout.contains("✗ require.maxAge"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn the_demos_triggers_file_is_one_to_copy_from() {
    let folder = Folder::new();
    folder.with_the_demos_file();

    let lint = folder.run(&["lint", "--output", "json"]).ok().json();
    let codes: Vec<_> =
        lint.as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();

    assert_eq!(codes, ["key-expired"], "the retired key is there on purpose");
}

#[test]
fn the_builds_that_are_told_come_to_what_they_must() {
    let folder = Folder::new();
    let mut command = folder.command(&["demo", "buildkite", "--output", "json"]);
    // The stand-in's agent is a shell script with curl in it.
    command.env("PATH", std::env::var_os("PATH").unwrap());

    let ran = crate::folder::finish(command);

    let report = ran.json();
    assert_eq!((ran.code, &report["ok"]), (0, &Value::Bool(true)), "{report:#}");
    let builds = report["builds"].as_array().unwrap();
    assert_eq!(builds.len(), 3);
    let codes = |build: usize| {
        let steps = builds[build]["steps"].as_array().unwrap().iter();
        steps.filter_map(|step| step["code"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!((codes(0), codes(1), codes(2)), (vec![0, 0, 0, 0], vec![0, 6], vec![0]));
}
