//! `vertex`: where jobs run and as whom they are asked for, of the file and of one trigger.
//!
//! Promises: every value is a literal, as an event may choose neither project, region nor account.

use super::{
    findings::Findings,
    node::{Member, Shape},
    scalar,
    section::Section,
};
use crate::Vertex;

pub(super) const KEYS: &[&str] = &["project", "location", "pipelineRoot", "impersonate", "callTimeout"];

/// What one trigger may say otherwise. The time that a call may take is the process's: leases rest on it.
pub(super) const TRIGGER_KEYS: &[&str] = &["project", "location", "pipelineRoot", "impersonate"];

/// Long enough for Vertex to create a large pipeline, short enough for a push subscription's deadline.
const CALL_TIMEOUT_SECONDS: u32 = 20;

pub(super) fn read(member: &Member, findings: &mut Findings) -> Option<Vertex> {
    let section = Section::open("vertex", KEYS, &member.value, &member.key_at, findings)?;
    let project = section.need("project", "add the Google Cloud project id", findings);
    let project = project.and_then(|it| project_of(it, findings));
    let location = section.need("location", "add a region, such as us-central1", findings);
    let location = location.and_then(|it| region(it, findings));
    let root = section.get("pipelineRoot").and_then(|it| root(it, findings));
    let impersonate = section.get("impersonate").and_then(|it| account(it, findings));
    let timeout = section.get("callTimeout").and_then(|it| call_timeout(it, findings));
    Some(Vertex {
        project: project?.to_owned(),
        location: location?.to_owned(),
        pipeline_root: root.map(str::to_owned),
        impersonate: impersonate.map(str::to_owned),
        call_timeout_seconds: timeout.unwrap_or(CALL_TIMEOUT_SECONDS),
    })
}

/// One trigger's `vertex`, laid over the file's. `None` when a value is broken, which has its finding.
pub(super) fn read_of_trigger(
    member: Option<&Member>,
    of_file: Option<&Vertex>,
    findings: &mut Findings,
) -> Option<Vertex> {
    let Some(member) = member else { return of_file.cloned() };
    let section = Section::open("a trigger's vertex", TRIGGER_KEYS, &member.value, &member.key_at, findings)?;
    let project = section.get("project").map(|it| project_of(it, findings));
    let location = section.get("location").map(|it| region(it, findings));
    let root = section.get("pipelineRoot").map(|it| root(it, findings));
    let impersonate = section.get("impersonate").map(|it| account(it, findings));
    let mut vertex = of_file?.clone();
    if let Some(project) = project {
        project?.clone_into(&mut vertex.project);
    }
    if let Some(location) = location {
        location?.clone_into(&mut vertex.location);
    }
    if let Some(root) = root {
        vertex.pipeline_root = Some(root?.to_owned());
    }
    if let Some(account) = impersonate {
        vertex.impersonate = Some(account?.to_owned());
    }
    Some(vertex)
}

fn project_of<'n>(member: &'n Member, findings: &mut Findings) -> Option<&'n str> {
    literal(member, "bad-project", "a project id", scalar::is_project, findings)
}

fn region<'n>(member: &'n Member, findings: &mut Findings) -> Option<&'n str> {
    literal(member, "bad-location", "a region such as us-central1", is_region, findings)
}

fn root<'n>(member: &'n Member, findings: &mut Findings) -> Option<&'n str> {
    literal(member, "bad-root", "gs://BUCKET/FOLDER", scalar::is_gcs, findings)
}

fn account<'n>(member: &'n Member, findings: &mut Findings) -> Option<&'n str> {
    let rule = "a service account's e-mail (NAME@PROJECT.iam.gserviceaccount.com)";
    literal(member, "bad-service-account", rule, is_service_account, findings)
}

fn literal<'n>(
    member: &'n Member,
    code: &'static str,
    rule: &str,
    fits: impl Fn(&str) -> bool,
    findings: &mut Findings,
) -> Option<&'n str> {
    match &member.value.shape {
        Shape::Text(text) if text.contains("${") => {
            let message = format!("expected a literal for `vertex.{}`, found `${{…}}`", member.key);
            let finding = findings.error("expression-not-allowed", &member.value.at, message);
            finding.fix("write it out: an event may not choose where a job runs and who asks for it");
            None
        }
        _ => scalar::ruled(member, code, rule, fits, findings),
    }
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

/// The e-mail becomes a path step of the call that impersonates, so nothing else may pass.
fn is_service_account(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    };
    text.len() <= 254 && plain(name) && plain(domain) && domain.ends_with(".gserviceaccount.com")
}
