//! Types as far as they are certain before there are values: members that are always text or an int, literals,
//! and what operators and functions make of them.
//!
//! Promises: refuses only what fails, or can never hold, for every event. Does not: guess; an annotation may be
//! anything, and so may whatever is computed from one.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators as op},
};

use super::guard::Walk;
use crate::scope::members_of;

/// A type that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Int,
    Uint,
    Double,
    Bool,
    Null,
    Bytes,
    List,
    Map,
}

impl Type {
    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int | Self::Uint => "a whole number",
            Self::Double => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
            Self::Bytes => "bytes",
            Self::List => "a list",
            Self::Map => "a mapping",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether values of the two can be equal or compared. Null is compared with anything, to ask whether it is.
    fn compares_with(self, other: Self) -> bool {
        self == other || self.is_number() && other.is_number() || self == Self::Null || other == Self::Null
    }
}

/// What is certain to fail.
pub(super) struct Mismatch<'a> {
    pub(super) node: &'a IdedExpr,
    pub(super) message: String,
    pub(super) fix: &'static str,
}

/// Functions and methods whose first argument, or target, is text.
const OF_TEXT: [&str; 16] = [
    "labelSafe",
    "glob",
    "semverAtLeast",
    "semverMatches",
    "isSemver",
    "startsWith",
    "endsWith",
    "matches",
    "charAt",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "split",
    "substring",
    "lastIndexOf",
];

/// Functions and methods whose result is of one type whatever they are given.
const RESULTS: [(&str, Type); 21] = [
    ("labelSafe", Type::Text),
    ("string", Type::Text),
    ("lowerAscii", Type::Text),
    ("upperAscii", Type::Text),
    ("trim", Type::Text),
    ("replace", Type::Text),
    ("substring", Type::Text),
    ("join", Type::Text),
    ("charAt", Type::Text),
    ("format", Type::Text),
    ("split", Type::List),
    ("size", Type::Int),
    ("int", Type::Int),
    ("double", Type::Double),
    ("bool", Type::Bool),
    ("glob", Type::Bool),
    ("semverAtLeast", Type::Bool),
    ("semverMatches", Type::Bool),
    ("isSemver", Type::Bool),
    ("startsWith", Type::Bool),
    ("endsWith", Type::Bool),
];

const CONVERT: &str = "convert one side: `string(…)`, `int(…)`";

impl<'a> Walk<'a> {
    /// The type of a node, when it is certain. Looks into every part of it, for what cannot hold there.
    pub(super) fn type_of(&self, node: &'a IdedExpr) -> Result<Option<Type>, Mismatch<'a>> {
        if let Some(path) = self.path(node) {
            return Ok(if path.tested { None } else { of_path(&path.names()) });
        }
        match &node.expr {
            Expr::Literal(literal) => Ok(Some(of_literal(literal))),
            Expr::Call(call) => self.of_call(node, call),
            Expr::List(list) => {
                list.elements.iter().try_for_each(|item| self.type_of(item).map(drop))?;
                Ok(Some(Type::List))
            }
            Expr::Map(_) => Ok(Some(Type::Map)),
            Expr::Select(select) if select.test => Ok(Some(Type::Bool)),
            // The variables of a macro may be anything, and its inner steps are the engine's own.
            _ => Ok(None),
        }
    }

    fn of_call(&self, node: &'a IdedExpr, call: &'a CallExpr) -> Result<Option<Type>, Mismatch<'a>> {
        let target = call.target.as_deref();
        let is_namespace =
            matches!(target.map(|it| &it.expr), Some(Expr::Ident(name)) if self.path_is_free(name));
        let target = target.filter(|_| !is_namespace);
        let types = target.into_iter().chain(&call.args).map(|part| self.type_of(part));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        let name = call.func_name.as_str();
        let mismatch = |message: String, fix| Err(Mismatch { node, message, fix });
        match (name, types.as_slice()) {
            (op::EQUALS | op::NOT_EQUALS, [Some(left), Some(right)]) if !left.compares_with(*right) => {
                let answer = if name == op::EQUALS { "never" } else { "always" };
                let (left, right) = (left.name(), right.name());
                mismatch(format!("{left} is compared with {right}, which {answer} holds"), CONVERT)
            }
            (op::EQUALS | op::NOT_EQUALS, _) => Ok(Some(Type::Bool)),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
                if let (Some(left), Some(right)) = (left, right)
                    && (!left.compares_with(*right) || *left == Type::Null || *right == Type::Null)
                {
                    let message = format!("{} has no order with {}", left.name(), right.name());
                    return mismatch(message, CONVERT);
                }
                Ok(Some(Type::Bool))
            }
            (op::ADD, [Some(left), Some(right)]) if left != right => {
                mismatch(format!("{} and {} cannot be added", left.name(), right.name()), CONVERT)
            }
            (op::ADD, [left, right]) => Ok(left.or(*right)),
            (op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [left, right]) => {
                if let Some(other) = [left, right].into_iter().flatten().find(|it| !it.is_number()) {
                    return mismatch(format!("{} is given to a calculation", other.name()), CONVERT);
                }
                Ok(left.or(*right))
            }
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, _) => {
                if let Some(other) = types.iter().flatten().find(|it| **it != Type::Bool) {
                    let message = format!("expected a condition, found {}", other.name());
                    return mismatch(message, "compare it with something: `… == …`");
                }
                Ok(Some(Type::Bool))
            }
            (op::CONDITIONAL, [condition, yes, no]) => {
                if let Some(other) = condition.filter(|it| *it != Type::Bool) {
                    let message = format!("expected a condition before `?`, found {}", other.name());
                    return mismatch(message, "compare it with something: `… == …`");
                }
                Ok(if yes == no { *yes } else { None })
            }
            (op::IN, [_, list]) => {
                if let Some(other) = list.filter(|it| !matches!(it, Type::List | Type::Map)) {
                    let message = format!("expected a list or mapping after `in`, found {}", other.name());
                    return mismatch(message, "write a list: `… in [\"a\", \"b\"]`");
                }
                Ok(Some(Type::Bool))
            }
            (_, [Some(first), ..]) if OF_TEXT.contains(&name) && !is_namespace && *first != Type::Text => {
                let message = format!("`{name}` takes text, found {}", first.name());
                mismatch(message, "convert it: `string(…)`")
            }
            _ => Ok(RESULTS.iter().find(|(known, _)| *known == name && !is_namespace).map(|(_, of)| *of)),
        }
    }
}

/// The type of a member that has one whatever the event holds. A fact that is not there is an error of its own.
fn of_path(names: &[&str]) -> Option<Type> {
    match names {
        ["build", fact] | ["claimed", "build", fact] => match *fact {
            "number" => Some(Type::Int),
            "pullRequest" => None,
            _ => Some(Type::Text),
        },
        ["artifact", "annotations"] => Some(Type::Map),
        ["artifact" | "event", _] => {
            members_of(names).is_some_and(|below| below.is_empty()).then_some(Type::Text)
        }
        _ => None,
    }
}

fn of_literal(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}
