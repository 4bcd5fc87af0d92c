//! How often one clause alone kept a trigger from matching.

use launchgate_engine::{Admission, Admitted, NearMissCount, ports::Ledger};
use launchgate_triggers::{MissedClause, NearMiss, TriggerName};

use super::Factory;
use crate::a;

fn trigger(name: &str) -> TriggerName {
    TriggerName::parse(name).unwrap()
}

/// An event that these triggers missed by these clauses.
fn missed(n: u32, misses: &[(&str, MissedClause)]) -> Admission {
    let miss = |(name, clause): &(&str, MissedClause)| NearMiss { trigger: trigger(name), clause: *clause };
    Admission { near_misses: misses.iter().map(miss).collect(), ..a::admission(n, Vec::new()) }
}

/// Trigger, clause, how many events, the last of them.
fn shown(counts: &[NearMissCount]) -> Vec<(&str, MissedClause, u64, u32)> {
    let number = |count: &NearMissCount| (1..100).find(|n| a::id(*n) == count.last_event).unwrap();
    counts.iter().map(|one| (one.trigger.as_str(), one.clause, one.events, number(one))).collect()
}

pub(crate) async fn each_event_counts_once_for_a_trigger_and_clause(place: &mut impl Factory) {
    use MissedClause::{Branch, When};
    let ledger = place.ledger();
    let Admitted::New { now: first, .. } = ledger.admit(missed(1, &[("retrain", Branch)])).await.unwrap()
    else {
        panic!("expected a new event")
    };
    ledger.admit(missed(2, &[("retrain", When), ("other", Branch)])).await.unwrap();
    ledger.admit(missed(3, &[])).await.unwrap();
    let Admitted::New { now: last, .. } = ledger.admit(missed(4, &[("retrain", Branch)])).await.unwrap()
    else {
        panic!("expected a new event")
    };

    let counts = ledger.near_misses(None, 10).await.unwrap();

    let all = [("retrain", Branch, 2, 4), ("other", Branch, 1, 2), ("retrain", When, 1, 2)];
    assert_eq!(shown(&counts), all);
    assert_eq!((counts[0].first, counts[0].last), (first, last));
    let of_one = ledger.near_misses(Some(&trigger("retrain")), 10).await.unwrap();
    assert_eq!(shown(&of_one), [("retrain", Branch, 2, 4), ("retrain", When, 1, 2)]);
    assert_eq!(ledger.near_misses(None, 2).await.unwrap().len(), 2);
    assert_eq!(ledger.near_misses(Some(&trigger("nobody")), 10).await.unwrap(), []);
}

pub(crate) async fn a_copy_of_an_event_counts_nothing(place: &mut impl Factory) {
    let ledger = place.ledger();
    let event = || missed(1, &[("retrain", MissedClause::Branch)]);

    let copies = (0..16).map(|_| ledger.admit(event()));
    for copy in super::admission::all(copies).await {
        copy.unwrap();
    }
    ledger.admit(missed(1, &[("retrain", MissedClause::When), ("other", MissedClause::Tag)])).await.unwrap();

    let counts = ledger.near_misses(None, 10).await.unwrap();
    assert_eq!(shown(&counts), [("retrain", MissedClause::Branch, 1, 1)]);
}

pub(crate) async fn every_clause_comes_back_after_a_restart(place: &mut impl Factory) {
    let all: Vec<_> = MissedClause::ALL.into_iter().map(|clause| ("retrain", clause)).collect();
    place.ledger().admit(missed(1, &all)).await.unwrap();

    place.reopen();

    let counts = place.ledger().near_misses(None, 10).await.unwrap();
    let mut clauses: Vec<_> = counts.iter().map(|count| count.clause).collect();
    clauses.sort_unstable();
    assert_eq!(clauses, MissedClause::ALL);
}
