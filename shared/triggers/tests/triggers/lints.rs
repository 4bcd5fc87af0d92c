//! Warnings about sound files.

use launchgate_statement::Timestamp;
use launchgate_triggers::{Overrides, lint, load, render};

use crate::the_file::{Folder, TEMPLATE, YAML, config, edited};

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
    assert_eq!(codes(&alone, "2027-03-01T00:00:00Z"), ["key-expired", "unused-signer", "no-signer-in-force"]);
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
    assert_eq!(codes(&file, NOW), ["unused-signer", "unreachable-trigger"]);
}

/// The sound file, nothing else to say of it, with one more thing replaced.
fn closed_with(from: &str, to: &str) -> String {
    let closed = edited("maxAge: 24h", "sources: [webhook]");
    assert_eq!(closed.matches(from).count(), 1, "{from}");
    closed.replace(from, to)
}

#[test]
fn a_trigger_whose_clauses_contradict_themselves_is_unreachable() {
    for (from, to) in [
        ("branch: main", "branch: [main, \"!ma*\"]"),
        ("pipeline: fraud-train", "pipeline: [fraud-train, \"!fraud-*\"]"),
        ("artifact: us-docker.pkg.dev/acme/ml/fraud-train@*", "artifact: [fraud-train, \"!fraud-*\"]"),
    ] {
        assert_eq!(codes(&closed_with(from, to), NOW), ["unreachable-trigger"], "{to}");
    }
    // A name and an address are two things: taking out the one leaves the other.
    for (from, to) in [
        ("branch: main", "branch: [\"ma*\", \"!main\"]"),
        (
            "artifact: us-docker.pkg.dev/acme/ml/fraud-train@*",
            "artifact: [us-docker.pkg.dev/acme/ml/fraud-train@*, \"!fraud-*\"]",
        ),
    ] {
        assert_eq!(codes(&closed_with(from, to), NOW), [""; 0], "{to}");
    }
}

#[test]
fn a_trigger_for_an_organization_that_its_signers_do_not_speak_for_is_unreachable() {
    let keyless = "buildkiteOidc: { organization: acme, forkBuilds: disabled }";
    let of = |organization: &str| {
        closed_with("      branch: main\n", &format!("      organization: {organization}\n"))
            .replace("publicKey: keys/second.pem", keyless)
            .replace("      repository: https://github.com/acme/fraud-train\n", "")
            .replace("publicKey: keys/release.pem", keyless)
    };
    assert_eq!(codes(&of("other"), NOW), ["unreachable-trigger"]);
    assert_eq!(codes(&of("ac*"), NOW), [""; 0]);
    let beside_a_key = of("other").replacen(keyless, "publicKey: keys/release.pem", 1);
    assert_eq!(codes(&beside_a_key, NOW), [""; 0], "a key may speak for any organization");
}

#[test]
fn open_sources_are_told_of_branches_that_production_is_built_from_only() {
    for (branch, told) in [
        ("main", true),
        ("master", true),
        ("\"release/*\"", true),
        ("\"**\"", true),
        ("\"!dependabot/**\"", true),
        ("\"feature/*\"", false),
        ("[\"*\", \"!main\", \"!master\", \"!trunk\", \"!prod*\", \"!stable\", \"!release*\"]", false),
    ] {
        let found = codes(&edited("branch: main", &format!("branch: {branch}")), NOW);
        assert_eq!(found == ["sources-open"], told, "{branch}: {found:?}");
    }
}

#[test]
fn googles_default_service_accounts_are_pointed_out_by_name() {
    for (account, told) in [
        ("123456789012-compute@developer.gserviceaccount.com", true),
        ("acme-ml@appspot.gserviceaccount.com", true),
        ("my-compute@acme-ml.iam.gserviceaccount.com", false),
    ] {
        let file = closed_with("vertex-runner@acme-ml.iam.gserviceaccount.com", account);
        assert_eq!(codes(&file, NOW) == ["default-service-account"], told, "{account}");
    }
}

#[test]
fn latest_is_pointed_out_in_parameters_and_in_steps_of_the_template() {
    let with = |image: &str| closed_with("commit: ${claimed.build.commit}", &format!("commit: {image}"));
    assert_eq!(codes(&with("us-docker.pkg.dev/acme/ml/train:latest"), NOW), ["image-by-tag"]);
    assert_eq!(codes(&with("gcr.io/acme/train"), NOW), ["image-by-tag"]);
    assert_eq!(codes(&with("us-docker.pkg.dev/acme/ml/train:1.2"), NOW), [""; 0]);
    assert_eq!(codes(&with("notes:latest"), NOW), [""; 0]);

    let of_step = |image: &str| {
        let mut folder = Folder::new();
        let executors = format!("{{exec-a: {{container: {{image: '{image}'}}}}}}");
        let template = TEMPLATE.replace("executors: {}", &format!("executors: {executors}"));
        folder.0.insert("pipelines/retrain.yaml".to_owned(), template.into_bytes());
        let file = edited("maxAge: 24h", "sources: [webhook]");
        let loaded = load("launchgate.yaml", &file, &folder, &Overrides::default());
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings));
        lint(&config, Timestamp::parse(NOW).unwrap()).iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(of_step("gcr.io/acme/step:latest"), ["image-by-tag"]);
    assert_eq!(of_step("python"), ["image-by-tag"]);
    assert_eq!(of_step("python:3.11"), [""; 0], "KFP writes it into every pipeline");
    assert_eq!(of_step("{{$.inputs.parameters[''image'']}}"), [""; 0]);
}

#[test]
fn a_trigger_inside_another_is_told_when_both_launch_the_same() {
    let trigger =
        &YAML[YAML.find("  - name: retrain").unwrap()..].replace("maxAge: 24h", "sources: [webhook]");
    let with = |narrow: &str| format!("{}{narrow}", edited("maxAge: 24h", "sources: [webhook]"));
    let narrow = trigger
        .replace("name: retrain-fraud", "name: narrow")
        .replace("branch: main", "branch: main\n      step: push");
    assert_eq!(codes(&with(&narrow), NOW), ["shadowed-trigger"]);

    for (from, to, why) in [
        ("epochs: 3", "epochs: 4", "another launch"),
        ("mode: enforce", "mode: observe", "it only observes"),
        ("branch: main", "branch: [main, release]", "it takes other builds too"),
        ("artifact: us-docker", "artifact: eu-docker", "other artifacts"),
    ] {
        let other = narrow.replace(from, to);
        assert_eq!(codes(&with(&other), NOW), [""; 0], "{why}");
    }
}
