//! `failures`.

use super::{findings::Findings, node::Member, scalar, section::Section};
use crate::Failures;

pub(super) const KEYS: &[&str] = &["topic"];

pub(super) fn read(member: &Member, findings: &mut Findings) -> Option<Failures> {
    let section = Section::open("failures", KEYS, &member.value, &member.key_at, findings)?;
    let topic = section.need("topic", "add `topic: projects/PROJECT/topics/NAME`", findings)?;
    let is_topic = |text: &str| scalar::is_resource(text, "topics");
    let topic = scalar::ruled(topic, "bad-topic", "projects/PROJECT/topics/NAME", is_topic, findings)?;
    Some(Failures { topic: topic.to_owned() })
}
