//! The stand-in for Cloud KMS refuses what Cloud KMS refuses.

use launchgate_standin::{KmsStandin, KmsVersion};
use serde_json::{Value, json};

use crate::caller::Caller;

const NAME: &str =
    "projects/acme-ml/locations/europe-west1/keyRings/launchgate/cryptoKeys/release/cryptoKeyVersions/1";

/// Base64 of 32 zeros, and their CRC32C.
const DIGEST: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const CHECKSUM: &str = "2324772522";

async fn a_kms(algorithm: &str) -> KmsStandin {
    let kms = KmsStandin::start().await.unwrap();
    kms.add(NAME, KmsVersion::new(algorithm, "a PEM", |_| Ok(b"signature".to_vec())));
    kms
}

async fn sign(kms: &KmsStandin, name: &str, body: &Value) -> (u16, Value) {
    let path = format!("/v1/{name}:asymmetricSign");
    let answer = Caller::of(kms.endpoint()).try_send("POST", &path, Some(body.to_string())).await.unwrap();
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_right_request_is_signed_and_its_checksum_confirmed() {
    let kms = a_kms("EC_SIGN_P256_SHA256").await;

    let (status, answer) =
        sign(&kms, NAME, &json!({"digest": {"sha256": DIGEST}, "digestCrc32c": CHECKSUM})).await;

    assert_eq!((status, &answer["name"]), (200, &NAME.into()));
    assert_eq!(answer["verifiedDigestCrc32c"], true);
    assert!(answer["signatureCrc32c"].is_string(), "an int64 is a text");
    let (_, unchecked) = sign(&kms, NAME, &json!({"digest": {"sha256": DIGEST}})).await;
    assert!(unchecked["verifiedDigestCrc32c"].is_null(), "false is left out");
}

#[tokio::test]
async fn a_wrong_request_is_refused_and_nothing_is_signed() {
    let kms = a_kms("EC_SIGN_P256_SHA256").await;
    let sha384 = "A".repeat(64);
    for (wrong, said) in [
        (json!({"digest": {"sha384": sha384}}), "signs a sha256 digest"),
        (json!({"digest": {"sha256": "AAAA"}}), "of 32 bytes"),
        (json!({"digest": {"sha256": "not base64"}}), "Base64 decoding failed"),
        (json!({"digest": {"sha256": DIGEST, "sha384": sha384}}), "already set"),
        (json!({"digest": {"md5": "AAAA"}}), "Unknown name \"md5\" at 'digest'"),
        (json!({"digest": DIGEST}), "Invalid value at 'digest'"),
        (json!({"digest": {"sha256": DIGEST}, "digestCrc32c": "1"}), "did not match"),
        (json!({"digest": {"sha256": DIGEST}, "digestCrc32c": "x"}), "Int64Value"),
        (json!({"digest": {"sha256": DIGEST}, "digestCrc32C": CHECKSUM}), "Unknown name \"digestCrc32C\""),
        (json!({"digest": {"sha256": DIGEST}, "data": "AAAA"}), "Only one of"),
        (json!({}), "missing"),
        (json!([]), "Root element"),
    ] {
        let (status, answer) = sign(&kms, NAME, &wrong).await;

        assert_eq!((status, &answer["error"]["status"]), (400, &"INVALID_ARGUMENT".into()), "{wrong}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{wrong}: {message}");
    }
    assert_eq!(kms.signatures(), 0);
}

#[tokio::test]
async fn a_key_that_signs_data_or_nothing_takes_no_digest() {
    for algorithm in
        ["EC_SIGN_ED25519", "RSA_SIGN_RAW_PKCS1_2048", "HMAC_SHA256", "GOOGLE_SYMMETRIC_ENCRYPTION"]
    {
        let kms = a_kms(algorithm).await;
        let (status, _) = sign(&kms, NAME, &json!({"digest": {"sha256": DIGEST}})).await;
        assert_eq!((status, kms.signatures()), (400, 0), "{algorithm}");
    }
}

#[tokio::test]
async fn unknown_disabled_and_denied_keys_are_refused_with_their_own_status() {
    let kms = a_kms("EC_SIGN_P256_SHA256").await;
    let body = json!({"digest": {"sha256": DIGEST}});
    let unknown = NAME.replace("release", "other");

    assert_eq!(sign(&kms, &unknown, &body).await.0, 404);
    kms.set_state(NAME, "DISABLED");
    let (status, answer) = sign(&kms, NAME, &body).await;
    assert_eq!((status, &answer["error"]["status"]), (400, &"FAILED_PRECONDITION".into()));
    assert_eq!(answer["error"]["details"][0]["violations"][0]["type"], "KEY_DISABLED");
    kms.deny("cloudkms.cryptoKeyVersions.useToSign");
    let (status, answer) = sign(&kms, NAME, &body).await;
    assert_eq!(status, 403);
    let key = NAME.split("/cryptoKeyVersions/").next().unwrap();
    assert!(answer["error"]["message"].as_str().unwrap().contains(&format!("'{key}'")), "{answer}");
}

#[tokio::test]
async fn a_caller_without_a_token_and_a_path_of_no_api_are_refused() {
    let kms = a_kms("EC_SIGN_P256_SHA256").await;
    let path = format!("/v1/{NAME}/publicKey");
    let known = Caller::of(kms.endpoint());
    let key = path.replace("/cryptoKeyVersions/1", "");

    for (caller, method, path, expected) in [
        (known.clone().with_token(None), "GET", path.clone(), 401),
        (known.clone(), "GET", path.clone(), 200),
        (known.clone(), "POST", path.clone(), 404),
        (known.clone(), "GET", format!("{path}?alt=proto"), 400),
        (known, "GET", key, 404),
    ] {
        let answer = caller.try_send(method, &path, None).await.unwrap();
        assert_eq!(answer.status, expected, "{method} {path}");
    }
}
