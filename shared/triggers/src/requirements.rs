//! What a matching trigger asks for: signers, Buildkite's own word, sources, repository, age.

mod build;

use launchgate_outcome::{Check, Outcome, Reason, Refusal};
use launchgate_statement::{Artifact, Build, EventId, FactName, Timestamp};
use launchgate_trust::{Repository, SignerId, Signers, VouchedFacts};

use crate::{
    ArtifactDemand, ArtifactRule,
    artifact_demand::not_checkable,
    build_word::{BuildWord, awaiting, is_left_to_buildkite},
};

/// Seconds that the clock of a build agent may be ahead of Pub/Sub's. An event from further ahead would pass
/// `maxAge` for as long as it likes.
const FUTURE_LEEWAY: i64 = 300;

/// The compiled `require` block.
#[derive(Debug)]
pub(crate) struct Requirements {
    /// `signers.anyOf`.
    pub(crate) any_of: Vec<SignerId>,
    /// Index of the same list among the file's distinct ones: facts are gathered once for each.
    pub(crate) signer_set: usize,
    /// `signers.atLeast`.
    pub(crate) at_least: usize,
    /// `sources`, when given.
    pub(crate) sources: Option<Vec<&'static str>>,
    /// `repository`, when given.
    pub(crate) repository: Option<Repository>,
    /// `pullRequest`.
    pub(crate) pull_request: PullRequestRule,
    /// `build: passed`.
    pub(crate) build_passed: bool,
    /// `artifact`, when it asks for something.
    pub(crate) artifact: Option<ArtifactRule>,
    /// `trustsCluster`, when given.
    pub(crate) trusts_cluster: Option<String>,
    /// `maxAge` in seconds.
    pub(crate) max_age_seconds: u64,
}

/// `require.pullRequest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PullRequestRule {
    /// Builds of no pull request.
    None,
    /// Also those whose branch lies in the pipeline's own repository.
    SameRepository,
    /// All.
    Any,
}

/// What the requirements came to.
pub(crate) enum Met {
    /// Every one is met.
    All,
    /// None is failed, and Buildkite's own word decides the rest.
    Awaiting(Refusal),
    /// One is failed.
    Denied(Refusal),
}

/// What is looked at.
pub(crate) struct Evidence<'a> {
    pub(crate) facts: &'a VouchedFacts,
    pub(crate) word: BuildWord<'a>,
    pub(crate) signers: &'a Signers,
    pub(crate) claimed: &'a Build,
    pub(crate) artifact: &'a Artifact,
    /// `waitFor.artifact` in seconds.
    pub(crate) wait_for_artifact: u64,
    pub(crate) published: Timestamp,
    pub(crate) max_age_met: bool,
    /// The event in which the build first named its artifacts by webhook, if that is another one.
    pub(crate) named_before: Option<&'a EventId>,
}

impl Requirements {
    /// Whether any permitted signer signed at all.
    pub(crate) fn permits(facts: &VouchedFacts) -> bool {
        !facts.signers().is_empty()
    }

    /// Whether Buildkite's own word is asked for whoever signed.
    pub(crate) fn asks_buildkite(&self) -> bool {
        self.build_passed || self.trusts_cluster.is_some() || self.pull_request != PullRequestRule::Any
    }

    /// The requirements that are asked, in the ladder's order.
    fn walk(
        &self,
        word: &BuildWord,
        facts: &VouchedFacts,
    ) -> impl Iterator<Item = (&'static str, RungOf)> + use<> {
        let asks = !matches!(word, BuildWord::NotAsked);
        let walk: [(bool, &'static str, RungOf); 11] = [
            (true, "require.signers", Self::signers),
            (facts.has_webhook(), "artifactSet", Self::artifact_set),
            (self.sources.is_some(), "require.sources", Self::sources),
            (self.repository.is_some(), "require.repository", Self::repository),
            (true, "require.maxAge", Self::max_age),
            (asks, "buildFacts", build::facts),
            (word.asks_for_forks(), "forkBuilds", build::forks),
            (self.pull_request != PullRequestRule::Any, "require.pullRequest", build::pull_request),
            (self.build_passed, "require.build", build::passed),
            (self.trusts_cluster.is_some(), "require.trustsCluster", build::cluster),
            (self.artifact.is_some(), "require.artifact", Self::artifact),
        ];
        walk.into_iter().filter(|(asked, ..)| *asked).map(|(_, name, rung_of)| (name, rung_of))
    }

    /// Walks the requirements in the ladder's order; after the first failure the rest is not reached. What
    /// waits for Buildkite's word holds nothing up: a denial that needs no waiting comes at once.
    pub(crate) fn check(&self, evidence: &Evidence, rungs: &mut Vec<Check>) -> Met {
        let (mut denied, mut awaited) = (None, None);
        for (name, rung_of) in self.walk(&evidence.word, evidence.facts) {
            if denied.is_some() {
                rungs.push(Check::not_reached(name));
                continue;
            }
            let (rung, stopped) = rung_of(self, evidence);
            if let Some((reason, message)) = stopped {
                let refusal = Refusal::new(reason, message);
                if refusal.outcome == Outcome::WaitingBuild {
                    awaited = awaited.or(Some(refusal));
                } else {
                    denied = Some(refusal);
                }
            }
            rungs.push(rung);
        }
        match (denied, awaited) {
            (Some(refusal), _) => Met::Denied(refusal),
            (None, Some(refusal)) => Met::Awaiting(refusal),
            (None, None) => Met::All,
        }
    }

    /// The rungs of a decision that ended before its requirements.
    pub(crate) fn not_reached(&self, word: &BuildWord, facts: &VouchedFacts, rungs: &mut Vec<Check>) {
        rungs.extend(self.walk(word, facts).map(|(name, _)| Check::not_reached(name)));
    }

    fn signers(&self, evidence: &Evidence) -> Rung {
        let names: Vec<&str> = self.any_of.iter().map(SignerId::as_str).collect();
        let expected = format!("at least {} of {}", self.at_least, names.join(", "));
        let signed: Vec<&str> = evidence.facts.signers().iter().map(SignerId::as_str).collect();
        let roots = evidence.facts.roots();
        if signed.is_empty() {
            let message = format!("expected a signature of {}, found none of them", names.join(" or "));
            let rung = Check::failed("require.signers").expected(expected).actual("none of them");
            return (rung, Some((Reason::SignerNotPermitted, message)));
        }
        let actual = if roots == signed.len() {
            signed.join(", ")
        } else {
            format!("{} ({roots} distinct)", signed.join(", "))
        };
        if roots < self.at_least {
            let message = format!(
                "expected {} distinct signers of {}, found {roots}: {}",
                self.at_least,
                names.join(", "),
                signed.join(", ")
            );
            let rung = Check::failed("require.signers").expected(expected).actual(actual);
            return (rung, Some((Reason::ThresholdNotMet, message)));
        }
        (Check::passed("require.signers").expected(expected).actual(actual), None)
    }

    /// Any job of the cluster can write a build's meta-data, so the first artifact set that a build names stays its
    /// only one. Source: DESIGN §3, "buildkiteWebhook".
    #[allow(clippy::unused_self, reason = "one of the rungs of `walk`, which all have this form")]
    fn artifact_set(&self, evidence: &Evidence) -> Rung {
        let (name, expected) = ("artifactSet", "the first that the build named");
        let Some(before) = evidence.named_before else {
            return (Check::passed(name).expected(expected).actual("this one"), None);
        };
        let message = format!("expected {expected} in its meta-data (event {before}), found another set");
        let rung =
            Check::failed(name).expected(expected).actual(format!("another; the first is event {before}"));
        (rung, Some((Reason::ArtifactChanged, message)))
    }

    fn sources(&self, evidence: &Evidence) -> Rung {
        let allowed = self.sources.as_deref().unwrap_or_default();
        let fits = |found: &str| allowed.contains(&found);
        let rule = FactRule {
            rung: "require.sources",
            fact: FactName::Source,
            expected: allowed.join(", "),
            reason: Reason::SourceNotAllowed,
        };
        rule.check(evidence, fits)
    }

    fn repository(&self, evidence: &Evidence) -> Rung {
        let wanted = self.repository.as_ref();
        let fits = |found: &str| wanted.is_some_and(|wanted| *wanted == Repository::normalise(found));
        let rule = FactRule {
            rung: "require.repository",
            fact: FactName::Repository,
            expected: wanted.map(ToString::to_string).unwrap_or_default(),
            reason: Reason::RepositoryNotAllowed,
        };
        rule.check(evidence, fits)
    }

    /// What is asked of the artifact itself, if anything is; the error says why it cannot be looked at.
    pub(crate) fn demand(&self, artifact: &Artifact, wait: u64) -> Option<Result<ArtifactDemand, String>> {
        self.artifact.map(|rule| ArtifactDemand::of(artifact, rule, wait))
    }

    /// Whether the artifact can be looked at; that is done last, by whoever launches.
    fn artifact(&self, evidence: &Evidence) -> Rung {
        let rule = self.artifact.unwrap_or(ArtifactRule::Exists);
        match ArtifactDemand::of(evidence.artifact, rule, evidence.wait_for_artifact) {
            Ok(demand) => (demand.not_looked_at(), None),
            Err(problem) => {
                let rung = not_checkable(rule, evidence.artifact).detail(problem.clone());
                let message = format!("`artifact: {}` cannot be looked at: {problem}", rule.as_str());
                (rung, Some((Reason::ArtifactNotCheckable, message)))
            }
        }
    }

    /// Source of the instant: DESIGN §4, maxAge. Publishing time is Google's clock.
    fn max_age(&self, evidence: &Evidence) -> Rung {
        let name = "require.maxAge";
        let expected = format!("at most {}", span(self.max_age_seconds.cast_signed()));
        if evidence.max_age_met {
            let rung =
                Check::skipped(name).expected(expected).detail("a replay: it was met at first receipt");
            return (rung, None);
        }
        let Some(time) = evidence.facts.time() else {
            if evidence.facts.has_webhook() && evidence.word.is_wanting() {
                return (awaiting(name, expected), None);
            }
            let message = format!(
                "expected an event {expected} old, found no time that a permitted signer vouches for"
            );
            return (
                Check::failed(name).expected(expected).actual("no vouched time"),
                Some((Reason::NoTime, message)),
            );
        };
        let age = evidence.published.micros_since(time.at).div_euclid(1_000_000);
        let actual =
            format!("{} ({} {}, published {})", about(age), time.source, time.at, evidence.published);
        let reason = if age > self.max_age_seconds.cast_signed() {
            Some(Reason::TooOld)
        } else if age < -FUTURE_LEEWAY {
            Some(Reason::TimeInFuture)
        } else {
            None
        };
        let rung = if reason.is_some() { Check::failed(name) } else { Check::passed(name) };
        let message = format!("expected an event {expected} old, found {actual}");
        let rung = rung.expected(expected).actual(actual).voucher(time.voucher);
        (rung, reason.map(|reason| (reason, message)))
    }
}

/// A rung and, when it failed or waits, why.
type Rung = (Check, Option<(Reason, String)>);
type RungOf = fn(&Requirements, &Evidence) -> Rung;

/// A requirement on one build fact.
struct FactRule {
    rung: &'static str,
    fact: FactName,
    expected: String,
    reason: Reason,
}

impl FactRule {
    fn check(self, evidence: &Evidence, fits: impl Fn(&str) -> bool) -> Rung {
        let Some(found) = evidence.facts.build().fact(self.fact) else {
            let left = is_left_to_buildkite(self.fact, evidence.facts, evidence.signers);
            if left && evidence.word.is_wanting() {
                return (awaiting(self.rung, self.expected), None);
            }
            let claimed = evidence.claimed.fact(self.fact);
            let (reason, actual) = match claimed {
                Some(claimed) => (Reason::FactNotVouched, format!("{claimed} (only claimed)")),
                None => (self.reason, "nothing".to_owned()),
            };
            let message =
                format!("expected {} for build.{}, found {actual}", self.expected, self.fact.as_str());
            return (
                Check::failed(self.rung).expected(self.expected).actual(actual),
                Some((reason, message)),
            );
        };
        let passed = fits(&found);
        let message = format!("expected {} for build.{}, found {found}", self.expected, self.fact.as_str());
        let rung = if passed { Check::passed(self.rung) } else { Check::failed(self.rung) };
        let mut rung = rung.expected(self.expected).actual(found);
        rung.voucher = evidence.facts.voucher(self.fact);
        (rung, (!passed).then_some((self.reason, message)))
    }
}

/// An age as people say it: days and hours, hours and minutes, or less.
fn about(seconds: i64) -> String {
    match seconds {
        s if s.abs() >= 86_400 => format!("{}d {}h", s / 86_400, s.abs() % 86_400 / 3600),
        s if s.abs() >= 3600 => format!("{}h {}m", s / 3600, s.abs() % 3600 / 60),
        s => span(s),
    }
}

/// Seconds in the words of the triggers file: the largest unit that is exact.
fn span(seconds: i64) -> String {
    match seconds {
        0 => "0s".to_owned(),
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}
