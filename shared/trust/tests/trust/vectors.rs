//! Vectors made by other implementations.

use launchgate_statement::{Envelope, Sha256};
use launchgate_trust::{
    PublicKey, Scheme, Signer, SignerId, SignerKind, Signers, TrustError, VerifiedSignature, WebhookSecrets,
    verify_signatures, verify_webhook,
};
use serde::Deserialize;
use serde_json::Value;

use crate::suite::{Suite, version_of};
use crate::{at, by_keys, foreign, pem, published, vector};

fn signer(id: &str, key: PublicKey) -> Signer {
    Signer {
        id: SignerId::new(id),
        kind: SignerKind::PublicKey(key),
        not_before: None,
        not_after: None,
        revoked: false,
        pipelines: None,
        builders: None,
    }
}

fn roots(signatures: &[VerifiedSignature]) -> usize {
    signatures.iter().map(|signature| &signature.root).collect::<std::collections::BTreeSet<_>>().len()
}

#[derive(Deserialize)]
struct DsseVectors {
    example_event_id: Value,
    vectors: Vec<DsseVector>,
}

#[derive(Deserialize)]
struct DsseVector {
    name: String,
    note: String,
    expect: String,
    envelope: String,
    publish_time: String,
    keys: std::collections::BTreeMap<String, KeyOfVector>,
    trusted: Vec<String>,
    threshold: usize,
}

#[derive(Deserialize)]
struct KeyOfVector {
    pem: String,
    scheme: String,
}

impl DsseVector {
    /// `verified` or an outcome, and the reason.
    fn answer(&self) -> (String, &'static str) {
        let trusted = self.trusted.iter().map(|id| {
            let KeyOfVector { pem, scheme } = &self.keys[id];
            signer(id, PublicKey::from_pem(pem, Some(Scheme::parse(scheme).unwrap())).unwrap())
        });
        let signers = Signers::new(trusted.collect()).unwrap();
        let envelope = match Envelope::parse(self.envelope.as_bytes()) {
            Ok(envelope) => envelope,
            Err(error) => return (error.reason.outcome().to_string(), error.reason.as_str()),
        };
        match by_keys(envelope, &signers, at(&self.publish_time)) {
            Ok(event) if roots(event.signatures()) >= self.threshold => ("verified".to_owned(), ""),
            Ok(_) => ("rejected_signature".to_owned(), "threshold"),
            Err(rejection) => (rejection.refusal.outcome.to_string(), rejection.refusal.reason.as_str()),
        }
    }
}

/// Our DSSE vectors, made with Python's `cryptography`.
pub(crate) fn dsse() -> Suite {
    let text = vector("dsse.json");
    let file: DsseVectors = serde_json::from_str(&text).unwrap();
    let mut suite = Suite::new("DSSE vectors of this repository", version_of(&text), 112);
    for case in &file.vectors {
        let (answer, reason) = case.answer();
        suite.answered(answer == "verified");
        let named = ["not_pae_encoded", "unsigned"].iter().find(|code| case.note.contains(**code));
        if !case.expect.split('|').any(|expected| expected == answer)
            || named.is_some_and(|code| *code != reason)
        {
            suite.wrong(format!(
                "{}: expected {}, got {answer}/{reason} ({})",
                case.name, case.expect, case.note
            ));
        }
    }
    suite
}

#[test]
fn dsse_vectors_are_answered_as_expected() {
    dsse().holds();
}

#[test]
fn each_way_of_refusing_a_dsse_vector_has_its_own_reason() {
    let file: DsseVectors = serde_json::from_str(&vector("dsse.json")).unwrap();
    for (name, reason) in [
        ("ed25519/wrong-key", "unknown_signer"),
        ("rsa-pss-sha256/tampered-payload", "unknown_signer"),
        ("ecdsa-p384/tampered-type", "unknown_signer"),
        ("ed25519/empty-sig", "unsigned"),
        ("ecdsa-p256/signed-raw-body", "not_pae_encoded"),
        ("trust/not-listed", "unknown_signer"),
        ("threshold/same-key-two-names", "threshold"),
        ("encoding/both-in-one-text", "base64"),
        ("json/duplicate-payload-key", "duplicate_member"),
        ("json/trailing", "not_json"),
        ("json/sig-not-string", "envelope_shape"),
        ("json/deep", "too_deep"),
        ("json/many-signatures", "too_many_signatures"),
        ("statement/duplicate-key", "statement_not_json"),
        ("statement/v0.1", "statement_type"),
        ("statement/wrong-predicate", "predicate_type"),
        ("statement/no-subject", "no_subject"),
        ("statement/digest-uppercase", "subject_digest"),
        ("statement/uri-digest-differs", "subject_digest"),
        ("statement/unknown-buildtype", "build_type"),
        ("statement/no-builder", "statement_shape"),
        ("statement/invocation-contradicts", "self_contradiction"),
        ("statement/commit-contradicts", "self_contradiction"),
    ] {
        let case = file.vectors.iter().find(|case| case.name == name).unwrap();
        assert_eq!(case.answer().1, reason, "{name}");
    }
}

#[test]
fn the_event_id_is_the_one_other_implementations_compute() {
    let file: DsseVectors = serde_json::from_str(&vector("dsse.json")).unwrap();
    let example = &file.example_event_id;
    let case = file.vectors.iter().find(|case| case.name == example["envelope"]).unwrap();
    let envelope = Envelope::parse(case.envelope.as_bytes()).unwrap();
    assert_eq!(envelope.event_digest().id().as_str(), example["id"]);
}

/// Its name on the page of all suites.
pub(crate) const OFFICIAL: &str = "official DSSE vectors, signature layer";

/// The vectors of the DSSE specification; `None` where they are absent, which the test `name` says.
pub(crate) fn official(name: &str) -> Option<Suite> {
    let text = foreign(name, "LAUNCHGATE_DSSE_VECTORS", "shared/vectors/dsse", "official.json")?;
    let file: Value = serde_json::from_str(&text).unwrap();
    let key = |name: &str| {
        let hex = file["keys"][name]["public"].as_str().unwrap();
        // An Ed25519 SubjectPublicKeyInfo is a fixed head and the 32 bytes.
        let raw = Sha256::from_hex(hex).unwrap();
        let der =
            [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], raw.as_bytes()]
                .concat();
        PublicKey::from_pem(&pem("PUBLIC KEY", &der), None).unwrap()
    };
    let cases = file["cases"].as_array().or(file["vectors"].as_array()).unwrap();
    let mut suite = Suite::new(OFFICIAL, version_of(&text), 9);
    for case in cases {
        let trusted = case["trustedKeys"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let signers = Signers::new(trusted.map(|name| signer(name, key(name))).collect()).unwrap();
        let envelope = Envelope::parse(case["envelope"].to_string().as_bytes()).unwrap();
        let supported = case["supportedPayloadTypes"].as_array().unwrap();
        let verified = roots(&verify_signatures(&envelope, &signers)) as u64;
        let accepted = supported.iter().any(|name| *name == envelope.payload_type)
            && verified >= case["threshold"].as_u64().unwrap();
        suite.answered(accepted);
        if (case["expect"] == "accept") != accepted {
            suite.wrong(format!("{}: {} expected, got {accepted}", case["id"], case["expect"]));
        }
    }
    Some(suite)
}

#[test]
fn the_official_dsse_vectors_hold_at_the_signature_layer() {
    if let Some(suite) = official("vectors::the_official_dsse_vectors_hold_at_the_signature_layer") {
        suite.holds();
    }
}

/// Its name on the page of all suites.
pub(crate) const PLUGIN: &str = "official plugin: its example, its key in each scheme";

/// The official plugin's published example and demo key; `None` where they are absent, which the test
/// `name` says.
pub(crate) fn plugin(name: &str) -> Option<Suite> {
    let folder = "buildkite-plugin";
    let read =
        |file: &str| foreign(name, "LAUNCHGATE_CORPORA", "shared/corpora", &format!("{folder}/{file}"));
    let (text, pem) = (read("envelope.json")?, read("demo_key.pub")?);
    let mut suite = Suite::new(PLUGIN, version_of(&text), 3);

    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    let own = signer("own", crate::a_key().public_key().unwrap());
    let answer = by_keys(envelope, &Signers::new(vec![own]).unwrap(), published());
    suite.answered(answer.is_ok());
    let reason = answer.err().map(|rejection| rejection.refusal.reason.as_str());
    if reason != Some("known_demo_key") {
        suite.wrong(format!("the example: expected known_demo_key, got {reason:?}"));
    }

    for scheme in [Scheme::RsaPkcs1v15Sha256, Scheme::RsaPssSha256] {
        let demo = PublicKey::from_pem(&pem, Some(scheme)).unwrap();
        let answer = Signers::new(vec![signer("demo", demo)]);
        suite.answered(answer.is_ok());
        if answer != Err(TrustError::KnownDemoKey("demo".to_owned())) {
            suite.wrong(format!("its key as {}: {answer:?}", scheme.as_str()));
        }
    }
    Some(suite)
}

#[test]
fn the_official_plugins_example_is_named_and_its_key_refused_at_load() {
    let name = "vectors::the_official_plugins_example_is_named_and_its_key_refused_at_load";
    if let Some(suite) = plugin(name) {
        suite.holds();
    }
}

#[derive(Deserialize)]
struct WebhookVectors {
    secrets: Vec<String>,
    window_seconds: i64,
    vectors: Vec<WebhookVector>,
}

#[derive(Deserialize)]
struct WebhookVector {
    name: String,
    header: String,
    body: String,
    now: String,
    expect: String,
    note: String,
}

/// Our vectors of Buildkite's webhook signature.
pub(crate) fn webhook() -> Suite {
    let text = vector("webhook-hmac.json");
    let file: WebhookVectors = serde_json::from_str(&text).unwrap();
    let secrets = WebhookSecrets::parse(&file.secrets.join(",")).unwrap();
    let mut suite = Suite::new("webhook HMAC vectors of this repository", version_of(&text), 25);
    for case in &file.vectors {
        let answer = verify_webhook(&case.header, case.body.as_bytes(), &secrets, at(&case.now));
        suite.answered(answer.is_ok());
        let said = if answer.is_ok() { "accept" } else { "reject" };
        if !case.expect.split('|').any(|expected| expected == said) {
            suite.wrong(format!("{}: expected {}, got {answer:?} ({})", case.name, case.expect, case.note));
        }
    }
    if file.window_seconds != 300 {
        suite.wrong(format!("a window of {} s", file.window_seconds));
    }
    suite
}

#[test]
fn webhook_vectors_are_answered_as_expected() {
    webhook().holds();
}
