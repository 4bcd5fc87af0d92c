//! Tokens that Pub/Sub puts on pushes, and the ways they go wrong.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use crate::{google_certs::SigningKey, timestamp::unix_seconds};

/// What Cloud Run's front end leaves in the place of a signature it has checked itself.
const STRIPPED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// A push token in the making: right as it stands, each setter bends one thing.
#[derive(Clone, Debug)]
pub struct PushToken {
    key: SigningKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    stripped: bool,
}

impl PushToken {
    /// A right one: issuer `https://accounts.google.com`, valid from now for an hour, signed with the first key.
    pub fn new(audience: &str, email: &str) -> Self {
        let now = unix_seconds(SystemTime::now());
        let header = json!({"alg": "RS256", "kid": SigningKey::First.kid(), "typ": "JWT"});
        let claims = json!({
            "iss": "https://accounts.google.com", "aud": audience, "azp": "113774264463038321964", "sub": "113774264463038321964",
            "email": email, "email_verified": true, "iat": now, "exp": now + 3600,
        });
        Self { key: SigningKey::First, header: object(header), claims: object(claims), stripped: false }
    }

    /// Sets a claim to any value; null takes it away.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Sets a header member to any value; null takes it away.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// Signs with this key and names it in the header.
    #[must_use]
    pub fn signed_by(mut self, key: SigningKey) -> Self {
        self.key = key;
        self.header("kid", key.kid())
    }

    /// Signs with this key but leaves the header's key name alone.
    #[must_use]
    pub fn forged_by(mut self, key: SigningKey) -> Self {
        self.key = key;
        self
    }

    /// Moves `iat` and `exp` by so many seconds; minus two hours makes an expired token.
    #[must_use]
    pub fn shifted(mut self, seconds: i64) -> Self {
        for name in ["iat", "exp"] {
            if let Some(at) = self.claims.get(name).and_then(Value::as_i64) {
                set(&mut self.claims, name, json!(at + seconds));
            }
        }
        self
    }

    /// As a container sees it behind Cloud Run's own invoker check: without the signature.
    #[must_use]
    pub fn stripped(mut self) -> Self {
        self.stripped = true;
        self
    }

    /// The compact JWT, always RS256 whatever its header says.
    pub fn mint(&self) -> String {
        let [header, claims] = [&self.header, &self.claims].map(|members| Value::Object(members.clone()));
        let token = self.key.compact(&header, &claims);
        match token.rsplit_once('.') {
            Some((signed, _)) if self.stripped => format!("{signed}.{STRIPPED}"),
            _ => token,
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn set(members: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    fn verifies(token: &str, key: SigningKey) -> bool {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let jwk = key.jwk();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let public = RsaPublicKeyComponents { n: part("n"), e: part("e") };
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| {
            public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).is_ok()
        })
    }

    #[test]
    fn a_token_verifies_under_its_key_alone() {
        let right = PushToken::new("aud", "me@p").mint();
        let second = PushToken::new("aud", "me@p").signed_by(SigningKey::Second).mint();
        let forged = PushToken::new("aud", "me@p").forged_by(SigningKey::Stranger).mint();
        let stripped = PushToken::new("aud", "me@p").stripped().mint();

        assert!(verifies(&right, SigningKey::First));
        assert!(verifies(&second, SigningKey::Second) && !verifies(&second, SigningKey::First));
        assert!(!verifies(&forged, SigningKey::First));
        assert!(
            stripped.ends_with(".SIGNATURE_REMOVED_BY_GOOGLE") && !verifies(&stripped, SigningKey::First)
        );
    }
}
