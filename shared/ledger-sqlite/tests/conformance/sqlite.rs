//! What only this ledger promises: its file.

use std::{os::unix::fs::PermissionsExt, path::Path};

use launchgate_engine::{Admitted, Claim, Durability, Fence, ports::Ledger};
use launchgate_ledger_sqlite::{OpenError, Options, SqliteLedger};
use launchgate_outcome::Reason;
use rusqlite::Connection;

use crate::a;

/// The newest version of the schema.
const NEWEST: i64 = 7;

/// Takes out again what each version added, the newest first.
const BACK: [&str; 6] = [
    "DROP TABLE runs_followed; PRAGMA user_version = 6",
    "DROP TABLE artifact_sets; DROP TABLE build_asks; DROP INDEX decisions_waiting; PRAGMA user_version = 5",
    "DROP TABLE near_misses; PRAGMA user_version = 4",
    "DROP INDEX decisions_unchecked; ALTER TABLE decisions DROP COLUMN artifact_rule; \
     ALTER TABLE decision_bodies DROP COLUMN artifact; PRAGMA user_version = 3",
    "DROP INDEX decisions_once; DROP INDEX decisions_order; DROP INDEX decisions_hourly; \
     ALTER TABLE decisions DROP COLUMN once_key; ALTER TABLE decisions DROP COLUMN order_line; \
     ALTER TABLE decisions DROP COLUMN order_number; ALTER TABLE decisions DROP COLUMN hourly; \
     ALTER TABLE decisions DROP COLUMN run_at; PRAGMA user_version = 2",
    "DROP TABLE build_facts; DROP TABLE build_waits; ALTER TABLE decisions DROP COLUMN wait_seconds; \
     PRAGMA user_version = 1",
];

fn in_folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/ledger.db");
    (folder, path)
}

fn open(path: &Path) -> Result<SqliteLedger, OpenError> {
    SqliteLedger::open(path, Options::default())
}

fn version(path: &Path) -> i64 {
    Connection::open(path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_new_file_is_for_its_owner_alone() {
    let (_folder, path) = in_folder();

    let ledger = open(&path).unwrap();

    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let mode = path.with_file_name(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(ledger.path(), path);
}

#[test]
fn an_empty_file_is_brought_to_the_newest_version_and_then_left_alone() {
    let (_folder, path) = in_folder();
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"").unwrap();

    drop(open(&path).unwrap());
    drop(open(&path).unwrap());

    assert_eq!(version(&path), NEWEST);
    assert!(!path.with_extension("db-wal").exists(), "the log is folded in at an orderly end");
}

#[test]
fn a_file_of_a_newer_version_is_refused_untouched() {
    let (_folder, path) = in_folder();
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();

    let error = open(&path).err().unwrap();

    assert!(matches!(error, OpenError::Newer { found: 99, known: NEWEST, .. }), "{error}");
    assert!(error.to_string().contains("run the newer launchgate"), "{error}");
    assert_eq!(version(&path), 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_an_older_version_goes_on_with_everything_in_it() {
    for steps in 1..=BACK.len() {
        let (_folder, path) = in_folder();
        let ledger = open(&path).unwrap();
        ledger.admit(a::abandoned(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
        drop(ledger);
        for back in &BACK[..steps] {
            Connection::open(&path).unwrap().execute_batch(back).unwrap();
        }

        let ledger = open(&path).unwrap();

        let stored = ledger.event(&a::id(1)).await.unwrap().unwrap();
        assert_eq!(stored.decisions, [a::to_launch(1, "retrain")]);
        ledger.admit(a::admission(2, vec![a::waiting(2, "retrain")])).await.unwrap();
        assert_eq!(ledger.waiting_for(&a::build(2)).await.unwrap(), [a::id(2)]);
        let held = ledger.claim(&a::launch(1, "retrain", 0), a::LEASE).await.unwrap();
        assert!(matches!(held, Claim::Held(_)), "{held:?}");
        ledger.admit(a::admission(3, vec![a::once(3, "retrain", "key")])).await.unwrap();
        let Admitted::New { decisions, .. } =
            ledger.admit(a::admission(5, vec![a::once(5, "retrain", "key")])).await.unwrap()
        else {
            panic!("expected a new event")
        };
        assert_eq!(decisions[0].reason, Some(Reason::OncePer));
        assert_eq!(version(&path), NEWEST);
    }
}

#[test]
fn a_file_of_another_program_is_refused_untouched() {
    let (_folder, path) = in_folder();
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();

    assert!(matches!(open(&path), Err(OpenError::Foreign(_))));

    assert_eq!(version(&path), 0);
}

#[test]
fn a_disk_that_ends_with_the_instance_is_refused_unless_typed_out() {
    let (_folder, path) = in_folder();
    let platform = Options { on_ephemeral_platform: true, ephemeral_disk_allowed: false };

    let error = SqliteLedger::open(&path, platform).err().unwrap();

    assert!(error.to_string().contains("ephemeralDisk: allowed"), "{error}");
    assert!(!path.exists());
    let typed_out = Options { ephemeral_disk_allowed: true, ..platform };
    assert!(SqliteLedger::open(&path, typed_out).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_may_share_the_file() {
    let (_folder, path) = in_folder();
    let (service, cli) = (open(&path).unwrap(), open(&path).unwrap());
    service.admit(a::abandoned(1, vec![a::to_launch(1, "retrain")])).await.unwrap();
    let launch_id = a::launch(1, "retrain", 0);

    let id = cli.ask(a::replay(1, "why")).await.unwrap();
    let claims = [cli.claim(&launch_id, a::LEASE).await, service.claim(&launch_id, a::LEASE).await];

    assert_eq!(service.open_commands(10).await.unwrap()[0].id, id);
    assert!(matches!(claims, [Ok(Claim::Held(_)), Ok(Claim::Busy)]));
    assert!(matches!(cli.admit(a::admission(1, Vec::new())).await.unwrap(), Admitted::Known(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_rides_shares_the_next_commit() {
    let (_folder, path) = in_folder();
    let ledger = open(&path).unwrap();
    for n in 0..3 {
        ledger.admit(a::admission(n, vec![a::to_launch(n, "retrain")])).await.unwrap();
    }
    let before = ledger.commits();

    // Marks and the flush are queued together, far within the ride.
    for n in 0..3 {
        let launched = a::launched(Fence(1), "x");
        let riding = launchgate_engine::Durability::MayRide;
        ledger.record(&a::launch(n, "retrain", 0), Fence(1), launched, riding).await.unwrap();
    }
    ledger.flush().await.unwrap();

    let commits = ledger.commits() - before;
    assert!((1..=3).contains(&commits), "{commits}");
    for n in 0..3 {
        assert_eq!(ledger.event(&a::id(n)).await.unwrap().unwrap().decisions[0].run, Some(a::run("x")));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_still_takes() {
    let (_folder, path) = in_folder();
    let ledger = open(&path).unwrap();

    {
        let mut admission = Box::pin(ledger.admit(a::admission(1, Vec::new())));
        let waker = std::task::Waker::noop();
        let _ = admission.as_mut().poll(&mut std::task::Context::from_waker(waker));
    }
    ledger.flush().await.unwrap();

    assert!(ledger.event(&a::id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn rejected_bodies_are_kept_up_to_64_kib() {
    let (_folder, path) = in_folder();
    let ledger = open(&path).unwrap();
    let mut receipt = a::rejected("huge");
    receipt.body = vec![b'x'; 100_000];
    ledger.record_receipt(receipt).await.unwrap();
    drop(ledger);

    let length: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT length(body) FROM receipts", [], |row| row.get(0))
        .unwrap();
    assert_eq!(length, 65_536);
}

#[tokio::test]
async fn time_does_not_go_back_over_a_restart() {
    let (_folder, path) = in_folder();
    drop(open(&path).unwrap());
    let future = 4_000_000_000_000_000_i64;
    Connection::open(&path)
        .unwrap()
        .execute("INSERT INTO commands (asked, kind, asker, why) VALUES (?1, '{}', '', '')", [future])
        .unwrap();

    let Admitted::New { now, .. } = open(&path).unwrap().admit(a::admission(1, Vec::new())).await.unwrap()
    else {
        panic!("expected a new event")
    };

    assert!(now.micros() >= future);
}

#[tokio::test]
async fn a_run_counts_for_an_hour_and_what_is_open_for_as_long_as_it_is() {
    let (_folder, path) = in_folder();
    let ledger = open(&path).unwrap();
    for n in [1, 2] {
        ledger.admit(a::admission(n, vec![a::capped(n, "retrain", 2)])).await.unwrap();
    }
    let launched = a::launched(Fence(1), "x");
    ledger.record(&a::launch(1, "retrain", 0), Fence(1), launched, Durability::Now).await.unwrap();
    drop(ledger);
    let move_back = |micros: i64| {
        let sql = "UPDATE decisions SET decided = decided - ?1, changed = changed - ?1, \
                   claimed_at = claimed_at - ?1, first_intent = first_intent - ?1, run_at = run_at - ?1";
        Connection::open(&path).unwrap().execute(sql, [micros]).unwrap();
    };
    let minute = 60_000_000;

    for (since, n, expected) in [(59 * minute, 3, "2 before it"), (2 * minute, 4, "1 before it")] {
        move_back(since);
        let ledger = open(&path).unwrap();
        let Admitted::New { decisions, .. } =
            ledger.admit(a::admission(n, vec![a::capped(n, "retrain", 2)])).await.unwrap()
        else {
            panic!("expected a new event")
        };
        assert_eq!(decisions[0].checks.last().unwrap().actual.as_deref(), Some(expected));
    }
}

#[test]
fn the_hot_statements_use_their_indexes() {
    let (_folder, path) = in_folder();
    drop(open(&path).unwrap());
    let db = Connection::open(&path).unwrap();
    let plans = [
        (
            "SELECT launch_id FROM decisions WHERE open = 1 AND due_at <= 5 ORDER BY due_at, seq LIMIT 3",
            "decisions_due",
        ),
        (
            "SELECT launch_id FROM decisions WHERE outcome = 'waiting_artifact' AND artifact_rule = 'exists' \
             AND due_at <= 5 ORDER BY due_at, seq LIMIT 3",
            "decisions_unchecked",
        ),
        (
            "SELECT seq FROM decisions d WHERE d.outcome = 'failed_launch' AND d.failure_told = 0 ORDER BY d.changed, d.seq",
            "decisions_untold",
        ),
        ("SELECT outcome FROM decisions WHERE event = 1", "decisions_of_event"),
        (
            "SELECT * FROM receipts WHERE seq = 1 UNION ALL \
             SELECT * FROM receipts WHERE event = 1 AND event <> seq ORDER BY seq",
            "receipts_of_event",
        ),
        ("SELECT 1 + count(*) FROM receipts WHERE event = 1 AND event <> seq", "receipts_of_event"),
        ("SELECT * FROM commands WHERE result IS NULL ORDER BY id LIMIT 1", "commands_open"),
        // The standing of a decision's conditions; the texts are those of src/standing.rs.
        (
            "SELECT launch_id, run FROM decisions WHERE once_key = ?1 \
             AND (open = 1 OR outcome IN ('launched', 'launch_unknown')) AND launch_id <> ?2",
            "decisions_once",
        ),
        (
            "SELECT order_number, launch_id FROM decisions WHERE order_line = ?1 AND order_number > ?2 \
             AND outcome = 'launched' AND launch_id <> ?3 ORDER BY order_number DESC LIMIT 1",
            "decisions_order",
        ),
        (
            "SELECT count(*) FROM decisions WHERE hourly = 1 AND (open = 1 OR run_at IS NOT NULL) \
             AND trigger_name = ?1 AND run_at IS NULL AND launch_id <> ?3",
            "decisions_hourly (trigger_name=? AND run_at=?)",
        ),
        (
            "SELECT count(*) FROM decisions WHERE hourly = 1 AND (open = 1 OR run_at IS NOT NULL) \
             AND trigger_name = ?1 AND run_at > ?2 AND launch_id <> ?3",
            "decisions_hourly (trigger_name=? AND run_at>?)",
        ),
    ];
    for (sql, index) in plans {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            statement.raw_query().mapped(|row| row.get("detail")).map(Result::unwrap).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
    }
}
