//! Who vouched, in the words of the token or certificate: what expressions see as `identity`.
//!
//! Promises: only claims that were verified, kept with the event, and bounded. Does not: compare them with the
//! statement or with pins, which is done before anything is kept.

use launchgate_sigstore::CertificateClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::SignerKind;

/// Bytes of claims kept with an event: each of them is stored with it. Buildkite's own come to about one KiB; a
/// claim that does not fit is left out, in the order of the names.
const MAX_BYTES: usize = 16 * 1024;

/// Claims of Buildkite's tokens: those in every one, then those that a job asks for.
/// Source: buildkite.com/docs/agent/v3/cli-oidc, "Claims".
const TOKEN_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "iat",
    "nbf",
    "exp",
    "organization_slug",
    "pipeline_slug",
    "build_number",
    "build_branch",
    "build_tag",
    "build_commit",
    "build_source",
    "step_key",
    "job_id",
    "agent_id",
    "runner_environment",
    "organization_id",
    "pipeline_id",
    "build_id",
    "cluster_id",
    "cluster_name",
    "queue_id",
    "queue_key",
];

/// What a certificate's members are called.
const CERTIFICATE_CLAIMS: &[&str] =
    &["issuer", "subject", "runnerEnvironment", "sourceRepositoryDigest", "buildTrigger", "runInvocationUri"];

/// Claims that hold a branch or tag, which a fork may have chosen: `sub` holds the ref.
const OF_A_REF: &[&str] = &["sub", "build_branch", "build_tag"];

/// The claims of a verified token or certificate. One that is null or empty is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentityClaims(Map<String, Value>);

impl IdentityClaims {
    pub(crate) fn of_token(claims: &Map<String, Value>) -> Self {
        Self::bounded(claims.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }

    pub(crate) fn of_certificate(claims: &CertificateClaims) -> Self {
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
        Self::bounded([
            ("issuer", Value::from(&*claims.issuer)),
            ("subject", Value::from(&*claims.identity)),
            ("runnerEnvironment", text(&claims.runner_environment)),
            ("sourceRepositoryDigest", text(&claims.source_repository_digest)),
            ("buildTrigger", text(&claims.build_trigger)),
            ("runInvocationUri", text(&claims.run_invocation_uri)),
        ])
    }

    fn bounded<'n>(claims: impl IntoIterator<Item = (&'n str, Value)>) -> Self {
        let mut left = MAX_BYTES;
        let kept = claims.into_iter().filter(|(_, value)| !value.is_null() && value != "");
        let kept = kept.filter(|(name, value)| {
            let size = name.len() + value.to_string().len();
            let fits = size <= left;
            left -= if fits { size } else { 0 };
            fits
        });
        Self(kept.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// By name.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether none is known, as with events recorded before claims were kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The names that the claims of such a signer's proof may have; none for a key, which says nothing of who
/// holds it, and for a webhook, which is of no job.
pub fn identity_names(kind: &SignerKind) -> &'static [&'static str] {
    match kind {
        SignerKind::PublicKey(_) | SignerKind::BuildkiteWebhook(_) => &[],
        SignerKind::BuildkiteOidc(_) => TOKEN_CLAIMS,
        SignerKind::Sigstore(_) => CERTIFICATE_CLAIMS,
    }
}

/// Whether a claim of this name says the value of one of the agent's tags. There is one for each tag asked for.
pub fn is_agent_tag(name: &str) -> bool {
    name.starts_with("agent_tag:")
}

/// Whether a claim of this name may hold a branch or tag. One that nobody knows may.
pub fn identity_names_a_ref(name: &str) -> bool {
    let known = TOKEN_CLAIMS.contains(&name) || CERTIFICATE_CLAIMS.contains(&name) || is_agent_tag(name);
    !known || OF_A_REF.contains(&name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_bounded_and_what_says_nothing_is_none() {
        let claims = json!({"a": "x".repeat(20_000), "b": 1, "c": null, "d": "", "e": "y".repeat(16_000), "f": "z".repeat(400)});

        let kept = IdentityClaims::of_token(claims.as_object().unwrap());

        assert_eq!(kept.members().keys().collect::<Vec<_>>(), ["b", "e"]);
    }

    #[test]
    fn every_claim_that_could_hold_a_ref_counts_as_one() {
        for name in ["sub", "build_branch", "build_tag", "something_new"] {
            assert!(identity_names_a_ref(name), "{name}");
        }
        for name in ["build_number", "job_id", "agent_tag:queue", "subject"] {
            assert!(!identity_names_a_ref(name), "{name}");
        }
    }
}
