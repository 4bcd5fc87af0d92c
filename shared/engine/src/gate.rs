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
use launchgate_statement::{Envelope, EventId, Timestamp};
use launchgate_triggers::{Config, DecideOptions, Decision, LaunchId, TriggerName, Verdict};
use launchgate_trust::{
    BuildkiteKeys, Jwk, Jwks, KeyWanted, Rejection, TrustInputs, VerifiedEvent, VerifiedSignature,
};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    Admission, Admitted, AuthenticatedReceipt, Claim, Claimed, DecisionRecord, EventRecord, Fence, Judgement,
    Known, ReceiptRecord, Redecided, Redecision, UnreadableDelivery,
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
        let ask = |buildkite_keys: BuildkiteKeys<'_>| {
            let inputs = TrustInputs { published: delivery.publish_time, buildkite_keys };
            judge(self.config(), &delivery.data, inputs, DecideOptions::default())
        };
        let held = self.inner.parts.buildkite_keys.current();
        let judged = match ask(held.as_deref().map_or(BuildkiteKeys::Missing, BuildkiteKeys::Held)) {
            Ok(judged) => judged,
            // A copy that comes again after Buildkite rotated its keys (a seek) is verified as the first was.
            Err(_) => self.with_buildkite_keys(&self.kept_keys(&delivery.data).await?, ask).await?,
        };
        match judged {
            Judgement::Rejected(rejection) => self.reject(&receipt, rejection).await,
            Judgement::Decided(decided) => self.admit(&receipt, *decided).await,
        }
    }

    /// The keys that verified the recorded event in `data`; none when it is not recorded.
    async fn kept_keys(&self, data: &[u8]) -> Result<Vec<Jwk>, NothingDecided> {
        let Ok(envelope) = Envelope::parse(data) else { return Ok(Vec::new()) };
        let stored = self.ledger().event(&envelope.event_digest().id()).await?;
        Ok(stored.map(|stored| kept_keys(&stored.event.signatures)).unwrap_or_default())
    }

    /// What `ask` answers with the keys at hand; where a token names one that is not among them, with keys
    /// fetched afresh. `kept` are those that verified this very event before; Buildkite may have rotated
    /// them away.
    ///
    /// # Errors
    /// `NothingDecided` when a key is wanted and Buildkite's keys cannot be fetched: that is no fault of the
    /// event, so it is never a rejection.
    pub(crate) async fn with_buildkite_keys(
        &self,
        kept: &[Jwk],
        ask: impl Fn(BuildkiteKeys<'_>) -> Result<Judgement, KeyWanted> + Send + Sync,
    ) -> Result<Judgement, NothingDecided> {
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
            claim: CALLS_AT_ONCE,
            lease: self.lease(),
        };
        match self.ledger().admit(admission).await? {
            Admitted::New { now } => {
                let mut claimed = 0;
                let work = records.into_iter().map(|decision| {
                    let held = decision.outcome.is_open() && claimed < CALLS_AT_ONCE;
                    claimed += usize::from(held);
                    if held { Work::Held { decision, now } } else { Work::Recorded(decision) }
                });
                Ok(self.launch_all(id, work.collect()).await)
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
        let missing = |from: &[VerifiedSignature], of: &[VerifiedSignature]| {
            of.iter().any(|signature| from.iter().all(|other| other.signer != signature.signer))
        };
        let mut union = known.signatures;
        let mut work = Vec::new();
        // Copies with other signers may come at the same time: whoever writes last sees all of them, and
        // judges again with those it had not known.
        let mut unseen = missing(&union, event.signatures());
        while unseen {
            let joined = event.clone().joined(&union, &self.config().signers);
            let judged = joined.signatures().to_vec();
            let Judgement::Decided(decided) =
                judge_event(self.config(), joined, published, DecideOptions::default())
            else {
                break;
            };
            let Decided { event: joined, decisions } = *decided;
            let decisions = decisions.decisions.into_iter();
            let decisions: Vec<_> =
                decisions.map(|decision| Arc::new(self.decision_record(&joined, decision))).collect();
            let wanting = [Reason::SignerNotPermitted, Reason::ThresholdNotMet, Reason::FactNotVouched];
            let redecision = Redecision {
                event: id.clone(),
                signatures: event.signatures().to_vec(),
                decisions: decisions.clone(),
                replaces: wanting.map(|reason| (Outcome::DeniedPolicy, Some(reason))).into(),
                adds: false,
                unless_launched: false,
            };
            let Redecided { written, signatures } = self.ledger().redecide(redecision).await?;
            work.extend(decisions.into_iter().filter(|decision| written.contains(&decision.launch_id)));
            unseen = missing(&judged, &signatures) && signatures.len() > union.len();
            union = signatures;
        }
        if work.is_empty() {
            tracing::info!(event = %id, first = %known.outcome, outcome = "duplicate", "duplicate");
            return Ok(Answer {
                outcome: Outcome::Duplicate,
                reason: None,
                event: Some(id),
                decisions: Vec::new(),
            });
        }
        tracing::info!(event = %id, decisions = work.len(), "decided again with a new signer");
        Ok(self.launch_all(id, work.into_iter().map(Work::Recorded).collect()).await)
    }

    /// Carries out what was just decided. What fails here is durable already: the answer is 204 and the
    /// sweep goes on.
    async fn launch_all(&self, event: EventId, work: Vec<Work>) -> Answer {
        let done: Vec<(TriggerName, Outcome, Option<Reason>)> =
            stream::iter(work).map(|work| self.launch(work)).buffered(CALLS_AT_ONCE).collect().await;
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

    /// One decision: sent if it is open, else as it was recorded.
    pub(crate) async fn launch(&self, work: Work) -> (TriggerName, Outcome, Option<Reason>) {
        let decision = match &work {
            Work::Held { decision, .. } | Work::Recorded(decision) => decision.clone(),
        };
        let trigger = decision.trigger.clone();
        if !decision.outcome.is_open() {
            return (trigger, decision.outcome, decision.reason);
        }
        let interrupted = (Outcome::Retrying, Some(Reason::Interrupted));
        let claimed = match work {
            Work::Held { decision, now } => Ok(Some(Claimed {
                decision,
                fence: Fence(1),
                first_intent: now,
                decided: now,
                unanswered_since: None,
                now,
            })),
            Work::Recorded(decision) => self.claim_now(&decision.launch_id).await,
        };
        let done = match claimed {
            Ok(Some(claimed)) => self.work_on(claimed, false).await.map(|done| (done.outcome, done.reason)),
            // The sweep was faster.
            Ok(None) => Ok(interrupted),
            Err(error) => Err(error),
        };
        let (outcome, reason) = done.unwrap_or_else(|error| {
            tracing::error!(%trigger, %error, "launch not recorded; the sweep will find it");
            interrupted
        });
        (trigger, outcome, reason)
    }

    async fn claim_now(&self, launch_id: &LaunchId) -> Result<Option<Claimed>, LedgerError> {
        match self.ledger().claim(launch_id, self.lease()).await? {
            Claim::Held(claimed) => Ok(Some(*claimed)),
            Claim::Busy | Claim::Settled => Ok(None),
        }
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

/// The keys of Buildkite's that are kept with these signatures.
pub(crate) fn kept_keys(signatures: &[VerifiedSignature]) -> Vec<Jwk> {
    signatures
        .iter()
        .filter_map(|signature| signature.token.as_ref())
        .map(|token| token.key.clone())
        .collect()
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

/// A decision to carry out.
pub(crate) enum Work {
    /// Claimed with its admission, fence 1.
    Held {
        decision: Arc<DecisionRecord>,
        /// The ledger's clock at the admission.
        now: Timestamp,
    },
    /// Recorded; claimed right before its call if it is open.
    Recorded(Arc<DecisionRecord>),
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
