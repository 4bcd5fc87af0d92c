//! The keys that an issuer signs its tokens with, kept fresh: Google's of push tokens, Buildkite's of jobs',
//! Identity-Aware Proxy's of visitors'.
//!
//! Promises: answering costs no network once the keys are there; at most one fetch at a time and one in ten
//! seconds, whatever strangers send; keys that cannot be refetched go on counting for a day; "not there
//! after a fresh fetch" and "could not be fetched" are told apart, as the first is a refusal and the second
//! must never be one. Does not: verify tokens (that is `launchgate-trust`).

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use launchgate_trust::{Jwks, JwtAlgorithm};
use reqwest::{
    Client, Url,
    header::{AGE, CACHE_CONTROL, HeaderMap},
};
use tokio::sync::Mutex;

use crate::{Endpoint, Endpoints, GoogleError, http, redaction::redacted};

/// How long keys count, and how often they may be fetched.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// Least time between two fetches, good or bad: an unknown key id is free to make up.
    pub fetch_every: Duration,
    /// How long keys count past their time when they cannot be fetched again. Google announces a key
    /// about a day before it signs with it; Buildkite says nothing of it.
    pub stale_for: Duration,
    /// Lifetime when the answer does not say.
    pub default_age: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            fetch_every: Duration::from_secs(10),
            stale_for: Duration::from_hours(24),
            default_age: Duration::from_hours(1),
        }
    }
}

/// Longest lifetime believed: a revoked key must go within it.
const LONGEST_AGE: Duration = Duration::from_hours(24);

const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// An issuer's current keys. Clones share them.
#[derive(Clone, Debug)]
pub struct KeySet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    whose: &'static str,
    /// What its tokens are signed with: a set without such a key is not the issuer's.
    algorithm: JwtAlgorithm,
    url: Url,
    client: Client,
    freshness: Freshness,
    held: RwLock<Option<Held>>,
    /// Held while fetching; inside, the last fetch.
    fetching: Mutex<Option<LastFetch>>,
}

#[derive(Clone, Debug)]
struct Held {
    keys: Arc<Jwks>,
    fresh_until: Instant,
}

#[derive(Debug)]
struct LastFetch {
    begun: Instant,
    failed: Option<GoogleError>,
}

impl KeySet {
    /// Google's, for push tokens, or what replaces them. Nothing is fetched yet; see [`Self::start`].
    ///
    /// # Errors
    /// When no TLS client can be made.
    pub fn google(endpoints: &Endpoints, freshness: Freshness) -> Result<Self, GoogleError> {
        Self::at("Google", JwtAlgorithm::Rs256, &endpoints.google_certs(), freshness)
    }

    /// Buildkite's, for job tokens, or what replaces them. Nothing is fetched yet; see [`Self::start`].
    ///
    /// # Errors
    /// When no TLS client can be made.
    pub fn buildkite(endpoints: &Endpoints, freshness: Freshness) -> Result<Self, GoogleError> {
        Self::at("Buildkite", JwtAlgorithm::Rs256, &endpoints.buildkite_jwks(), freshness)
    }

    /// Identity-Aware Proxy's, for the header that says who looks at a page, or what replaces them. Nothing
    /// is fetched yet; see [`Self::start`].
    ///
    /// # Errors
    /// When no TLS client can be made.
    pub fn identity_aware_proxy(endpoints: &Endpoints, freshness: Freshness) -> Result<Self, GoogleError> {
        Self::at("Identity-Aware Proxy", JwtAlgorithm::Es256, &endpoints.iap_keys(), freshness)
    }

    fn at(
        whose: &'static str,
        algorithm: JwtAlgorithm,
        endpoint: &Endpoint,
        freshness: Freshness,
    ) -> Result<Self, GoogleError> {
        let client = http::client(endpoint)?;
        let url = endpoint.join("");
        Ok(Self(Arc::new(Inner {
            whose,
            algorithm,
            url,
            client,
            freshness,
            held: RwLock::new(None),
            fetching: Mutex::new(None),
        })))
    }

    /// Begins the first fetch in the background, so that the first delivery finds the keys there.
    pub fn start(&self) {
        self.fetch_in_background();
    }

    /// The keys at hand, if they still count. Keys past their time are fetched again in the background.
    pub fn current(&self) -> Option<Arc<Jwks>> {
        let held = self.0.held();
        let now = Instant::now();
        match held {
            Some(held) if now < held.fresh_until => Some(held.keys),
            Some(held) => {
                self.fetch_in_background();
                (now < held.fresh_until + self.0.freshness.stale_for).then_some(held.keys)
            }
            None => None,
        }
    }

    /// The keys after having made sure that `kid` is not merely missing because ours are old.
    ///
    /// `Ok` without `kid` in it means that the issuer does not have that key: refuse the token. Callers that
    /// come together share one fetch; within ten seconds of a fetch its result is the answer.
    ///
    /// # Errors
    /// The keys could not be fetched: nothing can be said about the token.
    pub async fn refresh_for(&self, kid: &str) -> Result<Arc<Jwks>, GoogleError> {
        let has = |keys: &Arc<Jwks>| keys.has(kid);
        if let Some(keys) = self.current().filter(has) {
            return Ok(keys);
        }
        let mut last = self.0.fetching.lock().await;
        // Whoever held the lock may have fetched what is asked for.
        if let Some(keys) = self.current().filter(has) {
            return Ok(keys);
        }
        if let Some(last) = last.as_ref().filter(|last| last.begun.elapsed() < self.0.freshness.fetch_every) {
            return match (&last.failed, self.current()) {
                (None, Some(keys)) => Ok(keys),
                (failed, _) => Err(failed.clone().unwrap_or_else(|| self.0.nothing())),
            };
        }
        self.0.fetch(&mut last).await
    }

    /// The same for a caller that must not be told "no such key" by an answer older than its question: where
    /// the last fetch began before this call, a missing key settles nothing.
    ///
    /// # Errors
    /// The keys could not be fetched, or were fetched too short a time ago to ask again.
    pub async fn settled_for(&self, kid: &str) -> Result<Arc<Jwks>, GoogleError> {
        let asked = Instant::now();
        let keys = self.refresh_for(kid).await?;
        let last = self.0.fetching.lock().await.as_ref().map(|last| last.begun);
        if keys.has(kid) || last.is_some_and(|begun| begun >= asked) {
            return Ok(keys);
        }
        let cause = "the keys were fetched a moment ago; they are asked for again soon".to_owned();
        Err(GoogleError::Unreachable { what: self.0.url.to_string(), cause })
    }

    fn fetch_in_background(&self) {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            // Somebody else at it is as good.
            let Ok(mut last) = inner.fetching.try_lock() else { return };
            let is_due = last.as_ref().is_none_or(|last| last.begun.elapsed() >= inner.freshness.fetch_every);
            if is_due && let Err(error) = inner.fetch(&mut last).await {
                tracing::warn!(%error, issuer = inner.whose, "the issuer's keys could not be fetched");
            }
        });
    }
}

impl Inner {
    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn nothing(&self) -> GoogleError {
        GoogleError::Unreachable { what: self.url.to_string(), cause: "no keys at hand".to_owned() }
    }

    async fn fetch(&self, last: &mut Option<LastFetch>) -> Result<Arc<Jwks>, GoogleError> {
        let begun = Instant::now();
        let fetched = self.fetch_once().await;
        *last = Some(LastFetch { begun, failed: fetched.as_ref().err().cloned() });
        let (keys, age) = fetched?;
        let keys = Arc::new(keys);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Held { keys: Arc::clone(&keys), fresh_until: begun + age });
        Ok(keys)
    }

    async fn fetch_once(&self) -> Result<(Jwks, Duration), GoogleError> {
        let what = || self.url.to_string();
        let asked = self.client.get(self.url.clone()).timeout(FETCH_TIMEOUT);
        let answer = http::send(asked, Jwks::MAX_BYTES)
            .await
            .map_err(|cut| GoogleError::Unreachable { what: what(), cause: cut.message })?;
        if answer.status != 200 {
            let message = redacted(&String::from_utf8_lossy(&answer.body));
            return Err(GoogleError::Refused { what: what(), status: answer.status, message });
        }
        let keys = Jwks::parse(&answer.body)
            .and_then(|keys| keys.able_to(self.algorithm))
            .map_err(|error| GoogleError::Unexpected { what: what(), problem: error.to_string() })?;
        let age = lifetime(&answer.headers).unwrap_or(self.freshness.default_age);
        Ok((keys, age.max(self.freshness.fetch_every).min(LONGEST_AGE)))
    }
}

/// `max-age` less the time the answer has spent in caches. Source: RFC 9111 §4.2.
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let mut directives = text.split(',').map(str::trim);
    let max_age = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    Some(Duration::from_secs(max_age.trim_matches('"').parse::<u64>().ok()?.saturating_sub(age)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_lifetime_is_max_age_less_age() {
        let lifetime = |pairs: &[(reqwest::header::HeaderName, &str)]| {
            lifetime(&pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect())
        };
        let google = "public, max-age=19123, must-revalidate, no-transform";
        assert_eq!(lifetime(&[(CACHE_CONTROL, google)]), Some(Duration::from_secs(19_123)));
        assert_eq!(lifetime(&[(CACHE_CONTROL, google), (AGE, "123")]), Some(Duration::from_secs(19_000)));
        assert_eq!(lifetime(&[(CACHE_CONTROL, "max-age=1"), (AGE, "5")]), Some(Duration::ZERO));
        assert_eq!(lifetime(&[(CACHE_CONTROL, "no-cache")]), None);
        assert_eq!(lifetime(&[]), None);
    }
}
