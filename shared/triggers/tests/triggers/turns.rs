//! `oncePer`, `order` and `maxLaunchesPerHour`: what a decision asks of the ledger, and of which facts.

use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_triggers::{DecideOptions, Decision, LaunchConditions, Severity, decide};
use launchgate_trust::BuildFacts;
use serde_json::{Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::{YAML, config, edited, load_text},
};

const ALL: &str = "oncePer: build\n    order: newest\n    maxLaunchesPerHour: 20";
const NUMBER: &str = "/predicate/buildDefinition/internalParameters/buildkite/build_number";
const INVOCATION: &str = "/predicate/runDetails/metadata/invocationId";
const COMMIT: &str = "/predicate/buildDefinition/externalParameters/build/commit";
const DEPENDENCY: &str = "/predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit";

/// The sound file with these keys.
fn file(keys: &str) -> String {
    edited("mode: enforce", keys)
}

fn decided(file: &str, event: AnEvent, options: DecideOptions) -> Decision {
    let config = config(file);
    let event = event.verified(&config);
    let mut decisions = decide(&config, &event, published(), options).decisions;
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    decisions.remove(0)
}

fn conditions(file: &str, event: AnEvent) -> LaunchConditions {
    let decision = decided(file, event, DecideOptions::default());
    let plan = decision.verdict.plan().unwrap_or_else(|| panic!("{decision:#?}"));
    plan.conditions().clone()
}

/// Build 43 of the same commit.
fn another_build() -> AnEvent {
    let job = "0184990a-477b-4fa8-9968-496074483cee";
    let invocation = format!("https://buildkite.com/acme/fraud-train/builds/43#{job}");
    an_event().with(NUMBER, json!("43")).with(INVOCATION, json!(invocation))
}

fn another_commit() -> AnEvent {
    an_event().with(COMMIT, json!("4a".repeat(20))).with(DEPENDENCY, json!("4a".repeat(20)))
}

fn another_content() -> AnEvent {
    let sha256 = "cd".repeat(32);
    an_event()
        .with("/subject/0/digest/sha256", json!(sha256))
        .with("/subject/0/uri", json!(format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}")))
}

fn another_name() -> AnEvent {
    an_event().with("/subject/0/name", json!("fraud-eval"))
}

fn rungs(decision: &Decision) -> Vec<(&str, CheckStatus)> {
    let names = ["oncePer", "order", "maxLaunchesPerHour"];
    let rungs = decision.checks.iter().filter(|rung| names.contains(&rung.name.as_str()));
    rungs.map(|rung| (rung.name.as_str(), rung.status)).collect()
}

#[test]
fn a_trigger_that_asks_nothing_of_others_has_no_conditions_and_no_rungs() {
    let decision = decided(YAML, an_event(), DecideOptions::default());

    assert!(decision.verdict.plan().unwrap().conditions().is_empty());
    assert_eq!(rungs(&decision), []);
    let neutral = "mode: enforce\n    oncePer: event\n    order: any";
    assert!(conditions(&file(neutral), an_event()).is_empty());
}

#[test]
fn a_once_key_is_made_of_its_facts_and_of_nothing_else() {
    type Others = [(&'static str, fn() -> AnEvent); 4];
    const OTHERS: Others = [
        ("build", another_build),
        ("commit", another_commit),
        ("content", another_content),
        ("name", another_name),
    ];
    for (per, of) in
        [("build", ["build", "name"].as_slice()), ("commit", &["commit", "name"]), ("artifact", &["content"])]
    {
        let file = file(&format!("oncePer: {per}"));
        let key = conditions(&file, an_event()).once.unwrap();
        for (what, other) in OTHERS {
            let differs = conditions(&file, other()).once.unwrap() != key;
            assert_eq!(differs, of.contains(&what), "oncePer: {per} and another {what}");
        }
        let renamed = file.replace("name: retrain-fraud", "name: retrain-again");
        assert_ne!(conditions(&renamed, an_event()).once.unwrap(), key, "each trigger has its own: {per}");
    }
}

/// Ledgers hold these: a key that is made otherwise would launch again what was launched.
#[test]
fn keys_stay_what_they_are() {
    let once = |per: &str| conditions(&file(&format!("oncePer: {per}")), an_event());
    let newest = conditions(&file("order: newest"), an_event());

    let text = |conditions: LaunchConditions| serde_json::to_value(conditions).unwrap();
    assert_eq!(
        text(once("build")),
        json!({"once": "578fd90de8aa5da31f9cc375047d987a4874318a8afdc1cefa13eb089e414402"})
    );
    assert_eq!(
        text(once("commit")),
        json!({"once": "037c201241c97a952cfc8ea43a6ff3f277061e57e87cd219e8104d9fe837ac7c"})
    );
    assert_eq!(
        text(once("artifact")),
        json!({"once": "1f02046f29b0bb8959ef240ee3251b342e1ae8a06cd9d81adadafc4f044b89e0"})
    );
    assert_eq!(
        text(newest),
        json!({"newest": {"line": "3377d32fc469c8ad734f52c8d4671bf381d925bf5538d1071add3b547a273dcd", "number": 42}})
    );
}

#[test]
fn builds_of_one_branch_stand_in_one_line_by_their_numbers() {
    let file = file("order: newest").replace("      branch: main\n", "");
    let newest = |event| conditions(&file, event).newest.unwrap();
    let of_no_branch = an_event()
        .with("/predicate/buildDefinition/externalParameters/build/branch", Value::Null)
        .with("/predicate/buildDefinition/externalParameters/build/tag", json!("v1"))
        .with(
            "/predicate/buildDefinition/resolvedDependencies/0/uri",
            json!("git+https://github.com/acme/fraud-train@refs/tags/v1"),
        );

    let (main, next) = (newest(an_event()), newest(another_build()));

    assert_eq!((main.line, main.number, next.number), (next.line, 42, 43));
    let others = [newest(an_event().on_branch("release")).line, newest(of_no_branch).line];
    assert!(others.iter().all(|line| *line != main.line) && others[0] != others[1]);
}

#[test]
fn the_rungs_say_what_is_asked_and_that_the_ledger_is() {
    let decision = decided(&file(ALL), an_event(), DecideOptions::default());

    let skipped = CheckStatus::Skipped;
    assert_eq!(rungs(&decision), [("oncePer", skipped), ("order", skipped), ("maxLaunchesPerHour", skipped)]);
    let [.., once, order, per_hour] = decision.checks.as_slice() else { panic!("{decision:#?}") };
    assert_eq!(once.expected.as_deref(), Some("one launch for fraud-train of acme/fraud-train #42"));
    assert_eq!(order.expected.as_deref(), Some("no build of acme/fraud-train on main after #42 launched"));
    assert_eq!(per_hour.expected.as_deref(), Some("at most 20 launches within 60 minutes"));
    for rung in [once, order, per_hour] {
        assert!(rung.detail.as_deref().unwrap().starts_with("needs the ledger"), "{rung:?}");
    }
    assert_eq!((once.voucher, order.voucher), (Some(Voucher::Key), Some(Voucher::Key)));
    let artifact = decided(&file("oncePer: artifact"), an_event(), DecideOptions::default());
    assert_eq!(artifact.checks.last().unwrap().voucher, Some(Voucher::SignersWord));
}

#[test]
fn a_commit_that_is_a_name_is_denied() {
    let named = || an_event().with(COMMIT, json!("HEAD"));
    let by_token = YAML
        .replace("  - id: second-key\n    publicKey: keys/second.pem", TOKEN_SIGNER)
        .replace("[release-key, second-key]", "[buildkite]")
        .replace("      repository: https://github.com/acme/fraud-train\n", "")
        .replace("mode: enforce", "oncePer: commit");

    for (decision, found) in [
        (decided(&file("oncePer: commit"), named(), DecideOptions::default()), "found `HEAD`"),
        (decided(&by_token, named().by_token(), DecideOptions::default()), "found HEAD (only claimed)"),
    ] {
        assert_eq!(decision.verdict.outcome(), Outcome::DeniedPolicy);
        assert_eq!(decision.verdict.reason(), Some(Reason::FactNotVouched));
        assert!(format!("{:?}", decision.verdict).contains(found), "{:?}", decision.verdict);
        assert_eq!(rungs(&decision), [("oncePer", CheckStatus::Failed)]);
        assert!(decision.verdict.plan().is_none());
    }
}

const TOKEN_SIGNER: &str =
    "  - id: buildkite\n    buildkiteOidc: { organization: acme, forkBuilds: disabled }";

#[test]
fn after_a_fact_that_is_missing_the_rest_is_not_reached() {
    let keys = file("oncePer: commit\n    order: newest\n    maxLaunchesPerHour: 1");
    let decision = decided(&keys, an_event().with(COMMIT, json!("HEAD")), DecideOptions::default());

    let not_reached = CheckStatus::NotReached;
    assert_eq!(
        rungs(&decision),
        [("oncePer", CheckStatus::Failed), ("order", not_reached), ("maxLaunchesPerHour", not_reached)]
    );
}

#[test]
fn what_is_denied_before_asks_nothing() {
    let denied = decided(&file(ALL), an_event().with(NUMBER, json!("42")), DecideOptions::default());
    assert_eq!(denied.verdict.outcome(), Outcome::Launched);
    let old = file(ALL).replace("maxAge: 24h", "maxAge: 1m");

    let denied = decided(&old, an_event(), DecideOptions::default());

    assert_eq!(denied.verdict.reason(), Some(Reason::TooOld));
    assert!(rungs(&denied).iter().all(|(_, status)| *status == CheckStatus::NotReached));
    assert_eq!(rungs(&denied).len(), 3);
}

#[test]
fn a_trigger_that_observes_or_is_paused_claims_nothing() {
    let observed = decided(&file(&format!("mode: observe\n    {ALL}")), an_event(), DecideOptions::default());
    let paused = decided(&file(&format!("mode: paused\n    {ALL}")), an_event(), DecideOptions::default());

    assert_eq!(observed.verdict.outcome(), Outcome::Observed);
    assert!(observed.verdict.plan().unwrap().conditions().is_empty());
    assert_eq!(paused.verdict.outcome(), Outcome::SkippedPaused);
    for (decision, why) in [(&observed, "the trigger only observes"), (&paused, "the trigger is paused")] {
        assert!(rungs(decision).iter().all(|(_, status)| *status == CheckStatus::Skipped));
        assert_eq!(decision.checks.last().unwrap().detail.as_deref(), Some(why));
    }
    // Observing shows what enforcing would come to.
    let keys = file("mode: observe\n    oncePer: commit");
    let denied = decided(&keys, an_event().with(COMMIT, json!("HEAD")), DecideOptions::default());
    assert_eq!(denied.verdict.reason(), Some(Reason::FactNotVouched));
}

#[test]
fn a_forced_replay_holds_no_key_and_still_counts() {
    let forced = DecideOptions { ordinal: 1, ..DecideOptions::default() };
    let decision = decided(&file(ALL), an_event(), forced);

    let plan = decision.verdict.plan().unwrap();
    let LaunchConditions { once, newest, per_hour } = plan.conditions();
    assert_eq!((once, newest.unwrap().number, per_hour.unwrap().get()), (&None, 42, 20));
    assert!(decision.checks.last().unwrap().detail.as_deref().unwrap().contains("forced"));
    // What it passes needs no fact.
    let named = an_event().with(COMMIT, json!("HEAD"));
    let decision = decided(&file("oncePer: commit"), named, forced);
    assert_eq!(decision.verdict.outcome(), Outcome::Launched, "{decision:#?}");
}

#[test]
fn a_fact_that_no_permitted_signer_proves_is_an_error() {
    let sigstore = |keys: &str| {
        YAML.replace("publicKey: keys/second.pem", "sigstore: { organization: acme, forkBuilds: disabled }")
            .replace("[release-key, second-key]", "[second-key]")
            .replace("      branch: main\n", "")
            .replace("      repository: https://github.com/acme/fraud-train\n", "")
            .replace("mode: enforce", keys)
    };
    let errors = |text: &str| {
        let findings = load_text(text).findings.into_iter();
        let errors = findings.filter(|finding| finding.severity == Severity::Error);
        errors.map(|error| (error.code, error.message)).collect::<Vec<_>>()
    };

    for sound in ["oncePer: build", "oncePer: commit", "oncePer: artifact", "maxLaunchesPerHour: 1"] {
        assert_eq!(errors(&sigstore(sound)), [], "{sound}");
    }
    let found = errors(&sigstore("order: newest"));
    let message = "no signer in `anyOf` can prove build.branch, so this never holds".to_owned();
    assert_eq!(found, [("unvouched-fact", message)]);
    let takes_builds = |text: &str| text.replace("  sweep:", "  builds: { auth: none }\n  sweep:");
    assert_eq!(errors(&takes_builds(&sigstore("order: newest"))), []);
}

#[test]
fn the_order_waits_for_whose_branch_it_is_where_a_fork_may_have_chosen_it() {
    let signer = "  - id: buildkite\n    buildkiteOidc: { organization: acme, forkBuilds: enabled }";
    let file = YAML
        .replace("  sweep: { auth: none }", "  sweep: { auth: none }\n  builds: { auth: none }")
        .replace("  - id: second-key\n    publicKey: keys/second.pem", signer)
        .replace("[release-key, second-key]", "[buildkite]")
        .replace("      branch: main\n", "")
        .replace("repository: https://github.com/acme/fraud-train", "pullRequest: any")
        .replace("mode: enforce", "order: newest");
    let webhook = json!({
        "event": "build.finished",
        "build": {
            "id": "b-1", "number": 42, "state": "passed", "blocked": false, "source": "webhook",
            "url": "https://api.buildkite.com/v2/organizations/acme/pipelines/fraud-train/builds/42",
            "branch": "main", "tag": null, "commit": "3f".repeat(20), "pull_request": null,
            "creator": {"name": "Ada"}, "finished_at": "2026-11-18T11:07:00Z",
        },
        "pipeline": {"slug": "fraud-train", "repository": "git@github.com:acme/fraud-train.git"},
    });
    let facts = [BuildFacts::given_by_operator(webhook.to_string().as_bytes()).unwrap()];

    let early = decided(&file, an_event().by_token(), DecideOptions::default());
    let late = DecideOptions { build_facts: &facts, ..DecideOptions::default() };
    let late = decided(&file, an_event().by_token(), late);

    assert_eq!(early.verdict.outcome(), Outcome::WaitingBuild);
    assert_eq!(rungs(&early), [("order", CheckStatus::NotReached)]);
    assert_eq!(late.verdict.plan().unwrap().conditions().newest.unwrap().number, 42);
}
