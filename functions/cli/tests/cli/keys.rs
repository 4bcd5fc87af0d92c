//! `keygen` and `sign`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::folder::{Folder, PUBLISHED};

#[test]
fn a_private_key_is_readable_by_its_owner_alone() {
    let folder = Folder::new();

    let mode = |name: &str| fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode("keys/release.key"), 0o600);
    assert!(folder.read("keys/release.pem").starts_with("-----BEGIN PUBLIC KEY-----"));
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = Folder::new();
    let before = (folder.read("keys/release.key"), folder.read("keys/release.pem"));

    let both = folder.run(&["keygen", "--out", "keys/release"]);
    fs::remove_file(folder.path("keys/release.pem")).unwrap();
    let private = folder.run(&["keygen", "--out", "keys/release"]);

    assert_eq!((both.code, private.code), (2, 2));
    assert_eq!(folder.read("keys/release.key"), before.0);
    assert!(!folder.path("keys/release.pem").exists(), "no public key without its private one");
}

#[test]
fn the_printed_signer_block_is_one_that_the_file_takes() {
    let folder = Folder::new();
    let ran = folder.run(&["keygen", "--out", "keys/second", "--scheme", "ecdsa-p384"]).ok();

    let block = ran.stdout.replace("YOUR-PIPELINE", "fraud-train");
    let folder = folder.with("signers:\n", &format!("signers:\n{block}"));

    let ran = folder.run(&["lint"]).ok();
    assert!(block.contains("notBefore: 20") && ran.stdout.ends_with(": 1 warning\n"), "{block}{ran:?}");
    assert!(ran.stderr.contains("unused-signer"), "no trigger permits it yet: {}", ran.stderr);
}

#[test]
fn rsa_keys_are_not_made() {
    assert_eq!(Folder::new().run(&["keygen", "--out", "x", "--scheme", "rsa-pss-sha256"]).code, 2);
}

#[test]
fn a_second_signature_is_added_to_an_envelope_and_meets_a_threshold_of_two() {
    let folder = Folder::new();
    folder.run(&["keygen", "--out", "keys/second", "--scheme", "ecdsa-p256"]).ok();
    let folder = folder
        .with(
            "triggers:\n",
            "  - { id: second, publicKey: keys/second.pem, pipelines: [\"fraud-*\"] }\ntriggers:\n",
        )
        .with("anyOf: [release]", "anyOf: [release, second], atLeast: 2");
    folder.event(&["epochs=3"], &[]);
    let one = folder.explain(&[]);

    let signed = folder.run(&["sign", "event.json", "--key", "keys/second.key"]).ok();
    folder.write("both.json", &signed.stdout);
    let two = folder.run(&["explain", "both.json", "--publish-time", PUBLISHED]);

    assert_eq!((one.code, two.code), (4, 0), "{two:?}");
}

#[test]
fn what_is_no_statement_is_not_signed() {
    let folder = Folder::new();

    let ran = folder.run(&["sign", "launchgate.yaml", "--key", "keys/release.key"]);

    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
}

#[test]
fn a_key_comes_from_the_environment_when_no_file_is_named() {
    let folder = Folder::new();
    let key = folder.read("keys/release.key");

    let arguments = ["emit", "--artifact", "model.bin", "--dry-run"];
    let ran = folder.run_in_job(&arguments, &[("LAUNCHGATE_SIGNING_KEY", &key)]).ok();
    folder.write("event.json", &ran.stdout);

    folder.run(&["verify", "event.json"]).ok();
    assert_eq!(folder.run_in_job(&arguments, &[]).code, 2);
}
