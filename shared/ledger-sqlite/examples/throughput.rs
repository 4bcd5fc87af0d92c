//! Measures admitting and launching on this disk:
//! `cargo run --release -p launchgate-ledger-sqlite --example throughput [FOLDER]`.
#![allow(clippy::unwrap_used, reason = "a measurement that fails is no measurement")]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/conformance/a.rs"]
mod a;

use std::{path::PathBuf, sync::Arc, time::Instant};

use launchgate_engine::{Durability, Fence, ports::Ledger};
use launchgate_ledger_sqlite::{Options, SqliteLedger};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    for tasks in [1, 16, 64, 256] {
        let place = tempfile::tempdir_in(&folder).unwrap();
        let ledger = SqliteLedger::open(place.path().join("ledger.db"), Options::default()).unwrap();
        let events: u32 = if tasks == 1 { 3_000 } else { 40_000 };
        let (ledger, begun, cpu) = (Arc::new(ledger), Instant::now(), cpu_seconds());
        let handles: Vec<_> = (0..tasks)
            .map(|task| tokio::spawn(launch(Arc::clone(&ledger), (task..events).step_by(tasks as usize))))
            .collect();
        for handle in handles {
            handle.await.unwrap();
        }
        ledger.flush().await.unwrap();

        let (seconds, count) = (begun.elapsed().as_secs_f64(), f64::from(events));
        println!(
            "{tasks:>3} tasks: {:>6.0} events/s, {:.3} commits an event, {:.3} CPU-seconds per 1,000",
            count / seconds,
            f64::from(u32::try_from(ledger.commits()).unwrap()) / count,
            (cpu_seconds() - cpu) / count * 1000.0,
        );
    }
}

/// Admits each event and marks it launched, the mark riding.
async fn launch(ledger: Arc<SqliteLedger>, events: impl Iterator<Item = u32>) {
    for n in events {
        ledger.admit(a::admission(n, vec![a::to_launch(n, "retrain")])).await.unwrap();
        let (launch_id, progress) = (a::launch(n, "retrain", 0), a::launched(Fence(1), "x"));
        ledger.record(&launch_id, Fence(1), progress, Durability::MayRide).await.unwrap();
    }
}

/// User and system time of this process. Source: `proc_pid_stat(5)`, at the usual 100 ticks a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split(' ').skip(12).take(2);
    ticks.filter_map(|text| text.parse::<f64>().ok()).sum::<f64>() / 100.0
}
