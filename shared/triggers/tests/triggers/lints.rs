//! Warnings about sound files.

use launchgate_statement::Timestamp;
use launchgate_triggers::{lint, render};

use crate::the_file::{YAML, config, edited};

fn codes(file: &str, now: &str) -> Vec<&'static str> {
    lint(&config(file), Timestamp::parse(now).unwrap()).iter().map(|finding| finding.code).collect()
}

const NOW: &str = "2026-11-18T00:00:00Z";

#[test]
fn a_key_is_announced_thirty_days_before_its_end_and_named_after_it() {
    let closed = edited("maxAge: 24h", "sources: [webhook]");
    assert_eq!(codes(&closed, NOW), [""; 0]);
    assert_eq!(codes(&closed, "2027-02-15T00:00:00Z"), ["key-expiring"]);
    assert_eq!(codes(&closed, "2027-03-01T00:00:00Z"), ["key-expired"]);
    let alone = closed.replace("[release-key, second-key]", "[release-key]");
    assert_eq!(codes(&alone, "2027-03-01T00:00:00Z"), ["key-expired", "no-signer-in-force"]);
}

#[test]
fn what_is_worth_a_look_is_said_with_its_place() {
    let trigger = &YAML[YAML.find("  - name: retrain").unwrap()..];
    let twin = trigger
        .replace("name: retrain-fraud", "name: twin")
        .replace("        serviceAccount: vertex-runner@acme-ml.iam.gserviceaccount.com\n", "");
    let file = format!("{YAML}{twin}");
    let findings = lint(&config(&file), Timestamp::parse(NOW).unwrap());
    insta::assert_snapshot!(render(&file, &findings));
}

#[test]
fn an_image_by_tag_is_pointed_out() {
    let body = "      customJob:\n        jobSpec:\n          serviceAccount: a@b.c\n          workerPoolSpecs: [{containerSpec: {imageUri: \"gcr.io/a/b:latest\"}}]\n";
    let file = format!("{}{body}", &YAML[..YAML.find("      pipelineJob:").unwrap()])
        .replace("      branch: main\n", "");
    assert_eq!(codes(&file, NOW), ["image-by-tag"]);
}

#[test]
fn a_trigger_whose_signers_may_not_speak_for_its_pipeline_is_unreachable() {
    let file = edited("maxAge: 24h", "sources: [webhook]")
        .replace("[release-key, second-key]", "[release-key]")
        .replace("pipeline: fraud-train", "pipeline: other");
    assert_eq!(codes(&file, NOW), ["unreachable-trigger"]);
}
