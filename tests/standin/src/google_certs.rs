//! The certificates Google signs push tokens with: a JWKS that rotates, fails on demand and counts its readers.
//!
//! Keys are committed test keys (`keys/`). Tokens are minted with [`GoogleCerts::mint`].

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::{
    loopback::{Answers, Asked, LoopbackServer, Reply},
    push_token::PushToken,
};

/// Path of Google's own JWKS document, kept here.
const PATH: &str = "/oauth2/v3/certs";

/// A committed test key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningKey {
    /// The one published from the start.
    First,
    /// The one published by [`GoogleCerts::rotate`].
    Second,
    /// One that is never published: what a forger has.
    Stranger,
}

impl SigningKey {
    /// Its name in the JWKS and in token headers.
    pub fn kid(self) -> &'static str {
        match self {
            Self::First => "standin-google-1",
            Self::Second => "standin-google-2",
            Self::Stranger => "standin-google-3",
        }
    }

    fn pem(self) -> &'static str {
        match self {
            Self::First => include_str!("../keys/google-certs-test-1.pem"),
            Self::Second => include_str!("../keys/google-certs-test-2.pem"),
            Self::Stranger => include_str!("../keys/google-certs-test-3.pem"),
        }
    }

    pub(crate) fn pair(self) -> RsaKeyPair {
        let body: String = self.pem().lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).expect("the committed key is PEM");
        RsaKeyPair::from_pkcs8(&der).expect("the committed key is an RSA key in PKCS#8: a test signs with it")
    }

    /// A compact JWT of this header and these claims; the signature is RS256 whatever the header says.
    pub(crate) fn compact(self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let pair = self.pair();
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("a 2048-bit key signs a SHA-256 digest");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The public half as a JWK.
    pub fn jwk(self) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.pair().public());
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid(),
            "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
        })
    }
}

#[derive(Debug)]
struct State {
    published: Vec<SigningKey>,
    failing: bool,
}

#[derive(Debug)]
struct CertsService {
    state: Mutex<State>,
    fetches: AtomicUsize,
}

impl CertsService {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for CertsService {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        if asked.method != "GET" || asked.path != PATH {
            return Reply::text(404, "not found");
        }
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let state = self.state();
        if state.failing {
            return Reply::text(503, "unavailable");
        }
        let keys: Vec<_> = state.published.iter().map(|key| key.jwk()).collect();
        Reply::json(200, &json!({ "keys": keys }))
            .with_header("cache-control", "public, max-age=21600, must-revalidate, no-transform")
    }
}

/// A running stand-in for Google's push certificates; it stops when dropped.
#[derive(Debug)]
pub struct GoogleCerts {
    service: Arc<CertsService>,
    server: LoopbackServer,
}

impl GoogleCerts {
    /// Starts with the first key published.
    pub async fn start() -> io::Result<Self> {
        let state = Mutex::new(State { published: vec![SigningKey::First], failing: false });
        let service = Arc::new(CertsService { state, fetches: AtomicUsize::new(0) });
        let server = LoopbackServer::start(0, Arc::clone(&service)).await?;
        Ok(Self { service, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The URL of the JWKS document.
    pub fn jwks_url(&self) -> String {
        format!("{}{PATH}", self.server.endpoint())
    }

    /// Publishes the second key beside the first, as Google does for a while when it changes keys.
    pub fn rotate(&self) {
        self.service.state().published = vec![SigningKey::First, SigningKey::Second];
    }

    /// Withdraws the first key; only the second is left.
    pub fn retire_first(&self) {
        self.service.state().published = vec![SigningKey::Second];
    }

    /// Answers 503 from now on, or no longer.
    pub fn set_failing(&self, failing: bool) {
        self.service.state().failing = failing;
    }

    /// How often the document was asked for, failures included.
    pub fn fetches(&self) -> usize {
        self.service.fetches.load(Ordering::SeqCst)
    }

    /// A token as Pub/Sub sends it, signed with the first key and valid from now for an hour.
    pub fn mint(&self, audience: &str, email: &str) -> String {
        PushToken::new(audience, email).mint()
    }
}
