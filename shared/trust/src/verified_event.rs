//! An event that a configured signer vouches for.

use launchgate_outcome::{Check, Voucher};
use launchgate_statement::{Envelope, EventDigest, EventId, Sha256, Statement};
use serde::{Deserialize, Serialize};

use crate::{CertificateProof, IdentityClaims, SignerId, TokenProof, VouchedFacts, WebhookProof};

/// One statement, whoever delivered it and however often, with the signers that vouch for it.
/// Made only by `verify`.
#[derive(Clone, Debug)]
pub struct VerifiedEvent {
    pub(crate) envelope: Envelope,
    pub(crate) digest: EventDigest,
    pub(crate) statement: Statement,
    pub(crate) signatures: Vec<VerifiedSignature>,
    pub(crate) checks: Vec<Check>,
}

/// One signer's proof, verified. At most one for each signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedSignature {
    /// Who.
    pub signer: SignerId,
    /// What the threshold counts.
    pub root: Root,
    /// What kind of proof it is.
    pub voucher: Voucher,
    /// What Buildkite's token said, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Box<TokenProof>>,
    /// What the certificate of its Sigstore bundle said, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<CertificateProof>>,
    /// What Buildkite's webhook proved, when the event was made of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Box<WebhookProof>>,
}

/// What a threshold counts: one for each public key, one in all for everything Buildkite itself
/// vouches for. A key that signs twice, or stands under two names, is one root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Root {
    /// SHA-256 of the key's `SubjectPublicKeyInfo`.
    PublicKey(Sha256),
    /// Buildkite.
    Buildkite,
}

impl VerifiedEvent {
    /// The event's digest.
    pub fn digest(&self) -> EventDigest {
        self.digest
    }

    /// The event's id.
    pub fn id(&self) -> EventId {
        self.digest.id()
    }

    /// What was signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The envelope it came in.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Who vouches for it.
    pub fn signatures(&self) -> &[VerifiedSignature] {
        &self.signatures
    }

    /// What Buildkite's webhook proved of it, when the event was made of one.
    pub fn webhook(&self) -> Option<&WebhookProof> {
        self.signatures.iter().find_map(|signature| signature.webhook.as_deref())
    }

    /// The ladder so far: envelope, signature of each signer, statement, scope.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Who vouched, in the words of the proof: of the permitted signers a token before a certificate, and among
    /// several the first in the file's order. `None` where only keys signed.
    pub fn identity(&self, any_of: &[SignerId]) -> Option<&IdentityClaims> {
        let permitted = || self.signatures.iter().filter(|signature| any_of.contains(&signature.signer));
        let token = permitted().find_map(|signature| signature.token.as_ref().map(|token| &token.claims));
        let certificate =
            || permitted().find_map(|signature| signature.certificate.as_ref().map(|it| &it.claims));
        token.or_else(certificate)
    }

    /// What the signers in `any_of` prove together; facts from any other signature do not exist for a
    /// trigger that permits only these.
    pub fn facts(&self, any_of: &[SignerId]) -> VouchedFacts {
        VouchedFacts::gather(self, any_of)
    }
}
