//! The token that a registry gives to anybody, for reading what is public.
//! Source: distribution's token authentication specification; RFC 6750 §3 for the challenge.

use reqwest::{
    Url,
    header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;

use super::{
    ArtifactReader, document, found,
    registry::{origin_of, unexpected},
};
use crate::{Endpoint, GoogleError};

/// `Bearer realm="…",service="…",scope="…"`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

/// Both names are in use for the same.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    /// The Bearer challenge of a 401, if it has one.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        values.filter_map(|value| value.to_str().ok()).find_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut challenge = Self { realm: String::new(), service: None, scope: None };
        let mut rest = rest.trim_start();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => {
                    after.split_once(',').map_or((after, ""), |(value, _)| (value, &after[value.len()..]))
                }
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => value.clone_into(&mut challenge.realm),
                "service" => challenge.service = Some(value.to_owned()),
                "scope" => challenge.scope = Some(value.to_owned()),
                _ => {}
            }
            rest = after.trim_start_matches([',', ' ']);
        }
        (!challenge.realm.is_empty()).then_some(challenge)
    }

    /// Asks for the token, without showing any of ours. The realm is https; plain http only where the registry
    /// itself is on this machine, since whoever reads the token on its way could answer in its place.
    pub(super) async fn answered(
        self,
        reader: &ArtifactReader,
        registry: &Endpoint,
        repository: &str,
        what: &str,
    ) -> Result<HeaderValue, GoogleError> {
        let what = format!("{what}, token for anybody");
        let mut realm = Url::parse(&self.realm)
            .map_err(|error| unexpected(&what, format!("the realm is no address: {error}")))?;
        let server =
            origin_of(&realm).map_err(|problem| unexpected(&what, format!("the realm: {problem}")))?;
        if server.is_loopback() && !registry.is_loopback() {
            return Err(unexpected(&what, format!("the realm is on this very machine, {server}")));
        }
        let scope = self.scope.unwrap_or_else(|| format!("repository:{repository}:pull"));
        {
            let mut query = realm.query_pairs_mut();
            if let Some(service) = &self.service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &scope);
        }
        let answer = document(&what, reader.client(&server)?.get(realm)).await?;
        let answer = found(&what, answer)?;
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| unexpected(&what, "the answer is no token".to_owned()))?;
        let token = granted.token.or(granted.access_token);
        let token = token.ok_or_else(|| unexpected(&what, "the answer holds no token".to_owned()))?;
        let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| unexpected(&what, "the token cannot stand in a header".to_owned()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_any_order_and_spelling() {
        let challenge = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let [service, scope] = [service, scope].map(|text| text.map(str::to_owned));
            Some(Challenge { realm: realm.to_owned(), service, scope })
        };
        for (text, read) in [
            (
                r#"Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push""#,
                challenge(
                    "https://auth.example.com/token",
                    Some("registry"),
                    Some("repository:a/b:pull,push"),
                ),
            ),
            (
                r#"bearer scope="s" , Realm="https://a", error="invalid_token""#,
                challenge("https://a", None, Some("s")),
            ),
            ("Bearer realm=https://a,service=r", challenge("https://a", Some("r"), None)),
            (r#"Basic realm="https://a""#, None),
            (r#"Bearer service="r""#, None),
            (r#"Bearer realm="https://a"#, None),
            ("Bearer", None),
        ] {
            assert_eq!(Challenge::parse(text), read, "{text}");
        }
    }
}
