//! Keys that the format knows and this version cannot enforce: neutral values pass, anything else is
//! refused rather than ignored.

use super::{
    findings::Findings,
    node::{Member, Shape},
};

/// The code of every such finding.
pub(super) const CODE: &str = "not-yet-supported";

/// Refuses a key whatever its value.
pub(super) fn refuse(member: Option<&Member>, what: &str, findings: &mut Findings) {
    let Some(member) = member else { return };
    let message =
        format!("{what} (`{}`) is not supported by this version, which cannot enforce it", member.key);
    findings.error(CODE, &member.key_at, message).fix("leave it out, or run a version that supports it");
}

/// Refuses every word but the one that asks for nothing.
pub(super) fn neutral(member: Option<&Member>, word: &str, words: &[&str], findings: &mut Findings) {
    let Some(member) = member else { return };
    let Some(found) = super::scalar::choice(member, words, findings) else { return };
    if found != word {
        let message =
            format!("`{}: {found}` is not supported by this version, which cannot enforce it", member.key);
        let fix = format!("write `{}: {word}`, leave it out, or run a version that supports it", member.key);
        findings.error(CODE, &member.value.at, message).fix(fix);
    }
}

/// Refuses the boolean that asks for something.
pub(super) fn neutral_bool(member: Option<&Member>, neutral: bool, findings: &mut Findings) {
    let Some(member) = member else { return };
    match member.value.shape {
        Shape::Bool(value) if value == neutral => {}
        Shape::Bool(_) => refuse(Some(member), "this setting", findings),
        _ => drop(super::scalar::boolean(member, findings)),
    }
}
