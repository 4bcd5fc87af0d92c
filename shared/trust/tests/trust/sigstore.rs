//! Sigstore bundles as signature: what an instance of our own makes, and one negative test for each rule.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_outcome::{CheckStatus, Outcome, Reason, Voucher};
use launchgate_standin::{Attestation, SigstoreStandin};
use launchgate_statement::{Build, Envelope, FactName as F, PAYLOAD_TYPE, Signature, Timestamp};
use launchgate_trust::{
    ForkBuilds, Rejection, Root, Signer, SignerId, SignerKind, Sigstore, TrustedRoot, VerifiedEvent,
    unverified_certificate_claims,
};
use serde_json::{Value, json};

use crate::{a_key, a_signer, a_statement, by_keys, published, signers};

/// Years before the events of these tests.
const SINCE: i64 = 1_600_000_000;

/// One instance for all: making its keys takes longer than a test.
static INSTANCE: LazyLock<SigstoreStandin> = LazyLock::new(|| SigstoreStandin::new(SINCE));
static ROOT: LazyLock<TrustedRoot> =
    LazyLock::new(|| TrustedRoot::from_json(&INSTANCE.trusted_root()).unwrap());

fn logged() -> i64 {
    published().seconds() - 30
}

pub(crate) fn a_job() -> Value {
    json!({
        "organization_slug": "acme", "pipeline_slug": "fraud-train", "build_number": 42,
        "build_commit": "d18aac96b905b4b3c839891b7a91c9414149514c", "job_id": "j-1",
        "build_source": "webhook", "runner_environment": "self-hosted",
    })
}

fn attestation() -> Attestation {
    Attestation::of_job(&a_job(), logged())
}

pub(crate) fn signer_under(id: &str, trusted_root: &TrustedRoot) -> Signer {
    let sigstore = Sigstore {
        organization: "acme".to_owned(),
        trusted_root: trusted_root.clone(),
        fork_builds: ForkBuilds::Disabled,
    };
    Signer { kind: SignerKind::Sigstore(sigstore), ..a_signer(id, &a_key()) }
}

fn signer() -> Signer {
    signer_under("sigstore", &ROOT)
}

fn read(bundle: &Value) -> Envelope {
    Envelope::parse(bundle.to_string().as_bytes()).unwrap()
}

fn judge(bundle: &Value) -> Result<VerifiedEvent, Rejection> {
    judge_at(bundle, published())
}

fn judge_at(bundle: &Value, published: Timestamp) -> Result<VerifiedEvent, Rejection> {
    by_keys(read(bundle), &signers([signer()]), published)
}

fn reason(bundle: &Value) -> Reason {
    judge(bundle).expect_err("a rejection").refusal.reason
}

fn attested(attestation: &Attestation) -> Value {
    INSTANCE.attest(&a_statement(), attestation)
}

/// Flips the lowest bit of the middle byte of a base64 text.
fn flip(text: &mut Value) {
    let mut bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    *text = STANDARD.encode(bytes).into();
}

#[test]
fn a_bundle_of_the_build_it_speaks_for_verifies() {
    let event = judge(&attested(&attestation())).unwrap();

    let [signature] = event.signatures() else { panic!("one signer") };
    assert_eq!((&signature.root, signature.voucher), (&Root::Buildkite, Voucher::Certificate));
    let facts = event.facts(&[SignerId::new("sigstore")]);
    let expected = Build {
        organization: Some("acme".to_owned()),
        pipeline: Some("fraud-train".to_owned()),
        number: Some(42),
        commit: Some("d18aac96b905b4b3c839891b7a91c9414149514c".to_owned()),
        source: Some("webhook".to_owned()),
        runner: Some("self-hosted".to_owned()),
        ..Build::default()
    };
    assert_eq!(facts.build(), &expected);
    // The statement says a branch; no certificate does, so nobody vouches for it.
    assert_eq!(event.statement().build.branch.as_deref(), Some("main"));
    for unvouched in [F::Branch, F::Tag, F::Step, F::Job] {
        assert_eq!(facts.voucher(unvouched), None, "{unvouched:?}");
    }
    let time = facts.time().unwrap();
    assert_eq!((time.at.seconds(), time.source), (logged(), "time in the bundle"));
    let names: Vec<_> = event.checks().iter().map(|check| &*check.name).collect();
    assert_eq!(names, ["envelope", "payloadType", "signature", "statement", "identity", "scope"]);
    assert!(event.checks().iter().all(|check| check.status == CheckStatus::Passed));
}

#[test]
fn the_same_statement_in_a_bundle_and_in_an_envelope_is_the_same_event() {
    let bundle = read(&attested(&attestation()));
    assert_eq!(bundle.event_digest(), Envelope::unsigned(PAYLOAD_TYPE, a_statement()).event_digest());
}

#[test]
fn a_bundle_of_another_instance_is_refused_whatever_it_says() {
    let other = SigstoreStandin::new(SINCE).attest(&a_statement(), &attestation());
    assert!(matches!(reason(&other), Reason::BundleLog | Reason::BundleCertificate | Reason::BundleTime));
    let public_good = signers([signer_under("public-good", &TrustedRoot::public_good())]);
    assert!(by_keys(read(&attested(&attestation())), &public_good, published()).is_err());
}

#[test]
fn each_root_judges_for_its_own_signers() {
    let both = signers([signer_under("public-good", &TrustedRoot::public_good()), signer()]);
    let event = by_keys(read(&attested(&attestation())), &both, published()).unwrap();
    let names: Vec<_> = event.signatures().iter().map(|one| one.signer.as_str()).collect();
    assert_eq!(names, ["sigstore"]);
}

#[test]
fn a_certificate_that_is_not_a_jobs_or_not_in_force_is_refused() {
    type Bend = fn(&mut Attestation);
    let cases: [(&str, Reason, Bend); 10] = [
        ("expired when it was logged", Reason::BundleCertificate, |it| it.valid = 0),
        ("not for code", Reason::BundleCertificate, |it| it.code_signing = false),
        ("in no certificate log", Reason::BundleCertificate, |it| it.in_certificate_log = false),
        ("two names", Reason::BundleCertificate, |it| it.names.push("https://buildkite.com/a/b".into())),
        ("an extension twice", Reason::BundleCertificate, |it| {
            it.extensions.push((21, "https://buildkite.com/acme/fraud-train/builds/7#j".into()));
        }),
        ("another issuer", Reason::BundleIssuer, |it| {
            it.issuer = "https://token.actions.githubusercontent.com".into();
        }),
        ("almost the issuer", Reason::BundleIssuer, |it| it.issuer.push('/')),
        ("a name elsewhere", Reason::IdentityMismatch, |it| {
            it.names = vec!["https://buildkite.com.evil.example/acme/fraud-train".into()];
        }),
        ("a name with more behind it", Reason::IdentityMismatch, |it| it.names[0].push_str("/x")),
        ("a page of another pipeline", Reason::IdentityMismatch, |it| {
            it.extensions[3].1 = "https://buildkite.com/acme/other/builds/42#j-1".into();
        }),
    ];
    for (name, expected, bend) in cases {
        let mut attestation = attestation();
        bend(&mut attestation);
        assert_eq!(reason(&attested(&attestation)), expected, "{name}");
    }
}

#[test]
fn each_fact_of_the_certificate_equals_the_statements() {
    let mut statement: Value = serde_json::from_slice(&a_statement()).unwrap();
    let definition = &mut statement["predicate"]["buildDefinition"];
    definition["externalParameters"]["job"] = json!({"id": "j-1"});
    definition["internalParameters"]["buildkite"]["source"] = json!("webhook");
    definition["internalParameters"]["buildkite"]["runner"] = json!("self-hosted");
    let statement = statement.to_string().into_bytes();
    let made = |job: &Value| INSTANCE.attest(&statement, &Attestation::of_job(job, logged()));
    assert!(judge(&made(&a_job())).is_ok());

    for (claim, other, named) in [
        ("organization_slug", json!("evil"), "organization"),
        ("pipeline_slug", json!("other"), "pipeline"),
        ("build_number", json!(43), "build number"),
        ("build_commit", json!("00".repeat(20)), "source repository digest"),
        ("job_id", json!("j-2"), "job"),
        ("build_source", json!("ui"), "build trigger"),
    ] {
        let mut job = a_job();
        job[claim] = other;
        let rejection = judge(&made(&job)).expect_err(claim);
        assert_eq!(rejection.refusal.reason, Reason::IdentityMismatch, "{claim}");
        assert!(rejection.refusal.message.contains(named), "{}", rejection.refusal.message);
        let failed: Vec<_> = rejection.checks.iter().filter(|it| it.status == CheckStatus::Failed).collect();
        assert!(matches!(&*failed, [check] if check.name == "identity"), "{claim}");
    }
}

#[test]
fn a_certificate_of_a_build_for_a_name_vouches_for_no_commit() {
    let mut job = a_job();
    job["build_commit"] = json!("HEAD");
    let event = judge(&attested(&Attestation::of_job(&job, logged()))).unwrap();
    assert_eq!(event.facts(&[SignerId::new("sigstore")]).voucher(F::Commit), None);
}

#[test]
fn what_a_certificate_leaves_out_it_does_not_vouch_for() {
    let mut attestation = attestation();
    attestation.extensions.clear();
    let event = judge(&attested(&attestation)).unwrap();
    let facts = event.facts(&[SignerId::new("sigstore")]);
    let vouched: Vec<_> = F::ALL.into_iter().filter(|name| facts.voucher(*name).is_some()).collect();
    assert_eq!(vouched, [F::Organization, F::Pipeline]);
}

#[test]
fn an_organization_that_the_signer_does_not_name_is_refused_though_the_statement_agrees() {
    let statement = String::from_utf8(a_statement()).unwrap();
    let statement = statement.replace("buildkite.com/acme/", "buildkite.com/evil/");
    let mut job = a_job();
    job["organization_slug"] = json!("evil");
    let bundle = INSTANCE.attest(statement.as_bytes(), &Attestation::of_job(&job, logged()));
    let rejection = judge(&bundle).unwrap_err();
    assert_eq!(rejection.refusal.reason, Reason::IdentityMismatch);
    assert!(rejection.refusal.message.contains("pinned to acme"), "{}", rejection.refusal.message);
}

#[test]
fn a_changed_bit_anywhere_in_the_proof_is_refused() {
    let whole = attested(&attestation());
    for (pointer, expected) in [
        ("/dsseEnvelope/signatures/0/sig", &[Reason::BundleSignature][..]),
        ("/verificationMaterial/certificate/rawBytes", &[Reason::BundleCertificate, Reason::BundleMaterial]),
        ("/verificationMaterial/tlogEntries/0/canonicalizedBody", &[Reason::BundleLog]),
        ("/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp", &[Reason::BundleLog]),
        (
            "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
            &[Reason::BundleLog, Reason::BundleMaterial],
        ),
        ("/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0", &[Reason::BundleLog]),
        ("/verificationMaterial/tlogEntries/0/logId/keyId", &[Reason::BundleLog]),
    ] {
        let mut bundle = whole.clone();
        flip(bundle.pointer_mut(pointer).unwrap());
        let found = reason(&bundle);
        assert!(expected.contains(&found), "{pointer}: {found}");
    }
    for (pointer, other) in [
        ("/verificationMaterial/tlogEntries/0/integratedTime", json!((logged() - 1).to_string())),
        ("/verificationMaterial/tlogEntries/0/logIndex", json!("0")),
        ("/verificationMaterial/tlogEntries/0/inclusionProof/logIndex", json!("0")),
        ("/verificationMaterial/tlogEntries/0/inclusionProof/treeSize", json!("3")),
        ("/verificationMaterial/tlogEntries/0/kindVersion/version", json!("0.0.2")),
        ("/verificationMaterial/tlogEntries", json!([])),
        ("/verificationMaterial/certificate", json!(null)),
        ("/verificationMaterial/certificate", json!({"rawBytes": ""})),
    ] {
        let mut bundle = whole.clone();
        *bundle.pointer_mut(pointer).unwrap() = other;
        assert_eq!(judge(&bundle).unwrap_err().refusal.outcome, Outcome::RejectedSignature, "{pointer}");
    }
}

#[test]
fn every_log_entry_needs_an_inclusion_proof() {
    let mut bundle = attested(&attestation());
    let entries = bundle.pointer_mut("/verificationMaterial/tlogEntries").unwrap().as_array_mut().unwrap();
    let mut bare = entries[0].clone();
    bare.as_object_mut().unwrap().remove("inclusionProof");
    entries.push(bare);
    assert_eq!(reason(&bundle), Reason::BundleLog);
}

#[test]
fn proofs_without_end_are_not_worked_through() {
    let of = |entries: usize, timestamps: usize| {
        let mut bundle = attested(&attestation());
        let material = &mut bundle["verificationMaterial"];
        material["tlogEntries"] = json!(vec![material["tlogEntries"][0].clone(); entries]);
        let timestamp = json!({"signedTimestamp": "AA=="});
        material["timestampVerificationData"]["rfc3161Timestamps"] = json!(vec![timestamp; timestamps]);
        judge(&bundle).map(drop).map_err(|rejection| rejection.refusal.reason)
    };
    assert_eq!(of(8, 0), Ok(()));
    assert_eq!(of(9, 0), Err(Reason::BundleMaterial));
    // Eight that are none are looked at and found wanting; more are not looked at.
    assert_eq!(of(1, 8), Err(Reason::BundleTime));
    for more in [9, 10] {
        assert_eq!(of(1, more), Err(Reason::BundleMaterial));
    }
}

#[test]
fn a_bundle_that_no_clock_has_signed_is_refused_as_such() {
    let mut bundle = attested(&attestation());
    let entry = bundle.pointer_mut("/verificationMaterial/tlogEntries/0").unwrap();
    entry.as_object_mut().unwrap().remove("inclusionPromise");
    assert_eq!(reason(&bundle), Reason::BundleTime);
}

#[test]
fn the_proof_of_one_bundle_is_none_of_another() {
    let statement = String::from_utf8(a_statement()).unwrap().replace("\"main\"", "\"next\"");
    let other = INSTANCE.attest(statement.as_bytes(), &attestation());
    let mut bundle = attested(&attestation());
    let mut swapped = bundle.clone();
    swapped["dsseEnvelope"] = other["dsseEnvelope"].clone();
    assert_eq!(reason(&swapped), Reason::BundleSignature);
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"].clone();
    assert_eq!(reason(&bundle), Reason::BundleLog);
}

#[test]
fn a_bundle_carries_one_signature() {
    let mut bundle = attested(&attestation());
    let signatures = bundle["dsseEnvelope"]["signatures"].as_array_mut().unwrap();
    signatures.push(signatures[0].clone());
    assert_eq!(reason(&bundle), Reason::BundleMaterial);
}

#[test]
fn a_bundle_signed_after_the_event_was_published_is_refused() {
    let bundle = attested(&attestation());
    let seconds = |offset: i64| Timestamp::from_seconds(logged() + offset);
    assert!(judge_at(&bundle, seconds(-60)).is_ok(), "clocks may differ by a minute");
    assert_eq!(judge_at(&bundle, seconds(-61)).unwrap_err().refusal.reason, Reason::BundleTime);
    // However late it is published: how old is too old is for `maxAge` to say.
    assert!(judge_at(&bundle, seconds(86_400)).is_ok());
}

#[test]
fn an_envelope_without_its_bundle_is_unsigned_to_this_signer() {
    let mut envelope = read(&attested(&attestation()));
    envelope.verification_material = None;
    let refusal = by_keys(envelope, &signers([signer()]), published()).unwrap_err().refusal;
    assert_eq!(refusal.reason, Reason::UnknownSigner);
}

#[test]
fn a_key_may_sign_the_envelope_in_a_bundle_too() {
    let key = a_key();
    let mut envelope = read(&attested(&attestation()));
    envelope.signatures = key.envelope(PAYLOAD_TYPE, &a_statement()).unwrap().signatures;
    let event = by_keys(envelope, &signers([signer(), a_signer("key", &key)]), published()).unwrap();
    assert!(matches!(event.signatures(), [one] if one.voucher == Voucher::Key));
}

#[test]
fn a_later_copy_without_the_bundle_keeps_the_signer_while_todays_root_still_verifies_it() {
    let recorded = judge(&attested(&attestation())).unwrap().signatures().to_vec();
    let key = a_key();
    let copy = |today: Signer| {
        let today = signers([today, a_signer("key", &key)]);
        let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, a_statement());
        envelope.signatures = key.envelope(PAYLOAD_TYPE, &a_statement()).unwrap().signatures;
        let event = by_keys(envelope, &today, published()).unwrap();
        let joined = event.joined(&recorded, &today);
        joined.signatures().iter().any(|one| one.voucher == Voucher::Certificate)
    };
    assert!(copy(signer()));
    // As the ledger keeps it.
    let kept: Vec<launchgate_trust::VerifiedSignature> =
        serde_json::from_str(&serde_json::to_string(&recorded).unwrap()).unwrap();
    assert_eq!(kept, recorded);

    assert!(!copy(signer_under("sigstore", &TrustedRoot::public_good())), "the root was exchanged");
    assert!(!copy(Signer { revoked: true, ..signer() }));
    let SignerKind::Sigstore(pinned) = signer().kind else { panic!() };
    let elsewhere = Sigstore { organization: "other".to_owned(), ..pinned };
    assert!(!copy(Signer { kind: SignerKind::Sigstore(elsewhere), ..signer() }));
}

#[test]
fn what_a_certificate_says_is_kept_and_read_anew_where_it_was_not() {
    let event = judge(&attested(&attestation())).unwrap();
    let permitted = [SignerId::new("sigstore")];
    let expected = json!({
        "issuer": "https://agent.buildkite.com", "subject": "https://buildkite.com/acme/fraud-train",
        "runnerEnvironment": "self-hosted", "sourceRepositoryDigest": "d18aac96b905b4b3c839891b7a91c9414149514c",
        "buildTrigger": "webhook", "runInvocationUri": "https://buildkite.com/acme/fraud-train/builds/42#j-1",
    });
    assert_eq!(json!(event.identity(&permitted).unwrap()), expected);
    assert!(event.identity(&[SignerId::new("key")]).is_none());

    // As an earlier version kept it.
    let mut kept = serde_json::to_value(event.signatures()).unwrap();
    kept[0]["certificate"].as_object_mut().unwrap().remove("claims").unwrap();
    let kept: Vec<launchgate_trust::VerifiedSignature> = serde_json::from_value(kept).unwrap();
    let key = a_key();
    let today = signers([signer(), a_signer("key", &key)]);
    let copy = key.envelope(PAYLOAD_TYPE, &a_statement()).unwrap();
    let joined = by_keys(copy, &today, published()).unwrap().joined(&kept, &today);
    assert_eq!(json!(joined.identity(&permitted).unwrap()), expected);
}

#[test]
fn a_token_and_a_bundle_are_one_root() {
    let event = judge(&attested(&attestation())).unwrap();
    assert_eq!(event.facts(&[SignerId::new("sigstore")]).roots(), 1);
    assert_eq!(signer().kind.root(), Root::Buildkite);
}

#[test]
fn a_signature_beside_the_bundle_that_no_one_made_does_not_count() {
    let mut envelope = read(&attested(&attestation()));
    envelope.signatures = vec![Signature { keyid: None, sig: vec![0; 70] }];
    let refusal = by_keys(envelope, &signers([signer()]), published()).unwrap_err().refusal;
    assert_eq!(refusal.reason, Reason::BundleSignature);
}

#[test]
fn what_a_certificate_claims_can_be_shown_without_believing_it() {
    let stranger = SigstoreStandin::new(SINCE).attest(&a_statement(), &attestation());
    let material = &stranger["verificationMaterial"];

    let claims = unverified_certificate_claims(material).unwrap();

    assert_eq!(claims.identity, "https://buildkite.com/acme/fraud-train");
    assert_eq!(claims.issuer, "https://agent.buildkite.com");
    assert_eq!(claims.build_trigger.as_deref(), Some("webhook"));
    assert!(unverified_certificate_claims(&json!({"tlogEntries": []})).is_err());
    let key = json!({"publicKey": {"hint": "a"}, "tlogEntries": []});
    assert!(unverified_certificate_claims(&key).is_err(), "a key is no certificate");
}
