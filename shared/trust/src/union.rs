//! The union of signers: an event keeps every signer that was once verified for it, so that stripping a
//! signature from a copy, or sending a copy with fewer of them first, poisons nothing. Source: DESIGN §3.

use launchgate_outcome::Check;

use crate::{Signer, SignerKind, Signers, VerifiedEvent, VerifiedSignature};

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
            let may_speak = |signer: &&Signer| {
                !signer.revoked
                    && signer.kind.root() == earlier.root
                    && signer.speaks_for_pipeline(&self.statement)
                    && signer.speaks_for_builder(&self.statement)
            };
            let signer = signers.get(&earlier.signer).filter(may_speak);
            if let Some(held) = signer.and_then(|signer| held_again(&signer.kind, earlier, &self)) {
                let check = Check::passed("signature").actual(earlier.signer.as_str());
                self.checks.push(
                    check.voucher(earlier.voucher).detail("verified with an earlier copy of this event"),
                );
                self.signatures.push(held);
            }
        }
        self
    }
}

/// An earlier proof, if it is one that today's pins would let through. A bundle is verified again: the root
/// of the day may have lost what it rested on.
fn held_again(
    kind: &SignerKind,
    earlier: &VerifiedSignature,
    event: &VerifiedEvent,
) -> Option<VerifiedSignature> {
    match kind {
        SignerKind::PublicKey(_) => Some(earlier.clone()),
        SignerKind::BuildkiteOidc(oidc) => {
            oidc.check_pins(&earlier.token.as_ref()?.identity).ok().map(|()| earlier.clone())
        }
        SignerKind::Sigstore(sigstore) => {
            let proof = earlier.certificate.as_ref()?;
            let proof = sigstore.held_again(proof, &event.envelope, &event.statement)?;
            Some(VerifiedSignature { certificate: Some(Box::new(proof)), ..earlier.clone() })
        }
        SignerKind::BuildkiteWebhook(webhook) => {
            webhook.accepts(earlier.webhook.as_ref()?).then(|| earlier.clone())
        }
    }
}
