//! Signing against the stand-in for Cloud KMS.

use std::{collections::BTreeMap, time::Duration};

use launchgate_google::{CredentialSettings, Endpoints, GoogleError, KeyVersion, Kms, KmsKey, KmsRole};
use launchgate_standin::{KmsFault, KmsStandin, KmsVersion, MetadataServer, MetadataServerOptions};
use launchgate_trust::{Scheme, SigningKey};
use ring::digest::{SHA256, SHA384, digest};

const NAME: &str =
    "projects/acme-ml/locations/europe-west1/keyRings/launchgate/cryptoKeys/release/cryptoKeyVersions/1";
const MESSAGE: &[u8] = b"DSSEv1 28 application/vnd.in-toto+json 2 {}";

/// A version that signs the digest of `MESSAGE` and no other: `ring` signs messages, not digests.
fn a_version(algorithm: &str, key: SigningKey) -> KmsVersion {
    let pem = key.public_pem();
    KmsVersion::new(algorithm, &pem, move |asked| {
        let hash = if key.scheme() == Scheme::EcdsaP384 { &SHA384 } else { &SHA256 };
        if digest(hash, MESSAGE).as_ref() != asked {
            return Err("not the digest of the message".to_owned());
        }
        key.sign(MESSAGE).map_err(|error| error.to_string())
    })
}

fn a_p256_key() -> SigningKey {
    SigningKey::generate(Scheme::EcdsaP256).unwrap()
}

fn kms_at(address: &str, settings: CredentialSettings) -> Kms {
    let variables = BTreeMap::from([("LAUNCHGATE_KMS_ENDPOINT".to_owned(), address.to_owned())]);
    let endpoints = Endpoints::from_variables(&variables).unwrap();
    Kms::new(endpoints, settings).unwrap().first_wait(Duration::ZERO)
}

async fn a_kms() -> (KmsStandin, Kms) {
    let standin = KmsStandin::start().await.unwrap();
    standin.add(NAME, a_version("EC_SIGN_P256_SHA256", a_p256_key()));
    let kms = kms_at(&standin.endpoint(), CredentialSettings::default());
    (standin, kms)
}

async fn key(kms: &Kms) -> Result<KmsKey, GoogleError> {
    kms.public_key(&NAME.parse::<KeyVersion>().unwrap(), KmsRole::SignerVerifier).await
}

#[tokio::test]
async fn each_algorithm_signs_its_own_digest_and_the_signature_verifies() {
    let rsa = include_str!("../../../../tests/standin/keys/google-certs-test-1.pem");
    let made = |scheme| SigningKey::generate(scheme).unwrap();
    let imported = |scheme| SigningKey::from_pem(rsa, Some(scheme)).unwrap();
    for (algorithm, signing) in [
        ("EC_SIGN_P256_SHA256", made(Scheme::EcdsaP256)),
        ("EC_SIGN_P384_SHA384", made(Scheme::EcdsaP384)),
        ("RSA_SIGN_PSS_2048_SHA256", imported(Scheme::RsaPssSha256)),
        ("RSA_SIGN_PKCS1_2048_SHA256", imported(Scheme::RsaPkcs1v15Sha256)),
    ] {
        let (standin, kms) = a_kms().await;
        let (scheme, public) = (signing.scheme(), signing.public_key().unwrap());
        standin.add(NAME, a_version(algorithm, signing));

        let key = key(&kms).await.unwrap();
        let signature = kms.sign(&key, MESSAGE).await.unwrap();

        assert_eq!(key.scheme(), scheme, "{algorithm}");
        assert_eq!(key.public_key(), &public, "{algorithm}");
        assert!(public.verifies(MESSAGE, &signature), "{algorithm}");
        assert_eq!((standin.requests(), standin.signatures()), (2, 1), "{algorithm}");
    }
}

#[tokio::test]
async fn an_algorithm_that_no_verifier_of_ours_knows_is_refused_by_name() {
    let (standin, kms) = a_kms().await;
    for algorithm in [
        "EC_SIGN_ED25519",
        "EC_SIGN_SECP256K1_SHA256",
        "RSA_SIGN_PKCS1_4096_SHA512",
        "RSA_SIGN_PSS_4096_SHA512",
        "RSA_SIGN_RAW_PKCS1_2048",
        "RSA_DECRYPT_OAEP_2048_SHA256",
        "PQ_SIGN_ML_DSA_65",
    ] {
        standin.add(NAME, a_version(algorithm, a_p256_key()));

        let error = key(&kms).await.unwrap_err();

        assert!(matches!(error, GoogleError::UnsupportedKey { .. }), "{algorithm}: {error}");
        let said = error.to_string();
        assert!(said.contains(algorithm) && said.contains("EC_SIGN_P256_SHA256"), "{said}");
    }
}

#[tokio::test]
async fn an_algorithm_and_a_public_key_that_do_not_fit_are_refused() {
    let (standin, kms) = a_kms().await;
    standin.add(NAME, a_version("RSA_SIGN_PSS_2048_SHA256", a_p256_key()));

    assert!(matches!(key(&kms).await.unwrap_err(), GoogleError::Unexpected { .. }));
}

#[tokio::test]
async fn what_was_damaged_on_its_way_is_asked_for_again_and_never_believed() {
    use KmsFault::{Checksum, UnverifiedDigest};
    let (standin, kms) = a_kms().await;
    standin.faults([Checksum]);
    let key_found = key(&kms).await.unwrap();
    standin.faults([Checksum, UnverifiedDigest]);
    kms.sign(&key_found, MESSAGE).await.unwrap();
    assert_eq!(standin.requests(), 5);

    for fault in [Checksum, UnverifiedDigest] {
        standin.faults([fault; 4]);
        let error = kms.sign(&key_found, MESSAGE).await.unwrap_err();
        assert!(matches!(error, GoogleError::Unreachable { .. }), "{fault:?}: {error}");
    }
    standin.faults([Checksum; 4]);
    assert!(matches!(key(&kms).await.unwrap_err(), GoogleError::Unreachable { .. }));
}

#[tokio::test]
async fn a_signature_that_does_not_verify_is_not_handed_on() {
    let (standin, kms) = a_kms().await;
    let key = key(&kms).await.unwrap();
    standin.faults([KmsFault::Signature]);

    let error = kms.sign(&key, MESSAGE).await.unwrap_err();

    assert!(matches!(error, GoogleError::Unexpected { .. }), "{error}");
    assert!(error.to_string().contains("does not verify"), "{error}");
    assert_eq!(standin.signatures(), 1, "no second try: its checksum fits");
}

#[tokio::test]
async fn an_answer_about_another_version_is_refused() {
    let (standin, kms) = a_kms().await;
    let good = key(&kms).await.unwrap();
    standin.faults([KmsFault::Name, KmsFault::Name]);

    for error in [key(&kms).await.unwrap_err(), kms.sign(&good, MESSAGE).await.unwrap_err()] {
        assert!(error.to_string().contains("another version"), "{error}");
    }
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again() {
    let (standin, kms) = a_kms().await;
    standin.faults([KmsFault::Status(503), KmsFault::HangUp, KmsFault::Status(429)]);
    let key_found = key(&kms).await.unwrap();
    assert_eq!(standin.requests(), 4);

    standin.faults([KmsFault::Status(503); 4]);
    let error = kms.sign(&key_found, MESSAGE).await.unwrap_err();
    assert!(matches!(error, GoogleError::Refused { status: 503, .. }), "{error}");
    assert_eq!((standin.requests(), standin.signatures()), (8, 0));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let (standin, kms) = a_kms().await;
    standin.faults([KmsFault::Status(401)]);
    key(&kms).await.unwrap();

    standin.faults([KmsFault::Status(401); 4]);
    let error = key(&kms).await.unwrap_err();
    assert!(matches!(error, GoogleError::Refused { status: 401, .. }), "{error}");
    assert_eq!(standin.requests(), 4);
}

#[tokio::test]
async fn a_refusal_for_lack_of_access_carries_the_line_that_mends_it() {
    let standin = KmsStandin::start().await.unwrap();
    standin.add(NAME, a_version("EC_SIGN_P256_SHA256", a_p256_key()));
    let metadata = MetadataServer::start(MetadataServerOptions::default()).await.unwrap();
    let settings =
        CredentialSettings { metadata_host: Some(metadata.host()), ..CredentialSettings::default() };
    let kms = kms_at(&standin.endpoint(), settings);
    let key_found = key(&kms).await.unwrap();
    let line = |role: &str| {
        format!(
            "Fix: gcloud kms keys add-iam-policy-binding release --keyring=launchgate --location=europe-west1 \
             --project=acme-ml --member=serviceAccount:launchgate@acme-ml.iam.gserviceaccount.com --role={role}"
        )
    };

    standin.deny("cloudkms.cryptoKeyVersions.useToSign");
    let denied = kms.sign(&key_found, MESSAGE).await.unwrap_err().to_string();
    assert!(denied.contains(&line("roles/cloudkms.signerVerifier")), "{denied}");

    standin.deny("cloudkms.cryptoKeyVersions.viewPublicKey");
    let version = NAME.parse().unwrap();
    let denied = kms.public_key(&version, KmsRole::PublicKeyViewer).await.unwrap_err().to_string();
    assert!(denied.contains(&line("roles/cloudkms.publicKeyViewer")), "{denied}");
    assert_eq!(standin.signatures(), 0);
}

#[tokio::test]
async fn a_version_that_is_not_enabled_says_what_brings_it_back() {
    let (standin, kms) = a_kms().await;
    let good = key(&kms).await.unwrap();
    for (state, fix) in [
        ("DISABLED", "gcloud kms keys versions enable 1 --key=release"),
        ("DESTROY_SCHEDULED", "gcloud kms keys versions restore 1 --key=release"),
        ("DESTROYED", "does not come back"),
    ] {
        standin.set_state(NAME, state);
        for error in [key(&kms).await.unwrap_err(), kms.sign(&good, MESSAGE).await.unwrap_err()] {
            assert!(matches!(error, GoogleError::Refused { status: 400, .. }), "{error}");
            assert!(error.to_string().contains(state) && error.to_string().contains(fix), "{error}");
        }
    }
    let other: KeyVersion = NAME.replace("release", "none").parse().unwrap();
    let missing = kms.public_key(&other, KmsRole::SignerVerifier).await.unwrap_err().to_string();
    assert!(missing.contains("gcloud kms keys versions list"), "{missing}");
}
