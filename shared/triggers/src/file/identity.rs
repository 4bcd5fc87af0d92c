//! What a trigger reads of `identity`, held against what its signers' proofs can say.

use launchgate_trust::{SignerId, SignerKind, identity_names, is_agent_tag};

use super::{findings::Findings, match_section::Reads, nearest::nearest, trigger::Context};

/// Reports reads of an identity that no permitted signer has, and names that none of their proofs knows.
pub(super) fn check(reads: &[Reads], any_of: &[SignerId], context: &Context, findings: &mut Findings) {
    let kinds: Option<Vec<&SignerKind>> =
        any_of.iter().map(|id| context.signers.get(id.as_str()).map(|signer| &signer.kind)).collect();
    let Some(kinds) = kinds else { return };
    let tokens = kinds.iter().any(|kind| matches!(kind, SignerKind::BuildkiteOidc(_)));
    let mut known: Vec<&str> = kinds.iter().flat_map(|kind| identity_names(kind)).copied().collect();
    known.dedup();
    for read in reads {
        for name in &read.what.identity {
            if known.is_empty() {
                let path = if name.is_empty() { "identity".to_owned() } else { format!("identity.{name}") };
                let message = format!(
                    "no signer in `anyOf` has an identity, so `{path}` is never there: a key does not say who holds it"
                );
                findings.error("no-identity", &read.at, message).fix(
                    "permit a `buildkiteOidc` or `sigstore` signer; what a key signed is read as build.…",
                );
                continue;
            }
            if name.is_empty() || known.contains(&name.as_str()) || tokens && is_agent_tag(name) {
                continue;
            }
            let message = format!("no proof of a signer in `anyOf` is known to say `identity.{name}`");
            if let Some(near) = nearest(name, &known) {
                findings.error("unknown-claim", &read.at, message).fix(format!("did you mean `{near}`?"));
            } else {
                // Buildkite may have added it since.
                let fix = format!("known are {}", known.join(", "));
                findings.warning("unfamiliar-claim", &read.at, message).fix(fix);
            }
        }
    }
}
