//! YAML as a tree in which every key and value knows its place.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};

use super::findings::{At, Findings};
use crate::yaml::{self, Unreadable, range};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) shape: Shape,
    pub(crate) at: At,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Null,
    Bool(bool),
    Number(Number),
    /// `.nan`, `.inf`: no JSON.
    NotFinite,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_at: At,
    pub(crate) value: Node,
}

impl Node {
    /// Reads the one document of a file. `None` when it is no YAML; the finding says where.
    pub(crate) fn parse(text: &str, findings: &mut Findings) -> Option<Self> {
        // Duplicates reach the tree, so that each becomes a finding of its own.
        match yaml::read::<Spanned<Bare>>(text, DuplicateKeyPolicy::PassThrough) {
            Ok(root) => {
                let root = root.into();
                check(&root, findings);
                Some(root)
            }
            Err(Unreadable { found, at }) => {
                let message = format!("expected YAML (or JSON), found: {found}");
                findings.error("yaml-syntax", &At::Bytes(at), message);
                None
            }
        }
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> String {
        match &self.shape {
            Shape::Null => "nothing".to_owned(),
            Shape::Bool(value) => format!("the boolean {value}"),
            Shape::Number(value) => format!("the number {value}"),
            Shape::NotFinite => "a number that is not finite".to_owned(),
            Shape::Text(value) => format!("the text {value:?}"),
            Shape::List(_) => "a list".to_owned(),
            Shape::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.member(key).map(|member| &member.value)
    }

    /// The member of a key.
    pub(crate) fn member(&self, key: &str) -> Option<&Member> {
        match &self.shape {
            Shape::Map(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The place of the deepest member that exists on a path: keys, and indices as decimal text.
    pub(crate) fn place_of(&self, path: &[String]) -> At {
        let Some((step, rest)) = path.split_first() else { return self.at.clone() };
        match &self.shape {
            Shape::Map(_) => match self.member(step) {
                Some(member) if rest.is_empty() => member.key_at.clone(),
                Some(member) => member.value.place_below(rest, &member.key_at),
                None => self.at.clone(),
            },
            _ => self.place_below(path, &self.at),
        }
    }

    fn place_below(&self, path: &[String], above: &At) -> At {
        match &self.shape {
            Shape::List(items) => match path[0].parse::<usize>().ok().and_then(|index| items.get(index)) {
                Some(item) if path.len() == 1 => item.at.clone(),
                Some(item) => item.place_of(&path[1..]),
                None => above.clone(),
            },
            Shape::Map(_) if self.member(&path[0]).is_some() => self.place_of(path),
            _ => above.clone(),
        }
    }

    /// As JSON, members in the order of `Value`'s map.
    pub(crate) fn to_json(&self) -> Value {
        match &self.shape {
            Shape::Null | Shape::NotFinite => Value::Null,
            Shape::Bool(value) => Value::Bool(*value),
            Shape::Number(value) => Value::Number(value.clone()),
            Shape::Text(value) => Value::String(value.clone()),
            Shape::List(items) => items.iter().map(Self::to_json).collect(),
            Shape::Map(members) => {
                let pairs = members.iter().map(|member| (member.key.clone(), member.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}

/// Duplicate keys, and numbers that JSON cannot carry unchanged.
fn check(node: &Node, findings: &mut Findings) {
    match &node.shape {
        Shape::Map(members) => {
            let mut seen = HashSet::new();
            for member in members {
                if !seen.insert(member.key.as_str()) {
                    let message = format!("the key `{}` stands twice in one mapping", member.key);
                    findings.error("duplicate-key", &member.key_at, message).fix("keep one of them");
                }
                check(&member.value, findings);
            }
        }
        Shape::List(items) => items.iter().for_each(|item| check(item, findings)),
        Shape::NotFinite => {
            findings.error("number-range", &node.at, "expected a finite number, found NaN or an infinity");
        }
        Shape::Number(number) if number.is_f64() && is_integer_text(&node.at, findings) => {
            findings
                .error("number-range", &node.at, "this integer does not fit 64 bits and would be rounded")
                .fix("write it as text, in quotes");
        }
        Shape::Number(_) | Shape::Null | Shape::Bool(_) | Shape::Text(_) => {}
    }
}

fn is_integer_text(at: &At, findings: &Findings) -> bool {
    let At::Bytes(range) = at else { return false };
    let text = findings.source.slice(range).trim_start_matches(['-', '+']);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The tree as serde-saphyr hands it over: places stand beside the values (`Spanned`), not in them.
enum Bare {
    Scalar(Shape),
    List(Vec<Spanned<Bare>>),
    Map(Vec<(Spanned<String>, Spanned<Bare>)>),
}

impl From<Spanned<Bare>> for Node {
    fn from(spanned: Spanned<Bare>) -> Self {
        let shape = match spanned.value {
            Bare::Scalar(shape) => shape,
            Bare::List(items) => Shape::List(items.into_iter().map(Self::from).collect()),
            Bare::Map(members) => {
                let member = |(key, value): (Spanned<String>, Spanned<Bare>)| Member {
                    key_at: At::Bytes(range(&key.referenced)),
                    key: key.value,
                    value: value.into(),
                };
                Shape::Map(members.into_iter().map(member).collect())
            }
        };
        Self { shape, at: At::Bytes(range(&spanned.referenced)) }
    }
}

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BareVisitor)
    }
}

struct BareVisitor;

impl<'de> Visitor<'de> for BareVisitor {
    type Value = Bare;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Bare, E> {
        Ok(Bare::Scalar(Shape::Null))
    }

    fn visit_none<E>(self) -> Result<Bare, E> {
        Ok(Bare::Scalar(Shape::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bare, D::Error> {
        Bare::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Bare, E> {
        Ok(Bare::Scalar(Shape::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Bare, E> {
        Ok(Bare::Scalar(Shape::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Bare, E> {
        Ok(Bare::Scalar(Shape::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Bare, E> {
        Ok(Bare::Scalar(Number::from_f64(value).map_or(Shape::NotFinite, Shape::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Bare, E> {
        Ok(Bare::Scalar(Shape::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Bare, E> {
        Ok(Bare::Scalar(Shape::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bare, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Bare::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Bare, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_entry()? {
            list.push(member);
        }
        Ok(Bare::Map(list))
    }
}
