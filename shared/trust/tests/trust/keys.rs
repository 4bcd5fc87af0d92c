//! Keys: what is read, what is refused at load, and that what is signed verifies.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use launchgate_statement::{PAYLOAD_TYPE, Sha256};
use launchgate_trust::{Jwks, PublicKey, Scheme, Signers, SigningKey, TrustError, verify_signatures};
use proptest::prelude::*;
use serde_json::json;

use crate::{a_key, a_signer, at, der, pem, signers, vector};

fn imported(file: &str, scheme: Option<Scheme>) -> Result<SigningKey, TrustError> {
    SigningKey::from_pem(&vector(&format!("keys/{file}.pem")), scheme)
}

/// A key of each scheme, made by OpenSSL.
fn one_of_each() -> [SigningKey; 5] {
    Scheme::ALL.map(|scheme| {
        let file = match scheme {
            Scheme::Ed25519 => "ed25519",
            Scheme::EcdsaP256 => "p256",
            Scheme::EcdsaP384 => "p384",
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1v15Sha256 => "rsa",
        };
        imported(file, Some(scheme)).unwrap()
    })
}

#[test]
fn a_key_made_by_openssl_signs_and_its_public_half_is_the_one_openssl_writes() {
    for key in one_of_each() {
        let signature = key.sign(b"message").unwrap();

        assert!(key.public_key().unwrap().verifies(b"message", &signature), "{key:?}");
        assert!(!key.public_key().unwrap().verifies(b"massage", &signature), "{key:?}");
    }
    for file in ["ed25519", "p256", "p384", "rsa"] {
        let key = imported(file, (file == "rsa").then_some(Scheme::RsaPssSha256)).unwrap();
        assert_eq!(key.public_pem(), vector(&format!("keys/{file}.pub")), "{file}");
        assert_eq!(key.to_pem(), vector(&format!("keys/{file}.pem")), "{file}");
    }
}

#[test]
fn a_new_key_is_read_back_from_its_pem_and_each_is_another() {
    for scheme in [Scheme::Ed25519, Scheme::EcdsaP256, Scheme::EcdsaP384] {
        let key = SigningKey::generate(scheme).unwrap();

        let again = SigningKey::from_pem(&key.to_pem(), None).unwrap();

        assert_eq!(again.public_pem(), key.public_pem());
        assert_eq!(again.public_key().unwrap().scheme(), scheme);
        assert!(key.public_key().unwrap().verifies(b"m", &again.sign(b"m").unwrap()));
        assert_ne!(SigningKey::generate(scheme).unwrap().public_pem(), key.public_pem());
    }
    for scheme in [Scheme::RsaPssSha256, Scheme::RsaPkcs1v15Sha256] {
        assert!(matches!(SigningKey::generate(scheme), Err(TrustError::UnsupportedKey(_))));
    }
}

#[test]
fn debug_shows_no_private_byte() {
    assert_eq!(format!("{:?}", a_key()), "SigningKey(ed25519)");
}

#[test]
fn an_envelope_of_each_scheme_verifies_for_its_own_key_alone() {
    let keys = one_of_each();
    let list: Vec<_> = keys.iter().map(|key| a_signer(key.scheme().as_str(), key)).collect();
    let signers = Signers::new(list).unwrap();
    for key in &keys {
        let envelope = key.envelope(PAYLOAD_TYPE, b"payload").unwrap();

        let verified = verify_signatures(&envelope, &signers);

        let ids: Vec<_> = verified.iter().map(|signature| signature.signer.as_str()).collect();
        assert_eq!(ids, [key.scheme().as_str()]);
        let fingerprint = key.public_key().unwrap().fingerprint();
        assert_eq!(envelope.signatures[0].keyid, Some(fingerprint.to_hex()));
    }
}

#[test]
fn the_fingerprint_is_the_digest_of_the_der() {
    let (pem, der) = (vector("keys/rsa.pub"), der("keys/rsa.pub"));

    for scheme in [Scheme::RsaPssSha256, Scheme::RsaPkcs1v15Sha256] {
        assert_eq!(PublicKey::from_pem(&pem, Some(scheme)).unwrap().fingerprint(), Sha256::of(&der));
    }
}

#[test]
fn the_scheme_fits_the_key_and_rsa_names_one() {
    let public = |file: &str, scheme| PublicKey::from_pem(&vector(&format!("keys/{file}.pub")), scheme);
    assert_eq!(public("rsa", None), Err(TrustError::SchemeNeeded));
    assert_eq!(imported("rsa", None).map(|_| ()), Err(TrustError::SchemeNeeded));
    for (file, scheme) in [
        ("ed25519", Scheme::EcdsaP256),
        ("p256", Scheme::EcdsaP384),
        ("p384", Scheme::EcdsaP256),
        ("rsa", Scheme::Ed25519),
        ("p256", Scheme::RsaPssSha256),
    ] {
        assert!(matches!(public(file, Some(scheme)), Err(TrustError::SchemeMismatch { .. })), "{file}");
    }
    for scheme in Scheme::ALL {
        assert_eq!(Scheme::parse(scheme.as_str()), Ok(scheme));
    }
    for name in ["", "rsa", "none", "ED25519", "hs256"] {
        assert!(matches!(Scheme::parse(name), Err(TrustError::UnknownScheme(_))), "{name}");
    }
}

#[test]
fn a_key_has_one_spelling_its_length_and_its_parameters_as_their_rfcs_say() {
    let load = |der: &[u8], scheme| PublicKey::from_pem(&pem("PUBLIC KEY", der), scheme);
    let unsupported = |der: &[u8], scheme| matches!(load(der, scheme), Err(TrustError::UnsupportedKey(_)));
    // An Ed25519 SubjectPublicKeyInfo: its algorithm, then the bit string.
    let ed25519 = |parameters: &[u8], key: &[u8]| {
        let algorithm = [&[0x06, 0x03, 0x2b, 0x65, 0x70], parameters].concat();
        let length = |bytes: usize| u8::try_from(bytes).unwrap();
        let body =
            [&[0x30, length(algorithm.len())][..], &algorithm, &[0x03, length(key.len() + 1), 0x00], key];
        let body = body.concat();
        [&[0x30, length(body.len())][..], &body].concat()
    };
    assert!(load(&ed25519(&[], &[7; 32]), None).is_ok());
    assert!(unsupported(&ed25519(&[], &[7; 31]), None));
    assert!(unsupported(&ed25519(&[], &[7; 33]), None));
    assert!(unsupported(&ed25519(&[0x05, 0x00], &[7; 32]), None), "with parameters");

    let rsa = der("keys/rsa.pub");
    assert_eq!(&rsa[..6], &[0x30, 0x82, 0x01, 0x22, 0x30, 0x0d]);
    let mut bare = rsa.clone();
    bare.drain(17..19);
    (bare[3], bare[5]) = (0x20, 0x0b);
    assert_eq!(&rsa[17..19], &[0x05, 0x00]);
    assert!(unsupported(&bare, Some(Scheme::RsaPssSha256)), "without its NULL");
}

#[test]
fn a_scheme_that_does_not_fit_is_told_with_the_keys_own_kind() {
    for (file, kind) in
        [("ed25519", "Ed25519"), ("p256", "ECDSA P-256"), ("p384", "ECDSA P-384"), ("rsa", "RSA")]
    {
        let other = if file == "ed25519" { Scheme::EcdsaP256 } else { Scheme::Ed25519 };
        let error = PublicKey::from_pem(&vector(&format!("keys/{file}.pub")), Some(other)).unwrap_err();
        assert!(error.to_string().contains(&format!("this key, which is {kind}")), "{error}");
    }
}

#[test]
fn an_rsa_key_has_2048_bits_and_an_exponent_of_four_bytes_at_most() {
    let parse = |first: u8, exponent: &[u8]| {
        let mut modulus = vec![0xff; 256];
        modulus[0] = first;
        let [n, e] = [&modulus[..], exponent].map(|number| URL_SAFE_NO_PAD.encode(number));
        Jwks::parse(json!({"keys": [{"kty": "RSA", "kid": "a", "n": n, "e": e}]}).to_string().as_bytes())
    };
    assert!(parse(0x80, &[1, 0, 1]).is_ok());
    assert!(parse(0x7f, &[1, 0, 1]).is_err(), "2047 bits");
    assert!(parse(0xff, &[1, 0, 0, 1]).is_ok());
    assert!(parse(0xff, &[1, 0, 0, 0, 1]).is_err());
}

#[test]
fn what_is_no_supported_public_key_is_refused_at_load() {
    let rsa = Some(Scheme::RsaPssSha256);
    assert!(matches!(
        PublicKey::from_pem(&vector("keys/rsa-1024.pub"), rsa),
        Err(TrustError::UnsupportedKey(why)) if why.contains("1024 bits")
    ));
    assert!(matches!(
        PublicKey::from_pem(&vector("keys/p521.pub"), None),
        Err(TrustError::UnsupportedKey(_))
    ));
    let good = vector("keys/ed25519.pub");
    for pem in [
        String::new(),
        "x".to_owned(),
        vector("keys/ed25519.pem"),
        good.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        good.replace("MCow", "MCox"),
        good.replace("MCow", "MC*w"),
        good.lines().take(1).collect(),
        format!("{good}{good}"),
    ] {
        assert!(
            matches!(
                PublicKey::from_pem(&pem, None),
                Err(TrustError::NotPublicKeyPem(_) | TrustError::UnsupportedKey(_))
            ),
            "{pem}"
        );
    }
    assert!(PublicKey::from_pem(&format!("\n  {}\n\n", good.trim()), None).is_ok());
}

#[test]
fn a_point_beside_its_curve_is_refused_at_load() {
    for file in ["p256", "p384"] {
        let mut beside = der(&format!("keys/{file}.pub"));
        *beside.last_mut().unwrap() ^= 1;
        let pem = pem("PUBLIC KEY", &beside);

        assert!(matches!(PublicKey::from_pem(&pem, None), Err(TrustError::UnsupportedKey(_))), "{file}");
    }
}

#[test]
fn what_is_no_supported_private_key_is_refused() {
    assert!(matches!(
        imported("p256-sec1", None),
        Err(TrustError::NotPrivateKeyPem(why)) if why.contains("openssl pkcs8")
    ));
    assert!(matches!(imported("p521", None), Err(TrustError::UnsupportedKey(_))));
    assert!(imported("rsa-1024", Some(Scheme::RsaPssSha256)).is_err());
    assert!(SigningKey::from_pem(&vector("keys/p256.pub"), None).is_err());
    assert!(SigningKey::from_pem("", None).is_err());
}

#[test]
fn a_signer_stands_once_and_its_window_can_hold_an_instant() {
    let key = a_key();
    let twice = Signers::new(vec![a_signer("a", &key), a_signer("a", &a_key())]);
    assert_eq!(twice, Err(TrustError::DuplicateSigner("a".to_owned())));

    let mut empty = a_signer("a", &key);
    empty.not_before = Some(at("2026-01-01T00:00:00Z"));
    empty.not_after = empty.not_before;
    assert_eq!(Signers::new(vec![empty]), Err(TrustError::EmptyValidity("a".to_owned())));

    assert!(Signers::new(vec![a_signer("a", &key), a_signer("b", &key)]).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_pem_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for label in ["PUBLIC KEY", "PRIVATE KEY"] {
            let pem = pem(label, &bytes);
            let _ = PublicKey::from_pem(&pem, None);
            let _ = SigningKey::from_pem(&pem, Some(Scheme::RsaPssSha256));
        }
    }

    #[test]
    fn a_changed_byte_of_a_key_never_panics(at in any::<prop::sample::Index>(), new in any::<u8>(), file in 0..4usize) {
        let file = ["ed25519", "p256", "p384", "rsa"][file];
        for (kind, label) in [("pub", "PUBLIC KEY"), ("pem", "PRIVATE KEY")] {
            let mut changed = der(&format!("keys/{file}.{kind}"));
            let at = at.index(changed.len());
            changed[at] = new;
            let pem = pem(label, &changed);
            let _ = PublicKey::from_pem(&pem, Some(Scheme::RsaPssSha256));
            if let Ok(key) = PublicKey::from_pem(&pem, None) {
                prop_assert!(!key.verifies(b"m", &[0x30; 64]));
            }
            let _ = SigningKey::from_pem(&pem, None);
        }
    }

    #[test]
    fn arbitrary_signatures_never_verify(signature in prop::collection::vec(any::<u8>(), 0..300)) {
        for key in signers([a_signer("a", &a_key())]).iter() {
            let launchgate_trust::SignerKind::PublicKey(key) = &key.kind else { continue };
            prop_assert!(!key.verifies(b"m", &signature));
        }
    }
}

#[test]
fn text_before_a_key_is_for_people_and_changes_nothing() {
    let key = a_key().public_pem();
    let plain = PublicKey::from_pem(&key, None).unwrap();
    for text in ["the release key of 2027\n", "\"alg\":\"none\",\n"] {
        assert_eq!(PublicKey::from_pem(&format!("{text}{key}"), None).as_ref(), Ok(&plain));
    }
}
