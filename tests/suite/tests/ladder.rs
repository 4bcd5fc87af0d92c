//! Each rung of the ladder at the HTTP layer: a delivery that passes everything else and fails just there.
//!
//! `the_cases_name_every_reason` holds the tables against the list of reasons, so that a reason cannot come
//! into the product without a delivery here that ends with it.

mod bundle;
mod case;
mod envelope;
mod identity;
mod policy;
mod sender;
mod signature;
mod statement;
mod union;

use std::collections::BTreeSet;

use launchgate_outcome::{CheckStatus, Outcome, Reason};

use case::{Case, Clouds, Proof, right};

/// Webhooks come by a route of their own.
const FORGED: &str =
    "builds::forged_stale_and_foreign_webhooks_are_refused_each_with_its_reason_and_wake_nothing";

/// It takes an event and a webhook.
const TOLD: &str = "builds::facts_that_speak_against_the_event_deny_it_each_with_its_reason";

/// It takes a webhook that makes an event.
const NOTED: &str = "weblink::each_safeguard_of_a_noted_artifact_refuses_with_its_reason";

/// It takes a store that answers.
const LOOKED: &str = "engine's artifact tests, by a store that answers each way";

/// Reasons without a case, and why.
const ELSEWHERE: &[(Reason, &str)] = &[
    (
        Reason::NotLoopback,
        "`auth: none` has no token to bend; push_auth asks from the machine's outside address",
    ),
    (Reason::KnownDemoKey, "its private key is not kept here; trust's vectors have the plugin's own example"),
    (
        Reason::UnknownParameter,
        "names of inputs stand in the file, which is refused at load with a wrong one",
    ),
    (
        Reason::ForeignMetadata,
        "weblink::another_builds_envelope_under_our_key_is_refused_and_the_rest_is_launched",
    ),
    (
        Reason::TooManyInMetadata,
        "weblink::more_events_than_a_build_may_leave_are_told_and_the_first_are_taken",
    ),
    (Reason::ArtifactMissing, LOOKED),
    (Reason::ArtifactDiffers, LOOKED),
    (Reason::ArtifactNotCheckable, "a trigger's own rule: triggers' artifact_demand tests"),
    (Reason::ArtifactNote, NOTED),
    (Reason::MetadataAbsent, NOTED),
    (Reason::ClusterNotTrusted, NOTED),
    (Reason::WebhookHeader, FORGED),
    (Reason::WebhookSignature, FORGED),
    (Reason::WebhookTime, FORGED),
    (Reason::WebhookShape, FORGED),
    (Reason::ForeignOrganization, FORGED),
    (Reason::ForkBuild, TOLD),
    (Reason::PullRequestNotAllowed, TOLD),
    (Reason::BuildFactsMismatch, TOLD),
    (Reason::BuildNotPassed, "builds::a_gate_waits_for_the_build_to_pass_and_a_failed_one_is_denied"),
    (Reason::BuildFactsExpired, "builds::what_waits_in_vain_ends_in_a_denial_of_its_own"),
    (Reason::ArtifactUnchecked, "no trigger can ask for an artifact check yet"),
    (Reason::ArtifactChanged, NOTED),
    (
        Reason::SignerRevoked,
        "between decision and launch; union::a_signer_revoked_before_the_launch_stops_it",
    ),
    (
        Reason::TriggerRemoved,
        "between decision and launch; union::a_trigger_removed_before_the_launch_stops_it",
    ),
];

/// Every table.
fn cases() -> Vec<Case> {
    [
        sender::cases(),
        envelope::cases(),
        signature::cases(),
        statement::cases(),
        identity::cases(),
        bundle::cases(),
        policy::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Delivers each case of a table; fails with the first that is not answered as it must be.
async fn hold(cases: Vec<Case>) {
    let clouds = Clouds::start().await;
    for case in cases {
        case.holds(&clouds).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_in_everything_passes_every_rung_and_launches() {
    for proof in [Proof::Key, Proof::Token, Proof::Bundle] {
        let delivered = right(proof).deliver(&Clouds::start().await).await;

        assert_eq!((delivered.status, delivered.runs), (204, 1));
        let ladder = delivered.folder.recorded_ladder();
        assert_eq!(ladder.outcome, "launched");
        assert!(ladder.checks.iter().all(|check| check.status == CheckStatus::Passed), "{ladder:#?}");
        let rungs: BTreeSet<_> = ladder.checks.iter().map(|check| check.name.as_str()).collect();
        let asked: &[_] = match proof {
            Proof::Bundle => &["organization", "pipeline", "artifact"],
            Proof::Key | Proof::Token => &["organization", "pipeline", "branch", "tag", "step", "artifact"],
        };
        let asked: Vec<_> = asked.iter().map(|clause| format!("match.{clause}")).collect();
        let others = [
            "signature",
            "statement",
            "scope",
            "when",
            "require.signers",
            "require.sources",
            "require.maxAge",
        ];
        for rung in asked.iter().map(String::as_str).chain(others) {
            assert!(rungs.contains(rung), "{rung} was not asked: {rungs:?}");
        }
    }
}

#[test]
fn the_cases_name_every_reason() {
    let refusing = [
        Outcome::RejectedAuth,
        Outcome::RejectedMalformed,
        Outcome::RejectedSignature,
        Outcome::RejectedStatement,
        Outcome::DeniedPolicy,
        Outcome::InvalidParameters,
        Outcome::NoMatch,
    ];
    let wanted: BTreeSet<_> =
        Reason::ALL.iter().copied().filter(|reason| refusing.contains(&reason.outcome())).collect();
    let tried: BTreeSet<_> = cases().iter().map(|case| case.reason).collect();
    let elsewhere: BTreeSet<_> = ELSEWHERE.iter().map(|(reason, _)| *reason).collect();

    let missing: Vec<_> =
        wanted.iter().filter(|reason| !tried.contains(reason) && !elsewhere.contains(reason)).collect();
    assert!(missing.is_empty(), "no delivery of tests/suite/tests/ladder ends with {missing:?}");
    let both: Vec<_> = tried.intersection(&elsewhere).collect();
    assert!(both.is_empty(), "{both:?} have a case and an excuse");
    assert!(elsewhere.is_subset(&wanted), "an excuse for a reason that needs none");
}
