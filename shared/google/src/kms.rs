//! Signing with a key that never leaves Cloud KMS.
//!
//! Promises: what is sent is a digest, never the statement; both directions are guarded by checksums; the
//! answer is for the very version that was asked for; a signature is handed on only after it verified with the
//! public key of that version. Does not: make, enable or rotate keys; decide who trusts them.
//! Source: cloud.google.com/kms/docs/reference/rest/v1, `cryptoKeyVersions`; …/kms/docs/data-integrity-guidelines.

mod algorithm;
mod checksum;
mod fixes;
mod key_version;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use launchgate_statement::{Envelope, Signature, pae};
use launchgate_trust::{PublicKey, Scheme};
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    CredentialSettings, Credentials, Endpoints, GoogleError,
    http::{self, Answer},
    redaction::redacted,
    retry_after::retry_after,
};

use algorithm::Algorithm;
use checksum::{crc32c, is_checksum_of};
use fixes::fix;

pub use fixes::KmsRole;
pub use key_version::KeyVersion;

/// Longest wait for one answer. Keys in an HSM take a second.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for an access token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers hold a PEM or a signature.
const ANSWER_LIMIT: usize = 64 * 1024;

/// How often one thing is asked for. A build step waits meanwhile.
const ATTEMPTS: u32 = 4;

/// The wait before the second attempt; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait that the other side may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Cloud KMS, asked with the credentials at hand.
#[derive(Debug)]
pub struct Kms {
    client: Client,
    endpoints: Endpoints,
    credentials: Credentials,
    first_wait: Duration,
}

/// A version of a key, as Cloud KMS describes its public half.
#[derive(Clone, Debug)]
pub struct KmsKey {
    version: KeyVersion,
    algorithm: Algorithm,
    pem: String,
    public: PublicKey,
}

impl KmsKey {
    /// Its name.
    pub fn version(&self) -> &KeyVersion {
        &self.version
    }

    /// The public half: what the triggers file pins.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// How it signs, in the triggers file's words.
    pub fn scheme(&self) -> Scheme {
        self.public.scheme()
    }

    /// The public half, read.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }
}

/// `PublicKey` of the API, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyAnswer {
    #[serde(default)]
    name: String,
    #[serde(default)]
    algorithm: String,
    #[serde(default)]
    pem: String,
    #[serde(default)]
    pem_crc32c: Value,
}

/// `AsymmetricSignResponse` of the API, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignAnswer {
    #[serde(default)]
    name: String,
    #[serde(default)]
    signature: String,
    #[serde(default)]
    signature_crc32c: Value,
    #[serde(default)]
    verified_digest_crc32c: bool,
}

/// What is wrong with an answer.
enum Wrong {
    /// Bytes were changed on their way; asking again is worth it.
    Damaged(&'static str),
    Final(GoogleError),
}

impl Kms {
    /// Costs nothing until the first call.
    ///
    /// # Errors
    /// When no TLS client can be made, mostly for lack of CA certificates.
    pub fn new(endpoints: Endpoints, settings: CredentialSettings) -> Result<Self, GoogleError> {
        let credentials = Credentials::new(settings, endpoints.kms_override());
        let client = http::client(&endpoints.kms())?;
        Ok(Self { client, endpoints, credentials, first_wait: FIRST_WAIT })
    }

    /// Another wait before the second attempt, for tests.
    #[must_use]
    pub fn first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// The public half of a version. `role` is what the caller is told to have where the account lacks access.
    ///
    /// # Errors
    /// Also when the version's algorithm is none that launchgate verifies.
    pub async fn public_key(&self, version: &KeyVersion, role: KmsRole) -> Result<KmsKey, GoogleError> {
        let url = self.endpoints.kms().join(&format!("/v1/{version}/publicKey"));
        let read = |answer: &Answer| read_public_key(version, answer);
        self.intact(version, role, || self.client.get(url.clone()), read).await
    }

    /// This version's signature over `message`; it has been verified.
    ///
    /// # Errors
    /// Also when the signature that came back is none of this key over this message.
    pub async fn sign(&self, key: &KmsKey, message: &[u8]) -> Result<Vec<u8>, GoogleError> {
        let url = self.endpoints.kms().join(&format!("/v1/{}:asymmetricSign", key.version));
        let digest = key.algorithm.digest(message);
        let body = json!({
            "digest": { key.algorithm.digest_field(): STANDARD.encode(&digest) },
            // An int64 in JSON is a text.
            "digestCrc32c": crc32c(&digest).to_string(),
        })
        .to_string();
        let ask = || {
            let asked = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
            asked.body(body.clone())
        };
        let read = |answer: &Answer| read_signature(key, message, answer);
        self.intact(&key.version, KmsRole::SignerVerifier, ask, read).await
    }

    /// A DSSE envelope around `payload` with this version's signature over the PAE; keyid is the public key's
    /// fingerprint, a hint.
    ///
    /// # Errors
    /// As `sign`.
    pub async fn envelope(
        &self,
        key: &KmsKey,
        payload_type: &str,
        payload: Vec<u8>,
    ) -> Result<Envelope, GoogleError> {
        let sig = self.sign(key, &pae(payload_type, &payload)).await?;
        let mut envelope = Envelope::unsigned(payload_type, payload);
        envelope.signatures.push(Signature { keyid: Some(key.public.fingerprint().to_hex()), sig });
        Ok(envelope)
    }

    /// Asks until the answer came through undamaged.
    async fn intact<T>(
        &self,
        version: &KeyVersion,
        role: KmsRole,
        ask: impl Fn() -> RequestBuilder,
        read: impl Fn(&Answer) -> Result<T, Wrong>,
    ) -> Result<T, GoogleError> {
        let mut damage = "";
        for _ in 0..ATTEMPTS {
            let answer = self.call(version, role, &ask).await?;
            match read(&answer) {
                Ok(good) => return Ok(good),
                Err(Wrong::Final(error)) => return Err(error),
                Err(Wrong::Damaged(what)) => damage = what,
            }
        }
        let cause =
            format!("{damage} {ATTEMPTS} times in a row; does something between here and Google change it?");
        Err(GoogleError::Unreachable { what: version.to_string(), cause })
    }

    /// One answer of 200; what passes by itself is waited out.
    async fn call(
        &self,
        version: &KeyVersion,
        role: KmsRole,
        ask: &impl Fn() -> RequestBuilder,
    ) -> Result<Answer, GoogleError> {
        let mut wait = self.first_wait;
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let headers = self.credentials.headers(TOKEN_TIMEOUT).await?;
            let (error, asked_wait) =
                match http::send(ask().headers(headers).timeout(TIMEOUT), ANSWER_LIMIT).await {
                    Ok(answer) if answer.status == 200 => return Ok(answer),
                    Ok(answer) => {
                        let again = match answer.status {
                            429 | 500..=599 => true,
                            401 => !std::mem::replace(&mut renewed, true),
                            _ => false,
                        };
                        if answer.status == 401 {
                            self.credentials.renew();
                        }
                        let error = self.refused(version, role, &answer).await;
                        if !again {
                            return Err(error);
                        }
                        (error, retry_after(&answer.headers, OffsetDateTime::now_utc()))
                    }
                    Err(cut) => {
                        let cause = redacted(&cut.message);
                        (GoogleError::Unreachable { what: version.to_string(), cause }, None)
                    }
                };
            if attempt >= ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(asked_wait.unwrap_or_default().max(wait).min(LONGEST_WAIT)).await;
            wait *= 2;
            attempt += 1;
        }
    }

    async fn refused(&self, version: &KeyVersion, role: KmsRole, answer: &Answer) -> GoogleError {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = match body["error"]["message"].as_str() {
            Some(message) => redacted(message),
            None => redacted(String::from_utf8_lossy(&answer.body).trim()),
        };
        let fix = match answer.status {
            429 | 500..=599 => None,
            status => fix(status, &said, version, role, &self.credentials.account().await),
        };
        let message = fix.map_or_else(|| said.clone(), |fix| format!("{said} {fix}"));
        GoogleError::Refused { what: version.to_string(), status: answer.status, message }
    }
}

fn read_public_key(version: &KeyVersion, answer: &Answer) -> Result<KmsKey, Wrong> {
    let unexpected =
        |problem: String| Wrong::Final(GoogleError::Unexpected { what: version.to_string(), problem });
    let read: PublicKeyAnswer = serde_json::from_slice(&answer.body)
        .map_err(|error| unexpected(format!("no public key in the answer: {error}")))?;
    is_of(version, &read.name).map_err(unexpected)?;
    let Some(algorithm) = Algorithm::parse(&read.algorithm) else {
        let algorithm = redacted(&read.algorithm);
        return Err(Wrong::Final(GoogleError::UnsupportedKey { key: version.to_string(), algorithm }));
    };
    if !is_checksum_of(&read.pem_crc32c, read.pem.as_bytes()) {
        return Err(Wrong::Damaged("the public key came with another checksum"));
    }
    let public = PublicKey::from_pem(&read.pem, Some(algorithm.scheme()))
        .map_err(|error| unexpected(format!("its public key cannot be used: {error}")))?;
    Ok(KmsKey { version: version.clone(), algorithm, pem: read.pem, public })
}

fn read_signature(key: &KmsKey, message: &[u8], answer: &Answer) -> Result<Vec<u8>, Wrong> {
    let what = || key.version.to_string();
    let unexpected = |problem: String| Wrong::Final(GoogleError::Unexpected { what: what(), problem });
    let read: SignAnswer = serde_json::from_slice(&answer.body)
        .map_err(|error| unexpected(format!("no signature in the answer: {error}")))?;
    is_of(&key.version, &read.name).map_err(unexpected)?;
    if !read.verified_digest_crc32c {
        return Err(Wrong::Damaged("Cloud KMS did not confirm the digest's checksum"));
    }
    let signature = STANDARD
        .decode(&read.signature)
        .map_err(|error| unexpected(format!("the signature is not base64: {error}")))?;
    if !is_checksum_of(&read.signature_crc32c, &signature) {
        return Err(Wrong::Damaged("the signature came with another checksum"));
    }
    if !key.public.verifies(message, &signature) {
        return Err(unexpected(
            "the signature that came back does not verify with the version's own public key; nothing was published"
                .to_owned(),
        ));
    }
    Ok(signature)
}

/// Whether an answer is about the version that was asked for.
fn is_of(version: &KeyVersion, name: &str) -> Result<(), String> {
    if version.is_named_by(name) {
        return Ok(());
    }
    Err(format!("the answer is about `{}`, another version", redacted(name)))
}
