//! `match`.

use launchgate_statement::FactName;
use launchgate_trust::{Pattern, PatternError, PatternList, Wildcards};

use super::{
    findings::{At, Findings},
    node::Member,
    scalar,
    section::Section,
};
use crate::{
    build_word::{BuildReads, is_forks_choice},
    expression::{Expression, Type},
    matching::{ArtifactPattern, ArtifactPatterns, Clause, Match, When},
};

pub(super) const KEYS: &[&str] = &["pipeline", "organization", "branch", "tag", "step", "artifact", "when"];

/// The clauses over build facts, in the order of the ladder.
const CLAUSES: [(&str, &str, FactName); 5] = [
    ("pipeline", "match.pipeline", FactName::Pipeline),
    ("organization", "match.organization", FactName::Organization),
    ("branch", "match.branch", FactName::Branch),
    ("tag", "match.tag", FactName::Tag),
    ("step", "match.step", FactName::Step),
];

/// What one place of the trigger reads of the build.
pub(super) struct Reads {
    pub(super) what: BuildReads,
    pub(super) at: At,
}

impl Reads {
    /// One fact, by name.
    pub(super) fn of(fact: FactName, at: &At) -> Self {
        let what =
            BuildReads { facts: vec![fact], names_a_branch: is_forks_choice(fact), identity: Vec::new() };
        Self { what, at: at.clone() }
    }
}

pub(super) fn read(member: &Member, reads: &mut Vec<Reads>, findings: &mut Findings) -> Option<Match> {
    let section = Section::open("match", KEYS, &member.value, &member.key_at, findings)?;
    section.need("pipeline", "add the pipeline's slug: without it any build could launch", findings);
    let mut clauses = Some(Vec::new());
    let mut literal_pipeline = None;
    for (key, rung, fact) in CLAUSES {
        let Some(member) = section.get(key) else { continue };
        reads.push(Reads::of(fact, &member.key_at));
        let patterns = patterns(member, findings);
        if fact == FactName::Pipeline
            && let Some(list) = &patterns
        {
            literal_pipeline = literal(list);
        }
        match (&mut clauses, patterns) {
            (Some(clauses), Some(patterns)) => {
                let text = patterns.to_string();
                clauses.push(Clause { fact, rung, patterns, text });
            }
            _ => clauses = None,
        }
    }
    let artifact = section.get("artifact").map(|it| artifact(it, findings));
    let when = section.get("when").map(|it| when(it, reads, findings));
    Some(Match {
        clauses: clauses?,
        literal_pipeline,
        artifact: artifact.map_or(Some(None), |read| read.map(Some))?,
        when: when.map_or(Some(None), |read| read.map(Some))?,
    })
}

fn patterns(member: &Member, findings: &mut Findings) -> Option<PatternList> {
    let texts = scalar::texts(member, findings)?;
    let mut sound = true;
    for (text, node) in &texts {
        if let Err(error) = PatternList::parse([*text], Wildcards::Name) {
            findings.error("bad-pattern", &node.at, format!("match.{}: {error}", member.key));
            sound = false;
        }
    }
    let list = PatternList::parse(texts.iter().map(|(text, _)| *text), Wildcards::Name).ok()?;
    sound.then_some(list)
}

/// The one name that a list can match, when it has no wildcard.
fn literal(list: &PatternList) -> Option<String> {
    let [only] = list.positive() else { return None };
    let text = only.as_str();
    (list.negative().is_empty() && !text.contains(['*', '?'])).then(|| text.to_owned())
}

fn artifact(member: &Member, findings: &mut Findings) -> Option<ArtifactPatterns> {
    let texts = scalar::texts(member, findings)?;
    let (mut positive, mut negative) = (Vec::new(), Vec::new());
    for (text, node) in &texts {
        let (list, bare) = match text.strip_prefix('!') {
            Some(bare) => (&mut negative, bare),
            None => (&mut positive, *text),
        };
        let of_uri = bare.contains(['/', ':']);
        let wildcards = if of_uri { Wildcards::Uri } else { Wildcards::Name };
        let parsed =
            if bare.is_empty() { Err(PatternError::EmptyNegation) } else { Pattern::parse(bare, wildcards) };
        match parsed {
            Ok(pattern) => list.push(ArtifactPattern { of_uri, pattern }),
            Err(error) => {
                findings.error("bad-pattern", &node.at, format!("match.artifact: {error}"));
            }
        }
    }
    let sound = positive.len() + negative.len() == texts.len();
    let text = texts.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(", ");
    sound.then_some(ArtifactPatterns { positive, negative, text })
}

fn when(member: &Member, reads: &mut Vec<Reads>, findings: &mut Findings) -> Option<When> {
    let source = scalar::text(member, findings)?;
    let found = super::launch::expression(source, Expression::compile(source), &member.value, findings)?;
    if found.reads().iter().any(|path| path.first().is_some_and(|first| first == "claimed")) {
        let message = "expected vouched facts in `when`, found `claimed`, which is the job's own word";
        findings.error("claimed-in-when", &member.value.at, message).fix("read build.… instead");
    }
    if let Some(other) = found.certain_type().filter(|certain| *certain != Type::Bool) {
        let message =
            format!("expected a condition for `when`, found an expression that is {}", other.name());
        findings
            .error("bad-expression", &member.value.at, message)
            .fix("compare it with something: `… == …`");
    }
    super::trigger::note_reads(&found, &member.value.at, reads);
    Some(When { source: source.to_owned(), expression: found })
}
