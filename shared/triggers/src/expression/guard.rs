//! What a compiled expression may name and how long it may run.
//!
//! The engine has no cost limit and no checker: one reviewed line over a hostile event could run for seconds,
//! and a misspelt member would only fail when the event comes. Both are settled here, at load.

use std::ops::Range;

use cel::{
    IdedExpr, Program,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SourceInfo, operators},
};

use super::{
    ExpressionError,
    environment::{ENVIRONMENT, FUNCTIONS, MACROS},
    types::Type,
    version,
};
use crate::scope::{VARIABLES, members_of};

/// Levels of the syntax tree; evaluation recurses once for each.
const MAX_DEPTH: usize = 32;

/// `all`, `exists`, `map`, `filter` and functions that make a value larger than what they are given. Each
/// multiplies the work or the size, so that a chain of them grows without bound.
const MAX_GROWING: usize = 8;

/// How many times larger than what an event holds (16 KiB of text, `scope`) replacing, joining and mapping may
/// make a value, all of them together: 64 MiB, for an instant. Eight `replace` of one letter by sixteen, one after
/// the other, would otherwise ask for more memory than there is.
const MAX_FACTOR: usize = 4096;

/// Functions whose result may be many times their argument, or whose time is more than its length.
const GROWING: [&str; 8] = ["replace", "join", "format", "split", "flatten", "distinct", "sort", "reverse"];

/// Names of types, as in `type(x) == int`.
const TYPES: [&str; 10] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Namespaces of functions.
const NAMESPACES: [&str; 4] = ["math", "strings", "lists", "optional"];

/// One place where an expression reads a variable.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) path: Vec<String>,
    pub(super) at: Range<usize>,
    /// Inside `has(…)` or `?.`: its absence is no error.
    pub(super) only_tested: bool,
}

/// What the walk found.
pub(super) struct Guarded {
    pub(super) reads: Vec<Read>,
    pub(super) is_path: bool,
    /// The type of the value, when it is certain.
    pub(super) certain_type: Option<Type>,
}

/// Checks every name and bound.
pub(super) fn check(source: &str, program: &Program) -> Result<Guarded, ExpressionError> {
    let mut walk = Walk {
        source,
        info: program.source_info(),
        bound: Vec::new(),
        reads: Vec::new(),
        growing: 0,
        factor: 1,
    };
    let root = program.expression();
    walk.expression(root, 0, 0)?;
    let is_path = walk.path(root).is_some_and(|path| !path.tested) && walk.reads.len() == 1;
    let certain_type =
        walk.type_of(root).map_err(|wrong| walk.fault(wrong.node, wrong.message, wrong.fix))?;
    Ok(Guarded { reads: walk.reads, is_path, certain_type })
}

pub(super) struct Walk<'a> {
    source: &'a str,
    info: &'a SourceInfo,
    /// Variables of `all(x, …)` and the like around this point.
    bound: Vec<String>,
    reads: Vec<Read>,
    growing: usize,
    /// The product of what each growing call may multiply its value by.
    factor: usize,
}

/// `a.b["c"]`, from the variable to the last member.
pub(super) struct Path<'a> {
    root: &'a str,
    root_id: u64,
    members: Vec<(&'a str, u64)>,
    pub(super) tested: bool,
}

impl<'a> Path<'a> {
    /// The variable and the members.
    pub(super) fn names(&self) -> Vec<&'a str> {
        std::iter::once(self.root).chain(self.members.iter().map(|(name, _)| *name)).collect()
    }
}

impl<'a> Walk<'a> {
    fn expression(&mut self, node: &'a IdedExpr, depth: usize, loops: usize) -> Result<(), ExpressionError> {
        if depth > MAX_DEPTH {
            let fix =
                "simplify the expression; `list.exists(x, x == …)` or `… in [ … ]` replaces long chains";
            return Err(self.fault(node, format!("the expression is deeper than {MAX_DEPTH} levels"), fix));
        }
        if let Some(path) = self.path(node) {
            return self.read(&path);
        }
        match &node.expr {
            Expr::Call(call) => self.call(node, call, depth, loops),
            Expr::Comprehension(comprehension) => self.comprehension(node, comprehension, depth, loops),
            Expr::Select(select) => self.expression(&select.operand, depth + 1, loops),
            Expr::List(list) => {
                list.elements.iter().try_for_each(|item| self.expression(item, depth + 1, loops))
            }
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key, depth + 1, loops)?;
                    self.expression(&entry.value, depth + 1, loops)
                }
                EntryExpr::StructField(_) => Ok(()),
            }),
            Expr::Struct(_) => {
                let fix = "write a mapping with quoted keys: `{\"name\": value}`";
                Err(self.fault(node, "there are no message types here".to_owned(), fix))
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }

    /// The path that `node` is, when its root is no variable of a macro around it.
    pub(super) fn path(&self, node: &'a IdedExpr) -> Option<Path<'a>> {
        let mut members = Vec::new();
        let mut tested = false;
        let mut node = node;
        loop {
            match &node.expr {
                Expr::Select(select) => {
                    tested |= select.test;
                    members.push((select.field.as_str(), node.id));
                    node = &select.operand;
                }
                Expr::Call(call) if call.target.is_none() && call.args.len() == 2 => {
                    tested |= matches!(call.func_name.as_str(), operators::OPT_SELECT | operators::OPT_INDEX);
                    let is_step = tested || call.func_name == operators::INDEX;
                    let Expr::Literal(LiteralValue::String(name)) = &call.args[1].expr else { return None };
                    if !is_step {
                        return None;
                    }
                    members.push((name.inner(), call.args[1].id));
                    node = &call.args[0];
                }
                Expr::Ident(root) => {
                    let free = !root.starts_with('@') && !self.bound.iter().any(|bound| bound == root);
                    members.reverse();
                    return free.then_some(Path { root, root_id: node.id, members, tested });
                }
                _ => return None,
            }
        }
    }

    fn read(&mut self, path: &Path<'a>) -> Result<(), ExpressionError> {
        let root_at = self.span(path.root_id);
        let root_at = root_at.start..root_at.start + path.root.len();
        if path.members.is_empty() && TYPES.contains(&path.root) {
            return Ok(());
        }
        if !VARIABLES.contains(&path.root) {
            return Err(unknown("variable", path.root, root_at, &VARIABLES));
        }
        let mut at = root_at;
        let mut full = vec![path.root.to_owned()];
        for (member, id) in &path.members {
            let here = self.member_span(member, *id, at.end);
            let names: Vec<&str> = full.iter().map(String::as_str).collect();
            if let Some(known) = members_of(&names) {
                if known.is_empty() {
                    let message =
                        format!("`{}` is a plain value and has no member `{member}`", full.join("."));
                    return Err(ExpressionError { message, at: here, fix: None });
                }
                if !known.contains(member) {
                    return Err(unknown(&format!("member of `{}`", full.join(".")), member, here, &known));
                }
            }
            full.push((*member).to_owned());
            at.end = here.end.max(at.end);
        }
        self.reads.push(Read { path: full, at, only_tested: path.tested });
        Ok(())
    }

    fn call(
        &mut self,
        node: &IdedExpr,
        call: &'a CallExpr,
        depth: usize,
        loops: usize,
    ) -> Result<(), ExpressionError> {
        let name = call.func_name.as_str();
        let mut target = call.target.as_deref();
        let mut full = name.to_owned();
        if let Some(IdedExpr { expr: Expr::Ident(namespace), .. }) = target
            && NAMESPACES.contains(&namespace.as_str())
            && !self.bound.contains(namespace)
        {
            full = format!("{namespace}.{name}");
            target = None;
        }
        let is_operator = name.starts_with(['_', '!', '-', '@']) || name.contains('@');
        let is_macro = MACROS.contains(&name);
        if !is_operator && (is_macro || !FUNCTIONS.contains(&full.as_str())) {
            let at = self.name_before(node.id, name);
            if is_macro {
                let message = format!("`{name}` is given arguments that it does not take");
                let fix = "`has(a.b)`, `list.all(x, …)`, `list.exists(x, …)`, `list.map(x, …)`, `list.filter(x, …)`";
                return Err(ExpressionError { message, at, fix: Some(fix.to_owned()) });
            }
            return Err(unknown("function", &full, at, &FUNCTIONS));
        }
        if GROWING.contains(&name) {
            self.grow(node)?;
            self.multiply(node, factor_of(name, &call.args))?;
            if loops > 0 {
                let message =
                    format!("`{name}` inside `all`, `exists`, `map` or `filter` could run for very long");
                return Err(self.fault(node, message, "call it outside"));
            }
        }
        if name == "matches" {
            self.pattern(node, call)?;
        }
        self.literal_version(name, call)?;
        target.into_iter().chain(&call.args).try_for_each(|part| self.expression(part, depth + 1, loops))
    }

    /// Whether a name is one of the namespaces of functions here.
    pub(super) fn path_is_free(&self, name: &str) -> bool {
        NAMESPACES.contains(&name) && !self.bound.iter().any(|bound| bound == name)
    }

    /// A pattern out of an event could be made to compile for very long; one in the file is checked here.
    fn pattern(&self, node: &IdedExpr, call: &CallExpr) -> Result<(), ExpressionError> {
        let Some(IdedExpr { expr: Expr::Literal(LiteralValue::String(pattern)), id }) = call.args.last()
        else {
            let fix = "write it as text in the expression: `build.branch.matches(\"^release/\")`";
            return Err(self.fault(node, "the pattern of `matches` must be a literal".to_owned(), fix));
        };
        // The engine's own words, so that what passes here is what it can run.
        let probe = format!("''.matches({})", serde_json::Value::String(pattern.inner().to_owned()));
        let context = cel::Context::with_env(ENVIRONMENT.clone());
        let tried = ENVIRONMENT.compile(&probe).ok().map(|program| program.execute(&context));
        match tried {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(ExpressionError {
                message: format!(
                    "the pattern of `matches` cannot be read: {}",
                    super::fault::execution(&error)
                ),
                at: self.span(*id),
                fix: Some("see docs.rs/regex for the syntax; there is no look-around".to_owned()),
            }),
            None => {
                Err(self.fault(node, "the pattern of `matches` cannot be read".to_owned(), "simplify it"))
            }
        }
    }

    /// A version or range that stands in the file is read now rather than when an event comes.
    fn literal_version(&self, name: &str, call: &CallExpr) -> Result<(), ExpressionError> {
        let Some(IdedExpr { expr: Expr::Literal(LiteralValue::String(text)), id }) = call.args.last() else {
            return Ok(());
        };
        let wrong = match name {
            "semverAtLeast" => version::version(text.inner()).err(),
            "semverMatches" => version::ranges(text.inner()).err(),
            _ => None,
        };
        wrong.map_or(Ok(()), |message| Err(ExpressionError { message, at: self.span(*id), fix: None }))
    }

    fn comprehension(
        &mut self,
        node: &IdedExpr,
        it: &'a ComprehensionExpr,
        depth: usize,
        loops: usize,
    ) -> Result<(), ExpressionError> {
        self.grow(node)?;
        if loops > 0 {
            let message =
                "`all`, `exists`, `map`, `filter` and `sortBy` may not stand inside one another".to_owned();
            return Err(self.fault(node, message, "compute the inner list in the build"));
        }
        let copies = appended(&it.loop_step).map_or(1, |item| count(item, &it.iter_var));
        self.multiply(node, copies)?;
        self.expression(&it.iter_range, depth + 1, loops)?;
        self.expression(&it.accu_init, depth + 1, loops)?;
        let outside = self.bound.len();
        self.bound.push(it.accu_var.clone());
        // What is left of a `sortBy` or `optMap` binds a name and evaluates the result once: no loop.
        let result = self.expression(&it.result, depth + 1, loops);
        self.bound.push(it.iter_var.clone());
        self.bound.extend(it.iter_var2.clone());
        let body = result
            .and_then(|()| self.expression(&it.loop_cond, depth + 1, loops + 1))
            .and_then(|()| self.expression(&it.loop_step, depth + 1, loops + 1));
        self.bound.truncate(outside);
        body
    }

    fn grow(&mut self, node: &IdedExpr) -> Result<(), ExpressionError> {
        self.growing += 1;
        if self.growing <= MAX_GROWING {
            return Ok(());
        }
        let message =
            format!("more than {MAX_GROWING} of `all`, `exists`, `map`, `filter`, {}", GROWING.join(", "));
        Err(self.fault(node, message, "split the expression, or compute the value in the build"))
    }

    fn multiply(&mut self, node: &IdedExpr, factor: usize) -> Result<(), ExpressionError> {
        self.factor = self.factor.saturating_mul(factor.max(1));
        if self.factor <= MAX_FACTOR {
            return Ok(());
        }
        let message = format!("the value may become more than {MAX_FACTOR} times what an event holds");
        Err(self.fault(node, message, "replace by shorter texts, or compute the value in the build"))
    }

    pub(super) fn fault(&self, node: &IdedExpr, message: String, fix: &str) -> ExpressionError {
        ExpressionError { message, at: self.span(node.id), fix: Some(fix.to_owned()) }
    }

    /// The engine's offsets are bytes, the last one included.
    fn span(&self, id: u64) -> Range<usize> {
        let Some((start, stop)) = self.info.offset_for(id) else { return 0..self.source.len() };
        let start = (start as usize).min(self.source.len());
        let end = (stop as usize + 1).clamp(start, self.source.len());
        if self.source.is_char_boundary(start) && self.source.is_char_boundary(end) {
            start..end
        } else {
            0..self.source.len()
        }
    }

    /// A selection's own offset is its dot (for `has`, a bracket far before): the member stands after `from`.
    fn member_span(&self, member: &str, id: u64, from: usize) -> Range<usize> {
        let from = from.min(self.source.len());
        match self.source.get(from..).and_then(|rest| rest.find(member)) {
            Some(found) => from + found..from + found + member.len(),
            None => self.span(id),
        }
    }

    /// A call's offset is its bracket: the name stands before it.
    fn name_before(&self, id: u64, name: &str) -> Range<usize> {
        let bracket = self.span(id).start;
        match self.source.get(..bracket).and_then(|before| before.rfind(name)) {
            Some(found) => found..found + name.len(),
            None => self.span(id),
        }
    }
}

/// How many times its text a call may make longer. A text that comes with the event counts as the longest.
fn factor_of(name: &str, args: &[IdedExpr]) -> usize {
    let bytes = |arg: Option<&IdedExpr>| match arg.map(|arg| &arg.expr) {
        Some(Expr::Literal(LiteralValue::String(text))) => Some(text.inner().len()),
        _ => None,
    };
    match name {
        "replace" => match (bytes(args.first()), bytes(args.get(1))) {
            // Nothing is replaced before each letter and at the end.
            (Some(0) | None, Some(new)) => new + 1,
            (Some(old), Some(new)) => new.div_ceil(old),
            (_, None) => MAX_FACTOR,
        },
        "join" if args.is_empty() => 1,
        "join" => bytes(args.first()).map_or(MAX_FACTOR, |separator| separator + 1),
        _ => 1,
    }
}

/// What `map` and `filter` add to their list in each turn; `all` and `exists` add nothing.
fn appended(step: &IdedExpr) -> Option<&IdedExpr> {
    let Expr::Call(call) = &step.expr else { return None };
    match call.func_name.as_str() {
        operators::ADD => match &call.args.get(1)?.expr {
            Expr::List(list) => list.elements.first(),
            _ => None,
        },
        operators::CONDITIONAL => appended(call.args.get(1)?),
        _ => None,
    }
}

/// How often a name stands in an expression.
fn count(node: &IdedExpr, name: &str) -> usize {
    let sum = |nodes: &mut dyn Iterator<Item = &IdedExpr>| nodes.map(|node| count(node, name)).sum();
    match &node.expr {
        Expr::Ident(found) => usize::from(found == name),
        Expr::Call(call) => sum(&mut call.target.iter().map(|it| &**it).chain(&call.args)),
        Expr::Select(select) => count(&select.operand, name),
        Expr::List(list) => sum(&mut list.elements.iter()),
        Expr::Map(map) => sum(&mut map.entries.iter().flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(_) => Vec::new(),
        })),
        _ => 0,
    }
}

fn unknown(what: &str, name: &str, at: Range<usize>, known: &[&str]) -> ExpressionError {
    let scored = known.iter().map(|other| (strsim::damerau_levenshtein(name, other), *other));
    let near = scored.min().filter(|(distance, other)| *distance <= other.len() / 3 + 1);
    let few = known.len() <= 16;
    let fix = match near {
        Some((_, near)) => Some(format!("did you mean `{near}`?")),
        None if few => Some(format!("known are {}", known.join(", "))),
        None => None,
    };
    ExpressionError { message: format!("there is no {what} `{name}`"), at, fix }
}
