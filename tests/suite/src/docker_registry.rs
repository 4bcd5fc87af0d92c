//! `docker-registry`, the registry that everybody's is made of: one for each test that asks.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

use launchgate_statement::Sha256;
use reqwest::{Method, StatusCode, header::LOCATION};
use serde_json::json;
use tempfile::TempDir;

use crate::{PATIENCE, client, eventually, pubsub_emulator::UNTIL_STDIN_ENDS};

/// What an image's manifest calls itself.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry whose images are kept in a folder, also while it is down.
#[derive(Debug)]
pub struct DockerRegistry {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    running: Option<(Child, ChildStdin)>,
}

/// An image as it was pushed.
#[derive(Clone, Copy, Debug)]
pub struct PushedImage {
    /// Of its manifest.
    pub digest: Sha256,
    /// Of its only layer.
    pub layer: Sha256,
}

impl DockerRegistry {
    /// Starts one without images, or says why there is none.
    pub async fn start() -> Result<Self, String> {
        let program = program()?;
        // The address stands in a file: a port is asked for, let go and named.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("launchgate-suite-registry-").tempdir().unwrap();
        let config = json!({
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": {
                "filesystem": {"rootdirectory": folder.path().join("images")},
                "delete": {"enabled": true},
            },
            "http": {"addr": format!("127.0.0.1:{port}")},
        });
        fs::write(folder.path().join("registry.yml"), config.to_string()).unwrap();
        let mut registry = Self { program, folder, port, running: None };
        registry.up().await;
        Ok(registry)
    }

    /// What `LAUNCHGATE_REGISTRY_ENDPOINT` is to say.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Nobody answers any more.
    pub fn down(&mut self) {
        if let Some((mut child, stdin)) = self.running.take() {
            drop(stdin);
            // Fails only when it has ended already.
            let _ = child.wait();
        }
    }

    /// Answers (again), with everything that was pushed.
    pub async fn up(&mut self) {
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_STDIN_ENDS, "sh"])
            .arg(&self.program)
            .arg("serve")
            .arg(self.folder.path().join("registry.yml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        self.running = Some((child, stdin));
        let url = format!("{}/v2/", self.endpoint());
        eventually("the registry answers", PATIENCE, async || {
            client().get(&url).send().await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Pushes an image with one layer of these bytes.
    pub async fn push(&self, repository: &str, layer: &[u8]) -> PushedImage {
        let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let [config_digest, layer_digest] =
            [self.push_blob(repository, config).await, self.push_blob(repository, layer).await];
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": format!("sha256:{config_digest}"), "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": format!("sha256:{layer_digest}"), "size": layer.len(),
            }],
        });
        let manifest = manifest.to_string();
        let digest = Sha256::of(manifest.as_bytes());
        let request = client().put(self.manifest(repository, digest)).header("content-type", MANIFEST);
        let answer = request.body(manifest).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        PushedImage { digest, layer: layer_digest }
    }

    /// Deletes the image of this digest.
    pub async fn delete(&self, repository: &str, digest: Sha256) {
        let request = client().request(Method::DELETE, self.manifest(repository, digest));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED);
    }

    /// Changes a blob's bytes where the registry keeps them, as a broken disk would.
    pub fn spoil(&self, blob: Sha256) {
        let hex = blob.to_hex();
        let path = format!("images/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
        let path = self.folder.path().join(path);
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Sha256 {
        let digest = Sha256::of(bytes);
        let begun = client().post(format!("{}/v2/{repository}/blobs/uploads/", self.endpoint()));
        let begun = begun.send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let mut place =
            reqwest::Url::parse(&self.endpoint()).unwrap().join(begun.headers()[LOCATION].to_str().unwrap());
        let place = place.as_mut().unwrap();
        place.query_pairs_mut().append_pair("digest", &format!("sha256:{digest}"));
        let request = client().put(place.clone()).header("content-type", "application/octet-stream");
        assert_eq!(request.body(bytes.to_vec()).send().await.unwrap().status(), StatusCode::CREATED);
        digest
    }

    fn manifest(&self, repository: &str, digest: Sha256) -> String {
        format!("{}/v2/{repository}/manifests/sha256:{digest}", self.endpoint())
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.down();
    }
}

/// The program: as told, or on PATH as Debian's package `docker-registry` puts it.
fn program() -> Result<PathBuf, String> {
    if let Some(told) = std::env::var_os("LAUNCHGATE_DOCKER_REGISTRY") {
        return Ok(told.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join("docker-registry"));
    places.find(|place| place.is_file()).ok_or_else(|| {
        "no docker-registry on PATH (Debian's package of that name), and LAUNCHGATE_DOCKER_REGISTRY names none"
            .to_owned()
    })
}
