//! Envelopes and bundles.

use launchgate_sigstore::TrustedRoot;
use launchgate_standin::{Attestation, SigstoreStandin};
use launchgate_statement::{Envelope, PAYLOAD_TYPE};
use serde_json::{Value, json};

use super::{Answer, edit::Recipe, run};
use crate::{
    a_key, a_signer, a_statement, judge, published, signers,
    sigstore::{a_job, signer_under},
    vector,
};

/// What is read is written so that it is read again as the same; nothing of it is lost but the alphabet of
/// its base64.
fn is_stable(envelope: &Envelope) {
    let written = envelope.to_json();
    let again = Envelope::parse(written.as_bytes()).expect("what we wrote is read");
    assert_eq!(again.payload_type, envelope.payload_type);
    assert_eq!(again.payload, envelope.payload);
    assert_eq!(again.signatures, envelope.signatures);
    assert_eq!(again.event_digest(), envelope.event_digest());
    assert_eq!(again.to_json(), written);
}

/// The envelopes of our vectors, right and wrong.
fn seeds() -> Vec<Vec<u8>> {
    let file: Value = serde_json::from_str(&vector("dsse.json")).unwrap();
    let texts = file["vectors"].as_array().unwrap().iter();
    let texts = texts.map(|case| case["envelope"].as_str().unwrap().as_bytes().to_vec());
    // Longer ones take their time and are about length alone.
    texts.filter(|text| text.len() < 8 * 1024).collect()
}

#[test]
fn an_envelope_is_read_as_it_is_written_and_only_what_was_signed_verifies() {
    let (key, payload) = (a_key(), a_statement());
    let signed = key.envelope(PAYLOAD_TYPE, &payload).unwrap().to_json().into_bytes();
    let signers = signers([a_signer("a", &key)]);
    let mut seeds = seeds();
    // As often as all others: its edits are those that might verify.
    seeds.extend(std::iter::repeat_n(signed, seeds.len()));

    run("envelope", |recipe: &Recipe| {
        let read = Envelope::parse(&recipe.edited(recipe.seed(&seeds)));
        if let Ok(envelope) = &read {
            is_stable(envelope);
            if judge(envelope.clone(), &signers).is_ok() {
                assert_eq!((envelope.payload_type.as_str(), &envelope.payload), (PAYLOAD_TYPE, &payload));
            }
        }
        Answer::of(&read)
    });
}

#[test]
fn a_bundle_is_read_as_the_one_envelope_in_it() {
    let bundles = seeds().into_iter().filter_map(|text| {
        let envelope: Value = serde_json::from_slice(&text).ok()?;
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": "MIIB"},
                "tlogEntries": [{"logIndex": "1", "inclusionProof": {"hashes": [], "treeSize": "1"}}],
            },
            "dsseEnvelope": envelope,
        });
        Some(bundle.to_string().into_bytes())
    });
    let seeds: Vec<_> = bundles.collect();

    run("bundle", |recipe: &Recipe| {
        let text = recipe.edited(recipe.seed(&seeds));
        let read = Envelope::parse(&text);
        if let Ok(envelope) = &read {
            is_stable(envelope);
            // Another reader of the same text must not find another envelope in it.
            let whole: Value = serde_json::from_slice(&text).expect("what we read is JSON");
            let inner = if whole.get("payload").is_some() { &whole } else { &whole["dsseEnvelope"] };
            let inner = Envelope::parse(inner.to_string().as_bytes()).expect("the envelope in it is one");
            let material = envelope.verification_material.as_ref();
            assert!(material.is_none_or(|material| *material == whole["verificationMaterial"]));
            assert!(inner == Envelope { verification_material: None, ..envelope.clone() });
        }
        Answer::of(&read)
    });
}

#[test]
fn an_edited_bundle_verifies_only_while_it_holds_the_same_statement() {
    let logged = published().seconds() - 60;
    let instance = SigstoreStandin::new(logged - 86_400);
    let root = TrustedRoot::from_json(&instance.trusted_root()).unwrap();
    let bundle = instance.attest(&a_statement(), &Attestation::of_job(&a_job(), logged));
    let (seeds, payload) = ([bundle.to_string().into_bytes()], a_statement());
    let signers = signers([signer_under("sigstore", &root)]);

    run("Sigstore bundle", |recipe: &Recipe| {
        let read = Envelope::parse(&recipe.edited(recipe.seed(&seeds)));
        let verified = read.is_ok_and(|envelope| {
            judge(envelope, &signers).is_ok_and(|event| {
                assert_eq!(event.envelope().payload, payload);
                true
            })
        });
        if verified { Answer::Accepted } else { Answer::Refused }
    });
}
