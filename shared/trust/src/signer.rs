//! A configured signer: whose proof counts, when, and for what.

use launchgate_outcome::Voucher;
use launchgate_statement::{Statement, Timestamp};

use crate::plugin_mistakes::is_demo_key;
use crate::{
    BuildkiteOidc, BuildkiteWebhook, ForkBuilds, PatternList, PublicKey, Root, Sigstore, TrustError,
};

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
    /// A Buildkite OIDC token whose audience names the event.
    BuildkiteOidc(BuildkiteOidc),
    /// A Sigstore bundle whose certificate Fulcio issued to a Buildkite job.
    Sigstore(Sigstore),
    /// Buildkite's webhook of the build that the event was made of. The weakest: it proves the build, and the
    /// artifact is the word of whoever could write the build's meta-data.
    BuildkiteWebhook(BuildkiteWebhook),
}

/// Why a signer's genuine signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfForce {
    /// `revoked: true` in today's file.
    Revoked,
    /// Published before `notBefore`.
    NotYetValid(Timestamp),
    /// Published at `notAfter` or later.
    Expired(Timestamp),
}

impl Signer {
    /// Whether its signature on an event first published at `published` counts under today's file.
    pub fn in_force(&self, published: Timestamp) -> Result<(), OutOfForce> {
        if self.revoked {
            return Err(OutOfForce::Revoked);
        }
        if let Some(from) = self.not_before
            && published < from
        {
            return Err(OutOfForce::NotYetValid(from));
        }
        if let Some(until) = self.not_after
            && published >= until
        {
            return Err(OutOfForce::Expired(until));
        }
        Ok(())
    }

    /// Whether it may speak for the statement's pipeline.
    pub(crate) fn speaks_for_pipeline(&self, statement: &Statement) -> bool {
        let pipeline = statement.build.pipeline.as_deref();
        self.pipelines.as_ref().is_none_or(|allowed| pipeline.is_some_and(|slug| allowed.matches(slug)))
    }

    /// Whether it may speak for the statement's builder.
    pub(crate) fn speaks_for_builder(&self, statement: &Statement) -> bool {
        self.builders.as_ref().is_none_or(|allowed| allowed.contains(&statement.builder))
    }
}

impl SignerKind {
    /// What a threshold counts it as.
    pub fn root(&self) -> Root {
        match self {
            Self::PublicKey(key) => Root::PublicKey(key.fingerprint()),
            Self::BuildkiteOidc(_) | Self::Sigstore(_) | Self::BuildkiteWebhook(_) => Root::Buildkite,
        }
    }

    /// Whether the builds it speaks for may be of forks that chose their own branch and tag names.
    pub fn builds_forks(&self) -> bool {
        let forks = match self {
            Self::PublicKey(_) => return false,
            // Nobody states it for this kind, so it is never believed.
            Self::BuildkiteWebhook(_) => return true,
            Self::BuildkiteOidc(oidc) => oidc.fork_builds,
            Self::Sigstore(sigstore) => sigstore.fork_builds,
        };
        forks == ForkBuilds::Enabled
    }

    /// What kind of proof it gives.
    pub fn voucher(&self) -> Voucher {
        match self {
            Self::PublicKey(_) => Voucher::Key,
            Self::BuildkiteOidc(_) => Voucher::Token,
            Self::Sigstore(_) => Voucher::Certificate,
            Self::BuildkiteWebhook(_) => Voucher::Webhook,
        }
    }
}

/// All signers of a triggers file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signers(Vec<Signer>);

impl Signers {
    /// Checks that no id stands twice, that each window can hold an instant, and that no key is the one
    /// published inside the official plugin.
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
            if let SignerKind::PublicKey(key) = &signer.kind
                && is_demo_key(key)
            {
                return Err(TrustError::KnownDemoKey(signer.id.to_string()));
            }
        }
        Ok(Self(signers))
    }

    /// The signers in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Signer> {
        self.0.iter()
    }

    /// Whether any of them speaks by a Buildkite token, so that Buildkite's keys are needed.
    pub fn need_buildkite_keys(&self) -> bool {
        self.0.iter().any(|signer| matches!(signer.kind, SignerKind::BuildkiteOidc(_)))
    }

    /// Whether any of them speaks by Buildkite's webhooks, so that events are made of these.
    pub fn have_webhook(&self) -> bool {
        self.0.iter().any(|signer| matches!(signer.kind, SignerKind::BuildkiteWebhook(_)))
    }

    /// The signer of a name.
    pub fn get(&self, id: &SignerId) -> Option<&Signer> {
        self.0.iter().find(|signer| &signer.id == id)
    }
}
