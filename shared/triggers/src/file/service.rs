//! `service`.

use super::{findings::Findings, node::Member, scalar, section::Section};
use crate::Service;

pub(super) const KEYS: &[&str] = &["audience", "url"];

pub(super) fn read(member: &Member, findings: &mut Findings) -> Option<Service> {
    let section = Section::open("service", KEYS, &member.value, &member.key_at, findings)?;
    let audience = section.need("audience", "name this gate, such as launchgate-prod", findings);
    let rule = "3 to 63 lower-case letters, digits, dots or dashes, the first a letter or digit";
    let audience = audience.and_then(|it| scalar::ruled(it, "bad-audience", rule, is_audience, findings));
    let url =
        section.get("url").map(|it| scalar::ruled(it, "bad-url", "an http(s) address", is_url, findings));
    Some(Service {
        audience: audience?.to_owned(),
        url: url.map(|url| url.map(str::to_owned)).unwrap_or_default(),
    })
}

/// `[a-z0-9][a-z0-9.-]{2,62}`: it becomes part of every token's audience (DESIGN §3).
fn is_audience(text: &str) -> bool {
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && (bytes[0].is_ascii_lowercase() || bytes[0].is_ascii_digit())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
}

pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !text.contains(char::is_whitespace))
}
