//! Following runs to their end.

use std::time::Duration;

use launchgate_engine::{Durability::Now, Fence, FollowedRun, Run, RunEnd, RunSeen, ports::Ledger};
use launchgate_triggers::LaunchId;

use super::{Factory, admission::all};
use crate::a;

const LEASE: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::ZERO;

fn state(state: &str, end: Option<RunEnd>) -> RunSeen {
    RunSeen { state: Some(state.to_owned()), end, error: None }
}

fn running() -> RunSeen {
    state("PIPELINE_STATE_RUNNING", None)
}

/// A decision whose run was recorded as launched.
async fn launched(ledger: &impl Ledger, n: u32) -> LaunchId {
    ledger.admit(a::admission(n, vec![a::to_launch(n, "retrain")])).await.unwrap();
    let launch_id = a::launch(n, "retrain", 0);
    ledger.record(&launch_id, Fence(1), a::launched(Fence(1), &format!("run-{n}")), Now).await.unwrap();
    launch_id
}

async fn run_of(ledger: &impl Ledger, n: u32) -> Run {
    ledger.event(&a::id(n)).await.unwrap().unwrap().decisions[0].run.clone().unwrap()
}

fn ids(runs: &[FollowedRun]) -> Vec<&LaunchId> {
    runs.iter().map(|run| &run.decision.launch_id).collect()
}

pub(crate) async fn a_run_is_followed_from_its_launch_to_its_end(place: &mut impl Factory) {
    let ledger = place.ledger();
    ledger.admit(a::admission(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
    let launch_id = a::launch(1, "retrain", 0);
    assert_eq!(ledger.follow_now(&launch_id, LEASE).await.unwrap(), None, "nothing was launched yet");
    ledger.record(&launch_id, Fence(1), a::launched(Fence(1), "run-1"), Now).await.unwrap();

    let followed = ledger.follow_now(&launch_id, LEASE).await.unwrap().unwrap();
    assert_eq!((followed.looks, followed.decision.run.unwrap()), (0, run_of(ledger, 1).await));
    ledger.run_seen(&launch_id, running(), LEASE).await.unwrap();
    assert_eq!(run_of(ledger, 1).await.state.as_deref(), Some("PIPELINE_STATE_RUNNING"));
    assert_eq!(ledger.follow_now(&launch_id, LEASE).await.unwrap().unwrap().looks, 1);
    let failed = RunSeen {
        error: Some("out of memory".into()),
        ..state("PIPELINE_STATE_FAILED", Some(RunEnd::Failed))
    };
    ledger.run_seen(&launch_id, failed, LEASE).await.unwrap();

    let run = run_of(ledger, 1).await;
    assert_eq!((run.end, run.error.as_deref()), (Some(RunEnd::Failed), Some("out of memory")));
    assert_eq!(ledger.follow_now(&launch_id, LEASE).await.unwrap(), None);
}

pub(crate) async fn an_end_stays_whatever_is_seen_later(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = launched(ledger, 1).await;
    let succeeded = state("PIPELINE_STATE_SUCCEEDED", Some(RunEnd::Succeeded));
    ledger.run_seen(&launch_id, succeeded, SOON).await.unwrap();
    let there = run_of(ledger, 1).await;

    ledger.run_seen(&launch_id, running(), SOON).await.unwrap();
    ledger.run_seen(&launch_id, state("PIPELINE_STATE_FAILED", Some(RunEnd::Failed)), SOON).await.unwrap();

    assert_eq!(run_of(ledger, 1).await, there);
    assert!(ledger.follow_due(10, LEASE).await.unwrap().is_empty());
}

pub(crate) async fn a_run_is_due_when_it_was_said_and_taken_once(place: &mut impl Factory) {
    let ledger = place.ledger();
    let (first, second, third) =
        (launched(ledger, 1).await, launched(ledger, 2).await, launched(ledger, 3).await);
    assert!(ledger.follow_due(10, LEASE).await.unwrap().is_empty(), "a run is left alone at first");
    for launch_id in [&second, &first] {
        ledger.run_seen(launch_id, running(), SOON).await.unwrap();
    }
    ledger.run_seen(&third, running(), LEASE).await.unwrap();

    let taken = ledger.follow_due(1, LEASE).await.unwrap();
    let rest = all((0..16).map(|_| ledger.follow_due(10, LEASE))).await;

    assert_eq!(ids(&taken), [&second], "the longest due comes first");
    let rest: Vec<_> = rest.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(ids(&rest), [&first], "each is taken by one");
}

pub(crate) async fn a_lease_that_ran_out_makes_a_run_due_again(place: &mut impl Factory) {
    let ledger = place.ledger();
    let launch_id = launched(ledger, 1).await;
    ledger.run_seen(&launch_id, running(), SOON).await.unwrap();
    ledger.follow_due(10, Duration::ZERO).await.unwrap();

    assert_eq!(ids(&ledger.follow_due(10, LEASE).await.unwrap()), [&launch_id]);
}

pub(crate) async fn what_is_followed_survives_a_restart(place: &mut impl Factory) {
    let launch_id = launched(place.ledger(), 1).await;
    place.ledger().run_seen(&launch_id, running(), SOON).await.unwrap();

    place.reopen();

    let due = place.ledger().follow_due(10, LEASE).await.unwrap();
    assert_eq!((ids(&due), due[0].looks), (vec![&launch_id], 1));
}
