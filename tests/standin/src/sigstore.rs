//! Sigstore's public-good instance in small: a certificate authority with its certificate log (Fulcio), a
//! transparency log (Rekor v1), and the bundles v0.3 that a client makes with them.
//!
//! Promises: a bundle is what the real services and a real client would have made of the same token; other
//! implementations verify it under `trusted_root`. Does not: listen on a port; issue timestamps (RFC 3161).
//! Source: sigstore/protobuf-specs; sigstore/fulcio `docs/oid-info.md`; RFC 6962.

mod authority;
mod log;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey as _};
use serde_json::{Value, json};

use self::{authority::Authority, log::TransparencyLog};
use crate::timestamp::rfc3339_of;

/// A Sigstore instance of its own: nothing else trusts it.
pub struct SigstoreStandin {
    authority: Authority,
    log: TransparencyLog,
}

/// What a certificate is asked for, and when it is used.
#[derive(Clone, Debug)]
pub struct Attestation {
    /// The OIDC issuer.
    pub issuer: String,
    /// The URIs it names; Fulcio gives one.
    pub names: Vec<String>,
    /// Number under Fulcio's arc, and text.
    pub extensions: Vec<(u32, String)>,
    /// When the signature is logged, seconds since 1970.
    pub logged: i64,
    /// Seconds for which the certificate is valid, counted from one second before.
    pub valid: i64,
    /// Whether it may sign code.
    pub code_signing: bool,
    /// Whether the certificate log knows it.
    pub in_certificate_log: bool,
}

impl Attestation {
    /// What Fulcio makes of a Buildkite job's token. `job` holds its claims, as `BuildkiteStandin::a_job`
    /// gives them. Source: sigstore/fulcio `config/identity/config.yaml`.
    pub fn of_job(job: &Value, logged: i64) -> Self {
        let text = |claim: &str| job[claim].as_str().unwrap_or_default();
        let pipeline =
            format!("https://buildkite.com/{}/{}", text("organization_slug"), text("pipeline_slug"));
        let extensions = vec![
            (11, text("runner_environment").to_owned()),
            (13, text("build_commit").to_owned()),
            (20, text("build_source").to_owned()),
            (21, format!("{pipeline}/builds/{}#{}", job["build_number"], text("job_id"))),
        ];
        Self {
            issuer: "https://agent.buildkite.com".to_owned(),
            names: vec![pipeline],
            extensions,
            logged,
            valid: 600,
            code_signing: true,
            in_certificate_log: true,
        }
    }
}

impl SigstoreStandin {
    /// An instance with keys of its own, in force since `since` (seconds since 1970).
    pub fn new(since: i64) -> Self {
        Self { authority: Authority::new(since), log: TransparencyLog::new(since) }
    }

    /// What a verifier pins: `trusted_root.json`.
    pub fn trusted_root(&self) -> String {
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.log.trusted()],
            "certificateAuthorities": [self.authority.trusted()],
            "ctlogs": [self.authority.certificate_log.trusted("https://ctfe.sigstore.example/log")],
            "timestampAuthorities": [],
        });
        root.to_string()
    }

    /// The bundle that a client makes around this statement, with a key used once.
    pub fn attest(&self, statement: &[u8], attestation: &Attestation) -> Value {
        self.attest_as("application/vnd.in-toto+json", statement, attestation)
    }

    /// The same around a payload of any type.
    pub fn attest_as(&self, payload_type: &str, payload: &[u8], attestation: &Attestation) -> Value {
        let key = new_key();
        let certificate = self.authority.issue(&key, attestation);
        let pae =
            [format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).as_bytes(), payload]
                .concat();
        let signature = STANDARD.encode(sign(&key, &pae));
        let envelope = json!({
            "payload": STANDARD.encode(payload),
            "payloadType": payload_type,
            "signatures": [{"sig": signature}],
        });
        let entry = self.log.log_dsse(&envelope, payload, &certificate, attestation.logged);
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": STANDARD.encode(&certificate)},
                "tlogEntries": [entry],
                "timestampVerificationData": {"rfc3161Timestamps": []},
            },
            "dsseEnvelope": envelope,
        })
    }
}

/// A log's key with its id.
struct LogKey {
    key: KeyPair,
    since: i64,
}

impl LogKey {
    fn new(since: i64) -> Self {
        Self { key: new_key(), since }
    }

    fn spki(&self) -> Vec<u8> {
        rcgen::PublicKeyData::subject_public_key_info(&self.key)
    }

    /// RFC 6962, 3.2: SHA-256 of the key.
    fn id(&self) -> Vec<u8> {
        sha256(&self.spki())
    }

    fn sign(&self, data: &[u8]) -> Vec<u8> {
        sign(&self.key, data)
    }

    fn trusted(&self, url: &str) -> Value {
        json!({
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(self.spki()),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": rfc3339_of(self.since)},
            },
            "logId": {"keyId": STANDARD.encode(self.id())},
        })
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("the system's random source does not fail")
}

fn sign(key: &KeyPair, data: &[u8]) -> Vec<u8> {
    key.sign(data).expect("a key made here signs")
}

fn sha256(data: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, data).as_ref().to_vec()
}
