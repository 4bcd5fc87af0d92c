//! The gate: one delivery in, one recorded outcome out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use launchgate_outcome::{Check, Outcome, Reason};
use launchgate_statement::{EventId, Timestamp};
use launchgate_triggers::{Config, DecideOptions, Decision, TriggerName, Verdict};
use launchgate_trust::{BuildkiteKeys, Jwk, Jwks, Rejection, TrustInputs, VerifiedEvent, VerifiedSignature};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    Admission, Admitted, AuthenticatedReceipt, Claimed, DecisionRecord, EventRecord, Fence, Judgement, Known,
    ReceiptRecord, Redecided, Redecision, UnreadableDelivery,
    judge::{Decided, judge, judge_event},
    ports::{BuildkiteKeySource, Failures, Ledger, LedgerError, Vertex},
};

/// Bytes of a rejected body kept for people. Attackers choose this content, so it is bounded here and
/// escaped where it is shown; nothing may parse it again.
const KEPT_BODY: usize = 64 * 1024;

/// Rejected deliveries stored a minute by one instance; beyond it they are only counted, so that nobody
/// can fill the disk with garbage. Source: DESIGN §5.
const STORED_REJECTIONS_A_MINUTE: u64 = 600;

/// Calls to Vertex that one event makes at the same time.
const CALLS_AT_ONCE: usize = 8;

/// What a gate is made of.
pub struct GateParts {
    /// The reviewed file.
    pub config: Arc<Config>,
    /// The durable record.
    pub ledger: Arc<dyn Ledger>,
    /// Vertex AI.
    pub vertex: Arc<dyn Vertex>,
    /// Where failures are told.
    pub failures: Arc<dyn Failures>,
    /// What verifies keyless events.
    pub buildkite_keys: Arc<dyn BuildkiteKeySource>,
}

/// The gate. Cheap to clone; every clone is the same gate.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    parts: GateParts,
    rejections: Rejections,
}

/// The outcome of a delivery, recorded. Answer Pub/Sub with 204.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended, or where it durably waits.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// The event, when it is one.
    pub event: Option<EventId>,
    /// What each decision came to.
    pub decisions: Vec<(TriggerName, Outcome)>,
}

/// Nothing durable was decided: answer 503 and let Pub/Sub deliver again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("nothing was decided: {0}")]
pub struct NothingDecided(pub String);

impl From<LedgerError> for NothingDecided {
    fn from(error: LedgerError) -> Self {
        Self(error.to_string())
    }
}

impl Gate {
    /// A gate of these parts.
    pub fn new(parts: GateParts) -> Self {
        Self { inner: Arc::new(Inner { parts, rejections: Rejections::new() }) }
    }

    /// The reviewed file.
    pub fn config(&self) -> &Config {
        &self.inner.parts.config
    }

    /// The durable record.
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.inner.parts.ledger
    }

    /// Whether an access token for Vertex can be had; for `/readyz`.
    pub async fn vertex_ready(&self) -> Result<(), String> {
        self.vertex().ready().await.map_err(|error| error.to_string())
    }

    pub(crate) fn vertex(&self) -> &dyn Vertex {
        &*self.inner.parts.vertex
    }

    pub(crate) fn failures(&self) -> &dyn Failures {
        &*self.inner.parts.failures
    }

    /// How long a claim lasts: longer than the two calls (create, then fetch) an attempt may make, so that
    /// a live holder is never overtaken.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(u64::from(self.config().vertex.call_timeout_seconds) * 2 + 5)
    }

    /// Takes one delivery to its recorded outcome.
    ///
    /// Runs in a task of its own: a caller that disconnects (an HTTP handler is dropped with its
    /// connection) does not cut the work in half.
    ///
    /// # Errors
    /// `NothingDecided` when the ledger could not take it; redelivery is safe.
    pub async fn receive(&self, receipt: AuthenticatedReceipt) -> Result<Answer, NothingDecided> {
        let gate = self.clone();
        let work = tokio::spawn(async move { gate.take_in(receipt).await }.in_current_span());
        work.await.unwrap_or_else(|error| Err(NothingDecided(format!("the work stopped: {error}"))))
    }

    async fn take_in(&self, receipt: AuthenticatedReceipt) -> Result<Answer, NothingDecided> {
        let delivery = receipt.receipt();
        let options = DecideOptions::default();
        match self.judged(&delivery.data, delivery.publish_time, &[], options).await? {
            Judgement::Rejected(rejection) => self.reject(&receipt, rejection).await,
            Judgement::Decided(decided) => self.admit(&receipt, *decided).await,
        }
    }

    /// Judges with the keys at hand; where a token names one that is not among them, with keys fetched
    /// afresh. `kept` are those that verified this very event before; Buildkite may have rotated them away.
    ///
    /// # Errors
    /// `NothingDecided` when a key is wanted and Buildkite's keys cannot be fetched: that is no fault of the
    /// event, so it is never a rejection.
    pub(crate) async fn judged(
        &self,
        data: &[u8],
        published: Timestamp,
        kept: &[Jwk],
        options: DecideOptions,
    ) -> Result<Judgement, NothingDecided> {
        let ask =
            |buildkite_keys| judge(self.config(), data, TrustInputs { published, buildkite_keys }, options);
        let source = &self.inner.parts.buildkite_keys;
        let held = together(source.current(), kept);
        let wanted = match ask(held.as_deref().map_or(BuildkiteKeys::Missing, BuildkiteKeys::Held)) {
            Ok(judgement) => return Ok(judgement),
            Err(wanted) => wanted,
        };
        let fresh = source.refresh_for(&wanted.kid).await.map_err(|error| {
            tracing::error!(%error, "Buildkite's keys could not be fetched");
            NothingDecided(format!("Buildkite's keys could not be fetched: {error}"))
        })?;
        let fresh = together(Some(fresh), kept).unwrap_or_default();
        ask(BuildkiteKeys::Complete(&fresh)).map_err(|wanted| NothingDecided(wanted.to_string()))
    }

    /// Records a request by a proven sender that is no delivery.
    ///
    /// # Errors
    /// `NothingDecided` when the ledger could not take it.
    pub async fn refuse(&self, unreadable: UnreadableDelivery) -> Result<Answer, NothingDecided> {
        let UnreadableDelivery { sender, message_id, body, refusal } = unreadable;
        let record = ReceiptRecord {
            message_id: message_id.unwrap_or_default(),
            publish_time: None,
            subscription: None,
            sender: sender.name().to_owned(),
            outcome: refusal.outcome,
            reason: Some(refusal.reason),
            message: Some(refusal.message),
            event: None,
            checks: Vec::new(),
            body: Vec::new(),
        };
        self.store_rejection(record, &body).await
    }

    async fn reject(
        &self,
        receipt: &AuthenticatedReceipt,
        rejection: Rejection,
    ) -> Result<Answer, NothingDecided> {
        let Rejection { refusal, checks, digest } = rejection;
        let record = ReceiptRecord {
            outcome: refusal.outcome,
            reason: Some(refusal.reason),
            message: Some(refusal.message),
            event: digest.map(|digest| digest.id()),
            checks,
            ..receipt_record(receipt)
        };
        self.store_rejection(record, &receipt.receipt().data).await
    }

    async fn store_rejection(&self, record: ReceiptRecord, body: &[u8]) -> Result<Answer, NothingDecided> {
        let (outcome, reason) = (record.outcome, record.reason);
        let why = reason.map_or("", Reason::as_str);
        tracing::warn!(message_id = record.message_id, %outcome, reason = why, message = record.message, "rejected");
        if self.inner.rejections.may_store() {
            let body = body[..body.len().min(KEPT_BODY)].to_vec();
            self.ledger().record_receipt(ReceiptRecord { body, ..record }).await?;
        }
        Ok(Answer { outcome, reason, event: None, decisions: Vec::new() })
    }

    async fn admit(
        &self,
        receipt: &AuthenticatedReceipt,
        decided: Decided,
    ) -> Result<Answer, NothingDecided> {
        let Decided { event, decisions } = decided;
        let outcome = decisions.outcome();
        let published = receipt.receipt().publish_time;
        let id = event.id();
        let unmatched = decisions.decisions.is_empty().then(|| Reason::NoTriggerMatches.meaning().to_owned());
        let mut checks = event.checks().to_vec();
        for subject in &decisions.unmatched {
            for (trigger, rungs) in &subject.nearest {
                checks.extend(rungs.iter().cloned().map(|rung| Check {
                    name: format!("{trigger}/{}", rung.name),
                    detail:
                        rung.detail.or_else(|| Some(format!("nearest miss for {}", subject.artifact.name))),
                    ..rung
                }));
            }
        }
        let records: Vec<_> = decisions
            .decisions
            .into_iter()
            .map(|decision| Arc::new(self.decision_record(&event, decision)))
            .collect();
        // `interrupted` is what an intent is until more is recorded; the delivery itself was not.
        let reason = summed(&records).map_or(Some(Reason::NoTriggerMatches), |(_, reason)| reason);
        let reason = reason.filter(|reason| *reason != Reason::Interrupted);
        let admission = Admission {
            receipt: ReceiptRecord { outcome, reason, event: Some(id.clone()), ..receipt_record(receipt) },
            event: EventRecord {
                id: id.clone(),
                digest: event.digest(),
                first_published: published,
                data: receipt.receipt().data.to_vec(),
                signatures: event.signatures().to_vec(),
                build: event.statement().build.clone(),
                artifacts: event.statement().artifacts.clone(),
                checks,
                unmatched,
            },
            decisions: records.clone(),
            lease: self.lease(),
        };
        match self.ledger().admit(admission).await? {
            Admitted::New { now } => {
                let work = records.into_iter().map(|record| (record, Fence(1))).collect();
                Ok(self.launch_all(id, work, now).await)
            }
            Admitted::Known(known) => self.again(event, published, known).await,
        }
    }

    /// A later copy of a recorded event. One that brings a signer not yet in the union re-decides what ended
    /// for want of signers; everything else is a duplicate. Source: DESIGN §3, "Union of signers".
    async fn again(
        &self,
        event: VerifiedEvent,
        published: Timestamp,
        known: Known,
    ) -> Result<Answer, NothingDecided> {
        let id = event.id();
        let brings = |signature: &VerifiedSignature| {
            !known.signatures.iter().any(|old| old.signer == signature.signer)
        };
        if event.signatures().iter().any(brings) {
            let signatures = event.signatures().to_vec();
            let joined = event.joined(&known.signatures, &self.config().signers);
            if let Judgement::Decided(decided) =
                judge_event(self.config(), joined, published, DecideOptions::default())
            {
                let Decided { event, decisions } = *decided;
                let decisions = decisions.decisions.into_iter();
                let decisions: Vec<_> =
                    decisions.map(|decision| Arc::new(self.decision_record(&event, decision))).collect();
                let wanting = [Reason::SignerNotPermitted, Reason::ThresholdNotMet, Reason::FactNotVouched];
                let redecision = Redecision {
                    event: id.clone(),
                    signatures,
                    decisions: decisions.clone(),
                    replaces: wanting.map(|reason| (Outcome::DeniedPolicy, Some(reason))).into(),
                    lease: self.lease(),
                };
                let Redecided { written, now } = self.ledger().redecide(redecision).await?;
                let work = decisions.into_iter().filter_map(|decision| {
                    let (_, fence) =
                        written.iter().find(|(launch_id, _)| *launch_id == decision.launch_id)?;
                    Some((decision, *fence))
                });
                let work: Vec<_> = work.collect();
                if !work.is_empty() {
                    tracing::info!(event = %id, decisions = work.len(), "decided again with a new signer");
                    return Ok(self.launch_all(id, work, now).await);
                }
            }
        }
        tracing::info!(event = %id, first = %known.outcome, outcome = "duplicate", "duplicate");
        Ok(Answer { outcome: Outcome::Duplicate, reason: None, event: Some(id), decisions: Vec::new() })
    }

    /// Carries out the decisions that were just claimed. What fails here is durable already: the answer is
    /// 204 and the sweep goes on.
    async fn launch_all(
        &self,
        event: EventId,
        work: Vec<(Arc<DecisionRecord>, Fence)>,
        now: Timestamp,
    ) -> Answer {
        let done: Vec<(TriggerName, Outcome, Option<Reason>)> = stream::iter(work)
            .map(|(decision, fence)| async move {
                let trigger = decision.trigger.clone();
                if !decision.outcome.is_open() {
                    return (trigger, decision.outcome, decision.reason);
                }
                let claimed = Claimed { decision, fence, first_intent: now, unanswered_since: None, now };
                match self.work_on(claimed, false).await {
                    Ok(done) => (trigger, done.outcome, done.reason),
                    Err(error) => {
                        tracing::error!(%trigger, %error, "launch not recorded; the sweep will find it");
                        (trigger, Outcome::Retrying, Some(Reason::Interrupted))
                    }
                }
            })
            .buffered(CALLS_AT_ONCE)
            .collect()
            .await;
        let summed = done.iter().min_by_key(|(_, outcome, _)| *outcome);
        let (outcome, reason) = summed
            .map_or((Outcome::NoMatch, Some(Reason::NoTriggerMatches)), |(_, outcome, reason)| {
                (*outcome, *reason)
            });
        if outcome != Outcome::Launched {
            tracing::info!(%event, %outcome, reason = reason.map_or("", Reason::as_str), "decided");
        }
        let decisions = done.into_iter().map(|(trigger, outcome, _)| (trigger, outcome)).collect();
        Answer { outcome, reason, event: Some(event), decisions }
    }

    /// A decision as it is recorded before anything is sent.
    pub(crate) fn decision_record(&self, event: &VerifiedEvent, decision: Decision) -> DecisionRecord {
        let Decision { subject, sha256, trigger, ordinal, launch_id, verdict, checks, signers } = decision;
        let (outcome, reason, message, plan) = match verdict {
            Verdict::Launch(plan) => (Outcome::Retrying, Some(Reason::Interrupted), None, Some(*plan)),
            Verdict::Observe(plan) => (Outcome::Observed, None, None, Some(*plan)),
            Verdict::Paused => (Outcome::SkippedPaused, None, None, None),
            Verdict::Refused(refusal) => (refusal.outcome, Some(refusal.reason), Some(refusal.message), None),
        };
        DecisionRecord {
            launch_id,
            event: event.id(),
            subject,
            sha256,
            trigger,
            ordinal,
            outcome,
            reason,
            message,
            checks,
            plan,
            signers,
            config: self.config().digest,
            attempts: Vec::new(),
            run: None,
            by: None,
        }
    }
}

/// The keys at hand with those kept beside an event.
fn together(keys: Option<Arc<Jwks>>, kept: &[Jwk]) -> Option<Arc<Jwks>> {
    if kept.is_empty() {
        return keys;
    }
    let base = keys.as_deref().cloned().unwrap_or_default();
    match base.with(kept) {
        Ok(all) => Some(Arc::new(all)),
        Err(error) => {
            tracing::error!(%error, "a key kept with an event cannot be read");
            keys
        }
    }
}

/// What the decisions come to together, as recorded before anything is sent.
fn summed(records: &[Arc<DecisionRecord>]) -> Option<(Outcome, Option<Reason>)> {
    let first = records.iter().min_by_key(|record| record.outcome)?;
    Some((first.outcome, first.reason))
}

fn receipt_record(receipt: &AuthenticatedReceipt) -> ReceiptRecord {
    let delivery = receipt.receipt();
    ReceiptRecord {
        message_id: delivery.message_id.clone(),
        publish_time: Some(delivery.publish_time),
        subscription: delivery.subscription.clone(),
        sender: receipt.sender().name().to_owned(),
        outcome: Outcome::RejectedMalformed,
        reason: None,
        message: None,
        event: None,
        checks: Vec::new(),
        body: Vec::new(),
    }
}

/// Counts the rejections of the current minute.
struct Rejections {
    started: Instant,
    /// The minute since `started` in the upper half, its count in the lower.
    minute_and_count: AtomicU64,
}

impl Rejections {
    fn new() -> Self {
        Self { started: Instant::now(), minute_and_count: AtomicU64::new(0) }
    }

    fn may_store(&self) -> bool {
        let minute = self.started.elapsed().as_secs() / 60;
        let counted = self.minute_and_count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let count = if packed >> 32 == minute { packed & 0xFFFF_FFFF } else { 0 };
            Some(minute << 32 | (count + 1).min(0xFFFF_FFFF))
        });
        let packed = counted.unwrap_or_default();
        packed >> 32 != minute || packed & 0xFFFF_FFFF < STORED_REJECTIONS_A_MINUTE
    }
}
