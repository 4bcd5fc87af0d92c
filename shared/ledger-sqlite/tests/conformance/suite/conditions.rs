//! What decisions to launch ask of each other: keys, lines of builds, hourly limits.

use std::{sync::Arc, time::Duration};

use launchgate_engine::{Admission, Admitted, Claim, DecisionRecord, Durability::Now, Fence, ports::Ledger};
use launchgate_outcome::{CheckStatus, Outcome, Reason};

use super::{Factory, hold, ids};
use crate::a;

/// Admits a new event of one decision and gives what was recorded of it.
async fn admitted(ledger: &impl Ledger, n: u32, decision: DecisionRecord) -> DecisionRecord {
    let recorded = admit_all(ledger, a::admission(n, vec![decision])).await;
    DecisionRecord::clone(&recorded[0])
}

async fn admit_all(ledger: &impl Ledger, mut admission: Admission) -> Vec<Arc<DecisionRecord>> {
    let id = admission.event.id.clone();
    (admission.receipt.outcome, admission.receipt.reason) = Admission::comes_to(&admission.decisions);
    let Admitted::New { decisions, .. } = ledger.admit(admission).await.unwrap() else {
        panic!("expected a new event")
    };
    let stored = ledger.event(&id).await.unwrap().unwrap();
    assert!(stored.decisions.iter().eq(decisions.iter().map(AsRef::as_ref)), "answered is recorded");
    let came_to = Admission::comes_to(&decisions);
    assert_eq!((stored.receipts[0].outcome, stored.receipts[0].reason), came_to, "the receipt says it");
    decisions
}

async fn launched(ledger: &impl Ledger, n: u32, trigger: &str) {
    let launch_id = a::launch(n, trigger, 0);
    ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), Now).await.unwrap();
}

fn is_intent(decision: &DecisionRecord) -> bool {
    (decision.outcome, decision.reason) == (Outcome::Retrying, Some(Reason::Interrupted))
}

fn rung(decision: &DecisionRecord, name: &str) -> (CheckStatus, String) {
    let rung = decision.checks.iter().find(|rung| rung.name == name).unwrap();
    assert_eq!(rung.expected.as_deref(), Some("it"), "what the file asks for stays");
    (rung.status, rung.actual.clone().unwrap_or_default())
}

// -- oncePer --------------------------------------------------------------------------------------

pub(crate) async fn of_many_at_once_one_holds_a_key(place: &mut impl Factory) {
    let ledger = place.ledger();

    let admissions = (1..=64).map(|n| async move {
        match ledger.admit(a::admission(n, vec![a::once(n, "retrain", "key")])).await.unwrap() {
            Admitted::New { decisions, .. } => DecisionRecord::clone(&decisions[0]),
            Admitted::Known(known) => panic!("{known:?}"),
        }
    });
    let recorded = super::admission::all(admissions).await;

    let (holders, others): (Vec<_>, Vec<_>) = recorded.iter().partition(|decision| is_intent(decision));
    assert_eq!((holders.len(), others.len()), (1, 63));
    assert_eq!(rung(holders[0], "oncePer"), (CheckStatus::Passed, "no other launch".to_owned()));
    for other in others {
        assert_eq!((other.outcome, other.reason), (Outcome::Duplicate, Some(Reason::OncePer)));
        let message = other.message.as_deref().unwrap();
        assert!(message.contains(holders[0].launch_id.as_str()), "{message}");
        assert!(matches!(ledger.claim(&other.launch_id, a::LEASE).await.unwrap(), Claim::Settled));
    }
    assert_eq!(ledger.due(10).await.unwrap(), [], "nothing but the holder is open, and that is claimed");
}

pub(crate) async fn a_key_names_its_holder_and_the_run(place: &mut impl Factory) {
    admitted(place.ledger(), 1, a::once(1, "retrain", "key")).await;

    let early = admitted(place.ledger(), 2, a::once(2, "retrain", "key")).await;
    launched(place.ledger(), 1, "retrain").await;
    place.reopen();
    let late = admitted(place.ledger(), 3, a::once(3, "retrain", "key")).await;

    let holder = a::launch(1, "retrain", 0);
    assert_eq!(rung(&early, "oncePer"), (CheckStatus::Failed, format!("{holder}, no run yet")));
    let run = a::run("x").name;
    assert_eq!(rung(&late, "oncePer"), (CheckStatus::Failed, format!("{holder}, run {run}")));
    assert!(is_intent(&admitted(place.ledger(), 4, a::once(4, "retrain", "another key")).await));
}

pub(crate) async fn a_key_is_free_when_its_holder_ends_without_a_run(place: &mut impl Factory) {
    let ledger = place.ledger();
    let ends = [
        a::failed(Fence(1)),
        a::ended(Outcome::DeniedPolicy, Some(Reason::SignerRevoked)),
        a::ended(Outcome::SkippedPaused, None),
    ];
    let holders = ends.len();
    for (n, end) in (1..).zip(ends) {
        let decision = admitted(ledger, n, a::once(n, "retrain", "key")).await;
        assert!(is_intent(&decision), "event {n}: {decision:?}");
        ledger.record(&decision.launch_id, Fence(1), end, Now).await.unwrap();
    }

    let last = admitted(ledger, 9, a::once(9, "retrain", "key")).await;
    let replaced = a::redecision(9, vec![a::denied(9, "retrain")], &[Outcome::Retrying]);
    ledger.redecide(replaced).await.unwrap();

    assert!(is_intent(&last));
    let after = admitted(ledger, 10, a::once(10, "retrain", "key")).await;
    assert!(is_intent(&after), "also when it is decided anew: {after:?}, {holders} before");
}

pub(crate) async fn a_key_stays_with_a_run_and_with_one_that_may_be(place: &mut impl Factory) {
    let ledger = place.ledger();
    let unknown = |open: bool| {
        if open {
            launchgate_engine::Progress::Later {
                outcome: Outcome::LaunchUnknown,
                reason: Reason::Ambiguous,
                message: "still looking".into(),
                delay: Duration::ZERO,
                not_accepted: false,
                attempt: None,
            }
        } else {
            a::ended(Outcome::LaunchUnknown, Some(Reason::Ambiguous))
        }
    };
    let ends = [("run", a::launched(Fence(1), "x")), ("open", unknown(true)), ("over", unknown(false))];
    for (n, (key, end)) in (1..).zip(ends) {
        let decision = admitted(ledger, n, a::once(n, "retrain", key)).await;
        ledger.record(&decision.launch_id, Fence(1), end, Now).await.unwrap();

        let other = admitted(ledger, 10 + n, a::once(10 + n, "retrain", key)).await;
        assert_eq!(other.outcome, Outcome::Duplicate, "{key}");
    }
}

pub(crate) async fn decisions_of_one_event_ask_each_other(place: &mut impl Factory) {
    let ledger = place.ledger();
    let decisions = vec![a::once(1, "first", "key"), a::denied(1, "other"), a::once(1, "second", "key")];

    let recorded = admit_all(ledger, a::admission(1, decisions)).await;

    let outcomes: Vec<_> = recorded.iter().map(|decision| decision.outcome).collect();
    assert_eq!(outcomes, [Outcome::Retrying, Outcome::DeniedPolicy, Outcome::Duplicate]);
    assert_eq!(ledger.event(&a::id(1)).await.unwrap().unwrap().outcome, Outcome::Retrying);
}

pub(crate) async fn an_ended_decision_takes_no_claim_from_the_next(place: &mut impl Factory) {
    let ledger = place.ledger();
    admitted(ledger, 1, a::once(1, "retrain", "key")).await;

    let decisions = vec![a::once(2, "retrain", "key"), a::to_launch(2, "other")];
    admit_all(ledger, Admission { claim: 1, ..a::admission(2, decisions) }).await;

    assert!(matches!(ledger.claim(&a::launch(2, "other", 0), a::LEASE).await.unwrap(), Claim::Busy));
}

pub(crate) async fn what_waits_holds_no_key_until_it_is_launchable(place: &mut impl Factory) {
    let ledger = place.ledger();
    let waits = |n| admitted(ledger, n, a::waiting(n, "retrain"));
    waits(1).await;
    waits(2).await;

    let decided = |n| a::redecision(n, vec![a::once(n, "retrain", "key")], &[Outcome::WaitingBuild]);
    let second = ledger.redecide(decided(2)).await.unwrap().written;
    let first = ledger.redecide(decided(1)).await.unwrap().written;

    assert!(is_intent(&second[0]));
    assert_eq!((first[0].outcome, first[0].reason), (Outcome::Duplicate, Some(Reason::OncePer)));
    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!((stored.outcome, &stored.decisions[0]), (Outcome::Duplicate, &*first[0]));
    assert!(matches!(ledger.claim(&a::launch(1, "retrain", 0), a::LEASE).await.unwrap(), Claim::Settled));
    assert_eq!(hold(ledger, &a::launch(2, "retrain", 0)).await.decision, second[0]);
}

pub(crate) async fn a_redecision_asks_again(place: &mut impl Factory) {
    let ledger = place.ledger();
    admitted(ledger, 1, a::once(1, "retrain", "key")).await;
    admitted(ledger, 2, a::once(2, "retrain", "key")).await;
    let again = || a::redecision(2, vec![a::once(2, "retrain", "key")], &[Outcome::Duplicate]);

    let held = ledger.redecide(again()).await.unwrap();
    let before = ledger.event(&a::id(2)).await.unwrap().unwrap();
    ledger.record(&a::launch(1, "retrain", 0), Fence(1), a::failed(Fence(1)), Now).await.unwrap();
    let free = ledger.redecide(again()).await.unwrap();

    assert!(held.written.is_empty(), "nothing changed: {:?}", held.written);
    assert!(before.history.is_empty());
    assert!(is_intent(&free.written[0]));
    assert_eq!(admitted(ledger, 3, a::once(3, "retrain", "key")).await.outcome, Outcome::Duplicate);
}

pub(crate) async fn our_own_write_again_is_no_rival(place: &mut impl Factory) {
    let ledger = place.ledger();
    let admission = a::admission(1, vec![a::once(1, "retrain", "key")]);
    admitted(ledger, 2, a::waiting(2, "other")).await;
    let decided = a::redecision(2, vec![a::once(2, "other", "other key")], &[Outcome::WaitingBuild]);

    ledger.admit(admission.clone()).await.unwrap();
    let again = ledger.admit(admission).await.unwrap();
    let first = ledger.redecide(decided.clone()).await.unwrap();
    let second = ledger.redecide(decided).await.unwrap();

    assert!(matches!(again, Admitted::Known(_)));
    assert_eq!((first.written.len(), second.written.len()), (1, 0));
    for n in [1, 2] {
        let stored = ledger.event(&a::id(n)).await.unwrap().unwrap();
        assert!(is_intent(&stored.decisions[0]), "{:?}", stored.decisions);
    }
    // A decision written over itself, as when the whole of it is asked for anew, holds its key on.
    let over = a::redecision(2, vec![a::denied(2, "other")], &[Outcome::Retrying]);
    ledger.redecide(over).await.unwrap();
    let back = a::redecision(2, vec![a::once(2, "other", "other key")], &[Outcome::DeniedPolicy]);
    assert!(is_intent(&ledger.redecide(back).await.unwrap().written[0]));
}

pub(crate) async fn a_forced_replay_passes_a_key_and_holds_none(place: &mut impl Factory) {
    let ledger = place.ledger();
    admitted(ledger, 1, a::once(1, "retrain", "key")).await;
    admitted(ledger, 2, a::once(2, "retrain", "key")).await;

    let forced = a::redecision(2, vec![a::forced(a::once(2, "retrain", "key"))], &[]);
    let written = ledger.redecide(forced).await.unwrap().written;
    ledger.record(&a::launch(1, "retrain", 0), Fence(1), a::failed(Fence(1)), Now).await.unwrap();

    assert!(is_intent(&written[0]));
    let next = admitted(ledger, 3, a::once(3, "retrain", "key")).await;
    assert!(is_intent(&next), "the forced one holds nothing: {next:?}");
}

// -- order ----------------------------------------------------------------------------------------

pub(crate) async fn an_older_build_is_superseded_by_a_launched_one(place: &mut impl Factory) {
    let ledger = place.ledger();
    admitted(ledger, 42, a::newest(42, "retrain", "main")).await;
    let beside = admitted(ledger, 40, a::newest(40, "retrain", "main")).await;
    launched(ledger, 42, "retrain").await;

    let older = admitted(ledger, 41, a::newest(41, "retrain", "main")).await;
    let elsewhere = admitted(ledger, 39, a::newest(39, "retrain", "release")).await;
    let same = a::under(
        43,
        "retrain",
        &serde_json::json!({"newest": {"line": launchgate_statement::Sha256::of(b"main"), "number": 42}}),
    );
    let same = admitted(ledger, 43, same).await;

    assert!(is_intent(&beside), "nothing newer had a run yet: {beside:?}");
    assert_eq!((older.outcome, older.reason), (Outcome::Superseded, Some(Reason::NewerBuildLaunched)));
    let newer = format!("build #42, {}", a::launch(42, "retrain", 0));
    assert!(older.message.as_deref().unwrap().contains(&newer), "{older:?}");
    assert_eq!(rung(&older, "order"), (CheckStatus::Failed, newer));
    assert!(is_intent(&elsewhere), "{elsewhere:?}");
    assert!(is_intent(&same), "the same build is not older: {same:?}");
}

pub(crate) async fn what_was_never_sent_is_superseded_at_its_claim(place: &mut impl Factory) {
    let ledger = place.ledger();
    let (unclaimed, refused) = (a::launch(40, "retrain", 0), a::launch(41, "retrain", 0));
    let none = Admission { claim: 0, ..a::admission(40, vec![a::newest(40, "retrain", "main")]) };
    admit_all(ledger, none).await;
    admit_all(ledger, a::abandoned(41, vec![a::newest(41, "retrain", "main")])).await;
    let fence = hold(ledger, &refused).await.fence;
    ledger.record(&refused, fence, a::later(fence, Duration::ZERO, true), Now).await.unwrap();
    admitted(ledger, 42, a::newest(42, "retrain", "main")).await;
    launched(ledger, 42, "retrain").await;

    for (n, launch_id) in [(40, unclaimed), (41, refused)] {
        let Claim::Ended(ended) = ledger.claim(&launch_id, a::LEASE).await.unwrap() else {
            panic!("{launch_id} may not be sent any more")
        };

        assert_eq!((ended.outcome, ended.reason), (Outcome::Superseded, Some(Reason::NewerBuildLaunched)));
        assert_eq!(rung(&ended, "order").0, CheckStatus::Failed);
        let stored = ledger.event(&a::id(n)).await.unwrap().unwrap();
        assert_eq!(stored.decisions, [DecisionRecord::clone(&ended)]);
        assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Settled));
    }
    assert_eq!(ledger.due(10).await.unwrap(), []);
    let late = ledger.record(&a::launch(41, "retrain", 0), Fence(2), a::launched(Fence(2), "y"), Now).await;
    assert_eq!(late.unwrap(), launchgate_engine::Recorded::FenceLost);
}

pub(crate) async fn what_may_have_been_sent_is_not_superseded(place: &mut impl Factory) {
    let ledger = place.ledger();
    // One holder died, the other never got its answer.
    admit_all(ledger, a::abandoned(40, vec![a::newest(40, "retrain", "main")])).await;
    admitted(ledger, 41, a::newest(41, "retrain", "main")).await;
    let unanswered = a::launch(41, "retrain", 0);
    ledger.record(&unanswered, Fence(1), a::later(Fence(1), Duration::ZERO, false), Now).await.unwrap();
    admitted(ledger, 42, a::newest(42, "retrain", "main")).await;
    launched(ledger, 42, "retrain").await;

    for launch_id in [a::launch(40, "retrain", 0), unanswered] {
        assert!(hold(ledger, &launch_id).await.unanswered_since.is_some(), "{launch_id}");
    }
}

pub(crate) async fn a_forced_replay_passes_the_order_and_counts_for_it(place: &mut impl Factory) {
    let ledger = place.ledger();
    admitted(ledger, 41, a::denied(41, "retrain")).await;
    admitted(ledger, 42, a::newest(42, "retrain", "main")).await;
    launched(ledger, 42, "retrain").await;

    let force = |n| a::redecision(n, vec![a::forced(a::newest(n, "retrain", "main"))], &[]);
    let older = ledger.redecide(force(41)).await.unwrap();
    hold(ledger, &ids(&older)[0]).await;
    admitted(ledger, 44, a::denied(44, "retrain")).await;
    let newer = ids(&ledger.redecide(force(44)).await.unwrap()).remove(0);
    let fence = hold(ledger, &newer).await.fence;
    ledger.record(&newer, fence, a::launched(fence, "y"), Now).await.unwrap();

    assert!(is_intent(&older.written[0]));
    let between = admitted(ledger, 43, a::newest(43, "retrain", "main")).await;
    assert_eq!(between.outcome, Outcome::Superseded);
}

// -- maxLaunchesPerHour ---------------------------------------------------------------------------

pub(crate) async fn of_many_at_once_as_many_as_allowed_are_intents(place: &mut impl Factory) {
    let ledger = place.ledger();

    let admissions = (1..=64).map(|n| async move {
        match ledger.admit(a::admission(n, vec![a::capped(n, "retrain", 3)])).await.unwrap() {
            Admitted::New { decisions, .. } => DecisionRecord::clone(&decisions[0]),
            Admitted::Known(known) => panic!("{known:?}"),
        }
    });
    let recorded = super::admission::all(admissions).await;

    assert_eq!(recorded.iter().filter(|decision| is_intent(decision)).count(), 3);
    let capped: Vec<_> = recorded.iter().filter(|decision| !is_intent(decision)).collect();
    for decision in capped {
        assert_eq!((decision.outcome, decision.reason), (Outcome::RateCapped, Some(Reason::HourlyLimit)));
        assert!(decision.message.as_deref().unwrap().contains("3 launches"), "{decision:?}");
        assert_eq!(rung(decision, "maxLaunchesPerHour"), (CheckStatus::Failed, "3 before it".to_owned()));
    }
}

pub(crate) async fn runs_and_open_intents_count_and_nothing_else(place: &mut impl Factory) {
    let ledger = place.ledger();
    for n in 1..=3 {
        assert!(is_intent(&admitted(ledger, n, a::capped(n, "retrain", 3)).await));
    }
    launched(ledger, 1, "retrain").await;
    let unknown = a::ended(Outcome::LaunchUnknown, Some(Reason::Ambiguous));
    ledger.record(&a::launch(2, "retrain", 0), Fence(1), unknown, Now).await.unwrap();

    let full = admitted(ledger, 4, a::capped(4, "retrain", 3)).await;
    ledger.record(&a::launch(3, "retrain", 0), Fence(1), a::failed(Fence(1)), Now).await.unwrap();
    admitted(ledger, 5, a::waiting(5, "retrain")).await;
    let freed = admitted(ledger, 6, a::capped(6, "retrain", 3)).await;

    assert_eq!(full.outcome, Outcome::RateCapped);
    assert!(is_intent(&freed), "{freed:?}");
    assert!(is_intent(&admitted(ledger, 7, a::capped(7, "other", 1)).await), "each trigger has its own");
    assert_eq!(admitted(ledger, 8, a::capped(8, "retrain", 3)).await.outcome, Outcome::RateCapped);
}

pub(crate) async fn a_forced_replay_passes_the_limit_and_counts(place: &mut impl Factory) {
    let ledger = place.ledger();
    admitted(ledger, 1, a::capped(1, "retrain", 2)).await;
    admitted(ledger, 2, a::denied(2, "retrain")).await;
    admitted(ledger, 3, a::denied(3, "retrain")).await;

    for n in [2, 3] {
        let forced = a::redecision(n, vec![a::forced(a::capped(n, "retrain", 2))], &[]);
        assert!(is_intent(&ledger.redecide(forced).await.unwrap().written[0]), "event {n}");
    }

    let next = admitted(ledger, 4, a::capped(4, "retrain", 3)).await;
    assert_eq!(rung(&next, "maxLaunchesPerHour"), (CheckStatus::Failed, "3 before it".to_owned()));
}

pub(crate) async fn the_first_condition_that_is_not_met_ends_it(place: &mut impl Factory) {
    let ledger = place.ledger();
    let all = |n| {
        let hash = |text: &str| launchgate_statement::Sha256::of(text.as_bytes());
        let newest = serde_json::json!({"line": hash("main"), "number": n});
        a::under(n, "retrain", &serde_json::json!({"once": hash("key"), "newest": newest, "perHour": 1}))
    };
    let first = admitted(ledger, 42, all(42)).await;
    launched(ledger, 42, "retrain").await;

    let second = admitted(ledger, 41, all(41)).await;

    let statuses = |decision| ["oncePer", "order", "maxLaunchesPerHour"].map(|name| rung(decision, name).0);
    assert_eq!(statuses(&first), [CheckStatus::Passed; 3]);
    let [failed, not_reached] = [CheckStatus::Failed, CheckStatus::NotReached];
    assert_eq!(statuses(&second), [failed, not_reached, not_reached]);
    assert_eq!(second.reason, Some(Reason::OncePer));
}
