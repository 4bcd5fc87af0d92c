//! The bench itself: runs everything in turn and prints the table.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context, ensure};
use launchgate_engine::judge;
use launchgate_outcome::Outcome;
use launchgate_service::{Environment, TriggersFile};
use launchgate_statement::Timestamp;
use launchgate_triggers::DecideOptions;
use launchgate_trust::{BuildkiteKeys, PublicKey, TrustInputs};
use rusqlite::Connection;

use crate::{
    decide, drive,
    events::{Events, PUBLISHED, triggers_file},
    file_size,
    measure::{cpu_seconds, resident_mb},
    processes::Server,
    signers,
};

/// Connections at the same time.
const CONNECTIONS: [usize; 3] = [1, 16, 256];

/// One server at one number of connections.
struct Row {
    rate: f64,
    cpu_per_thousand: f64,
    loaded_mb: f64,
}

/// Runs everything and prints it. Fails unless outcomes stored equal requests answered.
pub(crate) fn bench(binaries: &Path, count: usize) -> anyhow::Result<()> {
    eprintln!("making {count} signed events");
    let events = Events::make(count)?;
    let folder = tempfile::tempdir_in(".")?;
    let key = folder.path().join("key.pem");
    std::fs::write(&key, &events.public_pem)?;
    decide_loop(&events, folder.path())?;
    signers::print()?;
    file_size::print()?;
    let requests: Arc<Vec<Vec<u8>>> =
        Arc::new(events.bodies.iter().map(|body| drive::request(body)).collect());

    println!("\n{:<26}{:>12}{:>12}{:>12}", "pushes a second", "1 conn", "16 conn", "256 conn");
    let mut rows: Vec<(&str, Vec<Row>)> = Vec::new();
    for name in ["a: parse and verify", "b: a + durable insert", "c: the whole job, bare", "launchgate"] {
        let mut measured = Vec::new();
        for connections in CONNECTIONS {
            // One connection waits for the disk twice an event: fewer events say as much.
            let share = if connections == 1 { requests.len() / 4 } else { requests.len() };
            let part: Arc<Vec<Vec<u8>>> =
                if share == requests.len() { requests.clone() } else { Arc::new(requests[..share].to_vec()) };
            eprintln!("{name}: {connections} connections");
            measured.push(run(binaries, folder.path(), &key, &events.public_pem, name, &part, connections)?);
        }
        print!("{name:<26}");
        for row in &measured {
            print!("{:>12.0}", row.rate);
        }
        println!();
        rows.push((name, measured));
    }
    let ours = &rows.iter().find(|(name, _)| *name == "launchgate").context("launchgate")?.1;
    for (name, theirs) in rows.iter().filter(|(name, _)| *name != "launchgate") {
        print!("{:<26}", format!("launchgate / {}", &name[..1]));
        for (ours, theirs) in ours.iter().zip(theirs) {
            print!("{:>12.2}", ours.rate / theirs.rate);
        }
        println!();
    }
    println!("\n{:<26}{:>12}{:>12}{:>12}", "CPU-s per 1,000 events", "1 conn", "16 conn", "256 conn");
    for (name, measured) in &rows {
        print!("{name:<26}");
        for row in measured {
            print!("{:>12.3}", row.cpu_per_thousand);
        }
        println!();
    }
    println!(
        "\nresident, loaded (MB)     {:>12.1}{:>12.1}{:>12.1}",
        ours[0].loaded_mb, ours[1].loaded_mb, ours[2].loaded_mb
    );
    start_and_size(binaries, folder.path(), &events)
}

/// Verify-and-decide beside the bare signature check, in this process.
fn decide_loop(events: &Events, folder: &Path) -> anyhow::Result<()> {
    let key = PublicKey::from_pem(&events.public_pem, None)?;
    let (pae, signature) = decide::bare_signature(&events.envelope)?;
    ensure!(key.verifies(&pae, &signature), "the bare loop must verify");
    let config =
        TriggersFile::read(&triggers_file(folder, &events.public_pem, "bench.db")?, &Environment::default())?;
    let config = config.usable()?;
    let published = Timestamp::parse(PUBLISHED).context("a time")?;
    let inputs = TrustInputs { published, buildkite_keys: BuildkiteKeys::Missing };
    let decided = judge(&config, &events.envelope, inputs, DecideOptions::default())?;
    ensure!(decided.outcome() == Outcome::Launched, "the measured event must launch, not {decided:?}");
    let bare = decide::rate(|| {
        std::hint::black_box(key.verifies(std::hint::black_box(&pae), &signature));
    });
    let ours = decide::rate(|| {
        std::hint::black_box(judge(
            &config,
            std::hint::black_box(&events.envelope),
            inputs,
            DecideOptions::default(),
        ))
        .ok();
    });
    println!("signature check alone {bare:.0}/s, verify and decide {ours:.0}/s, ratio {:.2}", ours / bare);
    Ok(())
}

fn run(
    binaries: &Path,
    folder: &Path,
    key: &Path,
    public_pem: &str,
    name: &str,
    requests: &Arc<Vec<Vec<u8>>>,
    connections: usize,
) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir_in(folder)?;
    let db = folder.path().join("bench.db");
    let standin = Server::standin(binaries)?;
    let server = match &name[..1] {
        kind @ ("a" | "b" | "c") => Server::bare(binaries, kind, key, &db, &standin)?,
        _ => Server::gate(binaries, &triggers_file(folder.path(), public_pem, "bench.db")?, &standin)?,
    };
    let before = cpu_seconds(server.pid())?;
    let load = drive::post_all(&server.address, requests, connections)?;
    let cpu = cpu_seconds(server.pid())? - before;
    let loaded_mb = resident_mb(server.pid())?;
    ensure!(load.refused == 0, "{name}: {} of {} answers were not 204", load.refused, requests.len());
    ensure!(
        load.answered == requests.len(),
        "{name}: {} answers for {} requests",
        load.answered,
        requests.len()
    );
    drop(server);
    ensure_stored(name, &db, load.answered)?;
    let answered = f64::from(u32::try_from(load.answered)?);
    Ok(Row { rate: answered / load.took.as_secs_f64(), cpu_per_thousand: cpu * 1000.0 / answered, loaded_mb })
}

/// After a SIGKILL: every answered request has its outcome on disk. A launched mark may ride up to 5 ms, so
/// the last few decisions may still be intents; they are counted, and bounded by one commit.
fn ensure_stored(name: &str, db: &Path, answered: usize) -> anyhow::Result<()> {
    let query = match &name[..1] {
        "a" => return Ok(()),
        "b" => "SELECT count(*), 0 FROM intent",
        "c" => "SELECT count(*), count(*) - count(run) FROM intent",
        _ => "SELECT count(*), count(*) - count(CASE WHEN outcome = 'launched' THEN 1 END) FROM decisions",
    };
    let connection = Connection::open(db)?;
    let (stored, unmarked): (i64, i64) =
        connection.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    ensure!(
        usize::try_from(stored)? == answered,
        "{name}: {answered} requests answered but {stored} outcomes stored"
    );
    ensure!(unmarked <= 256, "{name}: {unmarked} launches are not marked");
    Ok(())
}

fn start_and_size(binaries: &Path, folder: &Path, events: &Events) -> anyhow::Result<()> {
    let standin = Server::standin(binaries)?;
    let mut starts = Vec::new();
    let mut first_launches = Vec::new();
    let mut idle = 0.0;
    for body in events.bodies.iter().take(9) {
        let folder = tempfile::tempdir_in(folder)?;
        let config = triggers_file(folder.path(), &events.public_pem, "bench.db")?;
        let begun = std::time::Instant::now();
        let server = Server::gate(binaries, &config, &standin)?;
        starts.push(server.start.as_secs_f64() * 1000.0);
        idle = resident_mb(server.pid())?;
        let load = drive::post_all(&server.address, &Arc::new(vec![drive::request(body)]), 1)?;
        ensure!(load.answered == 1, "the first push was not answered");
        first_launches.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    starts.sort_by(f64::total_cmp);
    first_launches.sort_by(f64::total_cmp);
    println!("process start to listening  {:>9.1} ms (median of {})", starts[starts.len() / 2], starts.len());
    println!("process start to launch     {:>9.1} ms (median)", first_launches[first_launches.len() / 2]);
    println!("resident, idle              {idle:>9.1} MB");
    for name in ["launchgate-trigger", "launchgate-webhook", "launchgate-lambda", "launchgate"] {
        let binary = binaries.join(name);
        if !binary.exists() {
            continue;
        }
        println!("{name:<28}{:>9.1} MB stripped", stripped_mb(&binary, folder)?);
    }
    Ok(())
}

fn stripped_mb(binary: &Path, folder: &Path) -> anyhow::Result<f64> {
    let copy: PathBuf = folder.join("stripped");
    std::fs::copy(binary, &copy)?;
    // Release builds are stripped already; this only makes sure of it.
    let _ = Command::new("strip").arg(&copy).status();
    #[allow(clippy::cast_precision_loss, reason = "a size in MB with one decimal")]
    let size = std::fs::metadata(&copy)?.len() as f64;
    Ok(size / 1e6)
}
