//! Decisions that wait for their artifact to be looked at.

use std::time::Duration;

use launchgate_engine::{
    CheckRecorded, CheckedArtifact, Claim, Claimed, DecisionRecord, Durability, Fence, Progress, Recorded,
    ports::Ledger,
};
use launchgate_outcome::{Check, Outcome, Reason};
use launchgate_triggers::{
    ArtifactRule::{Content, Exists},
    LaunchId,
};

use super::{Factory, hold};
use crate::a;

fn the_one() -> LaunchId {
    a::launch(1, "retrain", 0)
}

fn seen() -> Vec<Check> {
    vec![Check::passed("require.artifact").actual("generation 17")]
}

fn to_launch() -> CheckedArtifact {
    CheckedArtifact::Launch { lease: a::LEASE }
}

fn denied() -> Progress {
    Progress::Ended {
        outcome: Outcome::DeniedPolicy,
        reason: Some(Reason::ArtifactMissing),
        message: "no such object".into(),
        attempt: None,
    }
}

fn later(delay: Duration) -> Progress {
    Progress::Later {
        outcome: Outcome::WaitingArtifact,
        reason: Reason::ArtifactCheckPending,
        message: "503".into(),
        delay,
        not_accepted: false,
        attempt: None,
    }
}

/// Claims for no time at all, as a holder that dies at once.
async fn hold_briefly(ledger: &impl Ledger) -> Claimed {
    match ledger.claim(&the_one(), Duration::ZERO).await.unwrap() {
        Claim::Held(claimed) => *claimed,
        other => panic!("expected the claim to be held, found {other:?}"),
    }
}

async fn admit(ledger: &impl Ledger) {
    ledger.admit(a::admission(1, vec![a::unchecked(1, "retrain", Exists)])).await.unwrap();
}

pub(crate) async fn what_waits_for_its_artifact_is_due_at_once_by_its_rule(place: &mut impl Factory) {
    let decisions =
        vec![a::unchecked(1, "quick", Exists), a::unchecked(1, "slow", Content), a::to_launch(1, "plain")];
    place.ledger().admit(a::abandoned(1, decisions.clone())).await.unwrap();

    place.reopen();

    let ledger = place.ledger();
    assert_eq!(ledger.due_checks(Exists, 10).await.unwrap(), [a::launch(1, "quick", 0)]);
    assert_eq!(ledger.due_checks(Content, 10).await.unwrap(), [a::launch(1, "slow", 0)]);
    assert_eq!(ledger.due(10).await.unwrap(), [a::launch(1, "plain", 0)]);
    assert_eq!(ledger.event(&a::id(1)).await.unwrap().unwrap().decisions, decisions);
}

pub(crate) async fn an_admission_claims_nothing_that_waits_for_its_artifact(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;

    let claimed = hold(ledger, &the_one()).await;

    assert_eq!(claimed.fence, Fence(1));
    assert_eq!((claimed.unanswered_since, claimed.first_intent), (None, claimed.now));
    assert!(ledger.due_checks(Exists, 10).await.unwrap().is_empty(), "somebody looks");
}

pub(crate) async fn looking_leaves_nothing_unanswered(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;
    let first = hold_briefly(ledger).await;
    assert_eq!(ledger.due_checks(Exists, 10).await.unwrap(), [the_one()], "its holder is gone");

    let second = hold(ledger, &the_one()).await;

    assert_eq!(second.fence, Fence(first.fence.0 + 1));
    assert_eq!((second.unanswered_since, second.first_intent), (None, second.now));
}

pub(crate) async fn what_was_seen_begins_the_intent_under_the_same_claim(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;
    let claimed = hold(ledger, &the_one()).await;

    let begun = ledger.artifact_checked(&the_one(), claimed.fence, seen(), to_launch()).await.unwrap();

    let CheckRecorded::Yes(begun) = begun else { panic!("{begun:?}") };
    let decision = ledger.event(&a::id(1)).await.unwrap().unwrap().decisions.remove(0);
    assert_eq!((decision.outcome, decision.reason), (Outcome::Retrying, Some(Reason::Interrupted)));
    assert_eq!((decision.checks, decision.message), (seen(), None));
    assert!(ledger.due_checks(Exists, 10).await.unwrap().is_empty());
    let launched = a::launched(claimed.fence, "run");
    let recorded = ledger.record(&the_one(), claimed.fence, launched, Durability::Now).await.unwrap();
    assert_eq!(recorded, Recorded::Yes);
    assert!(begun >= claimed.now);
}

pub(crate) async fn a_call_after_a_look_may_be_unanswered(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;
    let claimed = hold(ledger, &the_one()).await;
    let no_time = CheckedArtifact::Launch { lease: Duration::ZERO };
    let begun = ledger.artifact_checked(&the_one(), claimed.fence, seen(), no_time).await.unwrap();
    let CheckRecorded::Yes(begun) = begun else { panic!("{begun:?}") };

    assert_eq!(ledger.due(10).await.unwrap(), [the_one()], "an intent like any other");
    let next = hold(ledger, &the_one()).await;

    assert_eq!((next.unanswered_since, next.first_intent), (Some(begun), begun));
}

pub(crate) async fn a_holder_that_was_overtaken_cannot_say_what_it_saw(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;
    let late = hold_briefly(ledger).await;
    let newer = hold(ledger, &the_one()).await;
    let before = ledger.event(&a::id(1)).await.unwrap().unwrap().decisions;

    for checked in [to_launch(), CheckedArtifact::Settled(Box::new(denied()))] {
        let took = ledger.artifact_checked(&the_one(), late.fence, seen(), checked).await.unwrap();
        assert!(matches!(took, CheckRecorded::FenceLost), "{took:?}");
    }

    assert_eq!(ledger.renew(&the_one(), late.fence, a::LEASE).await.unwrap(), Recorded::FenceLost);
    assert_eq!(ledger.event(&a::id(1)).await.unwrap().unwrap().decisions, before);
    let took = ledger.artifact_checked(&the_one(), newer.fence, seen(), to_launch()).await.unwrap();
    assert!(matches!(took, CheckRecorded::Yes(_)), "{took:?}");
}

pub(crate) async fn a_lease_that_ran_out_unnoticed_is_still_the_holders(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;
    let claimed = hold_briefly(ledger).await;

    assert_eq!(ledger.renew(&the_one(), claimed.fence, a::LEASE).await.unwrap(), Recorded::Yes);

    let busy = ledger.claim(&the_one(), a::LEASE).await.unwrap();
    assert!(matches!(busy, Claim::Busy), "{busy:?}");
    assert!(ledger.due_checks(Exists, 10).await.unwrap().is_empty());
}

pub(crate) async fn what_was_seen_and_the_denial_are_one_record(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;
    let claimed = hold(ledger, &the_one()).await;

    // Twice: the answer of the first may have been lost.
    for _ in 0..2 {
        let settled = CheckedArtifact::Settled(Box::new(denied()));
        let took = ledger.artifact_checked(&the_one(), claimed.fence, seen(), settled).await.unwrap();
        assert!(matches!(took, CheckRecorded::Yes(_)), "{took:?}");
    }

    let decision = ledger.event(&a::id(1)).await.unwrap().unwrap().decisions.remove(0);
    assert_eq!((decision.outcome, decision.reason), (Outcome::DeniedPolicy, Some(Reason::ArtifactMissing)));
    assert_eq!(decision.checks, seen());
    assert!(matches!(ledger.claim(&the_one(), a::LEASE).await.unwrap(), Claim::Settled));
    let renewed = ledger.renew(&the_one(), claimed.fence, a::LEASE).await.unwrap();
    assert_eq!(renewed, Recorded::FenceLost, "the claim has ended");
}

pub(crate) async fn what_could_not_be_answered_waits_for_its_delay(place: &mut impl Factory) {
    let ledger = place.ledger();
    admit(ledger).await;
    let first = hold(ledger, &the_one()).await;
    ledger.record(&the_one(), first.fence, later(Duration::ZERO), Durability::Now).await.unwrap();
    assert_eq!(ledger.due_checks(Exists, 10).await.unwrap(), [the_one()]);

    let second = hold(ledger, &the_one()).await;
    assert_eq!((second.decided, second.decision.message.as_deref()), (first.decided, Some("503")));
    ledger.record(&the_one(), second.fence, later(a::LEASE), Durability::Now).await.unwrap();

    assert!(ledger.due_checks(Exists, 10).await.unwrap().is_empty());
}

pub(crate) async fn what_no_longer_waits_for_facts_may_wait_for_its_artifact(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::waiting(1, "retrain")])).await.unwrap();

    let decided = a::redecision(1, vec![a::unchecked(1, "retrain", Content)], &[Outcome::WaitingBuild]);
    ledger.redecide(decided).await.unwrap();

    assert_eq!(ledger.due_checks(Content, 10).await.unwrap(), [the_one()]);
    let decisions = ledger.event(&a::id(1)).await.unwrap().unwrap().decisions;
    assert_eq!(decisions, [a::unchecked(1, "retrain", Content)]);
}

pub(crate) async fn a_build_that_was_overtaken_while_it_was_looked_at_is_superseded(
    place: &mut impl Factory,
) {
    let ledger = place.ledger();
    let older = a::newest(40, "retrain", "main");
    let older =
        DecisionRecord { plan: older.plan, checks: older.checks, ..a::unchecked(40, "retrain", Exists) };
    ledger.admit(a::admission(40, vec![older])).await.unwrap();
    let launch_id = a::launch(40, "retrain", 0);
    let looking = hold(ledger, &launch_id).await;
    ledger.admit(a::admission(42, vec![a::newest(42, "retrain", "main")])).await.unwrap();
    let newer = a::launch(42, "retrain", 0);
    ledger.record(&newer, Fence(1), a::launched(Fence(1), "run"), Durability::Now).await.unwrap();

    let begun = ledger.artifact_checked(&launch_id, looking.fence, seen(), to_launch()).await.unwrap();

    let CheckRecorded::Ended(ended) = begun else { panic!("{begun:?}") };
    assert_eq!((ended.outcome, ended.reason), (Outcome::Superseded, Some(Reason::NewerBuildLaunched)));
    assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Settled));
    let launched = a::launched(looking.fence, "another");
    let late = ledger.record(&launch_id, looking.fence, launched, Durability::Now).await.unwrap();
    assert_eq!(late, Recorded::FenceLost);
}
