//! Many at once.

use std::sync::Arc;

use launchgate_engine::{Admitted, Durability, EventFilter, Fence, Recorded, ports::Ledger};
use launchgate_ledger_sqlite::{Options, SqliteLedger};
use launchgate_outcome::Outcome;

use crate::a;

/// `tasks` tasks admit and launch `events` events between them; commits used.
async fn drive(ledger: &Arc<SqliteLedger>, tasks: u32, events: u32) -> u64 {
    let before = ledger.commits();
    let handles: Vec<_> = (0..tasks)
        .map(|task| {
            let ledger = Arc::clone(ledger);
            tokio::spawn(async move {
                for n in (task..events).step_by(tasks as usize) {
                    let admitted =
                        ledger.admit(a::admission(n, vec![a::to_launch(n, "retrain")])).await.unwrap();
                    assert!(matches!(admitted, Admitted::New { .. }));
                    let launch_id = a::launch(n, "retrain", 0);
                    let recorded = ledger
                        .record(&launch_id, Fence(1), a::launched(Fence(1), "x"), Durability::MayRide)
                        .await
                        .unwrap();
                    assert_eq!(recorded, Recorded::Yes);
                }
            })
        })
        .collect();
    for handle in handles {
        handle.await.unwrap();
    }
    ledger.flush().await.unwrap();
    ledger.commits() - before
}

fn fresh() -> (tempfile::TempDir, Arc<SqliteLedger>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path().join("ledger.db"), Options::default()).unwrap();
    (folder, Arc::new(ledger))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_events_at_once_are_all_launched_on_shared_commits() {
    let (_folder, ledger) = fresh();

    let commits = drive(&ledger, 64, 1000).await;

    let filter = EventFilter { outcome: Some(Outcome::Launched), limit: 2000, ..EventFilter::default() };
    assert_eq!(ledger.events(filter).await.unwrap().items.len(), 1000);
    assert!(ledger.due(10).await.unwrap().is_empty());
    assert!(commits < 1000, "{commits} commits: nothing was shared");
}
