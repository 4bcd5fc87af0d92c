//! New decisions on a known event.

use std::time::Duration;

use launchgate_engine::{Claim, DecisionRecord, Durability::Now, Fence, Recorded, Redecision, ports::Ledger};
use launchgate_outcome::{Outcome, Reason};

use super::{Factory, hold, ids};
use crate::a;

pub(crate) async fn new_decisions_are_added_due_and_unclaimed(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, Vec::new())).await.unwrap();

    let decisions = vec![a::to_launch(1, "retrain"), a::denied(1, "other")];
    let redecided = ledger.redecide(a::redecision(1, decisions.clone(), &[])).await.unwrap();

    let launch_id = a::launch(1, "retrain", 0);
    assert_eq!(ids(&redecided), [launch_id.clone(), a::launch(1, "other", 0)]);
    assert_eq!(redecided.signatures, a::event(1).signatures);
    assert_eq!(ledger.due(10).await.unwrap(), std::slice::from_ref(&launch_id));
    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!((stored.outcome, stored.decisions), (Outcome::Retrying, decisions));
    assert!(stored.history.is_empty());
    let claimed = hold(ledger, &launch_id).await;
    assert_eq!((claimed.fence, claimed.unanswered_since), (Fence(1), None));
}

pub(crate) async fn what_is_not_recorded_is_added_only_if_asked(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::denied(1, "retrain")])).await.unwrap();

    let decisions = vec![a::to_launch(1, "retrain"), a::to_launch(1, "fresh")];
    let again = Redecision { adds: false, ..a::redecision(1, decisions, &[Outcome::DeniedPolicy]) };
    let written = ids(&ledger.redecide(again).await.unwrap());

    assert_eq!(written, [a::launch(1, "retrain", 0)]);
    assert_eq!(ledger.event(&a::id(1)).await.unwrap().unwrap().decisions.len(), 1);
}

pub(crate) async fn a_run_of_another_ordinal_is_left_alone_if_asked(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::denied(1, "retrain"), a::denied(1, "other")])).await.unwrap();
    let forced =
        DecisionRecord { launch_id: a::launch(1, "retrain", 1), ordinal: 1, ..a::to_launch(1, "retrain") };
    ledger.redecide(a::redecision(1, vec![forced], &[])).await.unwrap();

    // Still open: it may become a run any moment. Then it is one.
    for launched in [false, true] {
        if launched {
            let fence = hold(ledger, &a::launch(1, "retrain", 1)).await.fence;
            let mark = a::launched(fence, "x");
            ledger.record(&a::launch(1, "retrain", 1), fence, mark, Now).await.unwrap();
        }
        let decisions = vec![a::to_launch(1, "retrain"), a::denied(1, "other")];
        let again =
            Redecision { unless_launched: true, ..a::redecision(1, decisions, &[Outcome::DeniedPolicy]) };
        assert!(ledger.redecide(again).await.unwrap().written.is_empty(), "launched: {launched}");
    }
}

pub(crate) async fn a_replaced_decision_is_kept_in_history(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = a::launch(1, "retrain", 0);
    ledger.admit(a::abandoned(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
    let fence = hold(ledger, &launch_id).await.fence;
    ledger.record(&launch_id, fence, a::failed(fence), Now).await.unwrap();
    let old = ledger.event(&a::id(1)).await.unwrap().unwrap().decisions.remove(0);

    let new = DecisionRecord { by: Some("command 1, alice".into()), ..a::to_launch(1, "retrain") };
    let again = a::redecision(1, vec![new.clone()], &[Outcome::FailedLaunch]);
    let written = ids(&ledger.redecide(again).await.unwrap());

    assert_eq!(written, std::slice::from_ref(&launch_id));
    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.decisions, [new]);
    assert_eq!(stored.history, [old]);
    assert!(ledger.untold_failures(10).await.unwrap().is_empty());
    let again = hold(ledger, &launch_id).await;
    assert!(again.fence > fence && again.decided > again.first_intent);
    let recorded = ledger.record(&launch_id, again.fence, a::launched(again.fence, "x"), Now).await.unwrap();
    assert_eq!(recorded, Recorded::Yes);
}

pub(crate) async fn what_may_not_be_replaced_is_left_alone(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = a::launch(1, "retrain", 0);
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
    ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), Now).await.unwrap();
    let before = ledger.event(&a::id(1)).await.unwrap();

    let again = a::redecision(1, vec![a::to_launch(1, "retrain")], &[Outcome::DeniedPolicy]);
    let written = ids(&ledger.redecide(again).await.unwrap());

    assert!(written.is_empty());
    assert_eq!(ledger.event(&a::id(1)).await.unwrap(), before);
}

pub(crate) async fn a_reason_narrows_what_is_replaced(place: &mut impl Factory) {
    let ledger = place.ledger();
    let mut too_old = a::denied(1, "too-old");
    too_old.reason = Some(Reason::TooOld);
    ledger.admit(a::admission(1, vec![a::denied(1, "retrain"), too_old.clone()])).await.unwrap();

    let again = Redecision {
        replaces: vec![(Outcome::DeniedPolicy, Some(Reason::ThresholdNotMet))],
        ..a::redecision(1, vec![a::to_launch(1, "retrain"), a::to_launch(1, "too-old")], &[])
    };
    let written = ids(&ledger.redecide(again).await.unwrap());

    assert_eq!(written, [a::launch(1, "retrain", 0)]);
    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.decisions, [a::to_launch(1, "retrain"), too_old]);
}

pub(crate) async fn signers_are_added_once(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, Vec::new())).await.unwrap();

    for signers in [["prod", "second"], ["second", "third"]] {
        let signatures = signers.map(a::signature).into();
        let redecision = Redecision { signatures, ..a::redecision(1, Vec::new(), &[]) };
        ledger.redecide(redecision).await.unwrap();
    }

    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.event.signatures, ["prod", "second", "third"].map(a::signature));
}

pub(crate) async fn the_old_holder_cannot_write_into_the_new_decision(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = a::launch(1, "retrain", 0);
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();

    let again = a::redecision(1, vec![a::denied(1, "retrain")], &[Outcome::Retrying]);
    ledger.redecide(again).await.unwrap();
    let late = ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), Now).await.unwrap();

    assert_eq!(late, Recorded::FenceLost);
    assert_eq!(ledger.event(&a::id(1)).await.unwrap().unwrap().outcome, Outcome::DeniedPolicy);
    assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Settled));
}

pub(crate) async fn asking_again_writes_nothing(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::denied(1, "retrain"), a::denied(1, "other")])).await.unwrap();
    let still_denied = DecisionRecord { message: Some("still".into()), ..a::denied(1, "other") };
    let again = a::redecision(1, vec![a::to_launch(1, "retrain"), still_denied], &[Outcome::DeniedPolicy]);

    let first = ledger.redecide(again.clone()).await.unwrap().written;
    let before = ledger.event(&a::id(1)).await.unwrap();
    let second = ledger.redecide(again).await.unwrap().written;

    assert_eq!((first.len(), second.len()), (2, 0));
    assert_eq!(ledger.event(&a::id(1)).await.unwrap(), before);
    assert_eq!(before.unwrap().history.len(), 2);
}

pub(crate) async fn an_unanswered_call_outlives_a_replacement(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = a::launch(1, "retrain", 0);
    ledger.admit(a::abandoned(1, vec![a::to_launch_as(1, "retrain", "customJob")])).await.unwrap();
    let held = hold(ledger, &launch_id).await;
    let cut_off = a::later(held.fence, Duration::from_mins(1), false);
    ledger.record(&launch_id, held.fence, cut_off, Now).await.unwrap();

    let new = a::to_launch_as(1, "retrain", "customJob");
    ledger.redecide(a::redecision(1, vec![new], &[Outcome::Retrying])).await.unwrap();

    // Nobody may call before having looked for the run that may be there.
    let claimed = hold(ledger, &launch_id).await;
    assert_eq!(claimed.unanswered_since, Some(held.first_intent));
    assert_eq!(claimed.first_intent, held.first_intent);
}

pub(crate) async fn an_unknown_event_is_an_error(place: &mut impl Factory) {
    let ledger = place.ledger();

    assert!(ledger.redecide(a::redecision(1, vec![a::to_launch(1, "retrain")], &[])).await.is_err());
    assert!(matches!(ledger.claim(&a::launch(1, "retrain", 0), a::LEASE).await.unwrap(), Claim::Settled));
}
