//! What a Sigstore bundle proves: its certificate, its log entry, its time, and claim by claim the build.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_outcome::Reason as R;
use launchgate_suite::now;
use serde_json::{Value, json};

use super::{
    case::{Case, refused},
    hold,
};

/// The message data as JSON with another value at a pointer's place.
fn with(pointer: &'static str, value: Value) -> impl Fn(String) -> String {
    move |data| {
        let mut bundle: Value = serde_json::from_str(&data).unwrap();
        *bundle.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = value.clone();
        bundle.to_string()
    }
}

/// The message data with another last byte in the envelope's signature.
#[allow(clippy::needless_pass_by_value, reason = "as every bend of the data")]
fn changed_signature(data: String) -> String {
    let bundle: Value = serde_json::from_str(&data).unwrap();
    let sig = bundle["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap();
    let mut changed = STANDARD.decode(sig).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    data.replace(sig, &STANDARD.encode(changed))
}

pub(super) fn cases() -> Vec<Case> {
    let signature = |reason, what: &str| refused(reason, "signature", what).in_bundle();
    let of_other_build = |place: &str, value: Value| {
        refused(R::IdentityMismatch, "identity", format!("another {place} than the certificate's"))
            .in_bundle()
            .statement(place, value)
    };
    let ago = now().plus_micros(-3_600_000_000).to_string();
    let hash = json!("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    vec![
        signature(R::BundleMaterial, "no log entry")
            .data(with("/verificationMaterial/tlogEntries", json!([]))),
        signature(R::BundleCertificate, "a certificate in no log")
            .attestation(|it| it.in_certificate_log = false),
        signature(R::BundleCertificate, "a certificate that was over").attestation(|it| it.valid = 0),
        signature(R::BundleCertificate, "a certificate for no code")
            .attestation(|it| it.code_signing = false),
        signature(R::BundleIssuer, "another issuer").attestation(|it| it.issuer.push('/')),
        signature(R::BundleTime, "logged after it was published").attestation(|it| it.logged += 600),
        signature(R::BundleLog, "another neighbour in the log")
            .data(with("/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0", hash)),
        signature(R::BundleSignature, "a changed signature").data(changed_signature),
        signature(R::SignerExpired, "a bundle after notAfter").file("/signers/3/notAfter", ago),
        signature(R::RevokedSigner, "a revoked signer of bundles").file("/signers/3/revoked", true),
        refused(R::IdentityMismatch, "identity", "another organization")
            .in_bundle()
            .file("/signers/3/sigstore/organization", "umbrella"),
        refused(R::IdentityMismatch, "identity", "a name elsewhere")
            .attestation(|it| it.names = vec!["https://example.com/acme/fraud-train".to_owned()]),
        of_other_build("/predicate/buildDefinition/internalParameters/buildkite/source", json!("ui")),
        refused(R::PipelineNotAllowed, "scope", "bundles for other pipelines")
            .in_bundle()
            .file("/signers/3/pipelines", json!(["fraud-score"])),
        refused(R::BuilderNotAllowed, "scope", "bundles for other builders")
            .in_bundle()
            .file("/signers/3/builders", json!(["urn:example:builder"])),
        refused(R::FactNotVouched, "match.branch", "a branch that no certificate says")
            .in_bundle()
            .file("/triggers/0/match/branch", "main"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_wrong_in_one_thing_is_refused() {
    hold(cases()).await;
}
