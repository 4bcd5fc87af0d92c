//! `launchgate-load`: how fast the gate is beside bare loops that do the same work in the same run.
//!
//! The server has one core, the load (and the Vertex stand-in) the other. Numbers of one machine mean little
//! elsewhere; the ratios do. The bench fails unless outcomes stored equal requests answered.

mod bare;
mod bare_ledger;
mod decide;
mod drive;
mod events;
mod file_size;
mod measure;
mod processes;
mod report;
mod signers;

use std::path::PathBuf;

use anyhow::{Context, bail};

/// The service's own: what it is compared with in this process pays the same for its memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: launchgate-load bench --bin-dir DIR [--events N]
       launchgate-load signers                                                (that part of the bench alone)
       launchgate-load files                                                  (likewise)
       launchgate-load bare a|b|c --key PEM_FILE [--db FILE] [--vertex URL]   (a bare loop as a server)";

fn main() -> anyhow::Result<()> {
    launchgate_google::install_crypto();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    match arguments.first().map(String::as_str) {
        Some("bench") => {
            let binaries = PathBuf::from(option("--bin-dir").context(USAGE)?);
            let events = option("--events").map_or(Ok(20_000), |text| text.parse())?;
            report::bench(&binaries, events)
        }
        Some("signers") => signers::print(),
        Some("files") => file_size::print(),
        Some("bare") => {
            let kind = arguments.get(1).and_then(|text| bare::Kind::parse(text)).context(USAGE)?;
            bare::run(kind, &option("--key").context(USAGE)?, option("--db"), option("--vertex"))
        }
        _ => bail!("{USAGE}"),
    }
}
