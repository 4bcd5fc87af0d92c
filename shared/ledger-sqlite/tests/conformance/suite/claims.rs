//! The claim protocol.

use std::time::{Duration, Instant};

use launchgate_engine::{Claim, Durability::*, Fence, Progress, Recorded, ports::Ledger};
use launchgate_outcome::{Outcome, Reason};

use super::{Factory, admission::all, hold, ids};
use crate::a;

/// A decision whose first holder left it at once.
async fn left(ledger: &impl Ledger, n: u32, kind: &str) -> launchgate_triggers::LaunchId {
    ledger.admit(a::abandoned(n, vec![a::to_launch_as(n, "retrain", kind)])).await.unwrap();
    a::launch(n, "retrain", 0)
}

pub(crate) async fn a_live_lease_keeps_others_out(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();

    assert!(matches!(ledger.claim(&a::launch(1, "retrain", 0), a::LEASE).await.unwrap(), Claim::Busy));
    assert!(ledger.due(10).await.unwrap().is_empty());
}

pub(crate) async fn a_lease_that_ran_out_is_taken_over_under_the_next_fence(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    assert_eq!(ledger.due(10).await.unwrap(), std::slice::from_ref(&launch_id));

    let claimed = hold(ledger, &launch_id).await;

    assert_eq!(claimed.fence, Fence(2));
    assert_eq!(*claimed.decision, a::to_launch(1, "retrain"));
    assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Busy));
    assert!(ledger.due(10).await.unwrap().is_empty());
}

pub(crate) async fn of_many_claimants_one_holds_it(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;

    let answers = all((0..64).map(|_| ledger.claim(&launch_id, a::LEASE))).await;

    let held = answers.iter().filter(|answer| matches!(answer, Ok(Claim::Held(_)))).count();
    let busy = answers.iter().filter(|answer| matches!(answer, Ok(Claim::Busy))).count();
    assert_eq!((held, busy), (1, 63));
}

pub(crate) async fn a_holder_that_was_overtaken_cannot_record(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    let successor = hold(ledger, &launch_id).await;

    let late = ledger.record(&launch_id, Fence(1), a::failed(Fence(1)), Now).await.unwrap();

    assert_eq!(late, Recorded::FenceLost);
    let good =
        ledger.record(&launch_id, successor.fence, a::launched(successor.fence, "x"), Now).await.unwrap();
    assert_eq!(good, Recorded::Yes);
    let late = ledger.record(&launch_id, Fence(1), a::failed(Fence(1)), Now).await.unwrap();
    assert_eq!(late, Recorded::FenceLost);
    let decision = &ledger.event(&a::id(1)).await.unwrap().unwrap().decisions[0];
    assert_eq!(decision.outcome, Outcome::Launched);
    assert_eq!(decision.run, Some(a::run("x")));
    assert_eq!(decision.attempts.len(), 1);
}

pub(crate) async fn the_same_record_again_is_yes_and_written_once(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    let fence = hold(ledger, &launch_id).await.fence;

    for _ in 0..3 {
        let recorded = ledger.record(&launch_id, fence, a::launched(fence, "x"), Now).await.unwrap();
        assert_eq!(recorded, Recorded::Yes);
    }

    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.decisions[0].attempts, [a::attempt(fence, "OK")]);
}

pub(crate) async fn another_record_under_a_spent_fence_is_lost(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    let fence = hold(ledger, &launch_id).await.fence;
    ledger.record(&launch_id, fence, a::later(fence, Duration::ZERO, true), Now).await.unwrap();

    let second = ledger.record(&launch_id, fence, a::failed(fence), Now).await.unwrap();

    assert_eq!(second, Recorded::FenceLost);
    assert_eq!(ledger.due(10).await.unwrap(), [launch_id]);
}

pub(crate) async fn a_retry_waits_for_its_delay(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    let fence = hold(ledger, &launch_id).await.fence;

    ledger.record(&launch_id, fence, a::later(fence, Duration::from_mins(1), true), Now).await.unwrap();

    assert!(ledger.due(10).await.unwrap().is_empty());
    assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Busy));
    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.decisions[0].reason, Some(Reason::VertexUnavailable));
    assert_eq!(stored.decisions[0].message.as_deref(), Some("503"));
}

pub(crate) async fn what_is_launched_is_settled(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    let fence = hold(ledger, &launch_id).await.fence;

    ledger.record(&launch_id, fence, a::launched(fence, "x"), Now).await.unwrap();

    assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Settled));
    assert!(ledger.due(10).await.unwrap().is_empty());
    let decision = &ledger.event(&a::id(1)).await.unwrap().unwrap().decisions[0];
    assert_eq!((decision.outcome, decision.reason), (Outcome::Launched, None));
    assert_eq!(decision.plan, a::to_launch(1, "retrain").plan);
}

pub(crate) async fn first_intent_stays(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    let first = hold(ledger, &launch_id).await;
    ledger.record(&launch_id, first.fence, a::later(first.fence, Duration::ZERO, true), Now).await.unwrap();

    let second = hold(ledger, &launch_id).await;

    assert_eq!(second.first_intent, first.first_intent);
    assert!(first.first_intent < first.now && first.now < second.now);
    assert_eq!(second.decision.attempts.len(), 1);
}

pub(crate) async fn an_unanswered_call_is_told_to_the_next_holder(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "customJob").await;

    // The first holder vanished: its call may have been made at its claim.
    let second = hold(ledger, &launch_id).await;
    assert_eq!(second.unanswered_since, Some(second.first_intent));

    // The second was cut off: the note stays what it was.
    ledger
        .record(&launch_id, second.fence, a::later(second.fence, Duration::ZERO, false), Now)
        .await
        .unwrap();
    assert_eq!(hold(ledger, &launch_id).await.unanswered_since, Some(second.first_intent));
}

pub(crate) async fn a_refused_call_leaves_nothing_unanswered(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "customJob").await;
    let second = hold(ledger, &launch_id).await;
    ledger.record(&launch_id, second.fence, a::later(second.fence, Duration::ZERO, true), Now).await.unwrap();

    let third = hold(ledger, &launch_id).await;
    assert_eq!(third.unanswered_since, None);

    let cut_off = a::later(third.fence, Duration::ZERO, false);
    ledger.record(&launch_id, third.fence, cut_off, Now).await.unwrap();
    assert_eq!(hold(ledger, &launch_id).await.unanswered_since, Some(third.now));
}

pub(crate) async fn an_end_without_a_call_keeps_an_older_unanswered_one(place: &mut impl Factory) {
    let ledger = place.ledger();
    let ended = |outcome| Progress::Ended { outcome, reason: None, message: "ended".into(), attempt: None };
    for (n, unanswered_before) in [(1, true), (2, false)] {
        let launch_id = left(ledger, n, "customJob").await;
        let mut claimed = hold(ledger, &launch_id).await;
        if !unanswered_before {
            let refused = a::later(claimed.fence, Duration::ZERO, true);
            ledger.record(&launch_id, claimed.fence, refused, Now).await.unwrap();
            claimed = hold(ledger, &launch_id).await;
        }
        ledger.record(&launch_id, claimed.fence, ended(Outcome::SkippedPaused), Now).await.unwrap();

        // Replayed: whoever claims it is told of the call that may have made a run.
        let again =
            a::redecision(n, vec![a::to_launch_as(n, "retrain", "customJob")], &[Outcome::SkippedPaused]);
        assert_eq!(ids(&ledger.redecide(again).await.unwrap()), std::slice::from_ref(&launch_id));
        assert_eq!(hold(ledger, &launch_id).await.unanswered_since.is_some(), unanswered_before);
    }
}

pub(crate) async fn the_longest_due_come_first(place: &mut impl Factory) {
    let ledger = place.ledger();
    for n in 0..5 {
        left(ledger, n, "pipelineJob").await;
    }
    // The oldest is tried again, so it goes to the end.
    let first = a::launch(0, "retrain", 0);
    let fence = hold(ledger, &first).await.fence;
    ledger.record(&first, fence, a::later(fence, Duration::ZERO, true), Now).await.unwrap();

    let due = ledger.due(10).await.unwrap();

    let wanted: Vec<_> = [1, 2, 3, 4, 0].map(|n| a::launch(n, "retrain", 0)).into();
    assert_eq!(due, wanted);
    assert_eq!(ledger.due(2).await.unwrap(), wanted[..2]);
    assert!(ledger.due(0).await.unwrap().is_empty());
}

pub(crate) async fn failures_are_told_once(place: &mut impl Factory) {
    let ledger = place.ledger();
    for n in 1..4 {
        let launch_id = left(ledger, n, "pipelineJob").await;
        let fence = hold(ledger, &launch_id).await.fence;
        let progress = if n == 2 { a::launched(fence, "x") } else { a::failed(fence) };
        ledger.record(&launch_id, fence, progress, Now).await.unwrap();
    }
    let told: Vec<_> =
        ledger.untold_failures(10).await.unwrap().into_iter().map(|failure| failure.launch_id).collect();
    assert_eq!(told, [a::launch(1, "retrain", 0), a::launch(3, "retrain", 0)]);
    assert_eq!(ledger.untold_failures(1).await.unwrap().len(), 1);

    ledger.failure_told(&told[0]).await.unwrap();
    ledger.failure_told(&told[0]).await.unwrap();

    let left = ledger.untold_failures(10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].launch_id, told[1]);
    assert_eq!(left[0].reason, Some(Reason::PermissionDenied));
}

pub(crate) async fn the_newest_fifty_attempts_are_kept(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = left(ledger, 1, "pipelineJob").await;
    for _ in 0..60 {
        let fence = hold(ledger, &launch_id).await.fence;
        ledger.record(&launch_id, fence, a::later(fence, Duration::ZERO, true), Now).await.unwrap();
    }

    let attempts = hold(ledger, &launch_id).await.decision.attempts.clone();

    assert_eq!(attempts.len(), 50);
    assert_eq!(attempts[0].fence, Fence(12));
    assert_eq!(attempts[49].fence, Fence(61));
}

pub(crate) async fn a_mark_that_rides_is_durable_after_a_flush(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
    let launch_id = a::launch(1, "retrain", 0);

    let recorded = ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), MayRide).await.unwrap();
    ledger.flush().await.unwrap();

    assert_eq!(recorded, Recorded::Yes);
    assert_eq!(ledger.event(&a::id(1)).await.unwrap().unwrap().outcome, Outcome::Launched);
}

pub(crate) async fn a_mark_that_rides_needs_no_company(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
    let launch_id = a::launch(1, "retrain", 0);

    ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), MayRide).await.unwrap();

    // Nothing else is written; a generous bound, for a machine that is busy with other things.
    let begun = Instant::now();
    while ledger.event(&a::id(1)).await.unwrap().unwrap().outcome != Outcome::Launched {
        assert!(begun.elapsed() < Duration::from_secs(30), "the mark never left");
    }
}

pub(crate) async fn a_mark_that_rides_survives_an_orderly_end(place: &mut impl Factory) {
    let launch_id = a::launch(1, "retrain", 0);
    place.ledger().admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
    place.ledger().record(&launch_id, Fence(1), a::launched(Fence(1), "x"), MayRide).await.unwrap();

    place.reopen();

    let stored = place.ledger().event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.outcome, Outcome::Launched);
}

pub(crate) async fn unknown_launches_are_settled_and_not_recorded(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = a::launch(1, "retrain", 0);

    assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Settled));
    assert!(ledger.record(&launch_id, Fence(1), a::failed(Fence(1)), Now).await.is_err());
    // Nobody hears of this one; it must not spoil what leaves with it.
    ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), MayRide).await.unwrap();
    ledger.admit(a::admission(2, Vec::new())).await.unwrap();
    assert!(ledger.event(&a::id(2)).await.unwrap().is_some());
}
