//! The functions and macros an expression may use: CEL's own, its strings, lists and math extensions, and ours.

use std::sync::{Arc, LazyLock};

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelString, STRING_TYPE},
        value::CowVal,
    },
    extensions,
};
use launchgate_trust::{Pattern, Wildcards};

use crate::labels::label_safe;

/// One environment for all expressions; it holds no values.
pub(super) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    let added = [extensions::strings, extensions::lists, extensions::math, ours, super::version::functions]
        .iter()
        .try_for_each(|extension| env.add_extension(extension));
    added.expect("names of extensions do not clash; every test compiles with this environment");
    Arc::new(env)
});

/// Macros, which are gone from a compiled expression: a call of one of these names was given wrong arguments.
pub(super) const MACROS: [&str; 9] =
    ["has", "all", "exists", "exists_one", "existsOne", "map", "filter", "sortBy", "optMap"];

/// Every function, for names that are misspelt. `lists.range` is left out: it makes a million items of one number.
pub(super) const FUNCTIONS: [&str; 66] = [
    "isSemver",
    "semverAtLeast",
    "semverMatches",
    "labelSafe",
    "glob",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "type",
    "dyn",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "split",
    "substring",
    "format",
    "reverse",
    "strings.quote",
    "slice",
    "flatten",
    "distinct",
    "sort",
    "math.ceil",
    "math.floor",
    "math.round",
    "math.trunc",
    "math.isInf",
    "math.isNaN",
    "math.isFinite",
    "math.abs",
    "math.sign",
    "math.bitAnd",
    "math.bitOr",
    "math.bitXor",
    "math.bitNot",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "math.sqrt",
    "math.greatest",
    "math.least",
    "has",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "sortBy",
    "optional.of",
    "optional.none",
    "optional.ofNonZeroValue",
    "orValue",
    "hasValue",
    "value",
];

fn ours(env: &mut Env) -> Result<(), cel::DeclarationError> {
    env.add_overload("labelSafe", "label_safe_string", vec![STRING_TYPE], call_label_safe)?;
    env.add_member_overload("labelSafe", "string_label_safe", STRING_TYPE, vec![], call_label_safe)?;
    env.add_overload("glob", "glob_string_string", vec![STRING_TYPE, STRING_TYPE], call_glob)?;
    env.add_member_overload("glob", "string_glob_string", STRING_TYPE, vec![STRING_TYPE], call_glob)
}

/// `labelSafe(text)`: the text as a label value.
#[allow(clippy::needless_pass_by_value, reason = "the engine's signature for functions")]
fn call_label_safe<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = text_argument(&args, 0)?;
    Ok(CowVal::owned(CelString::from(label_safe(text))))
}

/// `glob(text, pattern)`: the patterns of `match`, where `*` crosses neither `/` nor `:`.
#[allow(clippy::needless_pass_by_value, reason = "the engine's signature for functions")]
fn call_glob<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let pattern = Pattern::parse(text_argument(&args, 1)?, Wildcards::Name)
        .map_err(|error| ExecutionError::function_error("glob", error))?;
    Ok(CowVal::owned(CelBool::from(pattern.matches(text_argument(&args, 0)?))))
}

pub(super) fn text_argument<'a>(args: &'a [CowVal<'_, '_>], index: usize) -> Result<&'a str, ExecutionError> {
    let text = args.get(index).and_then(|value| value.downcast_ref::<CelString>());
    text.map(CelString::inner).ok_or(ExecutionError::MissingArgumentOrTarget)
}
