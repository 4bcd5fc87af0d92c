//! The listing.

use launchgate_engine::{Durability::Now, EventFilter, EventSummary, Fence, Page, ports::Ledger};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::EventId;

use super::Factory;
use crate::a;

fn filter(limit: usize) -> EventFilter {
    EventFilter { limit, ..EventFilter::default() }
}

fn ids(page: &Page<EventSummary>) -> Vec<Option<EventId>> {
    page.items.iter().map(|item| item.event.clone()).collect()
}

pub(crate) async fn newest_first_with_rejections_and_without_duplicates(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain"), a::denied(1, "other")])).await.unwrap();
    let mut claims_to_be_one = a::rejected("forged");
    claims_to_be_one.event = Some(a::id(1));
    ledger.record_receipt(claims_to_be_one).await.unwrap();
    ledger.record_receipt(a::rejected("junk")).await.unwrap();
    ledger.admit(a::admission(1, Vec::new())).await.unwrap();
    ledger.admit(a::admission(2, Vec::new())).await.unwrap();
    let launch_id = a::launch(1, "retrain", 0);
    ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), Now).await.unwrap();

    let page = ledger.events(filter(10)).await.unwrap();

    assert_eq!(ids(&page), [Some(a::id(2)), None, Some(a::id(1)), Some(a::id(1))]);
    assert_eq!(page.next, None);
    let [unmatched, junk, forged, launched] = page.items.try_into().unwrap();
    assert_eq!((unmatched.outcome, unmatched.receipts), (Outcome::NoMatch, 1));
    assert_eq!((junk.outcome, junk.reason), (Outcome::RejectedSignature, Some(Reason::UnknownSigner)));
    assert_eq!((junk.message_id.as_str(), junk.build), ("junk", None));
    assert_eq!((forged.message_id.as_str(), forged.receipts), ("forged", 1));
    assert_eq!((launched.outcome, launched.reason, launched.receipts), (Outcome::Launched, None, 2));
    assert_eq!(launched.message_id, "message-1");
    assert_eq!(launched.triggers, ["retrain", "other"]);
    assert_eq!(launched.runs, [a::run("x").name]);
    assert_eq!(launched.build, Some(a::event(1).build));
    assert!(launched.recorded < unmatched.recorded);
}

pub(crate) async fn pages_stay_put_while_rows_come_in(place: &mut impl Factory) {
    let ledger = place.ledger();
    for n in 0..7 {
        ledger.admit(a::admission(n, Vec::new())).await.unwrap();
    }

    let mut seen = Vec::new();
    let mut cursor = None;
    for page in 0..10 {
        let page_of = ledger.events(EventFilter { cursor, ..filter(3) }).await.unwrap();
        assert!(page_of.items.len() <= 3);
        seen.extend(ids(&page_of));
        ledger.admit(a::admission(100 + page, Vec::new())).await.unwrap();
        ledger.admit(a::admission(0, Vec::new())).await.unwrap();
        cursor = page_of.next;
        if cursor.is_none() {
            break;
        }
    }

    let wanted: Vec<_> = (0..7).rev().map(|n| Some(a::id(n))).collect();
    assert_eq!(seen, wanted);
    let full = ledger.events(filter(10)).await.unwrap();
    assert_eq!((full.items.len(), full.next), (10, None));
}

pub(crate) async fn filters_hold_together(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::denied(1, "retrain")])).await.unwrap();
    ledger.admit(a::admission(2, vec![a::denied(2, "retrain")])).await.unwrap();
    ledger.admit(a::admission(3, vec![a::to_launch(3, "retrain"), a::denied(3, "other")])).await.unwrap();
    ledger.record_receipt(a::rejected("junk")).await.unwrap();
    let list = async |filter| ids(&ledger.events(filter).await.unwrap());

    let odd = EventFilter { pipeline: Some("odd".into()), ..filter(10) };
    assert_eq!(list(odd.clone()).await, [Some(a::id(3)), Some(a::id(1))]);
    let denied = EventFilter { outcome: Some(Outcome::DeniedPolicy), ..filter(10) };
    assert_eq!(list(denied.clone()).await, [Some(a::id(2)), Some(a::id(1))]);
    let both = EventFilter { outcome: denied.outcome, ..odd };
    assert_eq!(list(both).await, [Some(a::id(1))]);
    let other = EventFilter { trigger: Some("other".into()), ..filter(10) };
    assert_eq!(list(other).await, [Some(a::id(3))]);
    let first = ledger.events(EventFilter { limit: 1, ..denied.clone() }).await.unwrap();
    assert_eq!(list(EventFilter { cursor: first.next, ..denied }).await, [Some(a::id(1))]);
    assert!(list(filter(0)).await.is_empty());
}

pub(crate) async fn every_outcome_is_found_by_its_filter(place: &mut impl Factory) {
    let ledger = place.ledger();
    for (n, outcome) in (0..).zip(Outcome::ALL) {
        if outcome.as_str().starts_with("rejected") {
            let mut receipt = a::rejected(outcome.as_str());
            receipt.outcome = outcome;
            ledger.record_receipt(receipt).await.unwrap();
        } else {
            let mut decision = a::to_launch(n, "retrain");
            decision.outcome = outcome;
            ledger.admit(a::admission(n, vec![decision, a::denied(n, "other")])).await.unwrap();
        }
    }
    ledger.admit(a::admission(99, Vec::new())).await.unwrap();

    let all = ledger.events(filter(100)).await.unwrap().items;
    assert_eq!(all.len(), 22);
    for outcome in Outcome::ALL {
        let found = ledger.events(EventFilter { outcome: Some(outcome), ..filter(100) }).await.unwrap().items;
        let wanted: Vec<_> = all.iter().filter(|item| item.outcome == outcome).cloned().collect();
        assert_eq!(found, wanted, "{outcome}");
    }
}

pub(crate) async fn a_foreign_cursor_is_an_error(place: &mut impl Factory) {
    let cursor = Some("1; DROP TABLE events".into());

    assert!(place.ledger().events(EventFilter { cursor, ..filter(3) }).await.is_err());
}

pub(crate) async fn ready_and_flush_answer(place: &mut impl Factory) {
    place.ledger().ready().await.unwrap();
    place.ledger().ready().await.unwrap();
    place.ledger().flush().await.unwrap();
}
