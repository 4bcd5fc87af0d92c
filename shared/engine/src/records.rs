//! What the ledger keeps and gives back.

use std::{sync::Arc, time::Duration};

use launchgate_outcome::{Check, Outcome, Reason};
use launchgate_statement::{Artifact, Build, EventDigest, EventId, Sha256, Timestamp};
use launchgate_triggers::{ArtifactDemand, LaunchId, LaunchPlan, NearMiss, TriggerName};
use launchgate_trust::{SignerId, VerifiedSignature};
use serde::{Deserialize, Serialize};

use crate::RunEnd;

/// One delivery as the ledger keeps it. Never holds a token or a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptRecord {
    /// Pub/Sub's message id.
    pub message_id: String,
    /// When Pub/Sub took the message in; `None` for a delivery that does not say it (and is rejected).
    pub publish_time: Option<Timestamp>,
    /// The subscription that delivered it.
    pub subscription: Option<String>,
    /// Who pushed it.
    pub sender: String,
    /// How it ended. For a new event the event's own outcome counts; this says `launched` or whatever
    /// the decisions came to at admission.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// The sentence for people.
    pub message: Option<String>,
    /// The event it carried, when that much is known.
    pub event: Option<EventId>,
    /// The ladder of a rejected delivery; that of an event stands with the event.
    pub checks: Vec<Check>,
    /// The first 64 KiB of a rejected body; empty otherwise. Attackers choose this content: bounded here,
    /// escaped where it is shown, parsed nowhere.
    pub body: Vec<u8>,
}

/// One event as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its id.
    pub id: EventId,
    /// Its digest.
    pub digest: EventDigest,
    /// The publish time of the first receipt that a signer verified; every later verification uses it.
    pub first_published: Timestamp,
    /// The message data as it came, for replays.
    pub data: Vec<u8>,
    /// The union of the signers verified for it.
    pub signatures: Vec<VerifiedSignature>,
    /// What the statement says of its build.
    pub build: Build,
    /// Its artifacts.
    pub artifacts: Vec<Artifact>,
    /// The event's rungs: envelope, signatures, statement; for unmatched subjects the nearest misses.
    pub checks: Vec<Check>,
    /// Set when no trigger matches any subject.
    pub unmatched: Option<String>,
}

/// One decision as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// Its id; also the run's.
    pub launch_id: LaunchId,
    /// The event.
    pub event: EventId,
    /// The artifact's name.
    pub subject: String,
    /// The artifact's digest.
    pub sha256: Sha256,
    /// The trigger.
    pub trigger: TriggerName,
    /// The replay ordinal.
    pub ordinal: u32,
    /// Where it stands. A decision to launch is admitted as `retrying / interrupted`: that is what it is
    /// should the holder die before it records more.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// The sentence for people.
    pub message: Option<String>,
    /// Its rungs.
    pub checks: Vec<Check>,
    /// What is to be sent, unchanged, on every attempt.
    pub plan: Option<LaunchPlan>,
    /// The permitted signers it counted; each must still be in force before every later call.
    pub signers: Vec<SignerId>,
    /// The triggers file it was decided by.
    pub config: Sha256,
    /// The calls to Vertex so far, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// The run.
    pub run: Option<Run>,
    /// What must be found where the artifact lies before it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactDemand>,
    /// For how long it waits from when it was recorded, in seconds, when it is `waiting_build` or
    /// `waiting_artifact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u64>,
    /// Who asked for it, when it comes of a replay: the command's number and its author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl DecisionRecord {
    /// Whether there is something to send, or to follow up.
    pub fn is_launchable(&self) -> bool {
        self.outcome.is_open() && !matches!(self.outcome, Outcome::WaitingBuild | Outcome::WaitingArtifact)
    }
}

/// One call to Vertex and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The fence it was made under.
    pub fence: Fence,
    /// Milliseconds the call took.
    pub millis: u64,
    /// The answer.
    pub call: CallSummary,
}

/// The answer to one call, as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSummary {
    /// HTTP status, when there was an answer.
    pub http_status: Option<u16>,
    /// google.rpc code, `OK`, `ADOPTED`, or a word for what cut the call off.
    pub code: String,
    /// Google's text, or ours.
    pub message: String,
}

/// A run at Vertex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Full resource name.
    pub name: String,
    /// Where people look at it.
    pub console: String,
    /// Its state when last seen.
    pub state: Option<String>,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<RunEnd>,
    /// Why it did not succeed, in Vertex AI's words. They may quote what a job printed: escape before showing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A run that has not ended as far as anybody knows, to be looked at by the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowedRun {
    /// The decision that launched it.
    pub decision: DecisionRecord,
    /// Since when it is followed: since the launch was recorded, by the ledger's clock.
    pub since: Timestamp,
    /// How often it was seen going on.
    pub looks: u32,
    /// The ledger's clock now.
    pub now: Timestamp,
}

/// The number of a claim. A record is written only under the newest fence, so a holder that was paused
/// past its lease cannot overwrite what its successor wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// Everything of one new event, for one commit.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The delivery.
    pub receipt: ReceiptRecord,
    /// The event.
    pub event: EventRecord,
    /// Its decisions. Shared, since the caller goes on working with what the ledger writes.
    pub decisions: Vec<Arc<DecisionRecord>>,
    /// What one clause alone kept from matching; counted if the event is new.
    pub near_misses: Vec<NearMiss>,
    /// How many of the decisions that are open and hold a plan are claimed in the same commit (the first ones,
    /// fence 1): as many as the caller begins to send at once. The others are due and must be claimed one
    /// by one, each right before its call, so that a crash never makes an unsent one look sent.
    pub claim: usize,
    /// How long these claims last.
    pub lease: Duration,
}

impl Admission {
    /// What an event comes to by decisions of which nothing was sent yet: one to launch counts as launched.
    pub fn comes_to(decisions: &[Arc<DecisionRecord>]) -> (Outcome, Option<Reason>) {
        let stands = |decision: &Arc<DecisionRecord>| {
            // `interrupted` is what an intent is until more is recorded; the delivery itself was not.
            if decision.is_launchable() {
                (Outcome::Launched, None)
            } else {
                (decision.outcome, decision.reason)
            }
        };
        let first = decisions.iter().map(stands).min_by_key(|(outcome, _)| *outcome);
        first.unwrap_or((Outcome::NoMatch, Some(Reason::NoTriggerMatches)))
    }
}

/// What an admission came to.
#[derive(Clone, Debug)]
pub enum Admitted {
    /// The event is new and everything is durable.
    New {
        /// The ledger's clock at the admission; the first intent of every claimed decision.
        now: Timestamp,
        /// The decisions as they were recorded: those whose conditions are not met have ended.
        decisions: Vec<Arc<DecisionRecord>>,
    },
    /// The event was there; only the receipt was recorded, as `duplicate`.
    Known(Known),
}

/// What is known of an event that came again.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its outcome as it stands now.
    pub outcome: Outcome,
    /// The union of signers recorded for it.
    pub signatures: Vec<VerifiedSignature>,
    /// The first publish time recorded for it.
    pub first_published: Timestamp,
}

/// New decisions on a known event: a replay, or a signer that was not in the union yet.
#[derive(Clone, Debug)]
pub struct Redecision {
    /// The event.
    pub event: EventId,
    /// Signers to add to the union.
    pub signatures: Vec<VerifiedSignature>,
    /// The new decisions. One whose launch id is recorded with an outcome outside `replaces` is left
    /// alone; one that is replaced is kept in the decision's history.
    pub decisions: Vec<Arc<DecisionRecord>>,
    /// Which recorded outcomes (and, when given, reasons) may be replaced.
    pub replaces: Vec<(Outcome, Option<Reason>)>,
    /// Whether a decision whose launch id is not recorded is added; else only recorded ones are replaced.
    pub adds: bool,
    /// Leaves a decision alone while another ordinal of the same subject and trigger has a run, may have
    /// one, or is still open.
    pub unless_launched: bool,
}

/// What a redecision came to.
#[derive(Clone, Debug)]
pub struct Redecided {
    /// The decisions that were written, as they were recorded: those whose conditions are not met have ended.
    /// Those that are open are due at once and claimed by nobody.
    pub written: Vec<Arc<DecisionRecord>>,
    /// The union of signers as it now stands.
    pub signatures: Vec<VerifiedSignature>,
}

/// Asking for the right to work on a decision.
#[derive(Clone, Debug)]
pub enum Claim {
    /// The caller holds it.
    Held(Box<Claimed>),
    /// It was never sent, and its conditions no longer let it be: it has just ended, in the commit that would
    /// have been the claim.
    Ended(Arc<DecisionRecord>),
    /// Someone else holds a live lease.
    Busy,
    /// Nothing is open on it (or there is no such decision).
    Settled,
}

/// A decision in the caller's hands.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The decision as recorded.
    pub decision: Arc<DecisionRecord>,
    /// The fence to record under.
    pub fence: Fence,
    /// When this launch id was first meant to be launched, by the ledger's clock: no run of it is older.
    pub first_intent: Timestamp,
    /// When it was decided (anew, by a replay), by the ledger's clock: what its retries are counted from.
    pub decided: Timestamp,
    /// When an earlier claim began a call, or was about to, that never got a known answer, by the ledger's
    /// clock.
    pub unanswered_since: Option<Timestamp>,
    /// The ledger's clock at the claim.
    pub now: Timestamp,
}

/// What one attempt came to.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A run exists.
    Launched {
        /// The run.
        run: Run,
        /// The call.
        attempt: AttemptRecord,
    },
    /// Try again later. `outcome` is `retrying`, `waiting_quota`, `waiting_artifact` or `launch_unknown`.
    Later {
        /// Where it waits.
        outcome: Outcome,
        /// Why.
        reason: Reason,
        /// The sentence for people.
        message: String,
        /// How long to wait.
        delay: Duration,
        /// The call is known not to have been accepted: nothing unanswered is left behind.
        not_accepted: bool,
        /// The call, when one was made.
        attempt: Option<AttemptRecord>,
    },
    /// The end without a run. `failed_launch` is also to be told to the failures topic.
    Ended {
        /// Where it ended.
        outcome: Outcome,
        /// Why.
        reason: Option<Reason>,
        /// The sentence for people, with the fix.
        message: String,
        /// The call, when one was made.
        attempt: Option<AttemptRecord>,
    },
}

/// What follows from having looked at an artifact.
#[derive(Clone, Debug)]
pub enum CheckedArtifact {
    /// It is as it should be: the decision is `retrying / interrupted` from now on, what an intent is, under the
    /// same claim, which lasts this long from now.
    Launch {
        /// How long.
        lease: Duration,
    },
    /// The claim ends with this.
    Settled(Box<Progress>),
}

/// Whether what was seen of an artifact is recorded.
#[derive(Clone, Debug)]
pub enum CheckRecorded {
    /// Yes, at this instant of the ledger's clock.
    Yes(Timestamp),
    /// It would be launched, but a newer build was while the artifact was looked at: this is how it ended.
    Ended(Arc<DecisionRecord>),
    /// No: a newer fence exists.
    FenceLost,
}

/// Whether a record took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Yes (or it will, with the next commit).
    Yes,
    /// No: a newer fence exists.
    FenceLost,
}

/// When a record must be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before the answer.
    Now,
    /// It may ride with the next commit, at most 5 ms later, and the answer may come before. Sound only
    /// for a launched mark of a kind whose id is ours: should the mark be lost in a crash, the intent is
    /// durable, the sweep asks again, and `ALREADY_EXISTS` yields the same run.
    MayRide,
}

/// What an operator asks of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What.
    pub kind: CommandKind,
    /// Who, as the operating system or the console knows them.
    pub by: String,
    /// Why.
    pub why: String,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
#[non_exhaustive]
pub enum CommandKind {
    /// Decide a recorded event again under today's file.
    Replay {
        /// The event.
        event: EventId,
        /// Launch even where a run exists, under the next ordinal.
        force: bool,
    },
}

/// The number of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub i64);

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Its number.
    pub id: CommandId,
    /// What was asked.
    pub command: Command,
    /// When, by the ledger's clock.
    pub asked: Timestamp,
    /// What became of it; `None` while nobody has carried it out.
    pub result: Option<String>,
}

/// Which events to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only with a decision of this trigger.
    pub trigger: Option<String>,
    /// Only this pipeline.
    pub pipeline: Option<String>,
    /// At most this many.
    pub limit: usize,
    /// From where the last page ended.
    pub cursor: Option<String>,
}

/// One page of a listing, newest first; stable while new rows come in.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
}

/// One line of a listing: an event, or a rejected delivery (then `event` is what it claimed to be).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventSummary {
    /// The event, when that much is known.
    pub event: Option<EventId>,
    /// Pub/Sub's message id of the first delivery.
    pub message_id: String,
    /// When it was first recorded, by the ledger's clock.
    pub recorded: Timestamp,
    /// How it stands.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// Organization/pipeline and number, when known.
    pub build: Option<Build>,
    /// The triggers that decided.
    pub triggers: Vec<String>,
    /// The runs launched.
    pub runs: Vec<String>,
    /// Deliveries of it so far.
    pub receipts: u64,
}

/// Everything the ledger holds of one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The event.
    pub event: EventRecord,
    /// Its outcome as it stands now.
    pub outcome: Outcome,
    /// When it was recorded, by the ledger's clock.
    pub recorded: Timestamp,
    /// Its decisions, ordinals ascending.
    pub decisions: Vec<DecisionRecord>,
    /// What replays replaced, oldest first.
    pub history: Vec<DecisionRecord>,
    /// Its deliveries, oldest first.
    pub receipts: Vec<ReceiptRecord>,
}
