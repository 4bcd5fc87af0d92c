//! What `require.artifact` comes to before anyone looks.

use launchgate_outcome::{Check, CheckStatus, Outcome, Reason};
use launchgate_triggers::{ArtifactPlace, ArtifactRule, DecideOptions, Decision, decide};
use serde_json::{Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::{YAML, config},
};

fn file(more: &str) -> String {
    YAML.replace("      maxAge: 24h\n", &format!("      maxAge: 24h\n      {more}\n"))
}

fn only(file: &str, event: AnEvent) -> Decision {
    let config = config(file);
    let mut decisions =
        decide(&config, &event.verified(&config), published(), DecideOptions::default()).decisions;
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    decisions.remove(0)
}

fn rung(decision: &Decision) -> &Check {
    decision.checks.iter().find(|check| check.name == "require.artifact").expect("it is asked")
}

#[test]
fn what_passes_everything_else_is_still_to_be_looked_at() {
    for (rule, asked) in [("exists", ArtifactRule::Exists), ("content", ArtifactRule::Content)] {
        let decision = only(&file(&format!("artifact: {rule}")), an_event());

        assert_eq!(decision.verdict.outcome(), Outcome::Launched, "what would happen");
        assert_eq!(rung(&decision).status, CheckStatus::Skipped);
        let demand = decision.artifact.unwrap();
        assert_eq!((demand.rule, demand.wait_seconds, demand.sha256), (asked, 3600, decision.sha256));
        let (host, repository) = ("us-docker.pkg.dev".to_owned(), "acme/ml/fraud-train".to_owned());
        assert_eq!(demand.place, ArtifactPlace::Image { host, repository });
    }
}

#[test]
fn how_long_it_may_stay_unanswered_is_the_triggers_choice() {
    let file = file("artifact: exists").replace("mode: enforce", "waitFor: { artifact: 15m }");

    assert_eq!(only(&file, an_event()).artifact.unwrap().wait_seconds, 900);
}

#[test]
fn without_the_clause_nothing_is_looked_at() {
    for file in [YAML.to_owned(), file("artifact: none")] {
        let decision = only(&file, an_event());

        assert!(decision.artifact.is_none());
        assert!(decision.checks.iter().all(|check| check.name != "require.artifact"));
    }
}

#[test]
fn nothing_is_looked_at_for_what_is_not_launched_anyway() {
    let observing = file("artifact: exists").replace("mode: enforce", "mode: observe");
    let paused = file("artifact: exists").replace("mode: enforce", "mode: paused");
    let old = file("artifact: exists").replace("maxAge: 24h", "maxAge: 1m");

    for (file, outcome, status) in [
        (observing, Outcome::Observed, CheckStatus::Skipped),
        (paused, Outcome::SkippedPaused, CheckStatus::Skipped),
        (old, Outcome::DeniedPolicy, CheckStatus::NotReached),
    ] {
        let decision = only(&file, an_event());

        assert_eq!((decision.verdict.outcome(), rung(&decision).status), (outcome, status));
        assert!(decision.artifact.is_none(), "{outcome}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_denied_at_once() {
    let anywhere = file("artifact: exists")
        .replace("      artifact: us-docker.pkg.dev/acme/ml/fraud-train@*\n", "")
        .replace("            image: ${artifact.uri}", "            image: ${artifact.sha256}");
    for uri in
        [Value::Null, json!("us-docker.pkg.dev/acme/ml/fraud-train:v1"), json!("gs://b/o"), json!("s3://b/o")]
    {
        let decision = only(&anywhere, an_event().with("/subject/0/uri", uri.clone()));

        assert_eq!(decision.verdict.reason(), Some(Reason::ArtifactNotCheckable), "{uri}");
        assert_eq!(rung(&decision).status, CheckStatus::Failed);
        assert!(decision.artifact.is_none() && decision.verdict.plan().is_none());
    }
}
