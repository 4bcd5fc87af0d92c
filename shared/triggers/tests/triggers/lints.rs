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

/// The sound file, nothing else to say of it, with more said about the first signer.
fn signer_with(more: &str) -> String {
    edited("maxAge: 24h", "sources: [webhook]").replace("notAfter: 2027-03-01", more)
}

#[test]
fn a_key_older_than_thirty_days_is_reported_from_its_not_before_on() {
    let file = signer_with("notBefore: 2026-11-01");
    assert_eq!(codes(&file, "2026-11-30T23:59:59Z"), [""; 0]);
    assert_eq!(codes(&file, "2026-12-01T00:00:00Z"), ["key-old"]);

    let longer = signer_with("notBefore: 2026-11-01\n    rotateAfter: 90d");
    assert_eq!(codes(&longer, "2026-12-01T00:00:00Z"), [""; 0]);
    assert_eq!(codes(&longer, "2027-01-30T00:00:00Z"), ["key-old"]);
}

#[test]
fn a_key_of_unknown_age_and_one_not_yet_in_force_are_not_old() {
    assert_eq!(codes(&signer_with("revoked: false"), "2036-01-01T00:00:00Z"), [""; 0]);
    assert_eq!(codes(&signer_with("notBefore: 2036-01-02"), "2036-01-01T00:00:00Z"), [""; 0]);
}

#[test]
fn an_old_key_may_also_be_about_to_end_but_an_ended_one_is_only_that() {
    let file = signer_with("notBefore: 2026-11-01\n    notAfter: 2026-12-20");
    assert_eq!(codes(&file, "2026-11-19T00:00:00Z"), [""; 0]);
    assert_eq!(codes(&file, "2026-11-20T00:00:00Z"), ["key-expiring"]);
    assert_eq!(codes(&file, "2026-12-02T00:00:00Z"), ["key-expiring", "key-old"]);
    assert_eq!(codes(&file, "2026-12-20T00:00:00Z"), ["key-expired"]);
}

#[test]
fn a_revoked_key_is_not_warned_about() {
    for dates in ["notBefore: 2026-01-01", "notAfter: 2026-11-20", "notAfter: 2026-01-01"] {
        let file = signer_with(&format!("{dates}\n    revoked: true"));
        assert_eq!(codes(&file, NOW), [""; 0], "{dates}");
        assert_eq!(config(&file).signer_dates().len(), 1, "only the other signer is watched");
    }
}

#[test]
fn a_keyless_signer_has_an_end_but_no_age() {
    let oidc = "buildkiteOidc: { organization: acme, forkBuilds: disabled }\n    notBefore: 2026-01-01\n    notAfter: 2026-12-01";
    let file = edited("maxAge: 24h", "sources: [webhook]").replace("publicKey: keys/second.pem", oidc);
    let file = file.replace("      repository: https://github.com/acme/fraud-train\n", "");
    assert_eq!(codes(&file, NOW), ["key-expiring"]);
    let dates = config(&file).signer_dates();
    assert_eq!(dates[1].expires, Timestamp::parse("2026-12-01T00:00:00Z"));
    assert_eq!(dates[1].rotate_after, None);
}

#[test]
fn what_is_said_of_dates_has_its_place_and_fix() {
    let file = signer_with("notBefore: 2026-10-01\n    notAfter: 2026-12-01");
    let findings = lint(&config(&file), Timestamp::parse(NOW).unwrap());
    insta::assert_snapshot!(render(&file, &findings));
    assert_eq!(serde_json::to_value(&findings).unwrap()[1]["code"], "key-old");
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
