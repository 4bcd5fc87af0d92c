//! `vertex`.

use super::{findings::Findings, node::Member, scalar, section::Section};
use crate::Vertex;

pub(super) const KEYS: &[&str] = &["project", "location", "pipelineRoot", "callTimeout"];

/// Long enough for Vertex to create a large pipeline, short enough for a push subscription's deadline.
const CALL_TIMEOUT_SECONDS: u32 = 20;

pub(super) fn read(member: &Member, findings: &mut Findings) -> Option<Vertex> {
    let section = Section::open("vertex", KEYS, &member.value, &member.key_at, findings)?;
    let project = section.need("project", "add the Google Cloud project id", findings);
    let project =
        project.and_then(|it| scalar::ruled(it, "bad-project", "a project id", scalar::is_project, findings));
    let location = section.need("location", "add a region, such as us-central1", findings);
    let rule = "a region such as us-central1";
    let location = location.and_then(|it| scalar::ruled(it, "bad-location", rule, is_region, findings));
    let root = section.get("pipelineRoot");
    let root =
        root.and_then(|it| scalar::ruled(it, "bad-root", "gs://BUCKET/FOLDER", scalar::is_gcs, findings));
    let timeout = section.get("callTimeout").and_then(|it| call_timeout(it, findings));
    Some(Vertex {
        project: project?.to_owned(),
        location: location?.to_owned(),
        pipeline_root: root.map(str::to_owned),
        call_timeout_seconds: timeout.unwrap_or(CALL_TIMEOUT_SECONDS),
    })
}

fn call_timeout(member: &Member, findings: &mut Findings) -> Option<u32> {
    let seconds = scalar::duration(member, findings)?;
    // A push request lives at most ten minutes (Pub/Sub's longest acknowledgement deadline).
    if seconds > 600 {
        let message = format!("expected at most 10m for `callTimeout`, found {seconds} s");
        findings.error("bad-duration", &member.value.at, message);
    }
    u32::try_from(seconds).ok()
}

/// The region becomes a host name and a path step, so nothing else may pass.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let Some((last, front)) = parts.split_last() else { return false };
    let ends_in_digit = last.trim_end_matches(|c: char| c.is_ascii_digit());
    text.len() <= 40
        && !front.is_empty()
        && front.iter().all(|part| letters(part))
        && ends_in_digit != *last
        && letters(ends_in_digit)
}
