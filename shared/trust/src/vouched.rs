//! What a set of permitted signers proves of an event.

use launchgate_outcome::Voucher;
use launchgate_statement::{Build, FactName, Statement, Timestamp};

use crate::{BUILD_FACTS, BuildFacts, Root, SignerId, VerifiedEvent, VerifiedSignature};

/// The facts that the permitted signers vouch for; everything else is absent.
#[derive(Clone, Debug, Default)]
pub struct VouchedFacts {
    build: Build,
    /// In the order of `FactName::ALL`.
    vouchers: [Option<Voucher>; FactName::ALL.len()],
    signers: Vec<SignerId>,
    roots: Vec<Root>,
    time: Option<VouchedTime>,
    build_id: Option<String>,
    has_token: bool,
    has_webhook: bool,
}

/// A vouched instant that says when the event came to be, for `maxAge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VouchedTime {
    /// When.
    pub at: Timestamp,
    /// Where it stands: `startedOn`, `token iat`, …
    pub source: &'static str,
    /// Who proves it.
    pub voucher: Voucher,
}

impl VouchedFacts {
    pub(crate) fn gather(event: &VerifiedEvent, any_of: &[SignerId]) -> Self {
        let mut facts = Self::default();
        for signature in event.signatures().iter().filter(|signature| any_of.contains(&signature.signer)) {
            facts.signers.push(signature.signer.clone());
            if !facts.roots.contains(&signature.root) {
                facts.roots.push(signature.root.clone());
            }
            facts.add(event.statement(), signature);
        }
        facts
    }

    /// Adds what this signature proves of `statement` and nobody before it did. A token or certificate proves
    /// what it says itself, which `verify` has compared with the statement.
    fn add(&mut self, statement: &Statement, signature: &VerifiedSignature) {
        let VerifiedSignature { voucher, token, certificate, webhook, .. } = signature;
        let said = match (token, certificate) {
            (Some(token), _) => &token.build,
            (None, Some(certificate)) => &certificate.build,
            (None, None) => &statement.build,
        };
        for &name in facts_vouched_by(*voucher) {
            let place = &mut self.vouchers[name as usize];
            if place.is_none() && self.build.take_from(said, name) {
                *place = Some(*voucher);
            }
        }
        self.has_token |= token.is_some();
        self.has_webhook |= webhook.is_some();
        // Buildkite's own word on the id goes before a key's.
        let said = token.as_ref().and_then(|token| token.identity.build_id.clone());
        let claimed =
            || build_id_in(statement).filter(|_| matches!(voucher, Voucher::Key | Voucher::Webhook));
        self.build_id = said.or_else(|| self.build_id.take()).or_else(claimed);
        let (at, source) = match (token, certificate) {
            (Some(token), _) => (Some(token.issued), "token iat"),
            (None, Some(certificate)) => (Some(certificate.signed), "time in the bundle"),
            (None, None) => (statement.started_on.filter(|_| *voucher == Voucher::Key), "startedOn"),
        };
        let time = at.map(|at| VouchedTime { at, source, voucher: *voucher });
        if time.is_some() && self.time.is_none_or(|known| rank(*voucher) < rank(known.voucher)) {
            self.time = time;
        }
    }

    /// Adds what Buildkite itself says of the build, where no permitted signer has spoken. The caller has
    /// made sure that they are of this build and agree with what the signers say.
    pub fn add_build_facts(&mut self, facts: &BuildFacts) {
        let voucher = facts.voucher();
        for &name in BUILD_FACTS {
            let place = &mut self.vouchers[name as usize];
            if place.is_none() && self.build.take_from(facts.build(), name) {
                *place = Some(voucher);
            }
        }
        let finished = facts.finished_at().filter(|_| self.has_webhook);
        if let Some(at) = finished
            && self.time.is_none_or(|known| rank(voucher) < rank(known.voucher))
        {
            self.time = Some(VouchedTime { at, source: "build finished_at", voucher });
        }
    }

    /// Whether one of the permitted signers spoke by Buildkite's webhook, whose event is as old as the build's end.
    pub fn has_webhook(&self) -> bool {
        self.has_webhook
    }

    /// Whether one of the permitted signers spoke by a Buildkite token, which names branch and tag if the
    /// build has them.
    pub(crate) fn has_token(&self) -> bool {
        self.has_token
    }

    /// The build's id, when a permitted signer says it.
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// The vouched facts; an unvouched one is `None`.
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// Who proves `fact`; `None` when nobody permitted does (or the statement does not have it).
    pub fn voucher(&self, fact: FactName) -> Option<Voucher> {
        self.vouchers[fact as usize]
    }

    /// The permitted signers that signed.
    pub fn signers(&self) -> &[SignerId] {
        &self.signers
    }

    /// Distinct roots among them: what `atLeast` counts.
    pub fn roots(&self) -> usize {
        self.roots.len()
    }

    /// The instant `maxAge` is measured from.
    pub fn time(&self) -> Option<VouchedTime> {
        self.time
    }
}

/// The build's id as a statement gives it, where Buildkite's build type has a place for it.
pub(crate) fn build_id_in(statement: &Statement) -> Option<String> {
    let definition = statement.predicate.get("buildDefinition")?;
    let id = definition.get("internalParameters")?.get("buildkite")?.get("build_id")?.as_str()?;
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

/// Whose time goes before whose: Buildkite's issuer, then Sigstore's clocks, then the build's end, then a key's word.
/// Source: DESIGN §4, maxAge.
fn rank(voucher: Voucher) -> u8 {
    match voucher {
        Voucher::Token => 0,
        Voucher::Certificate => 1,
        Voucher::Webhook | Voucher::Rest => 2,
        _ => 3,
    }
}

/// The facts that a proof of this kind covers: each of them was compared with the statement, or is
/// believed because the key is. Source: DESIGN §3, "Vouchers".
pub fn facts_vouched_by(voucher: Voucher) -> &'static [FactName] {
    use FactName as F;
    match voucher {
        Voucher::Key => &F::ALL,
        Voucher::Token => &[
            F::Organization,
            F::Pipeline,
            F::Number,
            F::Branch,
            F::Tag,
            F::Commit,
            F::Step,
            F::Job,
            F::Source,
            F::Runner,
        ],
        Voucher::Certificate => &[F::Organization, F::Pipeline, F::Number, F::Commit, F::Source, F::Runner],
        // What the event is of; branch, commit and the rest come with the build facts that it was made of, the
        // newest of them.
        Voucher::Webhook => &[F::Organization, F::Pipeline, F::Number],
        // These bring facts of their own beside the statement; the job's word proves none.
        Voucher::Rest | Voucher::Statement | Voucher::SignersWord => &[],
    }
}
