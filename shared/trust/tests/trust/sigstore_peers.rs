//! Bundles made by other people's code, and other people's opinion on bundles. Made during the run.

use std::{sync::OnceLock, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_sigstore::{BundledEnvelope, TrustedRoot};
use launchgate_standin::{Attestation, SigstoreStandin};
use launchgate_statement::{Envelope, Timestamp};
use serde_json::{Value, json};

use crate::{
    a_statement, by_keys, peers, signers,
    sigstore::{a_job, signer_under},
    suite::Suite,
};

/// Their names on the page of all suites.
pub(crate) const MOCK: &str = "bundles by npm @sigstore/mock and @sigstore/sign";
pub(crate) const SECOND_OPINION: &str = "PyPI sigstore as second opinion on bundles, ours and those of npm";

const IDENTITY: &str = "https://buildkite.com/acme/fraud-train";
const ISSUER: &str = "https://agent.buildkite.com";

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_seconds(since.as_secs().try_into().unwrap())
}

/// A bundle that somebody made, and the root it is to be verified under.
struct Case {
    name: String,
    /// Whether an event in it is genuine.
    valid: bool,
    root: Value,
    bundle: Value,
}

/// Made once in a run: each making asks a process of its own.
fn made_by_mock(test: &str) -> Option<&'static [Case]> {
    static MADE: OnceLock<Option<Vec<Case>>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let question = json!({"statement": STANDARD.encode(a_statement()), "job": a_job()});
        let answer = peers::node(test, "sigstore_peer.cjs")?.ask(&question);
        let case = |case: &Value| Case {
            name: case["name"].as_str().unwrap().to_owned(),
            valid: case["valid"].as_bool().unwrap(),
            root: case.get("root").unwrap_or(&answer["trustedRoot"]).clone(),
            bundle: case["bundle"].clone(),
        };
        Some(answer["cases"].as_array().unwrap().iter().map(case).collect())
    });
    made.as_deref()
}

/// Whether an event in the bundle verifies; else the reason.
fn event_answer(case: &Case) -> Result<(), String> {
    let root = TrustedRoot::from_json(&case.root.to_string()).unwrap();
    let envelope = Envelope::parse(case.bundle.to_string().as_bytes()).map_err(|error| error.message)?;
    let judged = by_keys(envelope, &signers([signer_under("sigstore", &root)]), now());
    judged.map(drop).map_err(|rejection| rejection.refusal.message)
}

/// Whether the bundle holds and is the pipeline's, whatever it says of the build.
fn bundle_answer(case: &Case) -> Result<(), String> {
    let root = TrustedRoot::from_json(&case.root.to_string()).unwrap();
    let envelope = Envelope::parse(case.bundle.to_string().as_bytes()).map_err(|error| error.message)?;
    let [signature] = &*envelope.signatures else { return Err("signatures".to_owned()) };
    let material = envelope.verification_material.as_ref().expect("it is a bundle");
    let Envelope { payload_type, payload, .. } = &envelope;
    let bundled = BundledEnvelope { payload_type, payload, signature: &signature.sig, material };
    let certificate = root.verify(bundled).map_err(|error| error.to_string())?;
    let claims = certificate.claims();
    let is_its = claims.identity == IDENTITY && claims.issuer == ISSUER;
    if is_its { Ok(()) } else { Err(format!("{} by {}", claims.identity, claims.issuer)) }
}

/// Bundles by the npm packages; `None` where they are absent, which the test `name` says.
pub(crate) fn mock(name: &str) -> Option<Suite> {
    let mut suite = Suite::new(MOCK, "0.12.1, 4.1.1", 15);
    for case in made_by_mock(name)? {
        let answer = event_answer(case);
        suite.answered(answer.is_ok());
        if answer.is_ok() != case.valid {
            suite.wrong(format!("{}: {answer:?}", case.name));
        }
    }
    Some(suite)
}

/// Bundles by the stand-in, whole and with each check broken.
fn made_by_standin() -> Vec<Case> {
    type Bend = fn(&mut Attestation);
    let logged = now().seconds() - 5;
    let instance = SigstoreStandin::new(logged - 86_400);
    let bends: [(&str, bool, Bend); 6] = [
        ("whole", true, |_| {}),
        ("expired when it was logged", false, |it| it.valid = 0),
        ("not for code", false, |it| it.code_signing = false),
        ("in no certificate log", false, |it| it.in_certificate_log = false),
        ("of another issuer", false, |it| it.issuer.push('/')),
        ("of another pipeline", false, |it| it.names[0].push_str("-2")),
    ];
    let root: Value = serde_json::from_str(&instance.trusted_root()).unwrap();
    let case =
        |name: &str, valid, bundle| Case { name: format!("ours, {name}"), valid, root: root.clone(), bundle };
    let mut cases: Vec<_> = bends
        .into_iter()
        .map(|(name, valid, bend)| {
            let mut attestation = Attestation::of_job(&a_job(), logged);
            bend(&mut attestation);
            case(name, valid, instance.attest(&a_statement(), &attestation))
        })
        .collect();
    for (name, pointer, value) in [
        ("another root hash", "/inclusionProof/rootHash", json!(STANDARD.encode([7; 32]))),
        ("another neighbour", "/inclusionProof/hashes/0", json!(STANDARD.encode([7; 32]))),
        ("another time", "/integratedTime", json!((logged - 1).to_string())),
        ("another log", "/logId/keyId", json!(STANDARD.encode([7; 32]))),
    ] {
        let mut bundle = cases[0].bundle.clone();
        let entry = bundle.pointer_mut("/verificationMaterial/tlogEntries/0").unwrap();
        *entry.pointer_mut(pointer).unwrap() = value;
        cases.push(case(name, false, bundle));
    }
    cases
}

/// The `PyPI` package's opinion on bundles, ours and theirs, beside our answer at the layer of bundles.
pub(crate) fn second_opinion(name: &str) -> Option<Suite> {
    let cases: Vec<_> = made_by_standin();
    let cases: Vec<_> = cases.iter().chain(made_by_mock(name)?).collect();
    let question: Vec<_> = cases
        .iter()
        .map(|Case { root, bundle, .. }| {
            json!({"root": root, "bundle": bundle, "identity": IDENTITY, "issuer": ISSUER})
        })
        .collect();
    let opinions = peers::python(name, "sigstore_peer.py")?.ask(&Value::Array(question));
    let mut suite = Suite::new(SECOND_OPINION, "4.5.1", 25);
    for (case, theirs) in cases.into_iter().zip(opinions.as_array().unwrap()) {
        let ours = bundle_answer(case);
        suite.answered(ours.is_ok());
        match (&ours, theirs.is_null()) {
            (Ok(()), true) | (Err(_), false) => {}
            (Err(_), true) if case.name == "a changed timestamp" => {
                suite.refused_though_valid(
                    "they leave out a timestamp that does not hold if another clock does",
                );
            }
            (Ok(()), false) if case.name == "intoto entry" => {
                suite.accepted_though_invalid(
                    "they take no time from a promise about an entry of kind `intoto`",
                );
            }
            _ => suite.wrong(format!("{}: {ours:?}, they say {theirs}", case.name)),
        }
    }
    Some(suite)
}

#[test]
fn bundles_made_by_other_peoples_code_are_answered_as_expected() {
    let name = "sigstore_peers::bundles_made_by_other_peoples_code_are_answered_as_expected";
    if let Some(suite) = mock(name) {
        suite.holds();
    }
}

#[test]
fn another_implementation_agrees_on_bundles() {
    if let Some(suite) = second_opinion("sigstore_peers::another_implementation_agrees_on_bundles") {
        suite.holds();
    }
    for case in made_by_standin() {
        assert_eq!(bundle_answer(&case).is_ok(), case.valid, "{}", case.name);
    }
}
