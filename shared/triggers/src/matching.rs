//! Which triggers match an artifact of an event: patterns over build facts, patterns over the artifact,
//! and CEL `when`.
//!
//! Promises: a clause passes on a vouched fact only; a fact that is merely claimed can make a trigger a
//! candidate (so that its denial is recorded with a reason), never a launch.
//! Does not: look at signers, ages or parameters.

use launchgate_outcome::{Check, CheckStatus, Voucher};
use launchgate_statement::{Artifact, Build, FactName};
use launchgate_trust::{PatternList, VouchedFacts};

use crate::expression::Expression;

/// The compiled `match` block.
#[derive(Debug)]
pub(crate) struct Match {
    /// `pipeline`, `organization`, `branch`, `tag`, `step`, in the order of the ladder.
    pub(crate) clauses: Vec<Clause>,
    /// The pipeline when it is one name.
    pub(crate) literal_pipeline: Option<String>,
    /// `artifact`.
    pub(crate) artifact: Option<ArtifactPatterns>,
    /// `when`.
    pub(crate) when: Option<When>,
}

/// One build fact and its patterns.
#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) fact: FactName,
    pub(crate) rung: &'static str,
    pub(crate) patterns: PatternList,
    /// As written, for the ladder.
    pub(crate) text: String,
}

/// `match.when`, with its text for the ladder.
#[derive(Debug)]
pub(crate) struct When {
    pub(crate) source: String,
    pub(crate) expression: Expression,
}

/// `match.artifact`: each pattern of the list looks at the uri or at the name by itself.
#[derive(Debug)]
pub(crate) struct ArtifactPatterns {
    pub(crate) positive: Vec<ArtifactPattern>,
    pub(crate) negative: Vec<ArtifactPattern>,
    /// As written, for the ladder.
    pub(crate) text: String,
}

/// A pattern that contains `/` or `:` is of the uri, any other of the name.
#[derive(Debug)]
pub(crate) struct ArtifactPattern {
    pub(crate) of_uri: bool,
    pub(crate) pattern: launchgate_trust::Pattern,
}

/// What the clauses other than `when` came to.
pub(crate) struct Matched {
    /// One rung for each clause, all evaluated: the nearest misses are told by their number.
    pub(crate) rungs: Vec<Check>,
    /// A fact that passed on the statement's word alone.
    pub(crate) unvouched: Option<FactName>,
}

impl Match {
    /// `match.pipeline`.
    pub(crate) fn pipelines(&self) -> Option<&PatternList> {
        self.clauses.iter().find(|clause| clause.fact == FactName::Pipeline).map(|clause| &clause.patterns)
    }

    /// Every clause but `when`.
    pub(crate) fn clauses(&self, facts: &VouchedFacts, claimed: &Build, artifact: &Artifact) -> Matched {
        let mut rungs = Vec::with_capacity(self.clauses.len() + 6);
        let mut unvouched = None;
        for clause in &self.clauses {
            let proven = facts.build().fact(clause.fact);
            let voucher =
                if proven.is_some() { facts.voucher(clause.fact) } else { Some(Voucher::Statement) };
            let is_claim = proven.is_none();
            let found = proven.or_else(|| claimed.fact(clause.fact));
            let passed = found.as_deref().is_some_and(|found| clause.patterns.matches(found));
            let mut rung = rung(clause.rung, passed, clause.text.clone(), found.as_deref());
            rung.voucher = voucher.filter(|_| found.is_some());
            if passed && is_claim {
                rung = rung.detail("only claimed: no signer that the trigger permits proves it");
                unvouched = unvouched.or(Some(clause.fact));
            }
            rungs.push(rung);
        }
        if let Some(patterns) = &self.artifact {
            let found = artifact
                .uri
                .as_deref()
                .map_or_else(|| artifact.name.clone(), |uri| format!("{uri} (name {})", artifact.name));
            let rung =
                rung("match.artifact", patterns.matches(artifact), patterns.text.clone(), Some(&found));
            rungs.push(rung.voucher(Voucher::SignersWord));
        }
        Matched { rungs, unvouched }
    }

    /// Rungs that are left when a clause failed, for the ladder.
    pub(crate) fn when_not_reached(&self) -> Option<Check> {
        self.when.as_ref().map(|when| Check::not_reached("when").expected(when.source.clone()))
    }
}

impl Matched {
    /// How many clauses failed.
    pub(crate) fn failed(&self) -> usize {
        self.rungs.iter().filter(|rung| rung.status == CheckStatus::Failed).count()
    }
}

impl ArtifactPatterns {
    /// Some positive pattern matches (or none is given) and no negated one does.
    pub(crate) fn matches(&self, artifact: &Artifact) -> bool {
        let hit = |pattern: &ArtifactPattern| match (pattern.of_uri, &artifact.uri) {
            (true, Some(uri)) => pattern.pattern.matches(uri),
            (true, None) => false,
            (false, _) => pattern.pattern.matches(&artifact.name),
        };
        (self.positive.is_empty() || self.positive.iter().any(hit)) && !self.negative.iter().any(hit)
    }
}

impl Match {
    /// Whether whatever `other` matches is matched by this one too. Never says so wrongly, may miss it.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let clause = |wide: &Clause| {
            let narrow = other.clauses.iter().find(|clause| clause.fact == wide.fact);
            narrow.is_some_and(|narrow| wide.patterns.covers(&narrow.patterns))
        };
        let artifact = match (&self.artifact, &other.artifact) {
            (None, _) => true,
            (Some(wide), Some(narrow)) => wide.list().covers(&narrow.list()),
            (Some(_), None) => false,
        };
        let when = match (&self.when, &other.when) {
            (None, _) => true,
            (Some(wide), narrow) => narrow.as_ref().is_some_and(|narrow| wide.source == narrow.source),
        };
        when && artifact && self.clauses.iter().all(clause)
    }
}

impl ArtifactPatterns {
    /// For comparing with others. Patterns of the uri and of the name have wildcards of their own and so are
    /// never taken for each other.
    pub(crate) fn list(&self) -> PatternList {
        let patterns = |list: &[ArtifactPattern]| list.iter().map(|it| it.pattern.clone()).collect();
        PatternList::of(patterns(&self.positive), patterns(&self.negative))
    }

    /// Whether whatever matches lies in a registry and repository that the file names literally.
    pub(crate) fn holds_a_repository(&self) -> bool {
        !self.positive.is_empty()
            && self
                .positive
                .iter()
                .all(|pattern| pattern.of_uri && names_repository(pattern.pattern.as_str()))
    }
}

impl ArtifactPatterns {
    /// Whether whatever matches lies below a literal registry and repository or bucket, and is named by a digest or
    /// a generation.
    pub(crate) fn holds_immutable_places(&self) -> bool {
        let immutable = |pattern: &ArtifactPattern| {
            let text = pattern.pattern.as_str();
            match text.strip_prefix("gs://") {
                Some(object) => names_bucket(object) && object.contains('#'),
                None => names_repository(text) && text.contains('@'),
            }
        };
        !self.positive.is_empty() && self.positive.iter().all(|pattern| pattern.of_uri && immutable(pattern))
    }
}

/// A bucket, complete before the first wildcard.
fn names_bucket(object: &str) -> bool {
    let literal = object.split(['*', '?']).next().unwrap_or_default();
    literal.split_once('/').is_some_and(|(bucket, _)| !bucket.is_empty())
}

/// A host, then complete path steps before the first wildcard: two on Artifact Registry
/// (`PROJECT/REPOSITORY`), one elsewhere (`gcr.io/PROJECT`, `docker.io/OWNER`).
fn names_repository(pattern: &str) -> bool {
    let literal = pattern.split(['*', '?']).next().unwrap_or_default();
    let Some((host, path)) = literal.split_once('/') else { return false };
    let whole = literal.len() == pattern.len();
    let ended = path.split(['/', '@', ':']).count() - usize::from(!whole);
    let needed = if host.ends_with("pkg.dev") { 2 } else { 1 };
    let steps = path.split(['/', '@', ':']).take(ended).filter(|step| !step.is_empty()).count();
    host.contains('.') && !host.contains(':') && steps >= needed
}

fn rung(name: &'static str, passed: bool, expected: String, actual: Option<&str>) -> Check {
    let rung = if passed { Check::passed(name) } else { Check::failed(name) };
    rung.expected(expected).actual(actual.unwrap_or("nothing"))
}
