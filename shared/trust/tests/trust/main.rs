//! Who vouches for an event: vectors of other implementations, and a negative test for each rule.
#![allow(clippy::unwrap_used, missing_docs)]

mod asking_job;
mod bits;
mod build_facts;
mod build_metadata;
mod conformance;
mod fuzz;
mod iap_token;
mod keyless;
mod keys;
mod peers;
mod push_token;
mod python_peers;
mod sigstore;
mod sigstore_corpus;
mod sigstore_peers;
mod suite;
mod vectors;
mod verification;
mod webhook;
mod wycheproof_suites;

use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use launchgate_outcome::Reason;
use launchgate_statement::{Envelope, PAYLOAD_TYPE, Timestamp};
use launchgate_trust::{
    BuildkiteKeys, Rejection, Scheme, Signer, SignerId, SignerKind, Signers, SigningKey, TrustInputs,
    Unverified, VerifiedEvent, verify,
};

/// A file of the vectors that lie in this repository.
fn vector(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/trust").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file that is read beside the checkout, never copied into it. `None`, with one visible line that names
/// the test, where it is absent; an error when CI=true.
fn foreign(test: &str, variable: &str, default: &str, name: &str) -> Option<String> {
    let path = foreign_folder(variable, default).join(name);
    match std::fs::read_to_string(&path) {
        Ok(content) => Some(content),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            // Past the capture of the test runner, which shows nothing of a test that passes.
            _ = writeln!(std::io::stderr(), "SKIPPED {test}: {} is not there", path.display());
            None
        }
    }
}

/// Where such files lie.
fn foreign_folder(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..").join(default),
        PathBuf::from,
    )
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// When the events of these tests were published.
fn published() -> Timestamp {
    at("2026-11-18T11:06:40Z")
}

fn a_statement() -> Vec<u8> {
    let commit = "d18aac96b905b4b3c839891b7a91c9414149514c";
    serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "fraud-train", "digest": {"sha256": "ab".repeat(32)}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://buildkite.github.io/slsa-buildtypes/job/v1",
                "externalParameters": {
                    "pipeline": "https://buildkite.com/acme/fraud-train",
                    "build": {"branch": "main", "commit": commit},
                },
                "internalParameters": {"buildkite": {"build_number": 42}},
            },
            "runDetails": {
                "builder": {"id": "urn:launchgate:emit:v1"},
                "metadata": {"startedOn": "2026-11-18T11:01:40Z"},
            },
        },
    })
    .to_string()
    .into_bytes()
}

fn a_key() -> SigningKey {
    SigningKey::generate(Scheme::Ed25519).unwrap()
}

fn a_signer(id: &str, key: &SigningKey) -> Signer {
    Signer {
        id: SignerId::new(id),
        kind: SignerKind::PublicKey(key.public_key().unwrap()),
        not_before: None,
        not_after: None,
        revoked: false,
        pipelines: None,
        builders: None,
    }
}

fn signers<const N: usize>(list: [Signer; N]) -> Signers {
    Signers::new(list.into()).unwrap()
}

/// An event's envelope, signed by each of `keys`.
fn signed_by(keys: &[&SigningKey]) -> Envelope {
    let payload = a_statement();
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, payload.clone());
    for key in keys {
        envelope.signatures.extend(key.envelope(PAYLOAD_TYPE, &payload).unwrap().signatures);
    }
    envelope
}

fn judge(envelope: Envelope, signers: &Signers) -> Result<VerifiedEvent, Rejection> {
    by_keys(envelope, signers, published())
}

/// Without Buildkite's keys.
fn by_keys(envelope: Envelope, signers: &Signers, published: Timestamp) -> Result<VerifiedEvent, Rejection> {
    let inputs = TrustInputs { published, buildkite_keys: BuildkiteKeys::Missing };
    verify(envelope, signers, inputs).map_err(|unverified| match unverified {
        Unverified::Rejected(rejection) => rejection,
        Unverified::KeyWanted(wanted) => panic!("{wanted}"),
    })
}

fn reason(envelope: Envelope, signers: &Signers) -> Reason {
    judge(envelope, signers).expect_err("a rejection").refusal.reason
}

/// The DER inside a PEM file of the vectors.
fn der(name: &str) -> Vec<u8> {
    let body: String = vector(name).lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

/// PEM around `der`, in lines of 64 as RFC 7468 wants them.
fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der).into_bytes();
    let lines: Vec<_> = body.chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
