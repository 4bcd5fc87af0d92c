//! The envelope and the bundle around it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use launchgate_outcome::Reason;
use launchgate_statement::{Envelope, EventDigest, PAYLOAD_TYPE, Sha256, pae};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::with;

fn an_envelope() -> Value {
    json!({"payload": "e30+Pz8=", "payloadType": PAYLOAD_TYPE, "signatures": [{"keyid": "k", "sig": "AQID"}]})
}

fn a_bundle() -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"certificate": {"rawBytes": "AA=="}},
        "dsseEnvelope": an_envelope(),
    })
}

fn parse(value: &Value) -> Result<Envelope, Reason> {
    Envelope::parse(value.to_string().as_bytes()).map_err(|error| error.reason)
}

#[test]
fn an_envelope_keeps_the_payload_and_the_text_it_came_as() {
    let envelope = parse(&an_envelope()).unwrap();

    assert_eq!(envelope.payload, b"{}>??");
    assert_eq!(envelope.payload_text, "e30+Pz8=");
    assert_eq!(envelope.payload_type, PAYLOAD_TYPE);
    assert_eq!(envelope.signatures[0].keyid.as_deref(), Some("k"));
    assert_eq!(envelope.signatures[0].sig, [1, 2, 3]);
}

#[test]
fn each_member_missing_or_of_another_type_is_refused_by_its_path() {
    let wrong = [json!(null), json!(5), json!(true), json!([]), json!({})];
    for (pointer, place) in [
        ("/payload", "`payload`"),
        ("/payloadType", "`payloadType`"),
        ("/signatures", "`signatures`"),
        ("/signatures/0/sig", "`signatures[0].sig`"),
    ] {
        let allowed = |value: &Value| pointer == "/signatures" && value.is_array();
        for new in wrong.iter().filter(|value| !allowed(value)).cloned().map(Some).chain([None]) {
            let broken = with(an_envelope(), pointer, new);
            let error = Envelope::parse(broken.to_string().as_bytes()).unwrap_err();
            assert_eq!(error.reason, Reason::EnvelopeShape, "{broken}");
            assert!(error.message.contains(place), "{broken}: {error}");
        }
    }
    for keyid in [json!(5), json!([]), json!({}), json!(true)] {
        assert_eq!(
            parse(&with(an_envelope(), "/signatures/0/keyid", Some(keyid))),
            Err(Reason::EnvelopeShape)
        );
    }
    for element in [json!("AQID"), json!(null), json!([])] {
        assert_eq!(parse(&with(an_envelope(), "/signatures/0", Some(element))), Err(Reason::EnvelopeShape));
    }
}

#[test]
fn keyid_may_be_absent_or_null_and_unknown_members_are_ignored() {
    assert!(parse(&with(an_envelope(), "/signatures/0/keyid", None)).is_ok());
    assert!(parse(&with(an_envelope(), "/signatures/0/keyid", Some(json!(null)))).is_ok());
    assert!(parse(&with(an_envelope(), "/comment", Some(json!({"a": [1]})))).is_ok());
    assert!(parse(&with(an_envelope(), "/mediaType", Some(json!("text/plain")))).is_ok());
    assert!(parse(&with(an_envelope(), "/signatures", Some(json!([])))).is_ok());
}

#[test]
fn each_base64_text_is_in_one_alphabet_with_its_padding() {
    for text in ["e30-Pz8=", "e30+Pz8="] {
        assert_eq!(parse(&with(an_envelope(), "/payload", Some(json!(text)))).unwrap().payload, b"{}>??");
    }
    for pointer in ["/payload", "/signatures/0/sig"] {
        for text in ["-_+/", "AQI", "AQI=\n", " AQID", "AQ=", "AQ===", "AR==", "%%%", "AQID=", "ÄQID"] {
            assert_eq!(
                parse(&with(an_envelope(), pointer, Some(json!(text)))),
                Err(Reason::Base64),
                "{text}"
            );
        }
    }
}

#[test]
fn what_could_be_read_as_two_envelopes_or_as_none_has_its_reason() {
    let good = an_envelope().to_string();
    let deep = format!("{},\"x\":{}{}}}", &good[..good.len() - 1], "[".repeat(80), "]".repeat(80));
    let twice = format!("{},\"payload\":\"\"}}", &good[..good.len() - 1]);
    let unknown_twice = format!("{},\"x\":1,\"x\":1}}", &good[..good.len() - 1]);
    for (text, reason) in [
        (String::new(), Reason::NotJson),
        ("null".to_owned(), Reason::NotJson),
        (format!("[{good}]"), Reason::NotJson),
        (format!("{good}{good}"), Reason::NotJson),
        (format!("\u{feff}{good}"), Reason::NotJson),
        (good[..good.len() - 1].to_owned(), Reason::NotJson),
        (twice, Reason::DuplicateMember),
        (unknown_twice, Reason::DuplicateMember),
        (deep, Reason::TooDeep),
        (format!("{good}{}", " ".repeat(Envelope::MAX_BYTES)), Reason::TooLarge),
    ] {
        let error = Envelope::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.reason, reason, "{}", text.chars().take(80).collect::<String>());
    }
    assert_eq!(Envelope::parse(b"{\"payload\":\"\xff\"}").unwrap_err().reason, Reason::NotJson);
}

#[test]
fn thirty_two_signatures_are_read_and_no_more() {
    let signatures = |count| Some(json!(vec![json!({"sig": "AQID"}); count]));

    assert_eq!(parse(&with(an_envelope(), "/signatures", signatures(32))).unwrap().signatures.len(), 32);
    assert_eq!(parse(&with(an_envelope(), "/signatures", signatures(33))), Err(Reason::TooManySignatures));
}

#[test]
fn the_largest_envelope_is_read() {
    let text = an_envelope().to_string();
    let padded = format!("{text}{}", " ".repeat(Envelope::MAX_BYTES - text.len()));

    assert!(Envelope::parse(padded.as_bytes()).is_ok());
}

#[test]
fn a_bundle_of_version_0_3_carries_its_envelope() {
    let other_spelling = json!("application/vnd.dev.sigstore.bundle+json;version=0.3");
    for bundle in [a_bundle(), with(a_bundle(), "/mediaType", Some(other_spelling))] {
        let mut envelope = parse(&bundle).unwrap();
        assert_eq!(envelope.verification_material.take().as_ref(), bundle.get("verificationMaterial"));
        assert_eq!(Ok(envelope), parse(&an_envelope()));
    }
}

#[test]
fn a_bundle_that_is_another_version_or_kind_or_also_an_envelope_is_refused() {
    let media = |text: &str| with(a_bundle(), "/mediaType", Some(json!(text)));
    for bundle in [
        media("application/vnd.dev.sigstore.bundle+json;version=0.1"),
        media("application/vnd.dev.sigstore.bundle+json;version=0.2"),
        media("application/vnd.dev.sigstore.bundle.v0.4+json"),
        media("application/vnd.dev.sigstore.bundle"),
        with(a_bundle(), "/payload", Some(json!("e30="))),
        with(a_bundle(), "/payloadType", Some(json!(PAYLOAD_TYPE))),
        with(a_bundle(), "/signatures", Some(json!([]))),
        with(a_bundle(), "/dsseEnvelope", None),
        with(a_bundle(), "/dsseEnvelope", Some(json!(null))),
        with(a_bundle(), "/dsseEnvelope", Some(json!("e30="))),
        with(with(a_bundle(), "/dsseEnvelope", None), "/messageSignature", Some(json!({}))),
        with(a_bundle(), "/verificationMaterial", None),
        with(a_bundle(), "/verificationMaterial", Some(json!("AA=="))),
    ] {
        assert_eq!(parse(&bundle), Err(Reason::BundleShape), "{bundle}");
    }
    assert_eq!(parse(&with(a_bundle(), "/dsseEnvelope/sig", Some(json!(1)))), parse(&a_bundle()));
    assert_eq!(parse(&with(a_bundle(), "/dsseEnvelope/payload", None)), Err(Reason::EnvelopeShape));
}

#[test]
fn the_event_digest_is_over_the_pae_alone() {
    let envelope = parse(&an_envelope()).unwrap();
    let encoded = pae(PAYLOAD_TYPE, b"{}>??");
    assert_eq!(encoded, b"DSSEv1 28 application/vnd.in-toto+json 5 {}>??");

    let digest = envelope.event_digest();

    assert_eq!(digest, EventDigest(Sha256::of(&encoded)));
    assert_eq!(digest.id().as_str(), format!("ev-{}", &digest.0.to_hex()[..32]));
    let resigned = with(an_envelope(), "/signatures", Some(json!([])));
    assert_eq!(parse(&resigned).unwrap().event_digest(), digest);
    // Lengths are bytes: `ä` counts as two.
    assert_eq!(pae("ä", b"x"), "DSSEv1 2 ä 1 x".as_bytes());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Envelope::parse(&bytes);
    }

    #[test]
    fn arbitrary_payloads_come_back_from_either_alphabet(
        payload in prop::collection::vec(any::<u8>(), 0..100),
        sig in prop::collection::vec(any::<u8>(), 0..80),
        payload_type in ".{0,20}",
    ) {
        for engine in [&STANDARD, &URL_SAFE] {
            let text = json!({"payload": engine.encode(&payload), "payloadType": payload_type, "signatures": [{"sig": engine.encode(&sig)}]});
            let envelope = parse(&text).unwrap();
            prop_assert_eq!(&envelope.payload, &payload);
            prop_assert_eq!(&envelope.signatures[0].sig, &sig);

            let again = Envelope::parse(envelope.to_json().as_bytes()).unwrap();
            prop_assert_eq!(again.payload, envelope.payload);
            prop_assert_eq!(again.signatures, envelope.signatures);
            prop_assert_eq!(again.payload_type, envelope.payload_type);
        }
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), new in any::<u8>()) {
        let mut text = a_bundle().to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = new;
        let _ = Envelope::parse(&text);
    }
}
