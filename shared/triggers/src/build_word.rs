//! Buildkite's own word on a build: whether a trigger needs it, and what it comes to.
//!
//! Promises: a trigger that reads nothing which only Buildkite can prove never waits and never sees build
//! facts; facts of another build do not exist; a branch or tag that a fork may have chosen is believed only
//! beside facts that say whose it is. Does not: say what follows from it (`requirements` does).

use launchgate_outcome::Check;
use launchgate_statement::FactName;
use launchgate_trust::{
    BUILD_FACTS, BuildFacts, Signers, VouchedFacts, facts_vouched_by, identity_names_a_ref,
};

use crate::expression::Expression;

/// What a trigger reads of the build.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildReads {
    /// Facts read by name: by a clause, an expression or a requirement.
    pub(crate) facts: Vec<FactName>,
    /// Whether branch or tag may be read in any way, also inside a whole `build`, `provenance` or `identity`.
    pub(crate) names_a_branch: bool,
    /// Members of `identity` read by name; empty where it is read as a whole.
    pub(crate) identity: Vec<String>,
}

/// Buildkite's word on the build of an event, as far as one trigger needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BuildWord<'a> {
    /// The trigger reads nothing of it.
    NotAsked,
    /// It has not come yet.
    Awaited {
        /// Branch or tag count only if the build is not of a fork.
        forks: bool,
    },
    /// It is here, and its facts count.
    Said {
        /// What Buildkite says.
        facts: &'a BuildFacts,
        /// Branch or tag count only if the build is not of a fork.
        forks: bool,
    },
    /// It is here and says another branch, tag or commit than a permitted signer.
    Otherwise {
        /// What Buildkite says.
        facts: &'a BuildFacts,
        /// The first fact that differs.
        differs: FactName,
    },
}

impl<'a> BuildWord<'a> {
    /// Looks for the word among `given`. `always` says that a requirement asks for it; `can_come` that the
    /// file has a way in for it.
    pub(crate) fn look(
        reads: &BuildReads,
        always: bool,
        can_come: bool,
        vouched: &VouchedFacts,
        signers: &Signers,
        given: &'a [BuildFacts],
    ) -> Self {
        if vouched.signers().is_empty() {
            return Self::NotAsked;
        }
        let forks = reads.names_a_branch && may_be_a_forks(vouched, signers);
        let wanting =
            can_come && reads.facts.iter().any(|fact| is_left_to_buildkite(*fact, vouched, signers));
        if !(always || forks || wanting) {
            return Self::NotAsked;
        }
        let Some(facts) = given.iter().find(|facts| facts.are_of(vouched.build(), vouched.build_id())) else {
            return Self::Awaited { forks };
        };
        match facts.disagreement(vouched) {
            Some(differs) => Self::Otherwise { facts, differs },
            None => Self::Said { facts, forks },
        }
    }

    /// Whether facts that only Buildkite proves are not at hand, so that what reads them cannot be judged.
    pub(crate) fn is_wanting(&self) -> bool {
        matches!(self, Self::Awaited { .. } | Self::Otherwise { .. })
    }

    /// Whether branch and tag count only if the build is not of a fork.
    pub(crate) fn asks_for_forks(&self) -> bool {
        matches!(self, Self::Awaited { forks: true } | Self::Said { forks: true, .. })
    }
}

/// Whether no permitted signer that signed speaks of the fact, and Buildkite's own word would.
pub(crate) fn is_left_to_buildkite(fact: FactName, vouched: &VouchedFacts, signers: &Signers) -> bool {
    let spoken_of = vouched
        .signers()
        .iter()
        .filter_map(|id| signers.get(id))
        .any(|signer| facts_vouched_by(signer.kind.voucher()).contains(&fact));
    !spoken_of && BUILD_FACTS.contains(&fact)
}

/// Whether branch and tag rest on signers alone whose pipelines build forks. One permitted signer that
/// vouches for the branch and builds no forks is enough: it is believed as it would be alone.
fn may_be_a_forks(vouched: &VouchedFacts, signers: &Signers) -> bool {
    let mut signed = vouched.signers().iter().filter_map(|id| signers.get(id));
    let speaks_of_branches = |kind| facts_vouched_by(kind).contains(&FactName::Branch);
    let mut of_forks = signed.clone().filter(|signer| signer.kind.builds_forks());
    of_forks.next().is_some()
        && !signed.any(|signer| !signer.kind.builds_forks() && speaks_of_branches(signer.kind.voucher()))
}

impl BuildReads {
    /// Notes what an expression reads.
    pub(crate) fn of_expression(expression: &Expression) -> Self {
        let mut reads = Self::default();
        for path in expression.reads() {
            match &path[..] {
                [root] if root == "build" => reads.names_a_branch = true,
                [root, ..] if root == "provenance" => reads.names_a_branch = true,
                [root, name, ..] if root == "identity" => {
                    // Buildkite's token names the branch too, and a fork may have chosen it.
                    reads.names_a_branch |= identity_names_a_ref(name);
                    reads.identity.push(name.clone());
                }
                [root] if root == "identity" => {
                    reads.names_a_branch = true;
                    reads.identity.push(String::new());
                }
                [root, name, ..] if root == "build" => {
                    reads.facts.extend(FactName::ALL.into_iter().filter(|fact| fact.as_str() == name));
                }
                _ => {}
            }
        }
        reads.names_a_branch |= reads.facts.iter().any(|fact| is_forks_choice(*fact));
        reads
    }
}

/// The names that whoever opens a pull request chooses.
pub(crate) fn is_forks_choice(fact: FactName) -> bool {
    matches!(fact, FactName::Branch | FactName::Tag)
}

/// A rung that waits for Buildkite's word.
pub(crate) fn awaiting(name: &'static str, expected: String) -> Check {
    Check::skipped(name).expected(expected).detail("waits for Buildkite's own word on the build")
}
