//! Tokens that `PyJWT` makes and envelopes that securesystemslib makes, right and wrong, during the run.
//!
//! Each case comes with its library's own verdict, so that an answer here is held against another
//! implementation's and not against ours. They need the Python of `tests/python/requirements.txt`.

use std::path::PathBuf;

use launchgate_statement::{Envelope, Timestamp};
use launchgate_trust::{
    BuildkiteKeys, BuildkiteOidc, Jwks, PublicKey, PushIdentity, Scheme, Signer, SignerId, SignerKind,
    Signers, TrustInputs, verify, verify_push_token,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::suite::Suite;

/// What `peer_cases.py` prints.
#[derive(Deserialize)]
struct Peers {
    pyjwt: String,
    securesystemslib: String,
    push_tokens: PushTokens,
    buildkite_tokens: BuildkiteTokens,
    envelopes: Envelopes,
}

#[derive(Deserialize)]
struct PushTokens {
    audience: String,
    email: String,
    now: i64,
    jwks: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct BuildkiteTokens {
    audience: String,
    organization: String,
    now: i64,
    jwks: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Envelopes {
    now: i64,
    schemes: Vec<OfScheme>,
}

#[derive(Deserialize)]
struct OfScheme {
    scheme: String,
    pem: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    text: String,
    /// Whether the library that made it accepts it.
    theirs: bool,
    /// Why we do not, or do all the same.
    otherwise: Option<String>,
}

/// The suites of both libraries; `None` without a Python, which the test `name` says.
pub(crate) fn suites(name: &str) -> Option<Vec<Suite>> {
    let Peers { pyjwt, securesystemslib, push_tokens, buildkite_tokens, envelopes } = peers(name)?;
    let (pyjwt, securesystemslib) =
        (format!("PyJWT {pyjwt}"), format!("securesystemslib {securesystemslib}"));
    Some(vec![push_tokens.suite(&pyjwt), buildkite_tokens.suite(&pyjwt), envelopes.suite(&securesystemslib)])
}

/// The names of those suites, for a page that is written where they cannot be run.
pub(crate) const NAMES: &[&str] = &[PUSH_TOKENS, BUILDKITE_TOKENS, ENVELOPES];

const PUSH_TOKENS: &str = "PyJWT's tokens as Google's push tokens";
const BUILDKITE_TOKENS: &str = "PyJWT's tokens as Buildkite's, bound to an event";
const ENVELOPES: &str = "securesystemslib's envelopes, five schemes";

fn peers(name: &str) -> Option<Peers> {
    let keys = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/trust/keys");
    let made = crate::peers::python(name, "peer_cases.py")?.ask(&json!({ "keys": keys }));
    Some(serde_json::from_value(made).unwrap())
}

impl PushTokens {
    fn suite(self, version: &str) -> Suite {
        let mut suite = Suite::new(PUSH_TOKENS, version, 60);
        let keys = key_set(&self.jwks);
        let expected = PushIdentity { audience: self.audience, email: self.email };
        let now = Timestamp::from_seconds(self.now);
        for case in &self.cases {
            case.put_to(&mut suite, verify_push_token(&case.text, &keys, &expected, now).is_ok());
        }
        suite
    }
}

impl BuildkiteTokens {
    fn suite(self, version: &str) -> Suite {
        let mut suite = Suite::new(BUILDKITE_TOKENS, version, 70);
        let keys = key_set(&self.jwks);
        let oidc = BuildkiteOidc {
            audience: self.audience,
            organization: self.organization,
            organization_id: None,
            pipeline_ids: None,
            cluster: None,
            queue: None,
            fork_builds: launchgate_trust::ForkBuilds::Disabled,
        };
        let signers = only(SignerKind::BuildkiteOidc(oidc));
        for case in &self.cases {
            case.put_to(&mut suite, is_event(&case.text, &signers, BuildkiteKeys::Complete(&keys), self.now));
        }
        suite
    }
}

impl Envelopes {
    fn suite(self, version: &str) -> Suite {
        let mut suite = Suite::new(ENVELOPES, version, 100);
        for OfScheme { scheme, pem, cases } in &self.schemes {
            let key = PublicKey::from_pem(pem, Some(Scheme::parse(scheme).unwrap())).unwrap();
            let signers = only(SignerKind::PublicKey(key));
            for case in cases {
                case.put_to(&mut suite, is_event(&case.text, &signers, BuildkiteKeys::Missing, self.now));
            }
        }
        suite
    }
}

impl Case {
    fn put_to(&self, suite: &mut Suite, accepted: bool) {
        suite.compare(&self.name, accepted, self.theirs, self.otherwise.as_deref());
    }
}

fn key_set(jwks: &Value) -> Jwks {
    Jwks::parse(jwks.to_string().as_bytes()).unwrap()
}

fn only(kind: SignerKind) -> Signers {
    let signer = Signer {
        id: SignerId::new("peer"),
        kind,
        not_before: None,
        not_after: None,
        revoked: false,
        pipelines: None,
        builders: None,
    };
    Signers::new(vec![signer]).unwrap()
}

fn is_event(envelope: &str, signers: &Signers, buildkite_keys: BuildkiteKeys<'_>, now: i64) -> bool {
    let inputs = TrustInputs { published: Timestamp::from_seconds(now), buildkite_keys };
    Envelope::parse(envelope.as_bytes()).is_ok_and(|envelope| verify(envelope, signers, inputs).is_ok())
}

#[test]
fn other_libraries_tokens_and_envelopes_are_answered_as_they_answer_them() {
    let name = "python_peers::other_libraries_tokens_and_envelopes_are_answered_as_they_answer_them";
    for suite in suites(name).into_iter().flatten() {
        suite.holds();
    }
}
