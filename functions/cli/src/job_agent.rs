//! `buildkite-agent` on PATH, as a step calls it.
//!
//! Promises: what it says on stdout stands in no error; a machine without it is told apart from one that fails. Does
//! not: know what it is asked for.

use std::{
    io::{ErrorKind, Write as _},
    process::{Command, Stdio},
};

use crate::failure::Failure;

/// Characters of its talk that are shown.
const SHOWN: usize = 500;

/// How a call ended.
pub(crate) enum Ended {
    /// With 0, and this on stdout.
    Well(String),
    /// Otherwise, and this on stderr.
    Badly(String),
}

/// Calls it with something on stdin; `None` when there is none on PATH.
pub(crate) async fn call(arguments: Vec<String>, stdin: Option<String>) -> Result<Option<Ended>, Failure> {
    let called = tokio::task::spawn_blocking(move || blocking(&arguments, stdin.as_deref()));
    match called.await.map_err(anyhow::Error::from)? {
        Ok(ended) => Ok(Some(ended)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::usage(format!("buildkite-agent cannot be started: {error}"))),
    }
}

fn blocking(arguments: &[String], stdin: Option<&str>) -> std::io::Result<Ended> {
    let mut command = Command::new("buildkite-agent");
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn()?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin) {
        // It reads all of it before it says anything, so neither waits for the other. One that ended without
        // reading says why on stderr.
        let _ = pipe.write_all(text.as_bytes());
    }
    let ended = child.wait_with_output()?;
    if ended.status.success() {
        return Ok(Ended::Well(String::from_utf8_lossy(&ended.stdout).into_owned()));
    }
    Ok(Ended::Badly(String::from_utf8_lossy(&ended.stderr).trim().chars().take(SHOWN).collect()))
}
