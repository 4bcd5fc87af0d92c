//! Servers as processes of their own, each on its core, killed when dropped.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::Value;

/// The core of the server under measurement.
const SERVER_CORE: &str = "0";

/// The core of the load and of the stand-in.
pub(crate) const LOAD_CORE: &str = "1";

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// From spawning to the line that says it listens.
    pub(crate) start: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The Vertex stand-in, lean, on the load's core.
    pub(crate) fn standin(binaries: &Path) -> anyhow::Result<Self> {
        let mut command = on_core(LOAD_CORE, &binaries.join("launchgate-standin"));
        command.args(["--lean", "--anonymous"]);
        Self::spawn(command, |line| line.strip_prefix("http://").map(str::to_owned))
    }

    /// A bare loop on the server's core.
    pub(crate) fn bare(
        binaries: &Path,
        kind: &str,
        key: &Path,
        db: &Path,
        vertex: &Server,
    ) -> anyhow::Result<Self> {
        let mut command = on_core(SERVER_CORE, &binaries.join("launchgate-load"));
        command.args(["bare", kind, "--vertex"]).arg(format!("http://{}", vertex.address));
        command.arg("--key").arg(key).arg("--db").arg(db);
        Self::spawn(command, |line| line.strip_prefix("http://").map(str::to_owned))
    }

    /// The gate on the server's core.
    pub(crate) fn gate(binaries: &Path, config: &Path, vertex: &Server) -> anyhow::Result<Self> {
        let mut command = on_core(SERVER_CORE, &binaries.join("launchgate-trigger"));
        command.args(["--listen", "127.0.0.1:0", "--config"]).arg(config);
        command.env("LAUNCHGATE_VERTEX_ENDPOINT", format!("http://{}", vertex.address));
        Self::spawn(command, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "listening").then(|| line["address"].as_str().map(str::to_owned))?
        })
    }

    /// Starts the process and reads its stdout until `address` finds where it listens; the rest of stdout
    /// is drained, as a log collector would.
    fn spawn(mut command: Command, address: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {command:?}"))?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout")?);
        let mut line = String::new();
        loop {
            line.clear();
            anyhow::ensure!(lines.read_line(&mut line)? > 0, "{command:?} ended before it listened");
            if let Some(address) = address(line.trim_end()) {
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Ok(Self { child, address, start: begun.elapsed() });
            }
        }
    }
}

fn on_core(core: &str, binary: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(binary);
    command
}
