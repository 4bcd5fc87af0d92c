//! `diff`: which past events another triggers file would decide otherwise.

use launchgate_standin::{VertexOptions, VertexStandin};

use crate::{folder::Folder, service::Serving};

/// A folder with `launchgate.yaml`, `new.yaml` that differs from it, and one recorded event in `recorded`.
fn with_new(edits: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    folder.event(&["epochs=3"], &[]);
    std::fs::create_dir(folder.path("recorded")).unwrap();
    std::fs::rename(folder.path("event.json"), folder.path("recorded/event.json")).unwrap();
    let mut text = folder.read("launchgate.yaml").replace("maxAge: 24h", "maxAge: 3650d");
    folder.write("launchgate.yaml", &text);
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    folder.write("new.yaml", &text);
    folder
}

const DIFF: [&str; 5] = ["diff", "launchgate.yaml", "new.yaml", "--events", "recorded"];

#[test]
fn the_same_file_changes_nothing() {
    let ran = with_new(&[]).run(&[&DIFF as &[_], &["--exit-code"]].concat()).ok();

    assert_eq!(ran.stdout, "1 event, none would be decided otherwise\n");
}

#[test]
fn another_request_another_outcome_and_another_trigger_are_told() {
    let edits = [
        ("displayName: fraud-${build.number}", "displayName: f-${build.number}"),
        ("sources: [webhook]", "sources: [schedule]"),
    ];
    let request = with_new(&edits[..1]).run(&DIFF).ok().stdout;
    let outcome = with_new(&edits[1..]).run(&DIFF).ok().stdout;
    let renamed = with_new(&[("name: retrain-fraud", "name: retrain-again")]);
    let trigger = renamed.run(&DIFF).ok().stdout;
    let unmatched = with_new(&[("branch: main", "branch: next")]).run(&DIFF).ok().stdout;

    insta::assert_snapshot!([request, outcome, trigger, unmatched].join("---\n"));
    assert_eq!(renamed.run(&[&DIFF as &[_], &["--exit-code"]].concat()).code, 4);
}

#[test]
fn a_signer_that_is_gone_is_told_of_the_event_as_a_whole() {
    let folder =
        with_new(&[("id: release, publicKey: keys/release.pem", "id: release, publicKey: keys/other.pem")]);
    folder.run(&["keygen", "--out", "keys/other"]).ok();

    let told = folder.run(&[&DIFF as &[_], &["--output", "json"]].concat()).ok().json();

    let changes = &told["changed"][0]["changes"];
    assert_eq!(changes[0]["after"], "rejected_signature (unknown_signer)", "{told}");
    assert_eq!((&changes[1]["before"], &changes[1]["after"]), (&"launched".into(), &serde_json::Value::Null));
}

#[test]
fn the_ledgers_events_are_judged_as_of_when_they_came() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let vertex = runtime.block_on(VertexStandin::start(VertexOptions::default())).unwrap();
    let folder = Folder::new();
    let serving = Serving::start(&folder, &vertex);
    for fixture in ["good", "tampered", "expired"] {
        let to = ["--key", "keys/release.key", "--set", "epochs=3", "--to", serving.events()];
        folder.run(&[&["send", "--fixture", fixture] as &[_], &to].concat()).ok();
    }
    folder.write("new.yaml", &folder.read("launchgate.yaml").replace("maxAge: 24h", "maxAge: 3650d"));

    let told = folder.run(&["diff", "launchgate.yaml", "new.yaml", "--output", "json"]).ok().json();

    assert_eq!(told["events"], 2, "a rejected delivery is no event: {told}");
    let changed = told["changed"].as_array().unwrap();
    assert!(
        matches!(&**changed, [one] if one["changes"][0]["before"] == "denied_policy (too_old)"),
        "{told}"
    );
    assert_eq!(changed[0]["changes"][0]["after"], "launched");
    assert_eq!(vertex.job_count(), 1, "nothing is launched by asking");
}
