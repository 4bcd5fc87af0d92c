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
    (Reason::ForeignMetadata, "no route takes envelopes out of build meta-data yet"),
    (Reason::BuildFactsExpired, "no trigger can wait for build facts yet"),
    (Reason::ArtifactUnchecked, "no trigger can ask for an artifact check yet"),
    (Reason::ArtifactChanged, "no signer names an artifact set of a build yet"),
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
