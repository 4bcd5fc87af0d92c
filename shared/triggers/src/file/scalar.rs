//! Single values: text, integers, choices, durations, names of cloud resources.

use super::{
    findings::Findings,
    nearest::nearest,
    node::{Member, Node, Shape},
};

/// Text. A number or boolean is refused rather than turned into text: `1e3` and `yes` would not come out
/// as they were written.
pub(crate) fn text<'n>(member: &'n Member, findings: &mut Findings) -> Option<&'n str> {
    text_of(&member.value, &member.key, findings)
}

/// Text in a list or under a key.
pub(crate) fn text_of<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n str> {
    match &node.shape {
        Shape::Text(value) if value.is_empty() => {
            findings.error("empty-value", &node.at, format!("expected text for `{what}`, found \"\""));
            None
        }
        Shape::Text(value) => Some(value),
        shape => {
            let message = format!("expected text for `{what}`, found {}", node.kind());
            let finding = findings.error("wrong-type", &node.at, message);
            if matches!(shape, Shape::Number(_) | Shape::Bool(_)) {
                finding.fix("write it in quotes");
            }
            None
        }
    }
}

/// Text that fits a rule; the rule is said in words.
pub(crate) fn ruled<'n>(
    member: &'n Member,
    code: &'static str,
    rule: &str,
    fits: impl Fn(&str) -> bool,
    findings: &mut Findings,
) -> Option<&'n str> {
    let value = text(member, findings)?;
    if fits(value) {
        return Some(value);
    }
    findings.error(code, &member.value.at, format!("expected {rule} for `{}`, found `{value}`", member.key));
    None
}

/// `true` or `false`.
pub(crate) fn boolean(member: &Member, findings: &mut Findings) -> Option<bool> {
    if let Shape::Bool(value) = member.value.shape {
        return Some(value);
    }
    let message = format!("expected true or false for `{}`, found {}", member.key, member.value.kind());
    findings.error("wrong-type", &member.value.at, message);
    None
}

/// An integer from 1.
pub(crate) fn count(member: &Member, findings: &mut Findings) -> Option<u32> {
    let value = match &member.value.shape {
        Shape::Number(number) => number.as_u64().and_then(|value| u32::try_from(value).ok()),
        _ => None,
    };
    let value = value.filter(|value| *value >= 1);
    if value.is_none() {
        let message =
            format!("expected a whole number from 1 for `{}`, found {}", member.key, member.value.kind());
        findings.error("wrong-type", &member.value.at, message);
    }
    value
}

/// One of a few words.
pub(crate) fn choice<'k>(member: &Member, words: &[&'k str], findings: &mut Findings) -> Option<&'k str> {
    choice_of(&member.value, &member.key, words, findings)
}

/// One of a few words, in a list or under a key.
pub(crate) fn choice_of<'k>(
    node: &Node,
    what: &str,
    words: &[&'k str],
    findings: &mut Findings,
) -> Option<&'k str> {
    let value = text_of(node, what, findings)?;
    let found = words.iter().find(|word| **word == value);
    if found.is_none() {
        let message = format!("expected {} for `{what}`, found `{value}`", words.join(", "));
        let finding = findings.error("unknown-value", &node.at, message);
        if let Some(near) = nearest(value, words) {
            finding.fix(format!("did you mean `{near}`?"));
        }
    }
    found.copied()
}

/// Seconds of `90s`, `15m`, `24h`, `7d`.
pub(crate) fn duration(member: &Member, findings: &mut Findings) -> Option<u64> {
    let seconds = match &member.value.shape {
        Shape::Text(value) => seconds(value),
        _ => None,
    };
    if seconds.is_none() {
        let message = format!("expected a duration for `{}`, found {}", member.key, member.value.kind());
        findings.error("bad-duration", &member.value.at, message).fix("write it as 90s, 15m, 24h or 7d");
    }
    seconds
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    // Ten years: beyond it a limit is no limit, and microseconds stay far from overflow.
    let seconds = digits.then(|| number.parse::<u64>().ok())??.checked_mul(unit)?;
    (1..=315_576_000).contains(&seconds).then_some(seconds)
}

/// Text or a list of texts, not empty. A list with a bad item still gives the good ones.
pub(crate) fn texts<'n>(member: &'n Member, findings: &mut Findings) -> Option<Vec<(&'n str, &'n Node)>> {
    match &member.value.shape {
        Shape::List(items) if items.is_empty() => {
            let message = format!("expected at least one text for `{}`, found an empty list", member.key);
            findings.error("empty-value", &member.value.at, message);
            None
        }
        Shape::List(items) => {
            let read = items.iter().filter_map(|item| Some((text_of(item, &member.key, findings)?, item)));
            let read: Vec<_> = read.collect();
            (read.len() == items.len()).then_some(read)
        }
        _ => Some(vec![(text(member, findings)?, &member.value)]),
    }
}

/// A path beside the triggers file that stays in its folder.
pub(crate) fn path<'n>(member: &'n Member, findings: &mut Findings) -> Option<&'n str> {
    let value = text(member, findings)?;
    if stays_inside(value) {
        return Some(value);
    }
    let message = format!("expected a path in the folder of this file for `{}`, found `{value}`", member.key);
    findings
        .error("bad-path", &member.value.at, message)
        .fix("paths are relative and may not leave the folder");
    None
}

/// Whether a relative path never steps out of the folder it starts in, even on its way.
pub(crate) fn stays_inside(path: &str) -> bool {
    let mut depth = 0_i32;
    for step in path.split('/') {
        match step {
            ".." => depth -= 1,
            "." | "" => {}
            _ => depth += 1,
        }
        if depth < 0 {
            return false;
        }
    }
    let scheme_or_drive = path.contains(':');
    !path.starts_with('/') && !scheme_or_drive && !path.contains(['\\', '\0'])
}

/// `projects/PROJECT/COLLECTION/NAME`.
pub(crate) fn is_resource(text: &str, collection: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let [projects, project, kind, name] = parts[..] else { return false };
    projects == "projects" && is_project(project) && kind == collection && is_pubsub_name(name)
}

/// A project id, a domain-scoped one (`example.com:id`) or a project number.
pub(crate) fn is_project(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b':'))
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.as_bytes()[text.len() - 1].is_ascii_alphanumeric()
}

/// Source: cloud.google.com/pubsub/docs/pubsub-basics#resource_names.
fn is_pubsub_name(text: &str) -> bool {
    (3..=255).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphabetic()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'%'))
}

/// `gs://bucket`, `gs://bucket/folder`.
pub(crate) fn is_gcs(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("gs://") else { return false };
    is_bucket(rest.split('/').next().unwrap_or_default())
}

/// Characters and lengths of a bucket name; `gs://r` appears in examples, so one character passes.
pub(crate) fn is_bucket(text: &str) -> bool {
    (1..=222).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
}
