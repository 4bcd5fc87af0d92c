//! Access tokens that stand-ins hand out and accept.
//!
//! A [`TokenSet`] is shared: the metadata server, the token exchange and the impersonation stand-in put in
//! what they issue, the Vertex stand-in asks whether it knows what it is shown. Nothing here expires by
//! itself; a test that needs an expired token revokes it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A shared set of access tokens. Clones see the same set.
#[derive(Clone, Debug, Default)]
pub struct TokenSet {
    /// Each with the account it was issued to, where one is known.
    tokens: Arc<Mutex<HashMap<String, Option<String>>>>,
}

impl TokenSet {
    /// A set that holds no token.
    pub fn new() -> Self {
        Self::default()
    }

    /// A set that holds the tokens given.
    pub fn of<I: IntoIterator<Item = S>, S: Into<String>>(tokens: I) -> Self {
        let set = Self::new();
        set.lock().extend(tokens.into_iter().map(|token| (token.into(), None)));
        set
    }

    /// Adds a token made up for this purpose.
    pub fn accept(&self, token: impl Into<String>) {
        self.lock().insert(token.into(), None);
    }

    /// Makes a token unknown again, as if it had expired.
    pub fn revoke(&self, token: &str) {
        self.lock().remove(token);
    }

    /// Whether the token is in the set.
    pub fn knows(&self, token: &str) -> bool {
        self.lock().contains_key(token)
    }

    /// The account that a token was issued to.
    pub fn account_of(&self, token: &str) -> Option<String> {
        self.lock().get(token).cloned().flatten()
    }

    /// Makes a token for an account.
    pub(crate) fn issue_to(&self, account: &str, kind: &str) -> String {
        let token = self.issue(kind);
        self.lock().insert(token.clone(), Some(account.to_owned()));
        token
    }

    /// Makes, remembers and returns a token nobody has seen before.
    pub(crate) fn issue(&self, kind: &str) -> String {
        let mut random = [0_u8; 16];
        // The system's random source does not fail on the systems we run on; a token of zeros would still work.
        let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
        let token = format!("ya29.standin-{kind}-{:032x}", u128::from_be_bytes(random));
        self.accept(token.clone());
        token
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Option<String>>> {
        // A panic while holding it cannot leave a set half changed.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
