//! Buildkite's own word on a build: which trigger waits for it, and what it changes.

use launchgate_outcome::{Check, CheckStatus, Outcome, Reason, Voucher};
use launchgate_triggers::{DecideOptions, Decision, Decisions, Verdict, decide};
use launchgate_trust::BuildFacts;
use serde_json::{Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::{YAML, config, load_text},
};

/// The sound file with a signer by token whose pipelines build forks, and a way in for webhooks.
fn file(require: &str) -> String {
    YAML.replace("  sweep: { auth: none }", "  sweep: { auth: none }\n  builds: { auth: none }")
        .replace("  - id: second-key\n    publicKey: keys/second.pem", SIGNER)
        .replace("[release-key, second-key]", "[buildkite]")
        .replace("repository: https://github.com/acme/fraud-train", require)
}

const SIGNER: &str = "  - id: buildkite\n    buildkiteOidc: { organization: acme, forkBuilds: enabled }";

/// What Buildkite says of the build of `an_event`.
fn a_webhook() -> Value {
    json!({
        "event": "build.finished",
        "build": {
            "id": "b-1", "number": 42, "state": "passed", "blocked": false, "source": "webhook",
            "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42",
            "branch": "main", "tag": null, "commit": "3f".repeat(20), "pull_request": null,
            "creator": {"name": "Ada"}, "finished_at": "2026-11-18T11:07:00Z",
        },
        "pipeline": {"slug": "fraud-train", "repository": "git@github.com:acme/fraud-train.git"},
    })
}

fn webhook_with(pointer: &str, value: Value) -> Value {
    let mut webhook = a_webhook();
    *webhook.pointer_mut(pointer).unwrap() = value;
    webhook
}

fn of_a_fork() -> Value {
    webhook_with(
        "/build/pull_request",
        json!({"id": "7", "repository": "https://github.com/eve/fraud-train"}),
    )
}

fn of_the_same_repository() -> Value {
    webhook_with(
        "/build/pull_request",
        json!({"id": "7", "repository": "https://github.com/acme/fraud-train"}),
    )
}

fn decided(file: &str, event: AnEvent, webhooks: &[Value]) -> Decisions {
    let config = config(file);
    let event = event.verified(&config);
    let facts: Vec<_> = webhooks
        .iter()
        .map(|webhook| BuildFacts::given_by_operator(webhook.to_string().as_bytes()).unwrap())
        .collect();
    decide(&config, &event, published(), DecideOptions { build_facts: &facts, ..DecideOptions::default() })
}

fn only(file: &str, event: AnEvent, webhooks: &[Value]) -> Decision {
    let mut decisions = decided(file, event, webhooks).decisions;
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    decisions.remove(0)
}

fn rung<'d>(decision: &'d Decision, name: &str) -> &'d Check {
    let found = decision.checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:#?}", decision.checks))
}

#[track_caller]
fn comes_to(decision: &Decision, outcome: Outcome, reason: Option<Reason>) {
    let found = (decision.verdict.outcome(), decision.verdict.reason());
    assert_eq!(found, (outcome, reason), "{:#?}", decision.checks);
}

#[track_caller]
fn waits(decision: &Decision) {
    comes_to(decision, Outcome::WaitingBuild, Some(Reason::BuildFactsAwaited));
}

#[test]
fn a_branch_that_a_fork_may_have_chosen_waits_and_launches_when_it_is_no_forks() {
    let file = file("pullRequest: none");

    let early = only(&file, an_event().by_token(), &[]);
    let late = only(&file, an_event().by_token(), &[a_webhook()]);

    waits(&early);
    assert!(matches!(early.verdict, Verdict::Wait { seconds: 86_400, .. }));
    assert_eq!(rung(&early, "forkBuilds").status, CheckStatus::Skipped);
    assert_eq!(rung(&early, "plan").status, CheckStatus::NotReached);
    comes_to(&late, Outcome::Launched, None);
    for name in ["buildFacts", "forkBuilds", "require.pullRequest"] {
        let rung = rung(&late, name);
        assert_eq!((rung.status, rung.voucher), (CheckStatus::Passed, Some(Voucher::Webhook)), "{name}");
        assert_eq!(rung.detail.as_deref(), Some("given by the operator"));
    }
    assert_eq!(rung(&late, "match.branch").voucher, Some(Voucher::Token));
}

#[test]
fn a_forks_pull_request_is_denied_whatever_pull_requests_the_trigger_takes() {
    for rule in ["none", "sameRepository", "any"] {
        let decision = only(&file(&format!("pullRequest: {rule}")), an_event().by_token(), &[of_a_fork()]);
        comes_to(&decision, Outcome::DeniedPolicy, Some(Reason::ForkBuild));
        assert_eq!(rung(&decision, "forkBuilds").actual.as_deref(), Some("pull request 7 from a fork"));
    }
}

#[test]
fn a_pull_request_of_the_same_repository_is_a_matter_of_the_trigger() {
    let of = |rule: &str| {
        only(&file(&format!("pullRequest: {rule}")), an_event().by_token(), &[of_the_same_repository()])
    };

    comes_to(&of("none"), Outcome::DeniedPolicy, Some(Reason::PullRequestNotAllowed));
    comes_to(&of("sameRepository"), Outcome::Launched, None);
    comes_to(&of("any"), Outcome::Launched, None);
}

#[test]
fn a_trigger_that_reads_no_branch_and_takes_any_pull_request_never_waits() {
    let file = file("pullRequest: any").replace("      branch: main\n", "");

    let decision = only(&file, an_event().by_token(), &[of_a_fork()]);

    comes_to(&decision, Outcome::Launched, None);
    assert!(decision.checks.iter().all(|check| check.name != "buildFacts"), "{:#?}", decision.checks);
}

#[test]
fn every_way_to_read_a_branch_or_tag_waits() {
    let open = file("pullRequest: any").replace("      branch: main\n", "");
    let when = |expression: &str| open.replace(r#"artifact.annotations.dataset != """#, expression);
    for (what, file) in [
        ("match.tag", open.replace("      artifact:", "      tag: \"!v9\"\n      artifact:")),
        ("when", when("build.branch == 'main'")),
        ("has", when("has(build.tag) == false")),
        ("index", when("build['branch'] == 'main'")),
        ("provenance", when("has(provenance.buildDefinition.externalParameters)")),
        ("displayName", open.replace("fraud-retrain-${build.number}", "r-${build.branch}")),
        ("parameter", open.replace("${artifact.uri}", "${build.branch}")),
        ("label", open.replace("team: fraud", "team: '${labelSafe(build.branch)}'")),
    ] {
        let event = || match what {
            "match.tag" => an_event()
                .with("/predicate/buildDefinition/externalParameters/build/tag", json!("v1"))
                .by_token(),
            _ => an_event().by_token(),
        };
        let mut fork = of_a_fork();
        if what == "match.tag" {
            fork["build"]["tag"] = json!("v1");
        }

        assert_eq!(only(&file, event(), &[]).verdict.outcome(), Outcome::WaitingBuild, "{what}");
        assert_eq!(only(&file, event(), &[fork]).verdict.reason(), Some(Reason::ForkBuild), "{what}");
    }
}

#[test]
fn a_signer_whose_pipelines_build_no_forks_never_waits() {
    let file = file("sources: [webhook]").replace("forkBuilds: enabled", "forkBuilds: disabled");

    let decision = only(&file, an_event().by_token(), &[of_a_fork()]);

    comes_to(&decision, Outcome::Launched, None);
    assert!(decision.checks.iter().all(|check| check.name != "buildFacts"));
}

#[test]
fn a_permitted_key_that_vouches_for_the_branch_is_enough_beside_such_a_token() {
    let file = file("pullRequest: any").replace("[buildkite]", "[release-key, buildkite]");

    waits(&only(&file, an_event().by_token(), &[]));
    comes_to(&only(&file, an_event().also_by_token(), &[]), Outcome::Launched, None);
    comes_to(&only(&file, an_event(), &[]), Outcome::Launched, None);
}

#[test]
fn what_needs_no_waiting_is_denied_or_unmatched_at_once() {
    let scheduled = file("pullRequest: none\n      sources: [schedule]");
    let decision = only(&scheduled, an_event().by_token(), &[]);
    comes_to(&decision, Outcome::DeniedPolicy, Some(Reason::SourceNotAllowed));

    let old = file("pullRequest: none").replace("maxAge: 24h", "maxAge: 1s");
    comes_to(&only(&old, an_event().by_token(), &[]), Outcome::DeniedPolicy, Some(Reason::TooOld));

    let elsewhere = decided(&file("pullRequest: none"), an_event().on_branch("try-adam").by_token(), &[]);
    assert_eq!(elsewhere.outcome(), Outcome::NoMatch);
}

#[test]
fn facts_of_another_build_do_not_exist() {
    let file = file("pullRequest: none");
    for (pointer, value) in [
        (
            "/build/url",
            json!("https://api.buildkite.com/v2/organizations/umbrella/pipelines/fraud-train/builds/42"),
        ),
        ("/build/id", json!("b-2")),
    ] {
        let others = webhook_with(pointer, value);
        let event = || an_event().by_token().of_build("b-1");
        waits(&only(&file, event(), std::slice::from_ref(&others)));
        comes_to(&only(&file, event(), &[others, a_webhook()]), Outcome::Launched, None);
    }
    let mut other_number = webhook_with("/build/number", json!(43));
    other_number["build"]["url"] =
        json!("https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/43");
    waits(&only(&file, an_event().by_token(), &[other_number]));
}

#[test]
fn facts_that_contradict_the_signer_are_a_denial_of_their_own() {
    let file = file("pullRequest: none");
    for (pointer, value) in [
        ("/build/branch", json!("evil")),
        ("/build/tag", json!("v1")),
        ("/build/commit", json!("ab".repeat(20))),
    ] {
        let decision = only(&file, an_event().by_token(), &[webhook_with(pointer, value)]);
        comes_to(&decision, Outcome::DeniedPolicy, Some(Reason::BuildFactsMismatch));
        let rung = rung(&decision, "buildFacts");
        assert_eq!((rung.status, rung.voucher), (CheckStatus::Failed, Some(Voucher::Webhook)), "{pointer}");
    }
}

#[test]
fn a_build_must_have_passed_where_the_trigger_says_so_whoever_signed() {
    let file = file("build: passed").replace("[buildkite]", "[release-key]");
    let of = |state: &str, blocked: bool, finished: bool| {
        let mut webhook = webhook_with("/build/state", json!(state));
        webhook["build"]["blocked"] = json!(blocked);
        if !finished {
            webhook["build"]["finished_at"] = Value::Null;
        }
        let decision = only(&file, an_event(), &[webhook]);
        (decision.verdict.outcome(), decision.verdict.reason())
    };

    waits(&only(&file, an_event(), &[]));
    let not_yet = (Outcome::WaitingBuild, Some(Reason::BuildNotFinished));
    let never = (Outcome::DeniedPolicy, Some(Reason::BuildNotPassed));
    assert_eq!(of("passed", false, true), (Outcome::Launched, None));
    assert_eq!(of("passed", true, true), not_yet, "somebody may unblock it");
    assert_eq!(of("passed", false, false), not_yet);
    for state in ["running", "failing", "scheduled", "canceling", "blocked", "something new"] {
        assert_eq!(of(state, false, true), not_yet, "{state}");
    }
    for state in ["failed", "canceled", "skipped", "not_run"] {
        assert_eq!(of(state, false, true), never, "{state}");
    }
}

#[test]
fn what_no_signer_vouches_for_is_vouched_for_by_the_webhook() {
    let base = file("pullRequest: any\n      repository: https://github.com/acme/fraud-train")
        .replace("      branch: main\n", "")
        .replace("${claimed.build.commit}", "${build.creator}");

    let early = only(&base, an_event().by_token(), &[]);
    let late = only(&base, an_event().by_token(), &[a_webhook()]);

    waits(&early);
    assert_eq!(rung(&early, "require.repository").status, CheckStatus::Skipped);
    comes_to(&late, Outcome::Launched, None);
    assert_eq!(rung(&late, "require.repository").voucher, Some(Voucher::Webhook));
    let body: Value = serde_json::from_str(&late.verdict.plan().unwrap().request().body).unwrap();
    assert_eq!(body["runtimeConfig"]["parameterValues"]["commit"], "Ada");
    let elsewhere = webhook_with("/pipeline/repository", json!("https://github.com/acme/other"));
    let decision = only(&base, an_event().by_token(), &[elsewhere]);
    comes_to(&decision, Outcome::DeniedPolicy, Some(Reason::RepositoryNotAllowed));
}

#[test]
fn a_when_that_reads_the_webhooks_facts_waits_and_then_decides() {
    let open = file("pullRequest: any").replace("      branch: main\n", "");
    let file = open.replace(r#"artifact.annotations.dataset != """#, r#"build.creator == "Ada""#);

    let early = only(&file, an_event().by_token(), &[]);
    waits(&early);
    assert_eq!(rung(&early, "when").status, CheckStatus::Skipped);
    comes_to(&only(&file, an_event().by_token(), &[a_webhook()]), Outcome::Launched, None);
    let by_eve = webhook_with("/build/creator/name", json!("Eve"));
    let unmatched = decided(&file, an_event().by_token(), &[by_eve]);
    assert_eq!(unmatched.outcome(), Outcome::NoMatch);
    let near = &unmatched.unmatched[0].nearest[0].1;
    assert!(
        near.iter().any(|check| check.name == "when" && check.status == CheckStatus::Failed),
        "{near:#?}"
    );
}

#[test]
fn how_long_is_the_triggers_choice() {
    let file = file("pullRequest: none").replace("mode: enforce", "waitFor: { build: 15m }");

    let decision = only(&file, an_event().by_token(), &[]);

    assert!(matches!(decision.verdict, Verdict::Wait { seconds: 900, .. }), "{:?}", decision.verdict);
}

#[track_caller]
fn says(file: &str, code: &str, fix: &str) {
    let loaded = load_text(file);
    assert!(loaded.config.is_none());
    let found = loaded.findings.iter().find(|finding| finding.code == code);
    let found = found.unwrap_or_else(|| panic!("no {code} in {:#?}", loaded.findings));
    assert!(found.fix.as_deref().unwrap().contains(fix), "{found:#?}");
    assert!(found.place.is_some());
}

#[test]
fn a_trigger_for_builds_of_forks_must_say_which_pull_requests_it_takes() {
    says(&file("sources: [webhook]"), "pull-request-unstated", "pullRequest: none");
}

#[test]
fn what_only_buildkite_can_say_needs_a_way_in_for_it() {
    let closed = |require: &str| file(require).replace("  builds: { auth: none }\n", "");
    let add = "add `ingress.builds`";
    says(&closed("pullRequest: any"), "no-build-facts", add);
    says(&closed("pullRequest: none").replace("      branch: main\n", ""), "no-build-facts", add);
    says(&closed("build: passed").replace("[buildkite]", "[release-key]"), "no-build-facts", add);
    let repository = "pullRequest: any\n      repository: https://github.com/acme/fraud-train";
    says(&closed(repository).replace("      branch: main\n", ""), "unvouched-fact", add);
}

#[test]
fn a_way_in_for_webhooks_needs_their_secret() {
    let open = file("pullRequest: none");
    says(
        &open.replace("webhookSecretEnv: BUILDKITE_WEBHOOK_SECRET, ", ""),
        "no-webhook-secret",
        "webhookSecretEnv",
    );
    let line = open.lines().find(|line| line.starts_with("buildkite:")).unwrap();
    says(&open.replace(line, ""), "no-webhook-secret", "webhookSecretEnv");
}
