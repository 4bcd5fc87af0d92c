//! From an envelope to a verified event.

use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_statement::{Envelope, FactName, PAYLOAD_TYPE, Signature};
use launchgate_trust::{PatternList, Root, SignerId, Signers, SigningKey, Wildcards};
use proptest::prelude::*;

use crate::{a_key, a_signer, a_statement, at, by_keys, judge, published, reason, signed_by, signers};

fn patterns(list: &[&str]) -> PatternList {
    PatternList::parse(list.iter().copied(), Wildcards::Name).unwrap()
}

#[test]
fn a_configured_key_makes_an_event_of_its_statement() {
    let key = a_key();

    let event = judge(signed_by(&[&key]), &signers([a_signer("release", &key)])).unwrap();

    assert_eq!(event.statement().artifacts[0].name, "fraud-train");
    assert_eq!(event.digest(), event.envelope().event_digest());
    assert_eq!(event.id(), event.digest().id());
    assert_eq!(event.signatures()[0].signer, SignerId::new("release"));
    assert_eq!(event.signatures()[0].root, Root::PublicKey(key.public_key().unwrap().fingerprint()));
    let ladder: Vec<_> = event.checks().iter().map(|check| (check.name.as_str(), check.status)).collect();
    let passed = ["envelope", "payloadType", "signature", "statement", "scope"];
    assert_eq!(ladder, passed.map(|name| (name, CheckStatus::Passed)));
}

#[test]
fn no_signer_configured_refuses_everything() {
    assert_eq!(reason(signed_by(&[&a_key()]), &Signers::default()), Reason::UnknownSigner);
}

#[test]
fn another_payload_type_is_refused_even_when_signed() {
    let key = a_key();
    let envelope = key.envelope("application/json", &a_statement()).unwrap();
    assert_eq!(reason(envelope, &signers([a_signer("a", &key)])), Reason::PayloadType);
}

#[test]
fn an_envelope_without_a_signature_is_unsigned() {
    let signers = signers([a_signer("a", &a_key())]);
    assert_eq!(reason(signed_by(&[]), &signers), Reason::Unsigned);
    let mut empty = signed_by(&[]);
    empty.signatures.push(Signature { keyid: None, sig: Vec::new() });
    assert_eq!(reason(empty, &signers), Reason::Unsigned);
}

#[test]
fn a_refusal_shows_the_rungs_that_were_not_reached() {
    let rejection = judge(signed_by(&[&a_key()]), &signers([a_signer("release", &a_key())])).unwrap_err();

    assert_eq!(rejection.refusal.outcome, Outcome::RejectedSignature);
    assert!(rejection.refusal.message.contains("release"), "{}", rejection.refusal.message);
    let ladder: Vec<_> = rejection.checks.iter().map(|check| (check.name.as_str(), check.status)).collect();
    assert_eq!(
        ladder,
        [
            ("envelope", CheckStatus::Passed),
            ("payloadType", CheckStatus::Passed),
            ("signature", CheckStatus::Failed),
            ("statement", CheckStatus::NotReached),
            ("scope", CheckStatus::NotReached),
        ]
    );
    assert!(rejection.digest.is_some());
}

#[test]
fn a_keyid_decides_nothing() {
    let (key, other) = (a_key(), a_key());
    let mut envelope = signed_by(&[&key]);
    envelope.signatures[0].keyid = Some("other".to_owned());

    let event = judge(envelope, &signers([a_signer("other", &other), a_signer("own", &key)])).unwrap();

    assert_eq!(event.signatures()[0].signer, SignerId::new("own"));
}

#[test]
fn a_key_that_signs_twice_or_stands_under_two_names_is_one_root() {
    let (key, second) = (a_key(), a_key());
    let signers = signers([a_signer("a", &key), a_signer("also-a", &key), a_signer("b", &second)]);
    let all = ["a", "also-a", "b"].map(SignerId::new);

    let twice = judge(signed_by(&[&key, &key]), &signers).unwrap();
    let both = judge(signed_by(&[&second, &key]), &signers).unwrap();

    assert_eq!(twice.signatures().len(), 2);
    assert_eq!(twice.facts(&all).roots(), 1);
    assert_eq!(twice.facts(&all[2..]).roots(), 0);
    assert_eq!(both.facts(&all).roots(), 2);
}

#[test]
fn a_signer_counts_from_not_before_until_before_not_after() {
    let key = a_key();
    let mut signer = a_signer("a", &key);
    signer.not_before = Some(at("2026-11-18T11:00:00Z"));
    signer.not_after = Some(at("2026-11-18T12:00:00Z"));
    let signers = signers([signer]);
    let answer = |time: &str| {
        by_keys(signed_by(&[&key]), &signers, at(time)).map(drop).map_err(|no| no.refusal.reason)
    };

    assert_eq!(answer("2026-11-18T10:59:59.999999Z"), Err(Reason::SignerNotYetValid));
    assert_eq!(answer("2026-11-18T11:00:00Z"), Ok(()));
    assert_eq!(answer("2026-11-18T11:59:59.999999Z"), Ok(()));
    assert_eq!(answer("2026-11-18T12:00:00Z"), Err(Reason::SignerExpired));
}

#[test]
fn a_revoked_signer_counts_never_but_does_not_spoil_another() {
    let (revoked, good) = (a_key(), a_key());
    let mut signer = a_signer("revoked", &revoked);
    signer.revoked = true;
    let both = signers([signer.clone(), a_signer("good", &good)]);

    assert_eq!(reason(signed_by(&[&revoked]), &signers([signer])), Reason::RevokedSigner);
    let event = judge(signed_by(&[&revoked, &good]), &both).unwrap();

    assert_eq!(event.signatures().len(), 1);
    assert!(event.checks().iter().all(|check| check.status != CheckStatus::Failed));
    let skipped = event.checks().iter().find(|check| check.status == CheckStatus::Skipped).unwrap();
    assert!(skipped.detail.as_deref().unwrap().contains("revoked"));
}

#[test]
fn a_signer_speaks_for_its_pipelines_and_builders_only() {
    let key = a_key();
    let scoped = |pipelines: &[&str], builders: Option<&[&str]>| {
        let mut signer = a_signer("a", &key);
        signer.pipelines = Some(patterns(pipelines));
        signer.builders = builders.map(|list| list.iter().map(|&id| id.to_owned()).collect());
        signers([signer])
    };
    let own = "urn:launchgate:emit:v1";

    assert!(judge(signed_by(&[&key]), &scoped(&["fraud-*"], Some(&["x", own]))).is_ok());
    assert_eq!(reason(signed_by(&[&key]), &scoped(&["fraud"], None)), Reason::PipelineNotAllowed);
    assert_eq!(reason(signed_by(&[&key]), &scoped(&["*", "!fraud-*"], None)), Reason::PipelineNotAllowed);
    assert_eq!(reason(signed_by(&[&key]), &scoped(&["*"], Some(&[]))), Reason::BuilderNotAllowed);
    assert_eq!(reason(signed_by(&[&key]), &scoped(&["*"], Some(&["urn:*"]))), Reason::BuilderNotAllowed);
}

#[test]
fn a_signer_outside_its_scope_vouches_for_nothing_beside_one_inside() {
    let (narrow, wide) = (a_key(), a_key());
    let mut signer = a_signer("narrow", &narrow);
    signer.pipelines = Some(patterns(&["other"]));

    let event = judge(signed_by(&[&narrow, &wide]), &signers([signer, a_signer("wide", &wide)])).unwrap();

    let ids: Vec<_> = event.signatures().iter().map(|signature| signature.signer.as_str()).collect();
    assert_eq!(ids, ["wide"]);
}

#[test]
fn a_right_key_over_the_wrong_bytes_is_named_before_an_unknown_key() {
    let key = a_key();
    let signers = signers([a_signer("a", &key)]);
    let mut envelope = signed_by(&[&a_key()]);
    let over = |message: &[u8]| Signature { keyid: None, sig: key.sign(message).unwrap() };

    envelope.signatures.push(over(envelope.payload_text.as_bytes()));
    assert_eq!(reason(envelope.clone(), &signers), Reason::NotPaeEncoded);
    envelope.signatures.pop();
    envelope.signatures.push(over(&envelope.payload));
    assert_eq!(reason(envelope.clone(), &signers), Reason::NotPaeEncoded);
    envelope.signatures.push(over(b"something else"));
    envelope.signatures.remove(1);
    assert_eq!(reason(envelope, &signers), Reason::UnknownSigner);
}

#[test]
fn a_genuine_signature_over_no_statement_is_a_rejected_statement() {
    let key = a_key();
    let envelope = key.envelope(PAYLOAD_TYPE, b"{}").unwrap();
    let rejection = judge(envelope, &signers([a_signer("a", &key)])).unwrap_err();
    assert_eq!(rejection.refusal.outcome, Outcome::RejectedStatement);

    // Nobody's signature does not get that far: strangers learn nothing of the statement.
    let envelope = a_key().envelope(PAYLOAD_TYPE, b"{}").unwrap();
    assert_eq!(reason(envelope, &signers([a_signer("a", &key)])), Reason::UnknownSigner);
}

#[test]
fn only_permitted_signers_vouch_and_a_key_vouches_for_all_it_says() {
    let key = a_key();
    let event = judge(signed_by(&[&key]), &signers([a_signer("a", &key)])).unwrap();

    let facts = event.facts(&[SignerId::new("a"), SignerId::new("b")]);
    assert_eq!(facts.build(), &event.statement().build);
    assert_eq!(facts.voucher(FactName::Branch), Some(Voucher::Key));
    assert_eq!(facts.voucher(FactName::Tag), None);
    assert_eq!(facts.signers(), [SignerId::new("a")]);
    let time = facts.time().unwrap();
    assert_eq!((time.at, time.source, time.voucher), (at("2026-11-18T11:01:40Z"), "startedOn", Voucher::Key));

    let none = event.facts(&[SignerId::new("b")]);
    assert_eq!((none.roots(), none.time(), none.voucher(FactName::Branch)), (0, None, None));
    assert_eq!(none.build(), &launchgate_statement::Build::default());
}

fn keys() -> &'static [SigningKey; 3] {
    static KEYS: std::sync::OnceLock<[SigningKey; 3]> = std::sync::OnceLock::new();
    use launchgate_trust::Scheme as S;
    KEYS.get_or_init(|| {
        [S::Ed25519, S::EcdsaP256, S::EcdsaP384].map(|scheme| SigningKey::generate(scheme).unwrap())
    })
}

proptest! {
    #[test]
    fn arbitrary_envelopes_never_panic_nor_pass(
        payload in prop::collection::vec(any::<u8>(), 0..60),
        sigs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
    ) {
        let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, payload);
        envelope.signatures = sigs.into_iter().map(|sig| Signature { keyid: None, sig }).collect();
        let all = Signers::new(keys().iter().map(|key| a_signer(key.scheme().as_str(), key)).collect()).unwrap();
        prop_assert!(by_keys(envelope, &all, published()).is_err());
    }
}
