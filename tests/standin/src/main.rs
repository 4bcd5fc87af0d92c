//! The Vertex stand-in as a process of its own, for load runs and for playing.
//!
//! Prints its endpoint on the first line of stdout and serves until it is killed or, with
//! `--until-stdin-closes`, until whoever started it is gone.

use std::{error::Error, io::Read};

use launchgate_standin::{Access, Schedule, VertexOptions, VertexStandin};

const USAGE: &str =
    "usage: launchgate-standin [--port N] [--anonymous] [--lean] [--advance] [--until-stdin-closes]

  --port N              port on 127.0.0.1 (default: any free one)
  --anonymous           takes requests without a token
  --lean                for load runs: parses JSON and keeps ids, no schema check, no bodies
  --advance             jobs run after 1 s and succeed after 5 s
  --until-stdin-closes  stops when stdin ends";

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = VertexOptions::default();
    let mut until_stdin_closes = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => options.port = arguments.next().ok_or(USAGE)?.parse()?,
            "--anonymous" => options.access = Access::Anonymous,
            "--lean" => options.lean = true,
            "--advance" => {
                options.schedule = Schedule::Timed { running_after_ms: 1_000, finished_after_ms: 5_000 }
            }
            "--until-stdin-closes" => until_stdin_closes = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(format!("unknown argument {other}\n{USAGE}").into()),
        }
    }
    // One thread: the load bench gives the stand-in its own core or shares one on purpose.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if until_stdin_closes {
        std::thread::spawn(|| {
            // Whatever arrives is of no interest; an error means the pipe is gone as well.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }
    runtime.block_on(async {
        let standin = VertexStandin::start(options).await?;
        println!("{}", standin.endpoint());
        std::future::pending::<()>().await;
        Ok(())
    })
}
