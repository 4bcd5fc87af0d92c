//! The bundles of sigstore-conformance, at the layer of bundles: their certificates are of other issuers than
//! Buildkite and their statements of other predicates, which an event refuses later.

use std::path::Path;

use launchgate_sigstore::{BundledEnvelope, TrustedRoot};
use launchgate_statement::{Envelope, Sha256};
use serde_json::Value;

use crate::{foreign, suite::Suite};

const FOLDER: &str = "sigstore-conformance";

/// Whose bundles they are when a case does not say. Source: the corpus' own notes.
const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/\
                        .github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Its name on the page of all suites.
pub(crate) const NAME: &str = "sigstore-conformance `bundle-verify`";

/// The suite; `None` where it is absent, which the test `name` says.
pub(crate) fn suite(name: &str) -> Option<Suite> {
    let read =
        |path: &str| foreign(name, "LAUNCHGATE_CORPORA", "shared/corpora", &format!("{FOLDER}/{path}"));
    let default_artifact = read("a.txt")?;
    let folder = crate::foreign_folder("LAUNCHGATE_CORPORA", "shared/corpora").join(FOLDER);
    let mut suite = Suite::new(NAME, "a73de49", 70);
    let mut cases: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let is_valid = !name.ends_with("_fail");
        match answer(&case, &default_artifact) {
            Answer::Excluded(why) => suite.exclude(why),
            Answer::Accepted => {
                suite.answered(true);
                if !is_valid {
                    suite.wrong(format!("{name}: accepted"));
                }
            }
            Answer::Refused(why) => {
                suite.answered(false);
                if is_valid {
                    suite.wrong(format!("{name}: refused: {why}"));
                }
            }
        }
    }
    Some(suite)
}

enum Answer {
    Accepted,
    Refused(String),
    Excluded(&'static str),
}

fn answer(case: &Path, default_artifact: &str) -> Answer {
    let read = |file: &str| std::fs::read_to_string(case.join(file)).ok();
    let text = read("bundle.sigstore.json").unwrap();
    let envelope = match Envelope::parse(text.as_bytes()) {
        Ok(envelope) => envelope,
        // By what an event may be, whatever the case is about.
        Err(error) => {
            return match serde_json::from_str::<Value>(&text) {
                Ok(bundle) if bundle.get("messageSignature").is_some() => {
                    Answer::Excluded("a bundle with `messageSignature` holds no statement; refused as such")
                }
                Ok(bundle) if bundle.get("dsseEnvelope").is_some() && is_older(&bundle) => {
                    Answer::Excluded("a bundle of v0.1 or v0.2 is no event; refused as such")
                }
                _ => Answer::Refused(error.message),
            };
        }
    };
    let root = match read("trusted_root.json").map(|json| TrustedRoot::from_json(&json)) {
        Some(Ok(root)) => root,
        Some(Err(error)) => return Answer::Refused(error.to_string()),
        None => TrustedRoot::public_good(),
    };
    let [signature] = &*envelope.signatures else { return Answer::Refused("signatures".to_owned()) };
    let material = envelope.verification_material.as_ref().expect("it is a bundle");
    let Envelope { payload_type, payload, .. } = &envelope;
    let bundled = BundledEnvelope { payload_type, payload, signature: &signature.sig, material };
    let certificate = match root.verify(bundled) {
        Ok(certificate) => certificate,
        Err(error) => return Answer::Refused(error.to_string()),
    };
    let expected =
        |file: &str, default: &str| read(file).map_or(default.to_owned(), |text| text.trim().into());
    let claims = certificate.claims();
    if (claims.identity.as_str(), claims.issuer.as_str())
        != (&*expected("identity", IDENTITY), &*expected("issuer", ISSUER))
    {
        return Answer::Refused(format!("{} by {}", claims.identity, claims.issuer));
    }
    let artifact = read("artifact").unwrap_or_else(|| default_artifact.to_owned());
    let digest = Sha256::of(artifact.as_bytes()).to_hex();
    let statement: Value = serde_json::from_slice(payload).unwrap();
    let subjects = statement["subject"].as_array().unwrap();
    if subjects.iter().any(|subject| subject["digest"]["sha256"] == *digest) {
        Answer::Accepted
    } else {
        Answer::Refused("no subject is the artifact".to_owned())
    }
}

fn is_older(bundle: &Value) -> bool {
    let media = bundle["mediaType"].as_str().unwrap_or_default();
    media.ends_with("version=0.1") || media.ends_with("version=0.2")
}

#[test]
fn the_bundles_of_sigstore_conformance_are_answered_as_expected() {
    let name = "sigstore_corpus::the_bundles_of_sigstore_conformance_are_answered_as_expected";
    if let Some(suite) = suite(name) {
        suite.holds();
    }
}
