//! The small words that other crates build on: ids, digests, facts.

use launchgate_statement::{
    Build, Envelope, EventDigest, EventId, FactName, PAYLOAD_TYPE, Sha256, is_commit_id,
};

#[test]
fn an_event_id_is_ev_and_32_lower_case_hex_digits() {
    let digest = EventDigest(Sha256::of(b"event"));
    let id = digest.id();
    let hex = &digest.0.to_hex()[..32];

    assert_eq!((id.as_str(), id.hex()), (&*format!("ev-{hex}"), hex));
    assert_eq!(EventId::parse(id.as_str()), Some(id.clone()));
    assert_eq!(String::from(id.clone()), id.as_str());
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
    for text in
        [hex.to_owned(), format!("ev-{}", &hex[1..]), format!("ev-{hex}0"), id.as_str().to_uppercase()]
    {
        assert_eq!(EventId::parse(&text), None, "{text}");
    }
    assert_eq!(EventId::parse(&format!("ev-{}", "g".repeat(32))), None);
}

#[test]
fn a_digest_is_its_bytes_and_its_hex() {
    let digest = Sha256::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap() * 7));

    assert_eq!(digest.as_bytes()[..3], [0, 7, 14]);
    assert_eq!(Sha256::from_hex(&digest.to_hex()), Some(digest));
}

#[test]
fn a_commit_id_has_40_or_64_hex_digits() {
    for length in [40, 64] {
        assert!(is_commit_id(&"a1".repeat(length / 2)));
        assert!(!is_commit_id(&"g".repeat(length)));
    }
    assert!(!is_commit_id(&"a".repeat(39)) && !is_commit_id("HEAD") && !is_commit_id(""));
}

#[test]
fn a_fact_is_taken_over_where_there_is_one() {
    let other = Build { number: Some(7), branch: Some("main".to_owned()), ..Build::default() };
    let mut build = Build { tag: Some("v1".to_owned()), ..Build::default() };

    assert!(build.take_from(&other, FactName::Number) && build.take_from(&other, FactName::Branch));
    assert!(!build.take_from(&other, FactName::Commit));

    assert_eq!((build.number, build.branch.as_deref()), (Some(7), Some("main")));
    assert_eq!((build.tag.as_deref(), build.commit), (Some("v1"), None));
}

#[test]
fn an_envelope_may_have_256_kib() {
    let text = Envelope::unsigned(PAYLOAD_TYPE, b"{}".to_vec()).to_json();
    let padded = |length: usize| text.clone() + &" ".repeat(length - text.len());

    assert_eq!(Envelope::MAX_BYTES, 262_144);
    assert!(Envelope::parse(padded(Envelope::MAX_BYTES).as_bytes()).is_ok());
    assert!(Envelope::parse(padded(Envelope::MAX_BYTES + 1).as_bytes()).is_err());
}

#[test]
fn a_bundle_without_an_envelope_is_told_what_it_holds_instead() {
    let said = |member: &str| {
        let media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let text = format!(r#"{{"mediaType":"{media_type}","verificationMaterial":{{}}{member}}}"#);
        Envelope::parse(text.as_bytes()).unwrap_err().message
    };
    assert!(said(r#","messageSignature":{}"#).contains("`messageSignature` holds no statement"));
    assert!(said("").contains("expected `dsseEnvelope`"));
}
