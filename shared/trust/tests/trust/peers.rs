//! Other people's programs, run beside ours.

use std::{
    ffi::OsString,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

/// A program with its script.
pub(crate) struct Peer(Command);

/// A Python with the packages of `tests/python/requirements.txt`; `None`, with one visible line that names the
/// test, where it is absent; an error when CI=true.
pub(crate) fn python(test: &str, script: &str) -> Option<Peer> {
    let python = named(test, "LAUNCHGATE_PYTHON", "a Python with tests/python/requirements.txt")?;
    let mut command = Command::new(python);
    command.arg(tests().join("python").join(script));
    Some(Peer(command))
}

/// Node with the packages of `tests/node`; as above.
pub(crate) fn node(test: &str, script: &str) -> Option<Peer> {
    named(test, "LAUNCHGATE_NODE_PACKAGES", "a folder with the packages of tests/node")?;
    let mut command = Command::new("node");
    command.arg(tests().join("node").join(script));
    Some(Peer(command))
}

impl Peer {
    /// What it answers to this question, both JSON.
    pub(crate) fn ask(mut self, question: &Value) -> Value {
        let command = self.0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
        let finished = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&finished.stderr);
        assert!(finished.status.success(), "{said}");
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

fn named(test: &str, variable: &str, what: &str) -> Option<OsString> {
    let found = std::env::var_os(variable);
    if found.is_none() {
        assert!(std::env::var("CI").is_err(), "{variable} names no {what}");
        // Past the capture of the test runner, which shows nothing of a test that passes.
        _ = writeln!(std::io::stderr(), "SKIPPED {test}: {variable} does not name {what}");
    }
    found
}

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}
