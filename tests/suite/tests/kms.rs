//! Events signed by a key in Cloud KMS: `keygen --kms` pins it, `emit --kms` has it sign, the service launches.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_standin::{BuildkiteStandin, KmsFault, KmsStandin, KmsVersion};
use launchgate_suite::{
    Binary, Finished, Folder, Python, a_key, a_pipeline_job, a_push, a_vertex, launch_ids, run, skip,
};
use launchgate_trust::{Scheme, SigningKey};
use serde_json::{Value, json};

const ALGORITHMS: [&str; 8] = [
    "EC_SIGN_P256_SHA256",
    "EC_SIGN_P384_SHA384",
    "RSA_SIGN_PSS_2048_SHA256",
    "RSA_SIGN_PSS_3072_SHA256",
    "RSA_SIGN_PSS_4096_SHA256",
    "RSA_SIGN_PKCS1_2048_SHA256",
    "RSA_SIGN_PKCS1_3072_SHA256",
    "RSA_SIGN_PKCS1_4096_SHA256",
];

fn name_of(key: &str) -> String {
    format!(
        "projects/acme-ml/locations/europe-west1/keyRings/launchgate/cryptoKeys/{key}/cryptoKeyVersions/1"
    )
}

/// A key of `cryptography` in a folder; its private half is used by Python alone.
fn a_version(python: &Python, folder: &Path, algorithm: &'static str) -> KmsVersion {
    let vault = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/kms_vault.py");
    let path = |ending: &str| folder.join(format!("{algorithm}.{ending}"));
    let (private, public) = (path("key"), path("pem"));
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    python.run(&vault, &["key", algorithm, &text(&private), &text(&public)]).success();
    let (pem, python, private) = (std::fs::read_to_string(public).unwrap(), python.clone(), text(&private));
    KmsVersion::new(algorithm, &pem, move |digest| {
        let signed = python.run(&vault, &["sign", algorithm, &private, &STANDARD.encode(digest)]);
        STANDARD.decode(signed.success().stdout.trim()).map_err(|error| error.to_string())
    })
}

/// A key whose signatures are over something else than what was asked for.
fn a_lying_version() -> KmsVersion {
    let key = SigningKey::generate(Scheme::EcdsaP256).unwrap();
    let pem = key.public_pem();
    KmsVersion::new("EC_SIGN_P256_SHA256", &pem, move |_| Ok(key.sign(b"something else").unwrap()))
}

fn a_folder(kms: &KmsStandin) -> Folder {
    let folder = Folder::trusting(&a_key())
        .set("/signers", json!([]))
        .variable("LAUNCHGATE_KMS_ENDPOINT", &kms.endpoint());
    folder.write("model.bin", "weights");
    folder
}

/// Runs `launchgate emit --kms … --dry-run` as a step of build `number`.
fn emit(folder: &Folder, version: &str, number: u64) -> Finished {
    let job = BuildkiteStandin::a_job("fraud-train", number);
    let mut command = folder.command(Binary::Cli);
    command.args(["emit", "--kms", version, "--artifact", "fraud-train=model.bin", "--dry-run"]);
    command.args(["--uri", "gs://acme-models/fraud/model.bin#17"]);
    command.envs(BuildkiteStandin::job_variables(&job));
    run(&mut command, b"")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_each_algorithm_launches_with_the_key_that_keygen_pinned() {
    let python = match Python::find() {
        Ok(python) => python,
        Err(why) => skip!("{why}"),
    };
    let (kms, vertex) = (KmsStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&kms).vertex_at(&vertex.endpoint());
    let mut signers = Vec::new();
    for algorithm in ALGORITHMS {
        kms.add(&name_of(algorithm), a_version(&python, folder.path(), algorithm));
        let (out, id) = (format!("keys/{algorithm}"), algorithm.to_lowercase().replace('_', "-"));
        let keygen = ["keygen", "--kms", &name_of(algorithm), "--out", &out, "--id", &id, "--output", "json"];
        signers.push(folder.launchgate(&keygen).success().json()["signer"].clone());
        assert!(!folder.path().join(format!("{out}.key")).exists(), "no private key comes out of Cloud KMS");
    }
    let ids: Vec<Value> = signers.iter().map(|signer| signer["id"].clone()).collect();
    let mut trigger = a_pipeline_job("retrain");
    trigger["require"]["signers"]["anyOf"] = json!(ids);
    let folder = folder.set("/signers", json!(signers)).triggers(vec![trigger]);
    let service = folder.start();

    for (number, algorithm) in (1..).zip(ALGORITHMS) {
        let event = emit(&folder, &name_of(algorithm), number).success().stdout.clone();

        folder.write("event.json", &event);
        let verified = folder.launchgate(&["verify", "event.json", "--output", "json"]).success().json();
        assert_eq!(verified["signatures"][0]["signer"], ids[usize::try_from(number).unwrap() - 1]);
        assert_eq!(a_push(event.into_bytes()).deliver(&service).await.as_u16(), 204, "{algorithm}");
        assert_eq!(vertex.jobs().len() as u64, number, "{algorithm}");
    }
    assert_eq!(launch_ids(&vertex).len(), ALGORITHMS.len());
    assert_eq!(kms.signatures(), ALGORITHMS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signature_out_of_cloud_kms_is_the_same_event() {
    let python = match Python::find() {
        Ok(python) => python,
        Err(why) => skip!("{why}"),
    };
    let kms = KmsStandin::start().await.unwrap();
    let folder = a_folder(&kms);
    kms.add(&name_of("a"), a_version(&python, folder.path(), "EC_SIGN_P256_SHA256"));
    kms.add(&name_of("b"), a_version(&python, folder.path(), "EC_SIGN_P384_SHA384"));
    let event = emit(&folder, &name_of("a"), 7).success().json();
    let again = emit(&folder, &name_of("a"), 7).success().json();
    folder.write("event.json", event.to_string());

    let both = folder.launchgate(&["sign", "event.json", "--kms", &name_of("b")]).success().json();

    assert_eq!(event["payload"], again["payload"], "startedOn is kept beside the job");
    assert_eq!(both["payload"], event["payload"]);
    assert_eq!(both["signatures"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_over_something_else_is_found_out_and_nothing_comes_out() {
    let kms = KmsStandin::start().await.unwrap();
    let folder = a_folder(&kms);
    kms.add(&name_of("release"), a_lying_version());

    let emitted = emit(&folder, &name_of("release"), 7);

    assert_eq!((emitted.code, emitted.stdout.as_str()), (2, ""), "{emitted:?}");
    assert!(emitted.stderr.contains("does not verify"), "{emitted:?}");
    assert_eq!(kms.signatures(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_enabled_signs_nothing_and_says_what_brings_it_back() {
    let kms = KmsStandin::start().await.unwrap();
    let folder = a_folder(&kms);
    kms.add(&name_of("release"), a_lying_version());
    for (state, fix) in [
        ("DISABLED", "gcloud kms keys versions enable 1 --key=release --keyring=launchgate"),
        ("DESTROY_SCHEDULED", "gcloud kms keys versions restore 1 --key=release"),
        ("DESTROYED", "make another version"),
    ] {
        kms.set_state(&name_of("release"), state);

        let emitted = emit(&folder, &name_of("release"), 7);

        assert_eq!((emitted.code, emitted.stdout.as_str()), (2, ""), "{emitted:?}");
        assert!(emitted.stderr.contains(state) && emitted.stderr.contains(fix), "{emitted:?}");
    }
    assert_eq!(kms.signatures(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_shows_the_line_that_grants_it() {
    let kms = KmsStandin::start().await.unwrap();
    let folder = a_folder(&kms);
    kms.add(&name_of("release"), a_lying_version());
    let line = |role: &str| {
        format!(
            "gcloud kms keys add-iam-policy-binding release --keyring=launchgate --location=europe-west1 \
             --project=acme-ml --member=serviceAccount:SERVICE_ACCOUNT --role=roles/cloudkms.{role}"
        )
    };

    kms.deny("cloudkms.cryptoKeyVersions.useToSign");
    let emitted = emit(&folder, &name_of("release"), 7);
    assert_eq!(emitted.code, 2, "{emitted:?}");
    assert!(emitted.stderr.contains(&line("signerVerifier")), "{emitted:?}");

    kms.deny("cloudkms.cryptoKeyVersions.viewPublicKey");
    let emitted = emit(&folder, &name_of("release"), 7);
    assert!(emitted.stderr.contains(&line("signerVerifier")), "one role does for both: {emitted:?}");
    let pinned = folder.launchgate(&["keygen", "--kms", &name_of("release"), "--out", "keys/release"]);
    assert_eq!(pinned.code, 2, "{pinned:?}");
    assert!(pinned.stderr.contains(&line("publicKeyViewer")), "{pinned:?}");
    assert!(!folder.path().join("keys/release.pem").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_launchgate_cannot_verify_is_neither_pinned_nor_used() {
    let kms = KmsStandin::start().await.unwrap();
    let folder = a_folder(&kms);
    let pem = a_key().public_pem();
    kms.add(&name_of("release"), KmsVersion::new("EC_SIGN_ED25519", &pem, |_| Err("asked".to_owned())));

    let pinned = folder.launchgate(&["keygen", "--kms", &name_of("release"), "--out", "keys/release"]);
    let emitted = emit(&folder, &name_of("release"), 7);

    for refused in [pinned, emitted] {
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("EC_SIGN_ED25519, which launchgate does not verify"), "{refused:?}");
    }
    assert!(!folder.path().join("keys/release.pem").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_cloud_kms_is_worth_another_try_of_the_step() {
    let kms = KmsStandin::start().await.unwrap();
    let folder = a_folder(&kms);
    kms.add(&name_of("release"), a_lying_version());
    kms.faults([KmsFault::Status(503); 4]);

    let emitted = emit(&folder, &name_of("release"), 7);

    assert_eq!((emitted.code, emitted.stdout.as_str()), (7, ""), "{emitted:?}");
}
