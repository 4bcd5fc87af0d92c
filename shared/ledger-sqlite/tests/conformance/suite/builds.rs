//! Buildkite's own word on builds, and the decisions that wait for it.

use std::time::Duration;

use launchgate_engine::{Claim, DecisionRecord, FactsKept, ports::Ledger};
use launchgate_outcome::{Outcome, Reason};

use super::{Factory, hold, ids};
use crate::a;

pub(crate) async fn the_newest_word_on_a_build_is_kept_whatever_the_order(place: &mut impl Factory) {
    let ledger = place.ledger();
    let [running, finished, retried] =
        [a::facts(1, "b", 30, 0), a::facts(1, "b", 20, 19), a::facts(1, "b", 40, 39)];
    assert_eq!(ledger.build_facts(&a::build(1)).await.unwrap(), []);

    for (facts, kept, newest) in [
        (&running, FactsKept::Newest, &running),
        (&finished, FactsKept::Newest, &finished),
        (&running, FactsKept::Older, &finished),
        (&retried, FactsKept::Newest, &retried),
        (&finished, FactsKept::Older, &retried),
        (&retried, FactsKept::Repeated, &retried),
    ] {
        assert_eq!(ledger.keep_build_facts(facts.clone()).await.unwrap().kept, kept);
        assert_eq!(ledger.build_facts(&a::build(1)).await.unwrap(), std::slice::from_ref(newest));
    }
}

pub(crate) async fn facts_are_told_apart_by_the_builds_id(place: &mut impl Factory) {
    let ledger = place.ledger();
    let (old, new) = (a::facts(1, "before", 10, 9), a::facts(1, "anew", 20, 19));

    ledger.keep_build_facts(old.clone()).await.unwrap();
    ledger.keep_build_facts(new.clone()).await.unwrap();
    ledger.keep_build_facts(a::facts(3, "other", 20, 19)).await.unwrap();

    assert_eq!(ledger.build_facts(&a::build(1)).await.unwrap(), [new, old], "the newest first");
}

pub(crate) async fn a_build_is_unheeded_until_its_newest_word_is_heeded(place: &mut impl Factory) {
    let ledger = place.ledger();
    let first = ledger.keep_build_facts(a::facts(1, "b", 10, 9)).await.unwrap().unheeded.unwrap();
    assert_eq!(
        (&first.build, ledger.unheeded_builds(10).await.unwrap()),
        (&a::build(1), vec![first.clone()])
    );
    let second = ledger.keep_build_facts(a::facts(1, "b", 20, 19)).await.unwrap().unheeded.unwrap();

    ledger.build_heeded(&first).await.unwrap();
    assert_eq!(ledger.unheeded_builds(10).await.unwrap(), std::slice::from_ref(&second), "a newer word came");
    let repeated = ledger.keep_build_facts(a::facts(1, "b", 20, 19)).await.unwrap();
    assert_eq!((repeated.kept, repeated.unheeded), (FactsKept::Repeated, Some(second.clone())));

    ledger.build_heeded(&second).await.unwrap();
    assert_eq!(ledger.unheeded_builds(10).await.unwrap(), []);
    let repeated = ledger.keep_build_facts(a::facts(1, "b", 20, 19)).await.unwrap();
    assert_eq!((repeated.kept, repeated.unheeded), (FactsKept::Repeated, None));
}

pub(crate) async fn who_waits_is_found_until_it_is_decided(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::waiting(1, "retrain"), a::denied(1, "other")])).await.unwrap();
    ledger.admit(a::admission(3, vec![a::waiting(3, "retrain")])).await.unwrap();
    assert_eq!(ledger.waiting_for(&a::build(1)).await.unwrap(), [a::id(1)]);

    let decided = a::redecision(1, vec![a::to_launch(1, "retrain")], &[Outcome::WaitingBuild]);
    assert_eq!(ids(&ledger.redecide(decided.clone()).await.unwrap()), [a::launch(1, "retrain", 0)]);

    assert_eq!(ledger.waiting_for(&a::build(1)).await.unwrap(), []);
    assert_eq!(ledger.waiting_for(&a::build(3)).await.unwrap(), [a::id(3)]);
    assert!(ledger.redecide(decided).await.unwrap().written.is_empty(), "once");
    assert_eq!(ledger.due(10).await.unwrap(), [a::launch(1, "retrain", 0)], "to be launched now");
    let again = a::redecision(1, vec![a::waiting(1, "other")], &[Outcome::DeniedPolicy]);
    ledger.redecide(again).await.unwrap();
    assert_eq!(ledger.waiting_for(&a::build(1)).await.unwrap(), [a::id(1)], "a replay may wait too");
}

pub(crate) async fn a_decision_that_waits_is_due_at_its_end_and_not_before(place: &mut impl Factory) {
    let ledger = place.ledger();
    let over = DecisionRecord { wait_seconds: Some(0), ..a::waiting(1, "over") };

    ledger.admit(a::admission(1, vec![a::waiting(1, "retrain"), over.clone()])).await.unwrap();

    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(
        (stored.outcome, stored.decisions),
        (Outcome::WaitingBuild, vec![a::waiting(1, "retrain"), over])
    );
    assert_eq!(ledger.due(10).await.unwrap(), [a::launch(1, "over", 0)]);
    let busy = ledger.claim(&a::launch(1, "retrain", 0), a::LEASE).await.unwrap();
    assert!(matches!(busy, Claim::Busy), "{busy:?}");
}

pub(crate) async fn a_claim_on_what_waits_begins_no_intent(place: &mut impl Factory) {
    let ledger = place.ledger();
    let over = DecisionRecord { wait_seconds: Some(0), ..a::waiting(1, "retrain") };
    ledger.admit(a::admission(1, vec![over])).await.unwrap();
    let launch_id = a::launch(1, "retrain", 0);
    hold(ledger, &launch_id).await;

    let decided = a::redecision(1, vec![a::to_launch(1, "retrain")], &[Outcome::WaitingBuild]);
    ledger.redecide(decided).await.unwrap();

    let claimed = hold(ledger, &launch_id).await;
    assert_eq!((claimed.unanswered_since, claimed.first_intent), (None, claimed.now));
}

pub(crate) async fn what_waits_on_keeps_its_end(place: &mut impl Factory) {
    let ledger = place.ledger();
    let over = DecisionRecord { wait_seconds: Some(0), ..a::waiting(1, "retrain") };
    ledger.admit(a::admission(1, vec![over])).await.unwrap();

    let on = DecisionRecord { reason: Some(Reason::BuildNotFinished), ..a::waiting(1, "retrain") };
    ledger.redecide(a::redecision(1, vec![on], &[Outcome::WaitingBuild])).await.unwrap();

    assert_eq!(ledger.due(10).await.unwrap(), [a::launch(1, "retrain", 0)]);
}

pub(crate) async fn facts_survive_a_restart(place: &mut impl Factory) {
    let facts = a::facts(1, "b", 10, 9);
    place.ledger().keep_build_facts(facts.clone()).await.unwrap();
    place.ledger().admit(a::admission(1, vec![a::waiting(1, "retrain")])).await.unwrap();

    place.reopen();

    let ledger = place.ledger();
    assert_eq!(ledger.build_facts(&a::build(1)).await.unwrap(), [facts]);
    assert_eq!(ledger.unheeded_builds(10).await.unwrap().len(), 1);
    assert_eq!(ledger.waiting_for(&a::build(1)).await.unwrap(), [a::id(1)]);
}

pub(crate) async fn of_many_deliveries_at_once_one_word_is_kept(place: &mut impl Factory) {
    let ledger = place.ledger();
    let words: Vec<_> = (1..=20).map(|second| a::facts(1, "b", second, second)).collect();

    let keeping = words.iter().rev().chain(&words).map(|facts| ledger.keep_build_facts(facts.clone()));
    let kept =
        tokio::time::timeout(Duration::from_secs(30), futures_util::future::join_all(keeping)).await.unwrap();

    assert!(kept.iter().all(Result::is_ok));
    assert_eq!(ledger.build_facts(&a::build(1)).await.unwrap(), words[19..]);
}

pub(crate) async fn the_first_artifacts_that_a_build_names_stay_its_own(place: &mut impl Factory) {
    let ledger = place.ledger();
    assert_eq!(ledger.name_artifacts("b-1", a::digest(1)).await.unwrap(), a::digest(1));
    assert_eq!(ledger.name_artifacts("b-1", a::digest(2)).await.unwrap(), a::digest(1));
    assert_eq!(ledger.name_artifacts("b-2", a::digest(2)).await.unwrap(), a::digest(2), "another build");

    place.reopen();

    assert_eq!(place.ledger().name_artifacts("b-1", a::digest(3)).await.unwrap(), a::digest(1));
}

pub(crate) async fn a_build_is_asked_about_while_something_waits_for_it(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::waiting(1, "retrain"), a::waiting(1, "other")])).await.unwrap();
    ledger.admit(a::admission(2, vec![a::to_launch(2, "retrain")])).await.unwrap();
    ledger.admit(a::admission(3, vec![a::waiting(3, "retrain")])).await.unwrap();
    let asked_after = async |waited: Duration, limit: usize| {
        let builds = ledger.builds_to_ask(waited, limit).await.unwrap();
        builds.into_iter().map(|one| (one.build, one.asked)).collect::<Vec<_>>()
    };

    assert_eq!(asked_after(Duration::from_mins(1), 10).await, [], "nothing has waited that long");
    let both = [(a::build(1), 0), (a::build(3), 0)];
    assert_eq!(asked_after(Duration::ZERO, 10).await, both, "each once, the oldest first");
    assert_eq!(asked_after(Duration::ZERO, 1).await, both[..1]);
    let decided = a::redecision(
        1,
        vec![a::to_launch(1, "retrain"), a::to_launch(1, "other")],
        &[Outcome::WaitingBuild],
    );
    ledger.redecide(decided).await.unwrap();
    assert_eq!(asked_after(Duration::ZERO, 10).await, both[1..]);
}

pub(crate) async fn a_build_that_was_asked_about_is_left_alone_for_a_while(place: &mut impl Factory) {
    let ledger = place.ledger();
    for n in [1, 3] {
        ledger.admit(a::admission(n, vec![a::waiting(n, "retrain")])).await.unwrap();
    }
    ledger.build_asked(&a::build(1), Duration::from_mins(1)).await.unwrap();
    ledger.build_asked(&a::build(3), Duration::ZERO).await.unwrap();
    ledger.build_asked(&a::build(3), Duration::ZERO).await.unwrap();

    place.reopen();

    let builds = place.ledger().builds_to_ask(Duration::ZERO, 10).await.unwrap();
    assert_eq!(builds.into_iter().map(|one| (one.build, one.asked)).collect::<Vec<_>>(), [(a::build(3), 2)]);
}
