//! `oncePer`, `order`, `maxLaunchesPerHour`: what a trigger asks of other launches.
//!
//! Promises: keys are made of vouched facts alone; a fact that is missing denies. Does not: know of any
//! other launch; the rungs say that the ledger is asked.

use std::num::NonZeroU32;

use launchgate_outcome::{Check, Reason, Refusal, Voucher};
use launchgate_statement::{Artifact, Build, FactName, is_commit_id};
use launchgate_trust::VouchedFacts;

use crate::{LaunchConditions, OnceKey, OrderKey, TriggerName, field_hash::FieldHash};

/// The names of the rungs, in the ladder's order. The engine finds them by these again.
const ONCE: &str = "oncePer";
const ORDER: &str = "order";
const PER_HOUR: &str = "maxLaunchesPerHour";

/// What is launched once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OncePer {
    /// Each event; that is so without a key.
    #[default]
    Event,
    /// An artifact's name in a build.
    Build,
    /// An artifact's name at a commit of a pipeline.
    Commit,
    /// An artifact's content.
    Artifact,
}

/// The compiled keys of one trigger.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TurnRules {
    /// `oncePer`.
    pub(crate) once_per: OncePer,
    /// `order: newest`.
    pub(crate) newest: bool,
    /// `maxLaunchesPerHour`.
    pub(crate) per_hour: Option<NonZeroU32>,
}

/// What the keys of one decision are made of.
pub(crate) struct KeyMaterial<'a> {
    pub(crate) trigger: &'a TriggerName,
    pub(crate) artifact: &'a Artifact,
    pub(crate) facts: &'a VouchedFacts,
    /// The job's own word, for saying what was only claimed.
    pub(crate) claimed: &'a Build,
    /// Who will or will not ask the ledger.
    pub(crate) asking: Asking,
}

/// Whether the ledger is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// It is.
    Asked,
    /// The trigger only observes: nothing is claimed, and nobody is kept from a launch.
    Observes,
    /// An operator forces the launch: it counts among the launches, holds no key, and nothing stops it.
    Forced,
}

impl TurnRules {
    /// The rungs that are asked, where none is reached.
    pub(crate) fn not_reached(self, rungs: &mut Vec<Check>) {
        rungs.extend(self.names().map(Check::not_reached));
    }

    /// The rungs that are asked, where nothing is planned on purpose.
    pub(crate) fn skipped(self, why: &str, rungs: &mut Vec<Check>) {
        rungs.extend(self.names().map(|name| Check::skipped(name).detail(why)));
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        let asked = [
            (self.once_per != OncePer::Event, ONCE),
            (self.newest, ORDER),
            (self.per_hour.is_some(), PER_HOUR),
        ];
        asked.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name)
    }

    /// The conditions of one launch, and the rungs that the ledger is to answer. A key that cannot be made denies,
    /// unless the launch is forced.
    pub(crate) fn conditions(
        self,
        material: &KeyMaterial,
        rungs: &mut Vec<Check>,
    ) -> Result<LaunchConditions, Refusal> {
        let mut conditions = LaunchConditions::default();
        let mut denied = None;
        let once = (self.once_per != OncePer::Event).then(|| material.once(self.once_per));
        let key = material.rung(ONCE, once, &mut denied, rungs);
        conditions.once = key.filter(|_| material.asking == Asking::Asked);
        let newest = self.newest.then(|| material.order());
        conditions.newest = material.rung(ORDER, newest, &mut denied, rungs);
        let per_hour = self.per_hour.map(|most| {
            let expected = format!("at most {most} launches within 60 minutes");
            Ok(Key { value: most, expected, voucher: None })
        });
        conditions.per_hour = material.rung(PER_HOUR, per_hour, &mut denied, rungs);
        match denied {
            Some(refusal) => Err(refusal),
            None if material.asking == Asking::Observes => Ok(LaunchConditions::default()),
            None => Ok(conditions),
        }
    }
}

impl Asking {
    /// What the rung says until the ledger has answered; `explain` and `test`, which have none, leave it at that.
    fn detail(self) -> &'static str {
        match self {
            Self::Asked => "needs the ledger: asked in the commit that would make this decision a launch",
            Self::Observes => "the trigger only observes",
            Self::Forced => "a forced replay passes it",
        }
    }
}

/// A key and its rung's text.
struct Key<T> {
    value: T,
    expected: String,
    voucher: Option<Voucher>,
}

/// A fact that a key needs and nobody permitted proves.
struct Unproven {
    expected: String,
    actual: String,
}

impl KeyMaterial<'_> {
    fn rung<T>(
        &self,
        name: &'static str,
        key: Option<Result<Key<T>, Unproven>>,
        denied: &mut Option<Refusal>,
        rungs: &mut Vec<Check>,
    ) -> Option<T> {
        let key = key?;
        if denied.is_some() {
            rungs.push(Check::not_reached(name));
            return None;
        }
        match key {
            Ok(Key { value, expected, voucher }) => {
                let rung = Check::skipped(name).expected(expected).detail(self.asking.detail());
                rungs.push(Check { voucher, ..rung });
                Some(value)
            }
            Err(_) if self.asking == Asking::Forced => {
                rungs.push(Check::skipped(name).detail(self.asking.detail()));
                None
            }
            Err(Unproven { expected, actual }) => {
                let message = format!("`{name}` needs {expected}, found {actual}");
                rungs.push(Check::failed(name).expected(expected).actual(actual));
                *denied = Some(Refusal::new(Reason::FactNotVouched, message));
                None
            }
        }
    }

    fn once(&self, per: OncePer) -> Result<Key<OnceKey>, Unproven> {
        let trigger = self.trigger.as_str().as_bytes();
        let name = &self.artifact.name;
        let of_pipeline = |kind| -> Result<_, Unproven> {
            let (organization, pipeline) = self.pipeline()?;
            let hash = FieldHash::of("launchgate/once/v1").field(kind).field(trigger);
            let hash = hash.field(organization.as_bytes()).field(pipeline.as_bytes());
            Ok((hash, format!("{organization}/{pipeline}")))
        };
        let (hash, expected, voucher) = match per {
            OncePer::Event | OncePer::Artifact => {
                let hash = FieldHash::of("launchgate/once/v1").field(b"artifact").field(trigger);
                let expected = format!("one launch for {}", self.artifact.digest());
                (hash.field(self.artifact.sha256.as_bytes()), expected, Some(Voucher::SignersWord))
            }
            OncePer::Build => {
                let (hash, pipeline) = of_pipeline(b"build")?;
                let number = self.number()?;
                let hash = hash.field(&number.to_be_bytes()).field(name.as_bytes());
                let expected = format!("one launch for {name} of {pipeline} #{number}");
                (hash, expected, self.facts.voucher(FactName::Number))
            }
            OncePer::Commit => {
                let (hash, pipeline) = of_pipeline(b"commit")?;
                // Git writes ids in lower case; another spelling is the same commit.
                let commit = self.commit()?.to_ascii_lowercase();
                let hash = hash.field(commit.as_bytes()).field(name.as_bytes());
                let expected = format!("one launch for {name} of {pipeline} at {commit}");
                (hash, expected, self.facts.voucher(FactName::Commit))
            }
        };
        Ok(Key { value: OnceKey(hash.sha256()), expected, voucher })
    }

    fn order(&self) -> Result<Key<OrderKey>, Unproven> {
        let (organization, pipeline) = self.pipeline()?;
        let number = self.number()?;
        let branch = self.facts.build().branch.as_deref();
        if branch.is_none() && self.claimed.branch.is_some() {
            return Err(self.unproven(FactName::Branch, "branch"));
        }
        let hash = FieldHash::of("launchgate/order/v1").field(self.trigger.as_str().as_bytes());
        let hash = hash.field(organization.as_bytes()).field(pipeline.as_bytes());
        // No branch is told from every branch by the number of fields.
        let (hash, of) = match branch {
            Some(branch) => (hash.field(branch.as_bytes()), format!("on {branch}")),
            None => (hash, "of no branch".to_owned()),
        };
        let expected = format!("no build of {organization}/{pipeline} {of} after #{number} launched");
        let value = OrderKey { line: hash.sha256(), number };
        Ok(Key { value, expected, voucher: self.facts.voucher(FactName::Number) })
    }

    fn pipeline(&self) -> Result<(&str, &str), Unproven> {
        let build = self.facts.build();
        let organization = build.organization.as_deref();
        let organization =
            organization.ok_or_else(|| self.unproven(FactName::Organization, "organization"))?;
        let pipeline = build.pipeline.as_deref();
        Ok((organization, pipeline.ok_or_else(|| self.unproven(FactName::Pipeline, "pipeline"))?))
    }

    fn number(&self) -> Result<u64, Unproven> {
        self.facts.build().number.ok_or_else(|| self.unproven(FactName::Number, "build number"))
    }

    /// A name such as `HEAD` is another commit every time: it names nothing that is launched once.
    fn commit(&self) -> Result<&str, Unproven> {
        match self.facts.build().commit.as_deref() {
            Some(commit) if is_commit_id(commit) => Ok(commit),
            Some(name) => Err(Unproven {
                expected: "the commit as a whole hex id".to_owned(),
                actual: format!("`{name}`"),
            }),
            None => Err(self.unproven(FactName::Commit, "commit")),
        }
    }

    fn unproven(&self, fact: FactName, name: &str) -> Unproven {
        let actual = match self.claimed.fact(fact) {
            Some(claimed) => format!("{claimed} (only claimed)"),
            None => "none".to_owned(),
        };
        Unproven { expected: format!("a {name} that a permitted signer vouches for"), actual }
    }
}
