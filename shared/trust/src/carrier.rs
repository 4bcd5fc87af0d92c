//! What brought an envelope, and what that asks of it.
//!
//! Promises: an envelope out of a build's meta-data is of that very build, and its token of the time when the build
//! ran. Source: DESIGN §3, "Meta-data way for keyless".

use launchgate_outcome::{Check, Reason, Refusal};
use launchgate_statement::{FactName, Statement, Timestamp, is_commit_id};

use crate::mismatch::bounded;
use crate::vouched::build_id_in;
use crate::{BuildFacts, BuildRun, VerifiedSignature, WebhookProof};

/// What brought an envelope.
#[derive(Clone, Copy, Debug)]
pub enum Carrier<'a> {
    /// A message of its own: a token counts around the time when it was published.
    Message,
    /// The meta-data of this build, out of Buildkite's own word that it has finished: any job of the cluster can
    /// write there, so the envelope must be of the same build, and a token counts while the build ran.
    Metadata(&'a BuildFacts),
    /// As an earlier verification found it in meta-data: a token counts within this time.
    Recorded(BuildRun),
    /// Buildkite's own word that a build has finished, of which the envelope was made; nobody signed it.
    Webhook(&'a WebhookProof),
}

/// The instants from which a token may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TokenTime {
    /// Those around publishing.
    Publishing,
    /// Those of the build it is of; `None` when Buildkite does not say when that ran.
    Run(Option<BuildRun>),
}

impl<'a> Carrier<'a> {
    /// What an event is verified by again, from the signatures that were recorded with its first copy.
    pub fn recorded(signatures: &'a [VerifiedSignature], first_published: Timestamp) -> Self {
        let mut webhooks = signatures.iter().filter_map(|one| one.webhook.as_deref());
        if let Some(proof) = webhooks.find(|proof| proof.published == first_published) {
            return Self::Webhook(proof);
        }
        let mut tokens = signatures.iter().filter_map(|one| one.token.as_deref());
        let run = tokens.find(|token| token.published == first_published).and_then(|token| token.run);
        run.map_or(Self::Message, Self::Recorded)
    }
}

impl<'a> Carrier<'a> {
    pub(crate) fn token_time(&self) -> TokenTime {
        match self {
            Self::Message | Self::Webhook(_) => TokenTime::Publishing,
            Self::Metadata(facts) => TokenTime::Run(facts.run()),
            Self::Recorded(run) => TokenTime::Run(Some(*run)),
        }
    }

    /// The build in whose meta-data it lay.
    pub(crate) fn build(&self) -> Option<&BuildFacts> {
        match self {
            Self::Metadata(facts) => Some(facts),
            Self::Message | Self::Recorded(_) | Self::Webhook(_) => None,
        }
    }

    /// The webhook that it was made of.
    pub(crate) fn webhook(&self) -> Option<&'a WebhookProof> {
        match self {
            Self::Webhook(proof) => Some(proof),
            Self::Message | Self::Recorded(_) | Self::Metadata(_) => None,
        }
    }
}

/// The rung of an envelope that says it is of the build in whose meta-data it lay.
pub(crate) fn of_the_build(statement: &Statement, facts: &BuildFacts) -> Result<Check, Foreign> {
    let said = &statement.build;
    let told = facts.build();
    let word = |text: Option<&str>| text.map_or_else(|| "none".to_owned(), bounded);
    let of = [FactName::Organization, FactName::Pipeline, FactName::Number, FactName::Branch, FactName::Tag];
    for fact in of {
        let (said, told) = (said.fact(fact), told.fact(fact));
        if said != told {
            return Err(Foreign::new(fact.as_str(), word(told.as_deref()), word(said.as_deref())));
        }
    }
    if let (Some(said), Some(told)) = (&said.commit, &told.commit)
        && is_commit_id(said)
        && is_commit_id(told)
        && !said.eq_ignore_ascii_case(told)
    {
        return Err(Foreign::new("commit", told.clone(), said.clone()));
    }
    if let Some(id) = build_id_in(statement)
        && id != facts.id()
    {
        return Err(Foreign::new("id", facts.id().to_owned(), bounded(&id)));
    }
    Ok(Check::passed("metadata").actual(format!("of the build {} that it lay in", facts.id())))
}

/// The same for what the tokens say: they may name the build's id where the statement does not.
pub(crate) fn tokens_of_the_build(
    signatures: &[VerifiedSignature],
    facts: &BuildFacts,
) -> Result<(), Foreign> {
    let mut ids = signatures.iter().filter_map(|one| one.token.as_ref()?.identity.build_id.as_deref());
    ids.find(|id| *id != facts.id())
        .map_or(Ok(()), |id| Err(Foreign::new("id", facts.id().to_owned(), bounded(id))))
}

/// How an envelope differs from the build in whose meta-data it lay.
#[derive(Debug)]
pub(crate) struct Foreign {
    what: &'static str,
    expected: String,
    actual: String,
}

impl Foreign {
    fn new(what: &'static str, expected: String, actual: String) -> Self {
        Self { what, expected, actual }
    }

    pub(crate) fn check(&self) -> Check {
        let Self { what, expected, actual } = self;
        Check::failed("metadata").expected(format!("{what} {expected}")).actual(format!("{what} {actual}"))
    }

    pub(crate) fn refusal(&self) -> Refusal {
        let Self { what, expected, actual } = self;
        let message = format!(
            "expected an envelope of the build in whose meta-data it lay, of {what} {expected}, found {what} {actual}"
        );
        Refusal::new(Reason::ForeignMetadata, message)
    }
}
