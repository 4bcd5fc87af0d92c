//! The union of signers: an event keeps every signer that was once verified for it, so that stripping a
//! signature from a copy, or sending a copy with fewer of them first, poisons nothing. Source: DESIGN §3.

use launchgate_outcome::Check;

use crate::{SignerKind, Signers, VerifiedEvent, VerifiedSignature};

impl VerifiedEvent {
    /// This event together with the signatures that earlier copies of the same statement were verified by.
    ///
    /// `recorded` comes from the ledger, which holds only what `verify` made for this event's digest. Each
    /// must still hold under today's file: the signer is there with the same root, not revoked, and may
    /// speak for this statement. Windows were met at the first publish time and are not asked again.
    #[must_use]
    pub fn joined(mut self, recorded: &[VerifiedSignature], signers: &Signers) -> Self {
        for earlier in recorded {
            if self.signatures.iter().any(|own| own.signer == earlier.signer) {
                continue;
            }
            let holds = signers.get(&earlier.signer).is_some_and(|signer| {
                !signer.revoked
                    && signer.kind.root() == earlier.root
                    && proof_holds(&signer.kind, earlier, &self)
                    && signer.speaks_for_pipeline(&self.statement)
                    && signer.speaks_for_builder(&self.statement)
            });
            if holds {
                let check = Check::passed("signature").actual(earlier.signer.as_str());
                self.checks.push(
                    check.voucher(earlier.voucher).detail("verified with an earlier copy of this event"),
                );
                self.signatures.push(earlier.clone());
            }
        }
        self
    }
}

/// Whether an earlier proof is one that today's pins would let through. A bundle is verified again: the root
/// of the day may have lost what it rested on.
fn proof_holds(kind: &SignerKind, earlier: &VerifiedSignature, event: &VerifiedEvent) -> bool {
    match kind {
        SignerKind::PublicKey(_) => true,
        SignerKind::BuildkiteOidc(oidc) => {
            earlier.token.as_ref().is_some_and(|token| oidc.check_pins(&token.identity).is_ok())
        }
        SignerKind::BuildkiteWebhook(webhook) => {
            earlier.webhook.as_ref().is_some_and(|proof| webhook.accepts(proof))
        }
        SignerKind::Sigstore(sigstore) => earlier
            .certificate
            .as_ref()
            .is_some_and(|proof| sigstore.still_holds(proof, &event.envelope, &event.statement)),
    }
}
