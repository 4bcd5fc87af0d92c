//! Decisions that wait for facts of their build, and what ends the wait.

use launchgate_engine::{BuildEnd, Command, CommandKind, FactsKept};
use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_trust::{Scheme, SigningKey};
use serde_json::json;

use crate::world::{NO_PULL_REQUEST, SECRET, World, a_webhook, header, of_a_fork, published, receipt};

#[tokio::test]
async fn an_event_waits_and_launches_once_when_the_facts_come() {
    let world = World::asking(NO_PULL_REQUEST());

    let early = world.event().await;
    assert_eq!((early.outcome, early.reason), (Outcome::WaitingBuild, Some(Reason::BuildFactsAwaited)));
    assert_eq!(world.gate.sweep().await.unwrap().taken_up, 0, "not before its end");
    assert_eq!(world.jobs(), 0);
    let late = world.webhook(&a_webhook("running", None)).await;
    let again = world.webhook(&a_webhook("running", None)).await;

    assert_eq!(late.end, BuildEnd::Facts(FactsKept::Newest));
    assert_eq!(late.decisions.iter().map(|one| one.1).collect::<Vec<_>>(), [Outcome::Launched]);
    assert_eq!((again.end, again.decisions.len()), (BuildEnd::Facts(FactsKept::Repeated), 0));
    assert_eq!(world.jobs(), 1);
    let decision = world.decision(&early.event.unwrap()).await;
    assert_eq!((decision.outcome, decision.wait_seconds), (Outcome::Launched, None));
    let rung = decision.checks.iter().find(|check| check.name == "require.pullRequest").unwrap();
    assert_eq!((rung.status, rung.voucher), (CheckStatus::Passed, Some(Voucher::Webhook)));
    assert!(world.gate.ledger().unheeded_builds(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn facts_that_come_first_are_there_when_the_event_does() {
    let world = World::asking(NO_PULL_REQUEST());

    let early = world.webhook(&a_webhook("passed", Some(10))).await;
    let event = world.event().await;

    assert_eq!((early.end, early.decisions.len()), (BuildEnd::Facts(FactsKept::Newest), 0));
    assert_eq!(event.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn facts_that_come_between_the_look_and_the_commit_wake_the_event_all_the_same() {
    let world = World::asking(NO_PULL_REQUEST());
    let gate = world.gate.clone();
    // The whole webhook is taken in while the event stands right before its commit: whoever keeps the facts
    // finds nothing that waits, and the event has looked already.
    world.ledger.before_the_next_admission(async move {
        let body = a_webhook("passed", Some(10)).to_string();
        let header = header(SECRET, published().seconds(), &body);
        let answer = gate.receive_build(receipt(body.as_bytes(), Some(header))).await.unwrap();
        assert_eq!((answer.end, answer.decisions.len()), (BuildEnd::Facts(FactsKept::Newest), 0));
    });

    let event = world.event().await;

    assert_eq!(event.outcome, Outcome::Launched);
    assert_eq!(event.decisions.iter().map(|one| one.1).collect::<Vec<_>>(), [Outcome::Launched]);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_second_look_that_was_cut_off_is_made_up_for_by_the_next_copy() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await;
    // As after a crash right behind the commit: facts are there and nobody will hear of them again.
    let facts =
        launchgate_trust::BuildFacts::given_by_operator(a_webhook("passed", Some(10)).to_string().as_bytes());
    let kept = world.gate.ledger().keep_build_facts(facts.unwrap()).await.unwrap();
    world.gate.ledger().build_heeded(&kept.unheeded.unwrap()).await.unwrap();

    let copy = world.event().await;

    assert_eq!((copy.outcome, copy.decisions.len()), (Outcome::Duplicate, 1));
    assert_eq!(world.decision(&event.event.unwrap()).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn facts_that_nobody_laid_beside_what_waits_are_taken_up_by_the_sweep() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await;
    let facts =
        launchgate_trust::BuildFacts::given_by_operator(a_webhook("passed", Some(10)).to_string().as_bytes());
    world.gate.ledger().keep_build_facts(facts.unwrap()).await.unwrap();

    let report = world.gate.sweep().await.unwrap();
    let idle = world.gate.sweep().await.unwrap();

    assert_eq!((report.builds_heeded, report.launched, idle.builds_heeded), (1, 1, 0));
    assert_eq!(world.decision(&event.event.unwrap()).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_forks_build_is_denied_when_the_facts_come() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await;

    let told = world.webhook(&of_a_fork()).await;
    world.gate.sweep().await.unwrap();

    assert_eq!(told.decisions.iter().map(|one| one.1).collect::<Vec<_>>(), [Outcome::DeniedPolicy]);
    let decision = world.decision(&event.event.clone().unwrap()).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::DeniedPolicy, Some(Reason::ForkBuild)));
    assert_eq!(world.jobs(), 0);
    let stored = world.gate.ledger().event(&event.event.unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.history[0].outcome, Outcome::WaitingBuild, "what it was stays on record");
}

#[tokio::test]
async fn a_build_that_must_pass_is_waited_for_to_its_end() {
    let world = World::asking(json!({"build": "passed"}));
    let event = world.event().await;

    world.webhook(&a_webhook("running", None)).await;
    let decision = world.decision(&event.event.clone().unwrap()).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::WaitingBuild, Some(Reason::BuildNotFinished)));
    // Later words that say no more change nothing.
    world.webhook(&a_webhook("failing", None)).await;
    let stored = world.gate.ledger().event(&event.event.clone().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.history.len(), 1);
    world.webhook(&a_webhook("passed", Some(10))).await;

    assert_eq!(world.decision(&event.event.unwrap()).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_build_that_failed_is_denied_and_a_replay_after_a_retried_job_launches() {
    let world = World::asking(json!({"build": "passed"}));
    let event = world.event().await.event.unwrap();
    world.webhook(&a_webhook("failed", Some(10))).await;
    assert_eq!(world.decision(&event).await.reason, Some(Reason::BuildNotPassed));

    let retried = world.webhook(&a_webhook("passed", Some(20))).await;
    let older = world.webhook(&a_webhook("failed", Some(10))).await;
    assert_eq!((retried.decisions.len(), older.end), (0, BuildEnd::Facts(FactsKept::Older)));
    let kind = CommandKind::Replay { event: event.clone(), force: false };
    let command = Command { kind, by: "ada".to_owned(), why: "a retried job".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();

    assert_eq!(world.decision(&event).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_replay_of_what_expired_waits_again_and_keeps_who_asked() {
    let world = World::with(NO_PULL_REQUEST(), json!({"waitFor": {"build": "1s"}}));
    let event = world.event().await.event.unwrap();
    world.sweep_until_due().await;
    let expired = world.decision(&event).await;
    assert_eq!((expired.outcome, expired.reason), (Outcome::DeniedPolicy, Some(Reason::BuildFactsExpired)));
    assert!(expired.message.as_ref().unwrap().contains("1 s"), "{expired:?}");

    let kind = CommandKind::Replay { event: event.clone(), force: false };
    let command = Command { kind, by: "ada".to_owned(), why: "the relay was down".to_owned() };
    world.gate.ledger().ask(command).await.unwrap();
    world.gate.sweep().await.unwrap();
    let waiting = world.decision(&event).await;
    assert_eq!(waiting.outcome, Outcome::WaitingBuild);
    world.webhook(&a_webhook("passed", Some(10))).await;

    let launched = world.decision(&event).await;
    assert_eq!((launched.outcome, &launched.by), (Outcome::Launched, &waiting.by));
    assert!(launched.by.unwrap().contains("the relay was down"));
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn what_comes_due_looks_at_the_facts_a_last_time() {
    let world = World::with(NO_PULL_REQUEST(), json!({"waitFor": {"build": "1s"}}));
    let event = world.event().await.event.unwrap();
    let facts =
        launchgate_trust::BuildFacts::given_by_operator(a_webhook("passed", Some(10)).to_string().as_bytes());
    let kept = world.gate.ledger().keep_build_facts(facts.unwrap()).await.unwrap();
    world.gate.ledger().build_heeded(&kept.unheeded.unwrap()).await.unwrap();

    world.sweep_until_due().await;

    assert_eq!(world.decision(&event).await.outcome, Outcome::Launched);
    assert_eq!(world.jobs(), 1);
}

#[tokio::test]
async fn a_decision_that_waited_is_made_under_todays_file() {
    for (more, outcome, reason) in [
        (json!({"mode": "paused"}), Outcome::SkippedPaused, None),
        (json!({"mode": "observe"}), Outcome::Observed, None),
        (json!({"name": "other"}), Outcome::DeniedPolicy, Some(Reason::TriggerRemoved)),
        (json!({"match": {"pipeline": "elsewhere"}}), Outcome::NoMatch, Some(Reason::NoTriggerMatches)),
    ] {
        let world = World::asking(NO_PULL_REQUEST());
        let event = world.event().await.event.unwrap();
        let world = world.under(NO_PULL_REQUEST(), more.clone());

        world.webhook(&a_webhook("passed", Some(10))).await;
        world.gate.sweep().await.unwrap();

        let decision = world.decision(&event).await;
        assert_eq!((decision.outcome, decision.reason), (outcome, reason), "{more}");
        assert_eq!(world.jobs(), 0, "{more}");
    }
}

#[tokio::test]
async fn a_signer_that_was_revoked_while_it_waited_launches_nothing() {
    let world = World::asking(NO_PULL_REQUEST());
    let event = world.event().await.event.unwrap();
    let World { folder, gate, ledger, .. } = world;
    drop((gate, ledger));
    let other = SigningKey::generate(Scheme::Ed25519).unwrap();
    let world = World::open(folder, other, NO_PULL_REQUEST(), json!({}));

    world.webhook(&a_webhook("passed", Some(10))).await;

    let decision = world.decision(&event).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::DeniedPolicy, Some(Reason::SignerRevoked)));
    assert_eq!(world.jobs(), 0);
}

#[tokio::test]
async fn events_and_facts_at_the_same_time_launch_exactly_once() {
    for _ in 0..10 {
        let world = World::asking(NO_PULL_REQUEST());
        let webhook = a_webhook("passed", Some(10));

        let (event, told, copy, again) =
            tokio::join!(world.event(), world.webhook(&webhook), world.event(), world.webhook(&webhook));

        let outcomes = [event.outcome, copy.outcome];
        assert!(outcomes.contains(&Outcome::Duplicate), "{outcomes:?} {told:?} {again:?}");
        let id = event.event.or(copy.event).unwrap();
        assert_eq!(world.decision(&id).await.outcome, Outcome::Launched);
        assert_eq!(world.jobs(), 1);
    }
}

#[tokio::test]
async fn every_webhook_that_is_not_believed_is_recorded_with_its_reason() {
    let world = World::asking(NO_PULL_REQUEST());
    let body = a_webhook("passed", Some(10)).to_string();
    let now = published().seconds();
    let foreign = body.replace("organizations/acme", "organizations/umbrella");
    let shapeless = json!({"event": "build.finished", "build": 7}).to_string();
    let cases = [
        (&body, None, Reason::WebhookHeader),
        (&body, Some("timestamp=1".to_owned()), Reason::WebhookHeader),
        (&body, Some(header("guess", now, &body)), Reason::WebhookSignature),
        (&body, Some(header(SECRET, now, &foreign)), Reason::WebhookSignature),
        (&body, Some(header(SECRET, now - 301, &body)), Reason::WebhookTime),
        (&body, Some(header(SECRET, now + 301, &body)), Reason::WebhookTime),
        (&foreign, Some(header(SECRET, now, &foreign)), Reason::ForeignOrganization),
        (&shapeless, Some(header(SECRET, now, &shapeless)), Reason::WebhookShape),
    ];
    for (body, header, reason) in cases {
        let answer = world.gate.receive_build(receipt(body.as_bytes(), header)).await.unwrap();
        assert_eq!(answer.end, BuildEnd::Refused(reason.outcome(), reason));
        let filter = launchgate_engine::EventFilter { limit: 1, ..Default::default() };
        let listed = world.gate.ledger().events(filter).await.unwrap().items;
        assert_eq!(listed[0].reason, Some(reason));
    }

    let event = world.event().await;
    assert_eq!(event.outcome, Outcome::WaitingBuild, "nothing of that was believed");
    assert_eq!(world.jobs(), 0);
}

#[tokio::test]
async fn an_older_secret_counts_while_it_is_in_the_list_and_other_events_are_unused() {
    let world = World::asking(NO_PULL_REQUEST());
    let body = a_webhook("passed", Some(10)).to_string();
    let rotated = receipt(body.as_bytes(), Some(header("older", published().seconds(), &body)));
    let ping = json!({"event": "ping", "organization": {"id": "o"}});

    let kept = world.gate.receive_build(rotated).await.unwrap();
    let unused = world.webhook(&ping).await;

    assert_eq!((kept.end, unused.end), (BuildEnd::Facts(FactsKept::Newest), BuildEnd::Unused));
}
