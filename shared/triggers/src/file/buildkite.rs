//! `buildkite`.

use super::{findings::Findings, node::Member, scalar, section::Section};
use crate::Buildkite;

pub(super) const KEYS: &[&str] = &["organization", "webhookSecretEnv", "apiTokenEnv", "askAfter"];

/// Most webhooks come within seconds; one that has not come by then was lost, or the build still runs.
const ASK_AFTER_SECONDS: u64 = 300;

pub(super) fn read(member: &Member, findings: &mut Findings) -> Option<Buildkite> {
    let section = Section::open("buildkite", KEYS, &member.value, &member.key_at, findings)?;
    let organization = section.need("organization", "add the organization's slug", findings);
    let organization = organization
        .and_then(|it| scalar::ruled(it, "bad-organization", "an organization slug", is_slug, findings));
    let rule = "the name of an environment variable (never the secret itself)";
    let mut variable = |key| {
        let found =
            section.get(key).and_then(|it| scalar::ruled(it, "bad-variable", rule, is_variable, findings));
        found.map(str::to_owned)
    };
    let (webhook_secret_env, api_token_env) = (variable("webhookSecretEnv"), variable("apiTokenEnv"));
    let ask_after = section.get("askAfter").map(|it| scalar::duration(it, findings));
    Some(Buildkite {
        organization: organization?.to_owned(),
        webhook_secret_env,
        api_token_env,
        ask_after_seconds: ask_after.unwrap_or(Some(ASK_AFTER_SECONDS))?,
    })
}

fn is_slug(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_variable(text: &str) -> bool {
    !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}
