//! What an envelope presents as proof, read once, and which signers it speaks for.

use launchgate_outcome::{Reason, Refusal};
use launchgate_sigstore::{Certificate, TrustedRoot};
use launchgate_statement::{Envelope, EventDigest, Timestamp};

use super::{BuildkiteKeys, KeyWanted};
use crate::buildkite_token::{BuildkiteToken, NoToken};
use crate::mismatch::bounded;
use crate::{
    Carrier, CertificateProof, Jwks, Signer, SignerKind, Signers, TokenProof, VerifiedSignature,
    WebhookProof, sigstore,
};

/// What a signer made: a signature by its key, these tokens, or a bundle with this certificate.
pub(super) enum Evidence<'p> {
    Key,
    Tokens(Vec<&'p BuildkiteToken>),
    Certificate(&'p Certificate),
    Webhook(&'p WebhookProof),
}

/// A signer with what it made.
pub(super) struct Made<'s> {
    pub(super) signer: &'s Signer,
    pub(super) evidence: Evidence<'s>,
}

/// What is left of the evidence once it was compared with the statement.
pub(super) enum Proof {
    Key,
    Token(TokenProof),
    Certificate(CertificateProof),
    Webhook(WebhookProof),
}

impl VerifiedSignature {
    pub(super) fn of(signer: &Signer, proof: Proof) -> Self {
        let (root, voucher) = (signer.kind.root(), signer.kind.voucher());
        let bare =
            Self { signer: signer.id.clone(), root, voucher, token: None, certificate: None, webhook: None };
        match proof {
            Proof::Key => bare,
            Proof::Token(proof) => Self { token: Some(Box::new(proof)), ..bare },
            Proof::Certificate(proof) => Self { certificate: Some(Box::new(proof)), ..bare },
            Proof::Webhook(proof) => Self { webhook: Some(Box::new(proof)), ..bare },
        }
    }
}

/// Each signer once, however many signatures it made: the threshold counts keys (DSSE protocol,
/// multi-signature). The keyid does not decide, so every signature is tried.
pub(super) fn signed_by_key(envelope: &Envelope, pae: &[u8], signer: &Signer) -> bool {
    let SignerKind::PublicKey(key) = &signer.kind else { return false };
    envelope.signatures.iter().any(|signature| key.verifies(pae, &signature.sig))
}

/// Everything presented that is not a plain signature, each verified once for all signers.
#[derive(Default)]
pub(super) struct Presented<'s> {
    tokens: Vec<BuildkiteToken>,
    /// What the bundle's certificate is under each trusted root that some signer pins.
    certificates: Vec<(&'s TrustedRoot, Result<Certificate, Refusal>)>,
    refused: Vec<Refusal>,
}

impl<'s> Presented<'s> {
    pub(super) fn read(
        envelope: &Envelope,
        signers: &'s Signers,
        digest: EventDigest,
        keys: BuildkiteKeys<'_>,
    ) -> Result<Self, KeyWanted> {
        let mut presented = Self::default();
        presented.read_tokens(envelope, signers, digest, keys)?;
        for signer in signers.iter() {
            let SignerKind::Sigstore(signer) = &signer.kind else { continue };
            let root = &signer.trusted_root;
            if presented.certificates.iter().any(|(known, _)| *known == root) {
                continue;
            }
            if let Some(certificate) = sigstore::certificate(envelope, root) {
                if let Err(refusal) = &certificate {
                    presented.refused.push(refusal.clone());
                }
                presented.certificates.push((root, certificate));
            }
        }
        Ok(presented)
    }

    fn read_tokens(
        &mut self,
        envelope: &Envelope,
        signers: &Signers,
        digest: EventDigest,
        keys: BuildkiteKeys<'_>,
    ) -> Result<(), KeyWanted> {
        let kinds: Vec<_> = signers
            .iter()
            .filter_map(|signer| match &signer.kind {
                SignerKind::BuildkiteOidc(oidc) => Some(oidc),
                SignerKind::PublicKey(_) | SignerKind::Sigstore(_) | SignerKind::BuildkiteWebhook(_) => None,
            })
            .collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let none = Jwks::default();
        let (set, is_complete) = match keys {
            BuildkiteKeys::Missing => (&none, false),
            BuildkiteKeys::Held(set) => (set, false),
            BuildkiteKeys::Complete(set) => (set, true),
        };
        for signature in &envelope.signatures {
            match BuildkiteToken::read(&signature.sig, set) {
                None => {}
                Some(Ok(token)) => self.tokens.push(token),
                Some(Err(NoToken::Refused(refusal))) => self.refused.push(refusal),
                Some(Err(NoToken::UnknownKey { kid, unverified })) => {
                    // A token that no key could make acceptable is worth no fetch.
                    let bound = kinds.iter().map(|oidc| oidc.check_binding(&unverified, digest));
                    match bound.reduce(Result::or) {
                        Some(Err(refusal)) => self.refused.push(refusal),
                        _ if is_complete => {
                            let kid = bounded(&kid);
                            let message =
                                format!("the token names the key `{kid}`, which Buildkite does not publish");
                            self.refused.push(Refusal::new(Reason::BuildkiteTokenUnknownKey, message));
                        }
                        _ => return Err(KeyWanted { kid }),
                    }
                }
            }
        }
        Ok(())
    }

    /// Who made a signature, and why what looks like one is none.
    pub(super) fn made_by(
        &'s self,
        signers: &'s Signers,
        envelope: &Envelope,
        pae: &[u8],
        digest: EventDigest,
        published: Timestamp,
        carrier: &Carrier<'s>,
    ) -> (Vec<Made<'s>>, Vec<Refusal>) {
        let (mut made, mut refused) = (Vec::new(), self.refused.clone());
        for signer in signers.iter() {
            let evidence = match &signer.kind {
                SignerKind::PublicKey(_) => signed_by_key(envelope, pae, signer).then_some(Evidence::Key),
                SignerKind::BuildkiteOidc(oidc) => {
                    let mut accepted = Vec::new();
                    for token in &self.tokens {
                        match oidc.accepts(&token.claims, digest, published, carrier.token_time()) {
                            Ok(()) => accepted.push(token),
                            Err(refusal) => refused.push(refusal),
                        }
                    }
                    (!accepted.is_empty()).then_some(Evidence::Tokens(accepted))
                }
                SignerKind::BuildkiteWebhook(webhook) => {
                    let proof = carrier.webhook();
                    let own = proof.filter(|proof| proof.event == digest && webhook.accepts(proof));
                    own.map(Evidence::Webhook)
                }
                SignerKind::Sigstore(signer) => {
                    let under_root = self.certificates.iter().find(|(root, _)| **root == signer.trusted_root);
                    match under_root {
                        Some((_, Ok(certificate))) => match sigstore::accepts(certificate, published) {
                            Ok(()) => Some(Evidence::Certificate(certificate)),
                            Err(refusal) => {
                                refused.push(refusal);
                                None
                            }
                        },
                        _ => None,
                    }
                }
            };
            made.extend(evidence.map(|evidence| Made { signer, evidence }));
        }
        (made, refused)
    }
}

/// How near a refused token or bundle came to counting: the nearest tells most.
pub(super) fn nearness(refusal: &Refusal) -> usize {
    const FAR_TO_NEAR: [Reason; 13] = [
        Reason::BundleMaterial,
        Reason::BundleLog,
        Reason::BundleCertificate,
        Reason::BundleSignature,
        Reason::BuildkiteTokenMalformed,
        Reason::BuildkiteTokenSignature,
        Reason::BuildkiteTokenIssuer,
        Reason::UnboundToken,
        Reason::BindingMismatch,
        Reason::BuildkiteTokenUnknownKey,
        Reason::BundleIssuer,
        Reason::BuildkiteTokenTime,
        Reason::BundleTime,
    ];
    FAR_TO_NEAR.iter().position(|reason| *reason == refusal.reason).unwrap_or(FAR_TO_NEAR.len())
}
