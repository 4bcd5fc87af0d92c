//! `identity`: who vouched, as expressions see it.

use launchgate_outcome::{Outcome, Reason};
use launchgate_triggers::{DecideOptions, Decision, Severity, decide};
use serde_json::{Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::{YAML, config, edited, load_text},
};

const TOKEN: &str = "buildkiteOidc: { organization: acme, forkBuilds: disabled }";

/// The sound file with a keyless signer in the second key's place.
fn keyless(file: &str, any_of: &str) -> String {
    file.replace("publicKey: keys/second.pem", TOKEN)
        .replace("id: second-key", "id: buildkite")
        .replace("[release-key, second-key]", any_of)
        .replace("      repository: https://github.com/acme/fraud-train\n", "")
}

fn with_commit(value: &str) -> String {
    edited("commit: ${claimed.build.commit}", &format!("commit: {value}"))
}

fn only(file: &str, event: AnEvent) -> Decision {
    let config = config(file);
    let mut decisions =
        decide(&config, &event.verified(&config), published(), DecideOptions::default()).decisions;
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    decisions.remove(0)
}

fn parameters(decision: &Decision) -> Value {
    let plan = decision.verdict.plan().unwrap_or_else(|| panic!("{decision:#?}"));
    let body: Value = serde_json::from_str(&plan.request().body).unwrap();
    body["runtimeConfig"]["parameterValues"].clone()
}

#[test]
fn a_tokens_claims_stand_in_parameters_labels_and_names() {
    let file = keyless(&with_commit("${identity.job_id}"), "[buildkite]")
        .replace("epochs: 3", "epochs: ${identity.build_number}")
        .replace("team: fraud", "job: \"${identity.job_id}\"")
        .replace("fraud-retrain-${build.number}", "by-${identity.organization_slug}");
    let decision = only(&file, an_event().by_token());

    let job = "0184990a-477b-4fa8-9968-496074483cee";
    let values = parameters(&decision);
    assert_eq!((&values["commit"], &values["epochs"]), (&json!(job), &json!(42)));
    let body: Value = serde_json::from_str(&decision.verdict.plan().unwrap().request().body).unwrap();
    assert_eq!((&body["labels"]["job"], &body["displayName"]), (&json!(job), &json!("by-acme")));
}

#[test]
fn when_reads_it_whole_and_by_member() {
    for (when, outcome) in [
        ("identity.build_source == \"webhook\"", Some(Outcome::Launched)),
        ("identity.build_source == \"ui\"", None),
        ("has(identity.cluster_id) || identity[\"job_id\"].startsWith(\"0184\")", Some(Outcome::Launched)),
        ("has(identity.step_key) && !has(identity.build_tag)", Some(Outcome::Launched)),
        ("size(identity) > 10", Some(Outcome::Launched)),
    ] {
        let file = keyless(YAML, "[buildkite]").replace("artifact.annotations.dataset != \"\"", when);
        let file = file.replace("${claimed.build.commit}", "c");
        let config = config(&file);

        let decisions =
            decide(&config, &an_event().by_token().verified(&config), published(), DecideOptions::default());

        assert_eq!(decisions.decisions.first().map(|one| one.verdict.outcome()), outcome, "{when}");
    }
}

#[test]
fn a_claim_that_the_token_lacks_is_an_error_that_names_what_there_is() {
    let file = keyless(&with_commit("${identity.cluster_id}"), "[buildkite]");

    let decision = only(&file, an_event().by_token());

    assert_eq!(decision.verdict.reason(), Some(Reason::ExpressionError));
    let said = format!("{:?}", decision.verdict);
    assert!(said.contains("`identity.cluster_id` has no value: no token or certificate"), "{said}");
    assert!(said.contains("build_source") && said.contains("has(identity.cluster_id)"), "{said}");
}

#[test]
fn only_permitted_signers_have_an_identity() {
    let read = with_commit("'${has(identity.job_id) ? identity.job_id : \"nobody\"}'");
    let both = keyless(&read, "[release-key, buildkite]");

    assert_eq!(parameters(&only(&both, an_event()))["commit"], "nobody");
    let job = "0184990a-477b-4fa8-9968-496074483cee";
    assert_eq!(parameters(&only(&both, an_event().also_by_token()))["commit"], job);

    // The token is there, and its signer is none of this trigger's.
    let other = "  - id: other\n    buildkiteOidc: { organization: other, forkBuilds: disabled }\n";
    let by_other =
        keyless(&read, "[release-key, other]").replace("triggers:\n", &format!("{other}triggers:\n"));
    assert_eq!(parameters(&only(&by_other, an_event().also_by_token()))["commit"], "nobody");
}

#[test]
fn a_branch_in_a_token_is_a_branch_that_a_fork_may_have_chosen() {
    for read in [
        "identity.build_branch == \"main\"",
        "identity.sub != \"\"",
        "size(identity) > 0",
        "identity.new != 1",
    ] {
        let file = keyless(YAML, "[buildkite]")
            .replace("forkBuilds: disabled", "forkBuilds: enabled")
            .replace("      branch: main\n", "")
            .replace("maxAge: 24h", "maxAge: 24h\n      pullRequest: any")
            .replace("artifact.annotations.dataset != \"\"", read)
            .replace("${claimed.build.commit}", "c");

        let findings = load_text(&file).findings;
        assert!(findings.iter().any(|it| it.code == "no-build-facts"), "{read}: {findings:#?}");

        let file =
            file.replace("  sweep: { auth: none }", "  sweep: { auth: none }\n  builds: { auth: none }");
        if !read.contains("new") && !read.contains("sub") {
            let decision = only(&file, an_event().by_token());
            assert_eq!(decision.verdict.outcome(), Outcome::WaitingBuild, "{read}");
        }
    }
}

#[test]
fn a_name_that_nobody_knows_is_warned_of() {
    let file = keyless(&with_commit("${identity.quux}"), "[buildkite]");

    let findings = load_text(&file).findings;

    let said: Vec<_> = findings.iter().map(|it| (it.code, it.severity)).collect();
    assert_eq!(said, [("unfamiliar-claim", Severity::Warning)]);
    assert!(findings[0].fix.as_ref().unwrap().contains("job_id"));
    let tag = keyless(&with_commit("\"${identity[\\\"agent_tag:queue\\\"]}\""), "[buildkite]");
    assert_eq!(load_text(&tag).findings, []);
}
