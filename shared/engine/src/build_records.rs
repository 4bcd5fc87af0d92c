//! What the ledger keeps of builds.

use launchgate_statement::Build;

/// What names a build to people: a pipeline that is made anew under an old name gives a number again, so
/// that facts are told apart by the build's id as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildKey {
    /// Organization slug.
    pub organization: String,
    /// Pipeline slug.
    pub pipeline: String,
    /// Build number.
    pub number: u64,
}

impl BuildKey {
    /// The name of a build that says all three.
    pub fn of(build: &Build) -> Option<Self> {
        Some(Self {
            organization: build.organization.clone()?,
            pipeline: build.pipeline.clone()?,
            number: build.number?,
        })
    }
}

/// A build that decisions wait for and that Buildkite's API may be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildToAsk {
    /// The build.
    pub build: BuildKey,
    /// How often it was asked for already.
    pub asked: u32,
}

/// What became of facts that were handed to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFacts {
    /// How they compare with what was there.
    pub kept: FactsKept,
    /// The build's newest word, if nobody has noted yet that it was heeded.
    pub unheeded: Option<UnheededBuild>,
}

/// How facts compare with those kept of the same build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactsKept {
    /// They are the newest and kept from now on.
    Newest,
    /// Exactly these were kept already.
    Repeated,
    /// Newer ones are kept.
    Older,
}

/// A build whose newest facts were kept and may not have reached the decisions that wait for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnheededBuild {
    /// The build.
    pub build: BuildKey,
    /// The build's id.
    pub id: String,
    /// Which word on it: a newer one has a higher number.
    pub version: i64,
}
