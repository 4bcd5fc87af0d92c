//! Versions in expressions: `isSemver`, `semverAtLeast`, `semverMatches`. Source: semver.org 2.0.0.
//!
//! Promises: a text that is no version is an error that shows it, never a silent `false`; one `v` in front, as
//! tags have it, is taken. Does not: read `1.2` as `1.2.0`, which other tools read otherwise.

use cel::{
    DeclarationError, Env, ExecutionError,
    common::{
        types::{CelBool, STRING_TYPE},
        value::CowVal,
    },
};
use semver::{Version, VersionReq};

use super::environment::text_argument;

/// Bytes a version may have; real ones are far shorter.
const MAX_BYTES: usize = 256;

pub(super) fn functions(env: &mut Env) -> Result<(), DeclarationError> {
    let two = || vec![STRING_TYPE, STRING_TYPE];
    env.add_overload("isSemver", "is_semver_string", vec![STRING_TYPE], is_semver)?;
    env.add_member_overload("isSemver", "string_is_semver", STRING_TYPE, vec![], is_semver)?;
    env.add_overload("semverAtLeast", "semver_at_least_string_string", two(), at_least)?;
    env.add_member_overload(
        "semverAtLeast",
        "string_semver_at_least_string",
        STRING_TYPE,
        vec![STRING_TYPE],
        at_least,
    )?;
    env.add_overload("semverMatches", "semver_matches_string_string", two(), matches)?;
    env.add_member_overload(
        "semverMatches",
        "string_semver_matches_string",
        STRING_TYPE,
        vec![STRING_TYPE],
        matches,
    )
}

/// `isSemver(text)`: whether it is a version.
#[allow(clippy::needless_pass_by_value, reason = "the engine's signature for functions")]
fn is_semver<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    Ok(CowVal::owned(CelBool::from(version(text_argument(&args, 0)?).is_ok())))
}

/// `semverAtLeast(version, minimum)`: by precedence, so that build metadata counts for nothing and `1.2.0-rc.1`
/// is below `1.2.0`.
#[allow(clippy::needless_pass_by_value, reason = "the engine's signature for functions")]
fn at_least<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let read = |index| {
        version(text_argument(&args, index)?)
            .map_err(|message| ExecutionError::function_error("semverAtLeast", message))
    };
    let (found, minimum) = (read(0)?, read(1)?);
    Ok(CowVal::owned(CelBool::from(found.cmp_precedence(&minimum).is_ge())))
}

/// `semverMatches(version, ranges)`: every range holds. A version with a pre-release part matches only a range
/// that names one of the same version.
#[allow(clippy::needless_pass_by_value, reason = "the engine's signature for functions")]
fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let error = |message: String| ExecutionError::function_error("semverMatches", message);
    let found = version(text_argument(&args, 0)?).map_err(error)?;
    let ranges = self::ranges(text_argument(&args, 1)?).map_err(error)?;
    Ok(CowVal::owned(CelBool::from(ranges.matches(&found))))
}

/// A version, with or without a `v` in front.
pub(super) fn version(text: &str) -> Result<Version, String> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let short = Some(bare).filter(|bare| bare.len() <= MAX_BYTES);
    let parsed = short.and_then(|bare| Version::parse(bare).ok());
    parsed.ok_or_else(|| format!("expected a version such as 1.2.3, found `{text}`"))
}

/// `>=1.2, <2`.
pub(super) fn ranges(text: &str) -> Result<VersionReq, String> {
    let short = Some(text).filter(|text| text.len() <= MAX_BYTES && !text.trim().is_empty());
    let parsed = short.and_then(|text| VersionReq::parse(text).ok());
    parsed.ok_or_else(|| format!("expected ranges such as `>=1.2, <2`, found `{text}`"))
}
