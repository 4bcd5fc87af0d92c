//! Statements and events for tests.

use std::sync::LazyLock;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use launchgate_statement::{Envelope, PAYLOAD_TYPE, Signature, Timestamp};
use launchgate_triggers::Config;
use launchgate_trust::{
    BuildkiteKeys, BuildkiteOidc, Jwks, Scheme, SigningKey, TrustInputs, VerifiedEvent, verify,
};
use serde_json::{Value, json};

use crate::the_file::RELEASE;

pub(crate) const PUBLISHED: &str = "2026-11-18T11:06:40Z";

pub(crate) fn published() -> Timestamp {
    Timestamp::parse(PUBLISHED).unwrap()
}

pub(crate) struct AnEvent {
    statement: Value,
    keys: Vec<&'static SigningKey>,
    token: Option<Value>,
}

/// The key of Buildkite's issuer in these tests.
static BUILDKITE: LazyLock<SigningKey> = LazyLock::new(|| {
    let pem = include_str!("../../../../tests/vectors/trust/keys/rsa.pem");
    SigningKey::from_pem(pem, Some(Scheme::RsaPkcs1v15Sha256)).unwrap()
});

/// Build 42 of acme/fraud-train, five minutes old, signed by the release key.
pub(crate) fn an_event() -> AnEvent {
    let page = "https://buildkite.com/acme/fraud-train";
    let repository = "https://github.com/acme/fraud-train";
    let (commit, job, sha256) = ("3f".repeat(20), "0184990a-477b-4fa8-9968-496074483cee", "ab".repeat(32));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": "fraud-train",
            "digest": {"sha256": sha256},
            "uri": format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}"),
            "annotations": {"kind": "container", "dataset": "2026-11"},
        }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://buildkite.github.io/slsa-buildtypes/job/v1",
                "externalParameters": {
                    "pipeline": page,
                    "repository": format!("{repository}.git"),
                    "build": {"branch": "main", "tag": null, "commit": commit},
                    "step": {"key": "build", "command": "make image"},
                    "job": {"id": job},
                },
                "internalParameters": {"buildkite": {"build_number": "42"}},
                "resolvedDependencies": [
                    {"uri": format!("git+{repository}@refs/heads/main"), "digest": {"gitCommit": commit}},
                ],
            },
            "runDetails": {
                "builder": {"id": "urn:launchgate:emit:v1"},
                "metadata": {"invocationId": format!("{page}/builds/42#{job}"), "startedOn": "2026-11-18T11:01:40Z"},
            },
        },
    });
    AnEvent { statement, keys: vec![&RELEASE], token: None }
}

impl AnEvent {
    pub(crate) fn signed_by(mut self, keys: &[&'static SigningKey]) -> Self {
        self.keys = keys.to_vec();
        self
    }

    /// Signed by the job's own Buildkite token, which says what the statement says.
    pub(crate) fn by_token(self) -> Self {
        self.signed_by(&[]).also_by_token()
    }

    pub(crate) fn also_by_token(mut self) -> Self {
        let said = |pointer: &str| {
            self.statement
                .pointer(&format!("/predicate/buildDefinition/externalParameters/{pointer}"))
                .cloned()
        };
        let issued = published().seconds() - 30;
        self.token = Some(json!({
            "iss": "https://agent.buildkite.com", "iat": issued, "nbf": issued, "exp": issued + 300,
            "organization_slug": "acme", "pipeline_slug": "fraud-train", "build_number": 42,
            "build_branch": said("build/branch"), "build_tag": said("build/tag"), "build_commit": said("build/commit"),
            "step_key": said("step/key"), "job_id": said("job/id"), "build_source": "webhook",
        }));
        self
    }

    /// The token names the build's id too.
    pub(crate) fn of_build(mut self, id: &str) -> Self {
        self.token.as_mut().expect("a token")["build_id"] = json!(id);
        self
    }

    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        *self.statement.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not there")) = value;
        self
    }

    pub(crate) fn annotated(mut self, name: &str, value: Value) -> Self {
        self.statement["subject"][0]["annotations"][name] = value;
        self
    }

    pub(crate) fn on_branch(self, branch: &str) -> Self {
        let uri = format!("git+https://github.com/acme/fraud-train@refs/heads/{branch}");
        self.with("/predicate/buildDefinition/externalParameters/build/branch", json!(branch))
            .with("/predicate/buildDefinition/resolvedDependencies/0/uri", json!(uri))
    }

    pub(crate) fn verified(self, config: &Config) -> VerifiedEvent {
        let payload = serde_json::to_vec(&self.statement).unwrap();
        let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, payload.clone());
        for key in &self.keys {
            envelope.signatures.extend(key.envelope(PAYLOAD_TYPE, &payload).unwrap().signatures);
        }
        if let Some(mut claims) = self.token {
            claims["aud"] = BuildkiteOidc::event_audience("launchgate-prod", envelope.event_digest()).into();
            envelope.signatures.push(Signature { keyid: None, sig: token(&claims).into_bytes() });
        }
        let jwks = Jwks::parse(json!({"keys": [jwk()]}).to_string().as_bytes()).unwrap();
        let inputs = TrustInputs { published: published(), buildkite_keys: BuildkiteKeys::Complete(&jwks) };
        verify(envelope, &config.signers, inputs).unwrap()
    }
}

fn token(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "kid": "bk", "typ": "JWT"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = BUILDKITE.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn jwk() -> Value {
    let pem = BUILDKITE.public_pem();
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    // The modulus lies before the exponent, 02 03 01 00 01, at the end.
    let modulus = &der[der.len() - 5 - 256..der.len() - 5];
    json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "bk", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
}
