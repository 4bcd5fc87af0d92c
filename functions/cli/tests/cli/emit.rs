//! `emit --dry-run`: the same job says the same thing. Publishing is tested against Pub/Sub's emulator in
//! `tests/suite`.

use crate::folder::Folder;

const DRY_RUN: [&str; 6] = ["emit", "--artifact", "model.bin", "--key", "keys/release.key", "--dry-run"];

#[test]
fn emitting_again_in_the_same_job_is_the_same_event_and_another_job_is_another() {
    let folder = Folder::new();
    let kept = r#"{"job":"0184990a-477b-4fa8-9968-496074483cee","startedOn":"2020-01-01T00:00:00Z"}"#;
    folder.write("state.json", kept);
    let arguments = [&DRY_RUN as &[_], &["--state", "state.json"]].concat();

    let first = folder.run_in_job(&arguments, &[]).ok();
    let second = folder.run_in_job(&arguments, &[]).ok();
    let other =
        folder.run_in_job(&arguments, &[("BUILDKITE_JOB_ID", "0184990a-477b-4fa8-9968-000000000000")]).ok();

    assert_eq!(first.stdout, second.stdout);
    assert_ne!(first.stdout, other.stdout);
    folder.write("event.json", &first.stdout);
    let shown = folder.run(&["inspect", "event.json"]).ok().stdout;
    assert!(shown.contains("started 2020-01-01T00:00:00Z"), "{shown}");
}

#[test]
fn without_state_the_instant_is_kept_below_the_working_directory() {
    let folder = Folder::new();

    let first = folder.run_in_job(&DRY_RUN, &[]).ok();
    let kept = folder.read(".launchgate/emit-0184990a-477b-4fa8-9968-496074483cee.json");
    folder.write(".launchgate/emit-0184990a-477b-4fa8-9968-496074483cee.json", &kept.replace("20", "19"));
    let changed = folder.run_in_job(&DRY_RUN, &[]).ok();

    assert_ne!(first.stdout, changed.stdout, "the kept instant is what counts");
}

#[test]
fn a_statement_of_a_job_is_as_documented() {
    let folder = Folder::new();
    folder.event(&["dataset=2026-11", "epochs=3"], &[]);

    let payload = folder.run(&["inspect", "event.json", "--output", "json"]).ok().json()["payload"].clone();

    insta::assert_snapshot!(serde_json::to_string_pretty(&payload).unwrap());
}

#[test]
fn what_cannot_be_emitted_says_why() {
    let folder = Folder::new();
    for (arguments, extra, said) in [
        (&["emit", "--artifact", "model.bin", "--key", "keys/release.key"] as &[_], &[] as &[_], "--topic"),
        (&["emit", "--key", "keys/release.key", "--dry-run"], &[], "--artifact"),
        (&["emit", "--artifact", "none.bin", "--key", "keys/release.key", "--dry-run"], &[], "none.bin"),
        (&["emit", "--artifact", "keys", "--key", "keys/release.key", "--dry-run"], &[], "not a file"),
        (&["emit", "--artifact", "model.bin", "--key", "keys/release.pem", "--dry-run"], &[], "release.pem"),
        (
            &["emit", "--artifact", "model.bin", "--key", "keys/release.key", "--topic", "events"],
            &[],
            "projects/PROJECT",
        ),
        (&["emit", "--images-from", "none.json", "--key", "keys/release.key", "--dry-run"], &[], "none.json"),
        (&["emit", "--images-from", "model.bin", "--key", "keys/release.key", "--dry-run"], &[], "buildx"),
        (&[&DRY_RUN as &[_], &["--via", "meta-data"]].concat(), &[], "cannot be used with"),
        (&[&DRY_RUN as &[_], &["--console-url", "console"]].concat(), &[], "https://"),
        (&DRY_RUN, &[("LAUNCHGATE_CONSOLE_URL", "console")], "LAUNCHGATE_CONSOLE_URL"),
        (
            &["emit", "--artifact", "model.bin", "--key", "keys/release.key", "--via", "meta-data"],
            &[],
            "BUILDKITE_AGENT_ACCESS_TOKEN",
        ),
        (&DRY_RUN, &[("BUILDKITE_JOB_ID", "")], "BUILDKITE_JOB_ID"),
        (&DRY_RUN, &[("BUILDKITE_BUILD_NUMBER", "many")], "BUILDKITE_BUILD_NUMBER"),
    ] {
        let ran = folder.run_in_job(arguments, extra);
        assert_eq!(ran.code, 2, "{arguments:?} {ran:?}");
        assert!(ran.stderr.contains(said), "{arguments:?} {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_statement_for_another_tool_is_the_same_each_time_and_needs_no_key() {
    let folder = Folder::new();
    let emit = || folder.run_in_job(&["emit", "--artifact", "model.bin", "--statement"], &[]).ok();

    let (first, again) = (emit(), emit());

    assert_eq!(first.stdout, again.stdout);
    let statement = first.json();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert!(statement["predicate"]["runDetails"]["metadata"]["startedOn"].is_null());
    let with_key = ["emit", "--artifact", "model.bin", "--statement", "--key", "keys/release.key"];
    assert_eq!(folder.run_in_job(&with_key, &[]).code, 2);
}

#[test]
fn a_step_that_cannot_ask_is_told_what_it_lacks() {
    let folder = Folder::new();
    let event = "ev-0123456789abcdef0123456789abcdef";
    let gate = ["--gate-url", "https://launchgate.example.com", "--audience", "launchgate-prod"];
    for (arguments, said) in [
        (vec!["wait", "0123"], "ev-"),
        (vec!["wait", event], "LAUNCHGATE_SERVICE_URL"),
        (vec!["wait", event, "--gate-url", "https://launchgate.example.com"], "LAUNCHGATE_SERVICE_AUDIENCE"),
        ([&["wait", event, "--timeout", "30"], &gate[..]].concat(), "30m"),
        ([&["wait", event, "--for", "ever"], &gate[..]].concat(), "completion"),
        ([&["wait", event], &gate[..]].concat(), "BUILDKITE_AGENT_ACCESS_TOKEN"),
    ] {
        let ran = folder.run_in_job(&arguments, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?} {ran:?}");
        assert!(ran.stderr.contains(said), "{arguments:?} {ran:?}");
    }
}
