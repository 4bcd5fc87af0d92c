//! Cloud KMS: the public half of a key's version, and signatures over digests.
//!
//! Promises: refuses what the real API refuses (unknown fields, a digest of another length or algorithm, a wrong
//! checksum, a version that is not enabled, a caller without a token or permission) with its error bodies, and
//! damages answers on demand. Does not: hold private keys; whoever adds a version says how it signs, as a real
//! HSM signs digests and `ring` signs messages only.
//! Source: cloud.google.com/kms/docs/reference/rest/v1 and google/cloud/kms/v1/{service,resources}.proto. Texts
//! of refusals are those people report; for a wrong digest none is published, and the text is ours.

mod checksum;
mod request;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    google_error::GoogleError,
    loopback::{Answers, Asked, LoopbackServer, Reply},
};

use checksum::crc32c;
use request::Request;

/// Signs a digest; the error is the test's.
pub type SignsDigest = dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync;

/// A version of a key.
pub struct KmsVersion {
    algorithm: String,
    pem: String,
    state: String,
    sign: Box<SignsDigest>,
}

impl KmsVersion {
    /// An enabled version of a `CryptoKeyVersionAlgorithm`, with its public half and how it signs digests.
    pub fn new(
        algorithm: &str,
        pem: &str,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            algorithm: algorithm.to_owned(),
            pem: pem.to_owned(),
            state: "ENABLED".to_owned(),
            sign: Box::new(sign),
        }
    }
}

impl fmt::Debug for KmsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KmsVersion({}, {})", self.algorithm, self.state)
    }
}

/// What happens to the next answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsFault {
    /// This HTTP status, with Google's error body.
    Status(u16),
    /// The connection is closed without an answer.
    HangUp,
    /// The answer's checksum (of the PEM or of the signature) is another one.
    Checksum,
    /// The digest's checksum was not looked at, as if a proxy had taken it out of the request.
    UnverifiedDigest,
    /// The signature is changed and its checksum fits it.
    Signature,
    /// The answer is about another version.
    Name,
}

#[derive(Debug, Default)]
struct State {
    versions: BTreeMap<String, KmsVersion>,
    denied: BTreeSet<String>,
    faults: VecDeque<KmsFault>,
}

#[derive(Debug, Default)]
struct Service {
    state: Mutex<State>,
    requests: AtomicUsize,
    signatures: AtomicUsize,
}

/// A running stand-in for Cloud KMS; it stops when dropped.
#[derive(Debug)]
pub struct KmsStandin {
    service: Arc<Service>,
    server: LoopbackServer,
}

impl KmsStandin {
    /// Starts without a key.
    pub async fn start() -> io::Result<Self> {
        let service = Arc::new(Service::default());
        let server = LoopbackServer::start(0, Arc::clone(&service)).await?;
        Ok(Self { service, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Adds a version under its full name.
    pub fn add(&self, name: &str, version: KmsVersion) {
        self.service.state().versions.insert(name.to_owned(), version);
    }

    /// Puts a version into a `CryptoKeyVersionState`.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn set_state(&self, name: &str, state: &str) {
        let mut all = self.service.state();
        let version = all.versions.get_mut(name).expect("the version was added before");
        state.clone_into(&mut version.state);
    }

    /// Denies a permission, such as `cloudkms.cryptoKeyVersions.useToSign`, to everybody.
    pub fn deny(&self, permission: &str) {
        self.service.state().denied.insert(permission.to_owned());
    }

    /// Does this to the answers that follow, one each.
    pub fn faults(&self, faults: impl IntoIterator<Item = KmsFault>) {
        self.service.state().faults.extend(faults);
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.service.requests.load(Ordering::SeqCst)
    }

    /// How many digests were signed.
    pub fn signatures(&self) -> usize {
        self.service.signatures.load(Ordering::SeqCst)
    }
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn public_key(&self, name: &str, asked: &Asked, fault: Option<KmsFault>) -> Result<Value, GoogleError> {
        no_query(asked)?;
        let state = self.state();
        // A permission on a version is checked before it is known to exist.
        permitted(&state, "cloudkms.cryptoKeyVersions.viewPublicKey", name)?;
        let version = enabled(&state, name)?;
        if !version.algorithm.contains("_SIGN_") && !version.algorithm.contains("_DECRYPT_") {
            return Err(GoogleError::invalid(&format!(
                "{name} is of algorithm {}, which has no public key.",
                version.algorithm
            )));
        }
        Ok(json!({
            "pem": version.pem,
            "algorithm": version.algorithm,
            "pemCrc32c": checksum(version.pem.as_bytes(), fault),
            "name": named(name, fault),
            "protectionLevel": "SOFTWARE",
        }))
    }

    fn sign(&self, name: &str, asked: &Asked, fault: Option<KmsFault>) -> Result<Value, GoogleError> {
        no_query(asked)?;
        let state = self.state();
        // This permission is one on the key, not on its version.
        let key = name.split("/cryptoKeyVersions/").next().unwrap_or(name);
        permitted(&state, "cloudkms.cryptoKeyVersions.useToSign", key)?;
        let request = Request::read(&asked.body)?;
        let version = enabled(&state, name)?;
        let digest = request.digest_for(&version.algorithm)?;
        if request.digest_crc32c.is_some_and(|said| said != crc32c(digest)) {
            return Err(GoogleError::invalid(
                "The checksum in field digest_crc32c did not match the data in field digest.",
            ));
        }
        let mut signature = (version.sign)(digest).map_err(|error| {
            GoogleError::new("INTERNAL", &format!("the test's key does not sign: {error}"))
        })?;
        self.signatures.fetch_add(1, Ordering::SeqCst);
        if fault == Some(KmsFault::Signature) {
            let last = signature.len() - 1;
            signature[last] ^= 1;
        }
        let mut answer = json!({
            "signature": STANDARD.encode(&signature),
            "signatureCrc32c": checksum(&signature, fault),
            "name": named(name, fault),
            "protectionLevel": "SOFTWARE",
        });
        // proto3 JSON leaves out what is false.
        if request.digest_crc32c.is_some() && fault != Some(KmsFault::UnverifiedDigest) {
            answer["verifiedDigestCrc32c"] = true.into();
        }
        Ok(answer)
    }
}

impl Answers for Service {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if asked.bearer().is_none() {
            return GoogleError::new("UNAUTHENTICATED", UNAUTHENTICATED).reply();
        }
        let path = asked.path.strip_prefix("/v1/").unwrap_or_default();
        let operation = match (asked.method.as_str(), path) {
            ("GET", path) => path.strip_suffix("/publicKey").map(|name| (name, false)),
            ("POST", path) => path.strip_suffix(":asymmetricSign").map(|name| (name, true)),
            _ => None,
        };
        let Some((name, signs)) = operation.filter(|(name, _)| is_version(name)) else {
            return GoogleError::no_such_path().reply();
        };
        let fault = self.state().faults.pop_front();
        match fault {
            Some(KmsFault::HangUp) => return Reply::HangUp,
            Some(KmsFault::Status(status)) => {
                let code = match status {
                    401 => "UNAUTHENTICATED",
                    429 => "RESOURCE_EXHAUSTED",
                    503 => "UNAVAILABLE",
                    _ => "INTERNAL",
                };
                return GoogleError::new(code, "The stand-in was told to.").reply();
            }
            _ => {}
        }
        let answered =
            if signs { self.sign(name, &asked, fault) } else { self.public_key(name, &asked, fault) };
        match answered {
            Ok(answer) => Reply::json(200, &answer),
            Err(error) => error.reply(),
        }
    }
}

const UNAUTHENTICATED: &str = "Request is missing required authentication credential. Expected OAuth 2 access token, \
    login cookie or other valid authentication credential. See \
    https://developers.google.com/identity/sign-in/web/devconsole-project.";

fn no_query(asked: &Asked) -> Result<(), GoogleError> {
    match asked.query_pairs().first() {
        Some((name, _)) => Err(GoogleError::bad_request(
            "",
            &format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter."),
        )),
        None => Ok(()),
    }
}

fn permitted(state: &State, permission: &str, resource: &str) -> Result<(), GoogleError> {
    if state.denied.contains(permission) {
        let text =
            format!("Permission '{permission}' denied on resource '{resource}' (or it may not exist).");
        return Err(GoogleError::new("PERMISSION_DENIED", &text));
    }
    Ok(())
}

fn enabled<'s>(state: &'s State, name: &str) -> Result<&'s KmsVersion, GoogleError> {
    let Some(version) = state.versions.get(name) else {
        return Err(GoogleError::new("NOT_FOUND", &format!("CryptoKeyVersion {name} not found.")));
    };
    if version.state == "ENABLED" {
        return Ok(version);
    }
    let text = format!("{name} is not enabled, current state is: {}.", version.state);
    let detail = json!({
        "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
        "violations": [{"type": format!("KEY_{}", version.state), "subject": name}],
    });
    Err(GoogleError::with_details("FAILED_PRECONDITION", &text, &[detail]))
}

fn is_version(name: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    let kinds = ["projects", "locations", "keyRings", "cryptoKeys", "cryptoKeyVersions"];
    parts.len() == 10
        && parts.iter().step_by(2).eq(kinds.iter())
        && parts.iter().skip(1).step_by(2).all(|part| !part.is_empty())
}

fn checksum(bytes: &[u8], fault: Option<KmsFault>) -> String {
    let changed = u32::from(fault == Some(KmsFault::Checksum));
    (crc32c(bytes) ^ changed).to_string()
}

fn named(name: &str, fault: Option<KmsFault>) -> String {
    if fault == Some(KmsFault::Name) { format!("{name}7") } else { name.to_owned() }
}
