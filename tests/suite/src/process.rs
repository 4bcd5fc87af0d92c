//! The product's binaries as processes: started, listened to, killed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::PATIENCE;

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

impl Finished {
    /// Its stdout as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The same, once it ended with 0.
    pub fn success(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command, stdin: &[u8]) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // A command that does not read its stdin closes it: not an error of the test.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the product writes UTF-8");
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A running service of the product; killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    text: Vec<String>,
    /// Of stdout and stderr, how many have ended.
    ended: u8,
}

impl Service {
    /// Starts it and waits until its log says where it listens.
    pub fn start(command: &mut Command) -> Self {
        Self::start_when(command, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok())?
        })
    }

    /// Starts it and waits for the line that `address` finds the address in.
    pub fn start_when(command: &mut Command, address: impl Fn(&str) -> Option<SocketAddr>) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Arc::new(Log::default());
        Log::follow(&log, child.stdout.take().unwrap());
        Log::follow(&log, child.stderr.take().unwrap());
        let address = log.wait(PATIENCE, address);
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{command:?} did not say where it listens:\n{}", log.text());
        };
        Self { child, address, log }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path that starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// SIGKILL, as a machine that loses its power: no handler runs.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, as a platform that scales down.
    pub fn terminate(&self) {
        let killed = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        assert!(killed.unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        // Its end closes both streams; a process that is stuck keeps them open.
        let ended = self.log.wait_until(within, |lines| (lines.ended == 2).then_some(()));
        assert!(ended.is_some(), "still running after {within:?}:\n{}", self.log());
        self.child.wait().unwrap()
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a log line, read as JSON, that `wanted` accepts.
    pub fn wait_for_line(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self
            .log
            .wait(PATIENCE, |line| serde_json::from_str(line).ok().filter(|line: &Value| wanted(line)));
        found.unwrap_or_else(|| panic!("no log line: {what}\n{}", self.log()))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of the service:\n{}", self.log());
        }
    }
}

impl Log {
    fn follow(log: &Arc<Self>, stream: impl Read + Send + 'static) {
        let log = Arc::clone(log);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                log.lines.lock().unwrap().text.push(String::from_utf8_lossy(&line).into_owned());
                log.changed.notify_all();
            }
            log.lines.lock().unwrap().ended += 1;
            log.changed.notify_all();
        });
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().text.join("\n")
    }

    /// Waits for a line; gives up early when there will be no more.
    fn wait<T>(&self, within: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.wait_until(within, |lines| match lines.text.iter().find_map(|line| find(line)) {
            Some(found) => Some(Some(found)),
            None => (lines.ended == 2).then_some(None),
        })?
    }

    fn wait_until<T>(&self, within: Duration, mut ask: impl FnMut(&Lines) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(answer) = ask(&lines) {
                return Some(answer);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self.changed.wait_timeout(lines, left).unwrap().0;
        }
    }
}
