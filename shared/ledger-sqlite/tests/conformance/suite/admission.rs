//! Receipts and events.

use launchgate_engine::{
    Admission, Admitted, Claim, Durability, Fence, ReceiptRecord, Recorded, ports::Ledger,
};
use launchgate_outcome::Outcome;

use super::{Factory, hold};
use crate::a;

pub(crate) async fn two_deliveries_at_once_are_one_event(place: &mut impl Factory) {
    let ledger = place.ledger();

    let admissions = (0..64)
        .map(|_| ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain"), a::denied(1, "other")])));
    let answers = all(admissions).await;

    let new = answers.iter().filter(|answer| matches!(answer, Ok(Admitted::New { .. }))).count();
    let known = answers.iter().filter(|answer| matches!(answer, Ok(Admitted::Known(_)))).count();
    assert_eq!((new, known), (1, 63));
    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!((stored.decisions.len(), stored.receipts.len()), (2, 64));
    let duplicates = stored.receipts.iter().filter(|receipt| receipt.outcome == Outcome::Duplicate).count();
    assert_eq!(duplicates, 63);
}

pub(crate) async fn a_known_event_keeps_what_is_recorded(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();

    let mut copy = a::admission(1, vec![a::to_launch(1, "another")]);
    copy.event.signatures = vec![a::signature("stranger")];
    copy.event.first_published = a::published().plus_micros(1);
    let Admitted::Known(known) = ledger.admit(copy).await.unwrap() else { panic!("expected a known event") };

    assert_eq!(known.outcome, Outcome::Retrying);
    assert_eq!(known.signatures, [a::signature("prod")]);
    assert_eq!(known.first_published, a::published());
    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.event, a::event(1));
    assert_eq!(stored.decisions, [a::to_launch(1, "retrain")]);
}

pub(crate) async fn everything_of_an_event_is_given_back_as_it_was(place: &mut impl Factory) {
    let ledger = place.ledger();
    let mut admission = a::admission(7, vec![a::to_launch(7, "retrain"), a::denied(7, "other")]);
    admission.event.unmatched = Some("the rest".into());
    let wanted = admission.clone();

    let Admitted::New { now, decisions } = ledger.admit(admission).await.unwrap() else {
        panic!("expected a new event")
    };

    assert_eq!(decisions, wanted.decisions);
    let stored = ledger.event(&a::id(7)).await.unwrap().unwrap();
    assert_eq!(stored.event, wanted.event);
    assert_eq!(
        stored.decisions.iter().collect::<Vec<_>>(),
        wanted.decisions.iter().map(AsRef::as_ref).collect::<Vec<_>>()
    );
    assert_eq!(stored.receipts, [wanted.receipt]);
    assert_eq!(stored.outcome, Outcome::Retrying);
    assert_eq!(stored.recorded, now);
    assert!(stored.history.is_empty());
    assert!(ledger.event(&a::id(8)).await.unwrap().is_none());
}

pub(crate) async fn an_event_without_decisions_is_no_match(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, Vec::new())).await.unwrap();

    assert_eq!(ledger.event(&a::id(1)).await.unwrap().unwrap().outcome, Outcome::NoMatch);
}

pub(crate) async fn a_repeated_admission_is_known_and_its_claims_stand(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = a::launch(1, "retrain", 0);
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();

    // The answer was lost; the caller asks again and finds its own lease.
    let again = ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();

    assert!(matches!(again, Admitted::Known(_)));
    assert!(matches!(ledger.claim(&launch_id, a::LEASE).await.unwrap(), Claim::Busy));
    let recorded = ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "x"), Durability::Now).await;
    assert_eq!(recorded.unwrap(), Recorded::Yes);
}

pub(crate) async fn open_decisions_with_a_plan_are_claimed(place: &mut impl Factory) {
    let ledger = place.ledger();
    let mut waiting = a::to_launch(1, "waits");
    waiting.outcome = Outcome::WaitingBuild;
    waiting.plan = None;
    let decisions = vec![a::to_launch(1, "retrain"), a::denied(1, "denied"), waiting];
    ledger.admit(a::admission(1, decisions)).await.unwrap();

    assert!(matches!(ledger.claim(&a::launch(1, "retrain", 0), a::LEASE).await.unwrap(), Claim::Busy));
    assert!(matches!(ledger.claim(&a::launch(1, "denied", 0), a::LEASE).await.unwrap(), Claim::Settled));
    let claimed = hold(ledger, &a::launch(1, "waits", 0)).await;
    assert_eq!(claimed.fence, Fence(1));
    assert_eq!(claimed.first_intent, claimed.now);
}

pub(crate) async fn no_more_are_claimed_than_asked_for(place: &mut impl Factory) {
    let ledger = place.ledger();
    let triggers = ["one", "two", "three"];
    let decisions = triggers.map(|trigger| a::to_launch_as(1, trigger, "customJob")).into();
    ledger.admit(Admission { claim: 2, ..a::admission(1, decisions) }).await.unwrap();

    for trigger in ["one", "two"] {
        assert!(matches!(ledger.claim(&a::launch(1, trigger, 0), a::LEASE).await.unwrap(), Claim::Busy));
    }
    // Nobody was about to send it, so nothing about it is unanswered.
    assert_eq!(ledger.due(10).await.unwrap(), [a::launch(1, "three", 0)]);
    let claimed = hold(ledger, &a::launch(1, "three", 0)).await;
    assert_eq!((claimed.fence, claimed.unanswered_since), (Fence(1), None));
    assert!(claimed.decided < claimed.now);
}

pub(crate) async fn what_was_answered_is_there_after_a_restart(place: &mut impl Factory) {
    let admissions: Vec<_> = (0..20).map(|n| a::abandoned(n, vec![a::to_launch(n, "retrain")])).collect();
    for admission in admissions {
        assert!(matches!(place.ledger().admit(admission).await.unwrap(), Admitted::New { .. }));
    }

    place.reopen();

    let ledger = place.ledger();
    assert_eq!(ledger.due(100).await.unwrap().len(), 20);
    let claimed = hold(ledger, &a::launch(3, "retrain", 0)).await;
    assert_eq!(claimed.fence, Fence(2));
    assert_eq!(*claimed.decision, a::to_launch(3, "retrain"));
    assert!(claimed.first_intent < claimed.now);
}

pub(crate) async fn rejected_bodies_are_cut_and_other_bodies_dropped(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, Vec::new())).await.unwrap();
    let noisy = ReceiptRecord {
        body: vec![b'x'; 100_000],
        outcome: Outcome::Duplicate,
        event: Some(a::id(1)),
        ..a::receipt("again")
    };
    ledger.record_receipt(noisy).await.unwrap();
    let huge = ReceiptRecord { body: vec![b'x'; 100_000], ..a::rejected("huge") };
    ledger.record_receipt(huge).await.unwrap();

    let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
    assert_eq!(stored.receipts.len(), 2);
    assert!(stored.receipts[1].body.is_empty());
}

pub(crate) async fn a_rejected_copy_does_not_touch_the_event(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, Vec::new())).await.unwrap();
    let before = ledger.event(&a::id(1)).await.unwrap();

    let forged = ReceiptRecord { event: Some(a::id(1)), publish_time: None, ..a::rejected("forged") };
    ledger.record_receipt(forged).await.unwrap();

    assert_eq!(ledger.event(&a::id(1)).await.unwrap(), before);
}

pub(crate) async fn a_decision_of_another_event_spoils_no_neighbour(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(0, vec![a::to_launch(0, "retrain")])).await.unwrap();

    // The second of each pair names a launch id that is taken: an error, and nothing of it is kept.
    let admissions = (1..33).map(|n| {
        let owner = if n % 2 == 0 { 0 } else { n };
        ledger.admit(a::admission(n, vec![a::to_launch(owner, "retrain")]))
    });
    let answers = all(admissions).await;

    for (n, answer) in (1..33).zip(answers) {
        assert_eq!(answer.is_ok(), n % 2 == 1, "event {n}");
        assert_eq!(ledger.event(&a::id(n)).await.unwrap().is_some(), n % 2 == 1, "event {n}");
    }
}

/// Waits for all, all begun at once.
pub(super) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
