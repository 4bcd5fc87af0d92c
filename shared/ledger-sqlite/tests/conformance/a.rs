//! Small builders for the nouns of the tests.

use std::{sync::Arc, time::Duration};

use launchgate_engine::{
    Admission, AttemptRecord, BuildKey, CallSummary, Command, CommandKind, DecisionRecord, EventRecord,
    Fence, Progress, ReceiptRecord, Redecision, Run,
};
use launchgate_outcome::{Check, Outcome, Reason, Voucher};
use launchgate_statement::{Artifact, Build, EventDigest, EventId, Sha256, Timestamp};
use launchgate_triggers::{
    ArtifactDemand, ArtifactPlace, ArtifactRule, LaunchId, LaunchPlan, TriggerName, launch_id,
};
use launchgate_trust::{BuildFacts, Root, SignerId, VerifiedSignature};

pub(crate) const LEASE: Duration = Duration::from_hours(1);

pub(crate) fn digest(n: u32) -> EventDigest {
    EventDigest(Sha256::of(&n.to_be_bytes()))
}

pub(crate) fn id(n: u32) -> EventId {
    digest(n).id()
}

pub(crate) fn published() -> Timestamp {
    Timestamp::from_seconds(1_790_000_000)
}

pub(crate) fn receipt(message_id: &str) -> ReceiptRecord {
    ReceiptRecord {
        message_id: message_id.into(),
        publish_time: Some(published()),
        subscription: Some("projects/acme/subscriptions/events".into()),
        sender: "push@acme.iam.gserviceaccount.com".into(),
        outcome: Outcome::Launched,
        reason: None,
        message: None,
        event: None,
        checks: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn rejected(message_id: &str) -> ReceiptRecord {
    ReceiptRecord {
        outcome: Outcome::RejectedSignature,
        reason: Some(Reason::UnknownSigner),
        message: Some("no configured signer".into()),
        checks: vec![Check::failed("signature").expected("prod").actual("<script>")],
        body: b"{\"payload\": \"x\"}".to_vec(),
        ..receipt(message_id)
    }
}

pub(crate) fn signature(signer: &str) -> VerifiedSignature {
    VerifiedSignature {
        signer: SignerId::new(signer),
        root: Root::PublicKey(Sha256::of(signer.as_bytes())),
        voucher: Voucher::Key,
        token: None,
        certificate: None,
        webhook: None,
    }
}

pub(crate) fn event(n: u32) -> EventRecord {
    EventRecord {
        id: id(n),
        digest: digest(n),
        first_published: published(),
        data: format!("{{\"event\": {n}, \"padding\": \"{}\"}}", "x".repeat(1500)).into_bytes(),
        signatures: vec![signature("prod")],
        build: Build {
            organization: Some("acme".into()),
            pipeline: Some(if n.is_multiple_of(2) { "even" } else { "odd" }.into()),
            number: Some(u64::from(n)),
            ..Build::default()
        },
        artifacts: vec![Artifact {
            name: "model".into(),
            sha256: Sha256::of(b"model"),
            uri: None,
            media_type: None,
            annotations: serde_json::Map::new(),
        }],
        checks: vec![Check::passed("envelope"), Check::passed("signature").voucher(Voucher::Key)],
        unmatched: None,
    }
}

pub(crate) fn launch(n: u32, trigger: &str, ordinal: u32) -> LaunchId {
    launch_id(digest(n), "model", Sha256::of(b"model"), &TriggerName::parse(trigger).unwrap(), ordinal)
}

fn plan(n: u32, trigger: &str, launch_id: &LaunchId, kind: &str) -> LaunchPlan {
    serde_json::from_value(serde_json::json!({
        "launchId": launch_id, "trigger": trigger, "event": id(n), "kind": kind,
        "project": "acme-ml", "location": "us-central1",
        "request": {
            "method": "POST", "path": "/v1/projects/acme-ml/locations/us-central1/pipelineJobs",
            "query": [["pipelineJobId", launch_id]], "body": format!("{{\"labels\": \"{}\"}}", "y".repeat(1200)),
        },
    }))
    .unwrap()
}

/// A decision to launch a pipeline run, as it is admitted.
pub(crate) fn to_launch(n: u32, trigger: &str) -> DecisionRecord {
    to_launch_as(n, trigger, "pipelineJob")
}

pub(crate) fn to_launch_as(n: u32, trigger: &str, kind: &str) -> DecisionRecord {
    let launch_id = launch(n, trigger, 0);
    DecisionRecord {
        plan: Some(plan(n, trigger, &launch_id, kind)),
        launch_id,
        event: id(n),
        subject: "model".into(),
        sha256: Sha256::of(b"model"),
        trigger: TriggerName::parse(trigger).unwrap(),
        ordinal: 0,
        outcome: Outcome::Retrying,
        reason: Some(Reason::Interrupted),
        message: None,
        checks: vec![Check::passed("match.branch").expected("main").actual("main").voucher(Voucher::Key)],
        signers: vec![SignerId::new("prod")],
        config: Sha256::of(b"file"),
        attempts: Vec::new(),
        run: None,
        artifact: None,
        wait_seconds: None,
        by: None,
    }
}

/// One that may be launched only under these conditions.
pub(crate) fn under(n: u32, trigger: &str, conditions: &serde_json::Value) -> DecisionRecord {
    let mut record = to_launch(n, trigger);
    let mut plan = serde_json::to_value(record.plan.as_ref()).unwrap();
    plan["conditions"] = conditions.clone();
    record.plan = Some(serde_json::from_value(plan).unwrap());
    for (key, rung) in [("once", "oncePer"), ("newest", "order"), ("perHour", "maxLaunchesPerHour")] {
        if conditions.get(key).is_some() {
            record.checks.push(Check::skipped(rung).expected("it").detail("needs the ledger"));
        }
    }
    record
}

/// One that launches once for a key of this name.
pub(crate) fn once(n: u32, trigger: &str, key: &str) -> DecisionRecord {
    under(n, trigger, &serde_json::json!({"once": Sha256::of(key.as_bytes())}))
}

/// One that launches only while no newer build than `n` was, in a line of this name.
pub(crate) fn newest(n: u32, trigger: &str, line: &str) -> DecisionRecord {
    let newest = serde_json::json!({"line": Sha256::of(line.as_bytes()), "number": n});
    under(n, trigger, &serde_json::json!({"newest": newest}))
}

/// One of at most so many within an hour.
pub(crate) fn capped(n: u32, trigger: &str, most: u32) -> DecisionRecord {
    under(n, trigger, &serde_json::json!({"perHour": most}))
}

/// The same decision as a forced replay makes it: the next ordinal.
pub(crate) fn forced(record: DecisionRecord) -> DecisionRecord {
    let launch_id = launch_id_of(&record, record.ordinal + 1);
    DecisionRecord { ordinal: record.ordinal + 1, launch_id, ..record }
}

fn launch_id_of(record: &DecisionRecord, ordinal: u32) -> LaunchId {
    let n = (0..1000).find(|n| id(*n) == record.event).unwrap();
    launch(n, record.trigger.as_str(), ordinal)
}

pub(crate) fn denied(n: u32, trigger: &str) -> DecisionRecord {
    DecisionRecord {
        outcome: Outcome::DeniedPolicy,
        reason: Some(Reason::ThresholdNotMet),
        message: Some("1 of 2 signers".into()),
        plan: None,
        ..to_launch(n, trigger)
    }
}

/// A decision that waits an hour for Buildkite's word on the event's build.
pub(crate) fn waiting(n: u32, trigger: &str) -> DecisionRecord {
    DecisionRecord {
        outcome: Outcome::WaitingBuild,
        reason: Some(Reason::BuildFactsAwaited),
        message: Some("waits for Buildkite's webhook".into()),
        plan: None,
        wait_seconds: Some(3600),
        ..to_launch(n, trigger)
    }
}

/// A decision that waits an hour for its artifact to be looked at.
pub(crate) fn unchecked(n: u32, trigger: &str, rule: ArtifactRule) -> DecisionRecord {
    let place = ArtifactPlace::Image { host: "us-docker.pkg.dev".into(), repository: "acme/ml/model".into() };
    DecisionRecord {
        outcome: Outcome::WaitingArtifact,
        reason: Some(Reason::ArtifactCheckPending),
        message: Some("waits for the artifact to be looked at".into()),
        artifact: Some(ArtifactDemand { rule, place, sha256: Sha256::of(b"model"), wait_seconds: 3600 }),
        wait_seconds: Some(3600),
        ..to_launch(n, trigger)
    }
}

/// The build of the event `n`.
pub(crate) fn build(n: u32) -> BuildKey {
    BuildKey::of(&event(n).build).unwrap()
}

/// What Buildkite says of the build of the event `n`, signed and (unless 0) finished at these seconds.
pub(crate) fn facts(n: u32, id: &str, signed: i64, finished: i64) -> BuildFacts {
    let build = event(n).build;
    let at = |seconds| Timestamp::from_seconds(1_790_000_000 + seconds);
    serde_json::from_value(serde_json::json!({
        "id": id, "build": build, "blocked": false, "pullRequest": "none",
        "finishedAt": (finished != 0).then(|| at(finished)), "origin": {"webhook": at(signed)},
    }))
    .unwrap()
}

pub(crate) fn admission(n: u32, decisions: Vec<DecisionRecord>) -> Admission {
    let receipt = ReceiptRecord { event: Some(id(n)), ..receipt(&format!("message-{n}")) };
    let decisions = decisions.into_iter().map(Arc::new).collect();
    Admission { receipt, event: event(n), decisions, near_misses: Vec::new(), claim: 8, lease: LEASE }
}

/// The same with claims that run out at once.
pub(crate) fn abandoned(n: u32, decisions: Vec<DecisionRecord>) -> Admission {
    Admission { lease: Duration::ZERO, ..admission(n, decisions) }
}

pub(crate) fn redecision(n: u32, decisions: Vec<DecisionRecord>, replaces: &[Outcome]) -> Redecision {
    Redecision {
        event: id(n),
        signatures: Vec::new(),
        decisions: decisions.into_iter().map(Arc::new).collect(),
        replaces: replaces.iter().map(|outcome| (*outcome, None)).collect(),
        adds: true,
        unless_launched: false,
    }
}

pub(crate) fn run(name: &str) -> Run {
    Run {
        name: format!("projects/1/locations/us-central1/pipelineJobs/{name}"),
        console: format!("https://console.cloud.google.com/{name}"),
        state: Some("PIPELINE_STATE_PENDING".into()),
        end: None,
        error: None,
    }
}

pub(crate) fn attempt(fence: Fence, code: &str) -> AttemptRecord {
    let call = CallSummary { http_status: Some(200), code: code.into(), message: String::new() };
    AttemptRecord { fence, millis: 12, call }
}

pub(crate) fn launched(fence: Fence, name: &str) -> Progress {
    Progress::Launched { run: run(name), attempt: attempt(fence, "OK") }
}

pub(crate) fn later(fence: Fence, delay: Duration, not_accepted: bool) -> Progress {
    Progress::Later {
        outcome: Outcome::Retrying,
        reason: Reason::VertexUnavailable,
        message: "503".into(),
        delay,
        not_accepted,
        attempt: Some(attempt(fence, "UNAVAILABLE")),
    }
}

/// An end without a run and without a call.
pub(crate) fn ended(outcome: Outcome, reason: Option<Reason>) -> Progress {
    Progress::Ended { outcome, reason, message: "ended".into(), attempt: None }
}

pub(crate) fn failed(fence: Fence) -> Progress {
    Progress::Ended {
        outcome: Outcome::FailedLaunch,
        reason: Some(Reason::PermissionDenied),
        message: "run gcloud …".into(),
        attempt: Some(attempt(fence, "PERMISSION_DENIED")),
    }
}

pub(crate) fn replay(n: u32, why: &str) -> Command {
    Command { kind: CommandKind::Replay { event: id(n), force: true }, by: "alice".into(), why: why.into() }
}
