//! Envelopes of another implementation: securesystemslib's verify here, ours verify there.

use std::path::{Path, PathBuf};

use launchgate_suite::{Folder, Python, a_key, a_pipeline_job, an_event, skip};
use serde_json::json;

const SCHEMES: [&str; 5] = ["ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-pss-sha256", "rsa-pkcs1v15-sha256"];

/// The Python with securesystemslib, or the end of the test.
macro_rules! python {
    () => {
        match Python::find() {
            Ok(python) => python,
            Err(why) => skip!("{why}"),
        }
    };
}

fn peer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/dsse_peer.py")
}

/// A folder whose only signer is `peer`, with the peer's key pair in it.
fn a_folder_trusting_the_peer(python: &Python, scheme: &str) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["require"]["signers"]["anyOf"] = json!(["peer"]);
    let folder = Folder::trusting(&a_key()).set("/signers", json!([])).triggers(vec![trigger]);
    let path = |name: &str| folder.path().join(name).into_os_string();
    python.run(&peer(), &["key".into(), scheme.into(), path("peer.key"), path("peer.pem")]).success();
    let public = std::fs::read_to_string(folder.path().join("peer.pem")).unwrap();
    folder.signer("peer", &public, json!({"scheme": scheme}))
}

#[test]
fn their_envelopes_verify_here_and_a_changed_one_does_not() {
    let python = python!();
    for scheme in SCHEMES {
        let folder = a_folder_trusting_the_peer(&python, scheme);
        let path = |name: &str| folder.path().join(name).into_os_string();
        folder.write("statement.json", an_event().statement());

        let sign =
            ["sign".into(), scheme.into(), path("peer.key"), path("statement.json"), path("event.json")];
        python.run(&peer(), &sign).success();
        let verified = folder.launchgate(&["verify", "event.json", "--output", "json"]).success().json();

        assert_eq!(verified["verified"], true, "{scheme}");
        assert_eq!(verified["signatures"][0]["signer"], "peer", "{scheme}");

        folder.write("statement.json", an_event().number(43).statement());
        let other =
            ["sign".into(), scheme.into(), path("peer.key"), path("statement.json"), path("other.json")];
        python.run(&peer(), &other).success();
        let read = |name: &str| -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap()
        };
        let mut mixed = read("event.json");
        mixed["payload"] = read("other.json")["payload"].clone();
        folder.write("mixed.json", mixed.to_string());
        let refused = folder.launchgate(&["verify", "mixed.json", "--output", "json"]);
        assert_eq!(refused.code, 3, "{scheme}: {refused:?}");
    }
}

#[test]
fn our_envelopes_verify_there_and_a_changed_one_does_not() {
    let python = python!();
    for scheme in SCHEMES {
        let folder = a_folder_trusting_the_peer(&python, scheme);
        let path = |name: &str| folder.path().join(name).into_os_string();
        folder.write("statement.json", an_event().statement());
        folder.write("other.json", an_event().number(43).statement());
        let (key, public) = if scheme.starts_with("rsa") {
            // RSA keys are imported, not made.
            ("peer.key", "peer.pem")
        } else {
            folder.launchgate(&["keygen", "--out", "ours", "--scheme", scheme]).success();
            ("ours.key", "ours.pem")
        };

        let signed = folder.launchgate(&["sign", "statement.json", "--key", key, "--scheme", scheme]);
        folder.write("event.json", &signed.success().stdout);

        let verify = |statement: &str| {
            let arguments =
                ["verify".into(), scheme.into(), path(public), path("event.json"), path(statement)];
            python.run(&peer(), &arguments)
        };
        verify("statement.json").success();
        assert_ne!(verify("other.json").code, 0, "{scheme}: another statement was taken for the signed one");
        let mut event: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("event.json")).unwrap()).unwrap();
        let other =
            folder.launchgate(&["sign", "other.json", "--key", key, "--scheme", scheme]).success().json();
        event["signatures"] = other["signatures"].clone();
        folder.write("event.json", event.to_string());
        assert_ne!(verify("statement.json").code, 0, "{scheme}: a foreign signature was taken");
    }
}
