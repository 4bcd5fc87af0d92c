//! What expressions can see. Source: DESIGN §4, "Variables".
//!
//! Promises: JSON integers are CEL ints; a fact that nobody vouches for is a missing member of `build`, so that
//! `has(build.tag)` works; nothing is converted that no expression reads, and nothing twice. Values so large
//! that a function over them could run long can be passed on whole, but not computed with.

mod variables;

use std::sync::OnceLock;

use cel::{
    common::{
        types::{CelMap, CelString},
        value::CowVal,
    },
    context::VariableResolver,
};
use launchgate_statement::{Artifact, Build, EventDigest, FactName};
use launchgate_trust::{IdentityClaims, VerifiedEvent, VouchedFacts};
use serde_json::{Map, Value};

pub(crate) use self::variables::TooLarge;
use self::variables::{map_of, owned_text, scalar};

/// The variables.
pub(crate) const VARIABLES: [&str; 6] = ["build", "claimed", "artifact", "event", "provenance", "identity"];

const ARTIFACT: [&str; 7] = ["name", "uri", "digest", "sha256", "kind", "mediaType", "annotations"];
const EVENT: [&str; 2] = ["id", "digest"];

/// The members that can stand at a path: an empty list for a plain value, `None` where the event decides.
pub(crate) fn members_of(path: &[&str]) -> Option<Vec<&'static str>> {
    match path {
        ["build"] | ["claimed", "build"] => Some(FactName::ALL.iter().map(|fact| fact.as_str()).collect()),
        ["claimed"] => Some(vec!["build"]),
        ["artifact"] => Some(ARTIFACT.to_vec()),
        ["event"] => Some(EVENT.to_vec()),
        ["artifact", "annotations", ..] | ["provenance" | "identity", ..] => None,
        _ => Some(Vec::new()),
    }
}

/// The variables of one (event, subject, trigger): `build`, `claimed`, `artifact`, `event`, `provenance`,
/// `identity`. JSON integers are CEL ints. Built once and used by every expression of the trigger.
pub(crate) struct Scope<'a> {
    build: &'a Build,
    claimed: &'a Build,
    artifact: &'a Artifact,
    event: EventDigest,
    predicate: &'a Map<String, Value>,
    identity: Option<&'a Map<String, Value>>,
    whole: [OnceLock<CelMap<'a>>; VARIABLES.len()],
    texts: OnceLock<Texts>,
}

/// Texts that stand nowhere as such.
struct Texts {
    digest: String,
    event_id: String,
    event_digest: String,
}

/// A path that leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Index of the first member of the path that is not there.
    pub(crate) depth: usize,
    /// The members that are there instead.
    pub(crate) exist: Vec<String>,
    /// A fact of `build` that no permitted signer vouches for.
    pub(crate) unvouched: bool,
    /// `claimed.build` has it.
    pub(crate) claimed: bool,
    /// What stands before it is a plain value.
    pub(crate) scalar: bool,
}

impl<'a> Scope<'a> {
    /// `facts` are what the trigger's permitted signers vouch for.
    pub(crate) fn new(event: &'a VerifiedEvent, artifact: &'a Artifact, facts: &'a VouchedFacts) -> Self {
        let statement = event.statement();
        let identity = event.identity(facts.signers()).map(IdentityClaims::members);
        Self::of(facts.build(), &statement.build, artifact, event.digest(), &statement.predicate)
            .with_identity(identity)
    }

    /// From its parts.
    pub(crate) fn of(
        build: &'a Build,
        claimed: &'a Build,
        artifact: &'a Artifact,
        event: EventDigest,
        predicate: &'a Map<String, Value>,
    ) -> Self {
        let whole = std::array::from_fn(|_| OnceLock::new());
        Self { build, claimed, artifact, event, predicate, identity: None, whole, texts: OnceLock::new() }
    }

    /// The same with the claims of who vouched.
    pub(crate) fn with_identity(self, identity: Option<&'a Map<String, Value>>) -> Self {
        Self { identity, ..self }
    }

    /// The value at a path, as it is: no limit, no conversion.
    pub(crate) fn get(&self, path: &[String]) -> Result<Value, Missing> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["build"] => Ok(facts_json(self.build)),
            ["claimed"] => {
                Ok(Value::Object(Map::from_iter([("build".to_owned(), facts_json(self.claimed))])))
            }
            ["claimed", "build"] => Ok(facts_json(self.claimed)),
            ["build", name, rest @ ..] => self.fact(self.build, name, rest, 1),
            ["claimed", "build", name, rest @ ..] => self.fact(self.claimed, name, rest, 2),
            ["artifact", "annotations", rest @ ..] => inside(&self.artifact.annotations, rest, 2),
            ["provenance", rest @ ..] => inside(self.predicate, rest, 1),
            ["artifact" | "event"] => {
                let members = self.plain_members(names[0]);
                let mut object: Map<_, _> =
                    members.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
                if names[0] == "artifact" {
                    object.insert("annotations".to_owned(), Value::Object(self.artifact.annotations.clone()));
                }
                Ok(Value::Object(object))
            }
            [root @ ("artifact" | "event"), name, rest @ ..] => {
                let members = self.plain_members(root);
                match members.iter().find(|(known, _)| known == name) {
                    Some((_, text)) if rest.is_empty() => Ok(Value::from(*text)),
                    Some(_) => Err(Missing::below_scalar(2)),
                    None => Err(Missing::new(1, members.iter().map(|(known, _)| *known))),
                }
            }
            ["identity", rest @ ..] => match self.identity {
                Some(claims) => inside(claims, rest, 1),
                None => inside(&Map::new(), rest, 1),
            },
            _ => Err(Missing::new(1, [])),
        }
    }

    fn fact(&self, build: &Build, name: &str, rest: &[&str], depth: usize) -> Result<Value, Missing> {
        let fact = FactName::ALL.into_iter().find(|fact| fact.as_str() == name);
        match fact.and_then(|fact| fact_json(build, fact)) {
            Some(value) if rest.is_empty() => Ok(value),
            Some(_) => Err(Missing::below_scalar(depth + 1)),
            None => {
                let there = FactName::ALL.into_iter().filter(|fact| build.fact(*fact).is_some());
                let claimed = fact.is_some_and(|fact| self.claimed.fact(fact).is_some());
                let missing = Missing::new(depth, there.map(FactName::as_str));
                Err(Missing { unvouched: std::ptr::eq(build, self.build), claimed, ..missing })
            }
        }
    }

    /// The members of `artifact` (without annotations) and `event`, which are all text.
    fn plain_members(&self, root: &str) -> Vec<(&'static str, &str)> {
        let texts = self.texts();
        if root == "event" {
            return vec![("id", texts.event_id.as_str()), ("digest", texts.event_digest.as_str())];
        }
        let artifact = self.artifact;
        let members = [
            ("name", Some(artifact.name.as_str())),
            ("uri", artifact.uri.as_deref()),
            ("digest", Some(texts.digest.as_str())),
            ("sha256", texts.digest.strip_prefix("sha256:")),
            ("kind", artifact.kind()),
            ("mediaType", artifact.media_type.as_deref()),
        ];
        members.into_iter().filter_map(|(name, text)| text.map(|text| (name, text))).collect()
    }

    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| Texts {
            digest: self.artifact.digest(),
            event_id: self.event.id().as_str().to_owned(),
            event_digest: self.event.0.to_hex(),
        })
    }

    /// A plain value at a dotted path, straight from where it lies; `None` for anything else.
    fn scalar_at<'b>(&'b self, path: &str) -> Option<CowVal<'b, 'b>> {
        let (root, rest) = path.split_once('.')?;
        match root {
            "build" => fact_value(self.build, rest),
            "claimed" => fact_value(self.claimed, rest.strip_prefix("build.")?),
            "artifact" => match rest.strip_prefix("annotations.") {
                Some(rest) => scalar(inner(&self.artifact.annotations, rest)?),
                None => self.plain_member(root, rest),
            },
            "event" => self.plain_member(root, rest),
            "provenance" => scalar(inner(self.predicate, rest)?),
            "identity" => scalar(inner(self.identity?, rest)?),
            _ => None,
        }
    }

    fn plain_member<'b>(&'b self, root: &str, name: &str) -> Option<CowVal<'b, 'b>> {
        let text = match (root, name) {
            ("artifact", "name") => Some(self.artifact.name.as_str()),
            ("artifact", "uri") => self.artifact.uri.as_deref(),
            _ => self.plain_members(root).into_iter().find(|(known, _)| *known == name).map(|(_, text)| text),
        };
        text.map(|text| CowVal::owned(CelString::from(text)))
    }

    /// A whole variable, for `has(…)`, indexes and lists; made at most once.
    fn whole_variable(&self, name: &str) -> Option<&CelMap<'a>> {
        let index = VARIABLES.iter().position(|known| *known == name)?;
        Some(self.whole[index].get_or_init(|| match name {
            "build" => facts_map(self.build),
            "claimed" => map_of([("build", Box::new(facts_map(self.claimed)) as _)]),
            "artifact" => {
                let texts = self.plain_members("artifact");
                let texts = texts.into_iter().map(|(name, text)| (name, owned_text(text)));
                map_of(
                    texts.chain([(
                        "annotations",
                        Box::new(variables::object(&self.artifact.annotations)) as _,
                    )]),
                )
            }
            "event" => {
                let texts = self.plain_members("event");
                map_of(texts.into_iter().map(|(name, text)| (name, owned_text(text))))
            }
            "provenance" => variables::object(self.predicate),
            "identity" => self.identity.map(variables::object).unwrap_or_default(),
            _ => CelMap::default(),
        }))
    }
}

impl VariableResolver for Scope<'_> {
    /// The engine asks for the longest name first: `build.branch`, then `build`.
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if variable.contains('.') {
            return self.scalar_at(variable);
        }
        self.whole_variable(variable).map(|map| CowVal::Borrowed(map))
    }
}

impl Missing {
    fn new<'m>(depth: usize, exist: impl IntoIterator<Item = &'m str>) -> Self {
        // Names of annotations are a stranger's: a few are enough to see a misspelling.
        let exist = exist.into_iter().take(20).map(|name| name.chars().take(60).collect()).collect();
        Self { depth, exist, unvouched: false, claimed: false, scalar: false }
    }

    fn below_scalar(depth: usize) -> Self {
        Self { scalar: true, ..Self::new(depth, []) }
    }
}

fn inside(members: &Map<String, Value>, path: &[&str], depth: usize) -> Result<Value, Missing> {
    let Some((last, before)) = path.split_last() else { return Ok(Value::Object(members.clone())) };
    let mut members = members;
    for (step, name) in before.iter().enumerate() {
        match members.get(*name) {
            Some(Value::Object(inner)) => members = inner,
            Some(_) => return Err(Missing::below_scalar(depth + step + 1)),
            None => return Err(Missing::new(depth + step, members.keys().map(String::as_str))),
        }
    }
    let missing = || Missing::new(depth + before.len(), members.keys().map(String::as_str));
    members.get(*last).cloned().ok_or_else(missing)
}

fn inner<'v>(members: &'v Map<String, Value>, dotted: &str) -> Option<&'v Value> {
    let mut steps = dotted.split('.');
    let first = members.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.as_object()?.get(step))
}

fn fact_value<'b>(build: &'b Build, name: &str) -> Option<CowVal<'b, 'b>> {
    if name == FactName::Number.as_str() {
        return build.number.map(variables::unsigned);
    }
    let fact = FactName::ALL.into_iter().find(|fact| fact.as_str() == name)?;
    match build.fact(fact)? {
        std::borrow::Cow::Borrowed(text) => Some(variables::text(text)),
        std::borrow::Cow::Owned(text) => Some(CowVal::owned(CelString::from(text))),
    }
}

fn facts_map(build: &Build) -> CelMap<'_> {
    let there = FactName::ALL
        .into_iter()
        .filter_map(|fact| fact_value(build, fact.as_str()).map(|value| (fact.as_str(), value.into_owned())));
    map_of(there)
}

fn fact_json(build: &Build, fact: FactName) -> Option<Value> {
    if fact == FactName::Number {
        return build.number.map(Value::from);
    }
    build.fact(fact).map(Value::from)
}

fn facts_json(build: &Build) -> Value {
    let there = FactName::ALL
        .into_iter()
        .filter_map(|fact| fact_json(build, fact).map(|value| (fact.as_str(), value)));
    Value::Object(there.map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
pub(crate) mod tests;
