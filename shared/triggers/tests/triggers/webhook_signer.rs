//! The webhook signer in a file: which safeguards its triggers must have.

use crate::the_file::{YAML, load_text};

const SIGNER: &str = "  - id: hook\n    buildkiteWebhook: { organization: acme }";

/// The sound file with a trigger that permits the webhook signer and has every safeguard.
fn guarded() -> String {
    YAML.replace("  sweep: { auth: none }", "  sweep: { auth: none }\n  builds: { auth: none }")
        .replace("  - id: second-key\n    publicKey: keys/second.pem", SIGNER)
        .replace("[release-key, second-key]", "[hook]")
        .replace(
            "repository: https://github.com/acme/fraud-train",
            "build: passed\n      artifact: exists\n      pullRequest: none\n      trustsCluster: c-1",
        )
}

/// The codes of a file's findings, warnings too.
fn codes(file: &str) -> Vec<String> {
    load_text(file).findings.iter().map(|finding| finding.code.to_string()).collect()
}

#[track_caller]
fn refused(file: &str, code: &str) {
    let loaded = load_text(file);
    assert!(loaded.config.is_none(), "{file}");
    assert!(codes(file).iter().any(|found| found == code), "no {code} in {:#?}", loaded.findings);
}

#[test]
fn a_trigger_with_every_safeguard_is_sound_and_warned_of() {
    let loaded = load_text(&guarded());

    assert!(loaded.config.is_some(), "{:#?}", loaded.findings);
    assert_eq!(codes(&guarded()), ["weakest-signer"]);
    assert!(loaded.config.unwrap().signers.have_webhook());
}

#[test]
fn each_safeguard_that_is_left_out_is_an_error_of_its_own() {
    for (line, other) in [
        ("build: passed\n", "build: none\n"),
        ("build: passed\n      ", ""),
        ("artifact: exists\n      ", ""),
        ("artifact: exists", "artifact: none"),
        ("\n      trustsCluster: c-1", ""),
    ] {
        let file = guarded();
        assert!(file.contains(line), "{line}");
        refused(&file.replace(line, other), "webhook-signer-unguarded");
    }
    refused(&guarded().replace("      pullRequest: none\n", ""), "pull-request-unstated");
}

#[test]
fn the_artifact_must_lie_in_a_literal_place_under_an_immutable_name() {
    const PATTERN: &str = "artifact: us-docker.pkg.dev/acme/ml/fraud-train@*";
    let with = |pattern: &str| guarded().replace(PATTERN, pattern);
    assert!(guarded().contains(PATTERN));
    for sound in [
        "artifact: us-docker.pkg.dev/acme/ml/**@sha256:*",
        "artifact: gs://acme-models/fraud/**#*",
        "artifact: [\"gs://acme-models/*#*\", \"us-docker.pkg.dev/acme/ml/x@*\", \"!us-docker.pkg.dev/acme/ml/x@sha256:00*\"]",
    ] {
        assert_eq!(codes(&with(sound)), ["weakest-signer"], "{sound}");
    }
    for open in [
        "artifact: fraud-train",
        "artifact: us-docker.pkg.dev/acme/ml/fraud-train:latest",
        "artifact: us-docker.pkg.dev/acme/ml/**",
        "artifact: us-docker.pkg.dev/acme/*@*",
        "artifact: \"**@*\"",
        "artifact: gs://*/m#*",
        "artifact: gs://acme-models/**",
        "artifact: [us-docker.pkg.dev/acme/ml/x@*, \"**@*\"]",
        "artifact: \"!us-docker.pkg.dev/acme/ml/x@*\"",
    ] {
        refused(&with(open), "webhook-signer-unguarded");
    }
    refused(&guarded().replace(&format!("      {PATTERN}\n"), ""), "webhook-signer-unguarded");
}

#[test]
fn other_signers_of_the_same_trigger_take_no_safeguard_away() {
    let both = guarded().replace("[hook]", "[release-key, hook]");
    refused(&both.replace("\n      trustsCluster: c-1", ""), "webhook-signer-unguarded");
    let keys_alone = guarded().replace("[hook]", "[release-key]").replace("\n      trustsCluster: c-1", "");
    assert_eq!(codes(&keys_alone), ["weakest-signer"]);
}

#[test]
fn its_webhooks_must_come_in_and_be_of_the_organization_that_is_believed() {
    refused(&guarded().replace("  builds: { auth: none }\n", ""), "no-build-facts");
    refused(
        &guarded().replace("{ organization: acme }", "{ organization: umbrella }"),
        "foreign-organization",
    );
    refused(&guarded().replace("{ organization: acme }", "{}"), "missing-key");
    refused(
        &guarded().replace("{ organization: acme }", "{ organization: acme, forkBuilds: disabled }"),
        "unknown-key",
    );
    refused(&guarded().replace(SIGNER, &format!("{SIGNER}\n    publicKey: keys/second.pem")), "two-kinds");
}
