//! Who signed, when that counts, and for what.

use launchgate_outcome::Reason as R;
use launchgate_statement::Signature;
use launchgate_suite::{a_key, an_event, now};
use serde_json::json;

use super::{
    case::{Case, refused},
    hold,
};

pub(super) fn cases() -> Vec<Case> {
    let hour = 3_600_000_000;
    let (ago, ahead) = (now().plus_micros(-hour).to_string(), now().plus_micros(hour).to_string());
    vec![
        refused(R::PayloadType, "payloadType", "another payload type")
            .envelope(|envelope, keys| keys.release.envelope("application/json", &envelope.payload).unwrap()),
        refused(R::Unsigned, "signature", "no signature").envelope(|mut envelope, _| {
            envelope.signatures.clear();
            envelope
        }),
        refused(R::UnknownSigner, "signature", "another key")
            .envelope(|envelope, _| a_key().envelope(&envelope.payload_type, &envelope.payload).unwrap()),
        refused(R::UnknownSigner, "signature", "a changed payload").envelope(|mut envelope, _| {
            envelope.payload = an_event().number(43).statement();
            envelope
        }),
        refused(R::NotPaeEncoded, "signature", "the base64 text signed").envelope(|mut envelope, keys| {
            let sig = keys.release.sign(envelope.payload_text.as_bytes()).unwrap();
            envelope.signatures = vec![Signature { keyid: None, sig }];
            envelope
        }),
        refused(R::SignerNotYetValid, "signature", "before notBefore").file("/signers/0/notBefore", ahead),
        refused(R::SignerExpired, "signature", "after notAfter").file("/signers/0/notAfter", ago.clone()),
        refused(R::RevokedSigner, "signature", "a revoked key").file("/signers/0/revoked", true),
        refused(R::SignerExpired, "signature", "a token after notAfter")
            .by_token()
            .file("/signers/2/notAfter", ago),
        refused(R::RevokedSigner, "signature", "a revoked token signer")
            .by_token()
            .file("/signers/2/revoked", true),
        refused(R::PipelineNotAllowed, "scope", "a key for other pipelines")
            .file("/signers/0/pipelines", json!(["fraud-score"])),
        refused(R::BuilderNotAllowed, "scope", "a key for other builders")
            .file("/signers/0/builders", json!(["urn:example:builder"])),
        refused(R::PipelineNotAllowed, "scope", "tokens for other pipelines")
            .by_token()
            .file("/signers/2/pipelines", json!(["fraud-score"])),
        refused(R::BuilderNotAllowed, "scope", "tokens for other builders")
            .by_token()
            .file("/signers/2/builders", json!(["urn:example:builder"])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_does_not_count_in_one_thing_is_refused() {
    hold(cases()).await;
}
