//! What the file says of events.

use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_triggers::{DecideOptions, Decision, Decisions, Verdict, decide};
use serde_json::{Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::{RELEASE, SECOND, YAML, config, edited},
};

fn decided(file: &str, event: AnEvent) -> Decisions {
    let config = config(file);
    decide(&config, &event.verified(&config), published(), DecideOptions::default())
}

fn only(file: &str, event: AnEvent) -> Decision {
    let mut decisions = decided(file, event).decisions;
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    decisions.remove(0)
}

fn ladder(decision: &Decision) -> Vec<String> {
    let name = |status| match status {
        CheckStatus::Passed => "passed",
        CheckStatus::Failed => "failed",
        CheckStatus::Skipped => "skipped",
        CheckStatus::NotReached => "not_reached",
    };
    decision.checks.iter().map(|check| format!("{} {}", check.name, name(check.status))).collect()
}

#[track_caller]
fn refused(file: &str, event: AnEvent, reason: Reason, rung: &str) -> Decision {
    let decision = only(file, event);
    assert_eq!(decision.verdict.reason(), Some(reason), "{:#?}", decision.checks);
    assert!(decision.checks.iter().any(|check| check.name == rung && check.status == CheckStatus::Failed));
    decision
}

#[test]
fn a_matching_event_gives_the_exact_request() {
    let decision = only(YAML, an_event());

    let plan = decision.verdict.plan().unwrap();
    assert_eq!(decision.verdict.outcome(), Outcome::Launched);
    assert_eq!(plan.request().path, "/v1/projects/acme-ml/locations/us-central1/pipelineJobs");
    assert_eq!(plan.request().query, [("pipelineJobId".to_owned(), decision.launch_id.to_string())]);
    let body: Value = serde_json::from_str(&plan.request().body).unwrap();
    let id = decision.launch_id.as_str();
    assert_eq!(body["displayName"], "fraud-retrain-42");
    assert_eq!(body["pipelineSpec"]["pipelineInfo"]["name"], "retrain");
    assert_eq!(body["runtimeConfig"]["gcsOutputDirectory"], "gs://acme-pipelines/root");
    let uri = format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{}", "ab".repeat(32));
    assert_eq!(
        body["runtimeConfig"]["parameterValues"],
        json!({"image": uri, "epochs": 3, "commit": "3f".repeat(20)})
    );
    let hex = plan.event().hex();
    assert_eq!(
        body["labels"],
        json!({"team": "fraud", "launchgate-id": id, "launchgate-event": hex, "launchgate-trigger": "retrain-fraud"})
    );
    assert_eq!(
        ladder(&decision),
        [
            "match.pipeline passed",
            "match.branch passed",
            "match.artifact passed",
            "when passed",
            "require.signers passed",
            "require.repository passed",
            "require.maxAge passed",
            "parameters passed",
            "plan passed",
        ]
    );
    assert_eq!(decision.checks[0].voucher, Some(Voucher::Key));
    assert_eq!(decision.checks[2].voucher, Some(Voucher::SignersWord));
}

#[test]
fn the_same_event_and_file_give_the_same_bytes() {
    let config = config(YAML);
    let event = an_event().verified(&config);
    let plan = || {
        let decisions = decide(&config, &event, published(), DecideOptions::default());
        decisions.decisions[0].verdict.plan().unwrap().clone()
    };
    assert_eq!(plan(), plan());
}

#[test]
fn another_ordinal_is_another_launch() {
    let config = config(YAML);
    let event = an_event().verified(&config);
    let ids = [0, 1].map(|ordinal| {
        let options = DecideOptions { ordinal, ..DecideOptions::default() };
        decide(&config, &event, published(), options).decisions[0].launch_id.clone()
    });
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn an_event_that_no_trigger_matches_names_the_nearest_miss() {
    let decisions = decided(YAML, an_event().on_branch("topic"));

    assert_eq!(decisions.outcome(), Outcome::NoMatch);
    let (trigger, rungs) = &decisions.unmatched[0].nearest[0];
    assert_eq!(trigger.as_str(), "retrain-fraud");
    let failed: Vec<_> = rungs.iter().filter(|rung| rung.status == CheckStatus::Failed).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].name, "match.branch");
    assert_eq!((failed[0].expected.as_deref(), failed[0].actual.as_deref()), (Some("main"), Some("topic")));
}

#[test]
fn a_fact_that_is_missing_fails_its_clause() {
    let decisions = decided(&edited("branch: main", "tag: v*"), an_event());
    assert_eq!(decisions.outcome(), Outcome::NoMatch);
}

#[test]
fn when_that_is_false_is_no_match_and_when_without_a_value_is_denied() {
    let no = decided(&edited("dataset != \"\"", "dataset == \"x\""), an_event());
    assert_eq!(no.outcome(), Outcome::NoMatch);
    refused(&edited("annotations.dataset", "annotations.nothing"), an_event(), Reason::WhenError, "when");
    let number = edited("artifact.annotations.dataset != \"\"", "artifact.annotations.dataset");
    refused(&number, an_event(), Reason::WhenError, "when");
}

#[test]
fn an_event_of_a_signer_that_is_not_permitted_is_denied_and_says_so() {
    let file = edited("[release-key, second-key], atLeast: 1", "[release-key]");

    let decision =
        refused(&file, an_event().signed_by(&[&SECOND]), Reason::SignerNotPermitted, "require.signers");

    assert_eq!(decision.checks[0].voucher, Some(Voucher::Statement));
    assert!(decision.signers.is_empty());
}

#[test]
fn too_few_signers_are_denied_and_enough_are_not() {
    let file = edited("atLeast: 1", "atLeast: 2");

    refused(&file, an_event(), Reason::ThresholdNotMet, "require.signers");

    let both = only(&file, an_event().signed_by(&[&RELEASE, &SECOND]));
    assert_eq!(both.verdict.outcome(), Outcome::Launched);
    assert_eq!(both.signers.len(), 2);
}

#[test]
fn requirements_that_fail_name_themselves_and_the_rest_is_not_reached() {
    let source = edited("maxAge: 24h", "sources: [webhook]");
    refused(&source, an_event(), Reason::SourceNotAllowed, "require.sources");
    let repository = edited("com/acme/fraud-train\n", "com/acme/other\n");
    let decision = refused(&repository, an_event(), Reason::RepositoryNotAllowed, "require.repository");
    assert_eq!(
        ladder(&decision)[5..],
        [
            "require.repository failed",
            "require.maxAge not_reached",
            "parameters not_reached",
            "plan not_reached"
        ]
    );
}

#[test]
fn an_old_event_is_denied_unless_a_replay_met_the_age_before() {
    let file = edited("maxAge: 24h", "maxAge: 4m");
    refused(&file, an_event(), Reason::TooOld, "require.maxAge");
    let exact = only(&edited("maxAge: 24h", "maxAge: 5m"), an_event());
    assert_eq!(exact.verdict.outcome(), Outcome::Launched);

    let config = config(&file);
    let event = an_event().verified(&config);
    let options = DecideOptions { max_age_met: true, ..DecideOptions::default() };
    let replayed = decide(&config, &event, published(), options);
    assert_eq!(replayed.outcome(), Outcome::Launched);
}

#[test]
fn an_event_from_the_future_is_denied_beyond_the_leeway_of_a_clock() {
    let started = |at: &str| an_event().with("/predicate/runDetails/metadata/startedOn", at.into());
    refused(YAML, started("9999-12-31T23:59:59Z"), Reason::TimeInFuture, "require.maxAge");
    refused(YAML, started("2026-11-18T11:11:41Z"), Reason::TimeInFuture, "require.maxAge");

    assert_eq!(only(YAML, started("2026-11-18T11:11:40Z")).verdict.outcome(), Outcome::Launched);
}

#[test]
fn an_event_without_a_time_is_denied() {
    let event = an_event().with("/predicate/runDetails/metadata/startedOn", Value::Null);
    refused(YAML, event, Reason::NoTime, "require.maxAge");
}

#[test]
fn observe_plans_and_does_not_launch_and_paused_does_not_plan() {
    let observed = only(&edited("mode: enforce", "mode: observe"), an_event());
    assert_eq!(observed.verdict.outcome(), Outcome::Observed);
    assert!(observed.verdict.plan().is_some());
    let paused = only(&edited("mode: enforce", "mode: paused"), an_event());
    assert_eq!(paused.verdict.outcome(), Outcome::SkippedPaused);
    assert!(paused.verdict.plan().is_none());
}

#[test]
fn a_paused_trigger_still_asks_for_its_requirements() {
    let file = edited("mode: enforce", "mode: paused").replace("maxAge: 24h", "maxAge: 1m");
    refused(&file, an_event(), Reason::TooOld, "require.maxAge");
}

#[test]
fn values_of_an_event_are_held_against_the_pipeline_and_the_fields() {
    let typed = edited("epochs: 3", "epochs: ${artifact.annotations.epochs}");
    let good = only(&typed, an_event().annotated("epochs", json!(7)));
    let body: Value = serde_json::from_str(&good.verdict.plan().unwrap().request().body).unwrap();
    assert_eq!(body["runtimeConfig"]["parameterValues"]["epochs"], json!(7));
    refused(&typed, an_event().annotated("epochs", json!("7")), Reason::ParameterType, "parameters");
    refused(&typed, an_event(), Reason::ExpressionError, "parameters");

    let label = edited("team: fraud", "data: \"${artifact.annotations.dataset}\"");
    assert_eq!(only(&label, an_event()).verdict.outcome(), Outcome::Launched);
    let bad =
        refused(&label, an_event().annotated("dataset", json!("Upper Case")), Reason::LabelValue, "plan");
    let Verdict::Refused(refusal) = bad.verdict else { panic!() };
    assert!(refusal.message.contains("labelSafe"), "{}", refusal.message);

    let name = edited("fraud-retrain-${build.number}", "${artifact.annotations.dataset}");
    refused(&name, an_event().annotated("dataset", json!("x".repeat(129))), Reason::FieldValue, "plan");
}

#[test]
fn a_value_in_the_root_is_one_path_segment() {
    let root = "runtimeConfig:\n          gcsOutputDirectory: gs://acme/${artifact.annotations.dataset}/out";
    let file = edited("runtimeConfig:", root);
    let good = only(&file, an_event());
    let body: Value = serde_json::from_str(&good.verdict.plan().unwrap().request().body).unwrap();
    assert_eq!(body["runtimeConfig"]["gcsOutputDirectory"], "gs://acme/2026-11/out");
    for step in ["a/b", "..", ".", "a\\b", "a\nb"] {
        refused(&file, an_event().annotated("dataset", json!(step)), Reason::FieldValue, "plan");
    }
}

#[test]
fn two_artifacts_are_decided_each_on_its_own() {
    let mut statement = an_event();
    let first = json!({"name": "fraud-train", "digest": {"sha256": "ab".repeat(32)},
        "uri": format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{}", "ab".repeat(32)), "annotations": {"dataset": "d"}});
    let second = json!({"name": "notes", "digest": {"sha256": "cd".repeat(32)}});
    statement = statement.with("/subject", json!([first, second]));

    let decisions = decided(YAML, statement);

    assert_eq!((decisions.decisions.len(), decisions.unmatched.len()), (1, 1));
    assert_eq!(decisions.unmatched[0].artifact.name, "notes");
    assert_eq!(decisions.outcome(), Outcome::Launched);
}

#[test]
fn an_event_with_too_many_decisions_is_counted_and_not_planned() {
    let trigger = &YAML[YAML.find("  - name: retrain").unwrap()..];
    let more: String =
        (0..9).map(|n| trigger.replace("name: retrain-fraud", &format!("name: t{n}"))).collect();
    let subjects: Vec<Value> = (0..32)
        .map(|n| {
            let sha256 = format!("{n:064x}");
            let uri = format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}");
            json!({"name": format!("a{n}"), "digest": {"sha256": sha256}, "uri": uri, "annotations": {"dataset": "d"}})
        })
        .collect();

    let decisions = decided(&format!("{YAML}{more}"), an_event().with("/subject", json!(subjects)));

    assert_eq!(decisions.matched, 320);
    assert!(decisions.too_many() && decisions.decisions.is_empty());
}
