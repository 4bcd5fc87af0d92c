//! `emit` and `sign` of artifacts that lie elsewhere: a bucket and a registry of a few lines, on loopback.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use launchgate_statement::Sha256;

use crate::folder::Folder;

const OBJECT: &[u8] = b"weights in a bucket";
const MANIFEST: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}"#;

/// Answers GETs until the test ends; its address.
fn cloud() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
    address
}

fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let metadata = format!(
        r#"{{"generation":"1763460000000017","size":"{}","crc32c":"AAAAAA==","contentType":"application/gzip"}}"#,
        OBJECT.len()
    );
    let (status, kind, body): (_, _, &[u8]) = match request.split(' ').nth(1).unwrap_or_default() {
        path if path.starts_with("/storage/v1/b/acme-models/o/fraud%2Fmodel.bin?alt=media") => {
            ("200 OK", "application/gzip", OBJECT)
        }
        path if path.starts_with("/storage/v1/b/acme-models/o/fraud%2Fmodel.bin") => {
            ("200 OK", "application/json", metadata.as_bytes())
        }
        "/v2/acme/ml/train/manifests/v1" => {
            ("200 OK", "application/vnd.oci.image.manifest.v1+json", MANIFEST)
        }
        _ => ("404 Not Found", "application/json", b"{}"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

fn subject(artifact: &str) -> (i32, serde_json::Value) {
    let cloud = cloud();
    let folder = Folder::new();
    let places = [("LAUNCHGATE_STORAGE_ENDPOINT", cloud.as_str()), ("LAUNCHGATE_REGISTRY_ENDPOINT", &cloud)];
    let ran = folder
        .run_in_job(&["emit", "--artifact", artifact, "--key", "keys/release.key", "--dry-run"], &places);
    if ran.code != 0 {
        return (ran.code, ran.stderr.into());
    }
    folder.write("event.json", &ran.stdout);
    let shown = folder.run(&["inspect", "event.json", "--output", "json"]).ok().json();
    (0, shown["payload"]["subject"][0].clone())
}

#[test]
fn an_object_is_pinned_to_its_generation_and_hashed() {
    let (code, subject) = subject("gs://acme-models/fraud/model.bin");

    assert_eq!((code, subject["name"].as_str()), (0, Some("model.bin")), "{subject:#}");
    assert_eq!(subject["digest"]["sha256"], Sha256::of(OBJECT).to_hex());
    assert_eq!(subject["uri"], "gs://acme-models/fraud/model.bin#1763460000000017");
    assert_eq!(subject["annotations"]["generation"], "1763460000000017");
}

#[test]
fn an_image_tag_is_resolved_to_its_digest() {
    let (code, subject) = subject("fraud=us-docker.pkg.dev/acme/ml/train:v1");

    let digest = Sha256::of(MANIFEST);
    assert_eq!((code, subject["name"].as_str()), (0, Some("fraud")), "{subject:#}");
    assert_eq!(subject["uri"], format!("us-docker.pkg.dev/acme/ml/train@sha256:{digest}"));
    assert_eq!(
        (&subject["digest"]["sha256"], &subject["annotations"]["kind"]),
        (&digest.to_hex().into(), &"container".into())
    );
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let (code, said) = subject("gs://acme-models/fraud/none.bin");

    assert_eq!(code, 2, "{said}");
    assert!(said.as_str().unwrap().contains("none.bin"), "{said}");
}
