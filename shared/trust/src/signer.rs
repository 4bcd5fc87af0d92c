//! A configured signer: whose proof counts, when, and for what.

use launchgate_statement::Timestamp;

use crate::{PatternList, PublicKey, TrustError};

/// The name a triggers file gives a signer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SignerId(String);

impl SignerId {
    /// A signer's name; never empty.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SignerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of `signers`.
#[derive(Clone, Debug, PartialEq)]
pub struct Signer {
    /// Its name.
    pub id: SignerId,
    /// What proves that it spoke.
    pub kind: SignerKind,
    /// In force from this instant of publishing.
    pub not_before: Option<Timestamp>,
    /// In force until before this instant of publishing.
    pub not_after: Option<Timestamp>,
    /// Counts no longer, whenever the event was published.
    pub revoked: bool,
    /// Pipeline slugs it may speak for; `None` is any.
    pub pipelines: Option<PatternList>,
    /// Builder ids it may speak for; `None` is any.
    pub builders: Option<Vec<String>>,
}

/// What proves that a signer spoke.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SignerKind {
    /// A signature by this key over the PAE.
    PublicKey(PublicKey),
}

/// All signers of a triggers file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signers(Vec<Signer>);

impl Signers {
    /// Checks that no id stands twice and that each window can hold an instant.
    pub fn new(signers: Vec<Signer>) -> Result<Self, TrustError> {
        for (index, signer) in signers.iter().enumerate() {
            if signers[..index].iter().any(|earlier| earlier.id == signer.id) {
                return Err(TrustError::DuplicateSigner(signer.id.to_string()));
            }
            if let (Some(from), Some(until)) = (signer.not_before, signer.not_after)
                && from >= until
            {
                return Err(TrustError::EmptyValidity(signer.id.to_string()));
            }
        }
        Ok(Self(signers))
    }

    /// The signers in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Signer> {
        self.0.iter()
    }

    /// The signer of a name.
    pub fn get(&self, id: &SignerId) -> Option<&Signer> {
        self.0.iter().find(|signer| &signer.id == id)
    }
}
