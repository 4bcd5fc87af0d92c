//! The gate: one delivery in, one recorded outcome out.

use std::{sync::Arc, time::Duration};

use launchgate_outcome::{Check, Outcome, Reason, Refusal};
use launchgate_statement::EventId;
use launchgate_triggers::{Config, Decision, NearMiss, TriggerName, Verdict};
use launchgate_trust::{BuildkiteKeys, Carrier, Rejection, TrustInputs, VerifiedEvent, WebhookSecrets};
use tracing::Instrument as _;

use crate::{
    Admission, Admitted, AuthenticatedReceipt, DecisionRecord, EventRecord, Judgement, ReceiptRecord,
    UnreadableDelivery,
    builds::Beside,
    judge::{Decided, judge_carried},
    launch::{CALLS_AT_ONCE, Work},
    ports::{ArtifactCheck, BuildkiteApi, BuildkiteKeySource, Failures, Ledger, LedgerError, Vertex},
    reconcile::Asking,
    rejections::Rejections,
};

/// Bytes of a rejected body kept for people. Attackers choose this content, so it is bounded here and
/// escaped where it is shown; nothing may parse it again.
const KEPT_BODY: usize = 64 * 1024;

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
    /// What looks at artifacts where they lie.
    pub artifacts: Arc<dyn ArtifactCheck>,
    /// What verifies keyless events.
    pub buildkite_keys: Arc<dyn BuildkiteKeySource>,
    /// What verifies Buildkite's webhooks; without it none is believed.
    pub webhook_secrets: Option<WebhookSecrets>,
    /// Who is asked about what Buildkite's webhooks did not bring; without it nobody is.
    pub buildkite_api: Option<Arc<dyn BuildkiteApi>>,
}

/// The gate. Cheap to clone; every clone is the same gate.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    parts: GateParts,
    rejections: Rejections,
    asking: Asking,
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
    /// What one clause alone kept from matching, if the event is new.
    pub near_misses: Vec<NearMiss>,
}

impl Answer {
    /// Lays over it what decisions that waited came to in the meantime.
    fn decided_anew(&mut self, resolved: Vec<(TriggerName, Outcome)>) {
        if resolved.is_empty() {
            return;
        }
        for (trigger, outcome) in resolved {
            self.decisions.retain(|(known, was)| !(*known == trigger && *was == Outcome::WaitingBuild));
            self.decisions.push((trigger, outcome));
        }
        if self.outcome == Outcome::WaitingBuild {
            let first = self.decisions.iter().map(|(_, outcome)| *outcome).min();
            (self.outcome, self.reason) = (first.unwrap_or(self.outcome), None);
        }
    }
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
        Self { inner: Arc::new(Inner { parts, rejections: Rejections::new(), asking: Asking::default() }) }
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

    /// The service accounts that no token can be had of, each with the reason.
    pub async fn accounts_without_token(&self) -> Vec<String> {
        self.vertex().without_token().await
    }

    pub(crate) fn vertex(&self) -> &dyn Vertex {
        &*self.inner.parts.vertex
    }

    pub(crate) fn artifacts(&self) -> &dyn ArtifactCheck {
        &*self.inner.parts.artifacts
    }

    pub(crate) fn buildkite_keys(&self) -> &dyn BuildkiteKeySource {
        &*self.inner.parts.buildkite_keys
    }

    pub(crate) fn webhook_secrets(&self) -> Option<&WebhookSecrets> {
        self.inner.parts.webhook_secrets.as_ref()
    }

    pub(crate) fn buildkite_api(&self) -> Option<&dyn BuildkiteApi> {
        self.inner.parts.buildkite_api.as_deref()
    }

    pub(crate) fn asking(&self) -> &Asking {
        &self.inner.asking
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
        let work = async move { gate.take_in(&receipt, Carrier::Message).await };
        tokio::spawn(work.in_current_span())
            .await
            .unwrap_or_else(|error| Err(NothingDecided(format!("the work stopped: {error}"))))
    }

    /// The work of `receive`, for a delivery or for what another delivery carried.
    pub(crate) async fn take_in(
        &self,
        receipt: &AuthenticatedReceipt,
        carrier: Carrier<'_>,
    ) -> Result<Answer, NothingDecided> {
        let delivery = receipt.receipt();
        let beside = match carrier {
            Carrier::Webhook(proof) => self.beside_webhook(proof).await?,
            Carrier::Message | Carrier::Metadata(_) | Carrier::Recorded(_) => Beside::default(),
        };
        let ask = |buildkite_keys: BuildkiteKeys<'_>| {
            let inputs = TrustInputs { published: delivery.publish_time, buildkite_keys };
            judge_carried(self.config(), &delivery.data, inputs, carrier, beside.options())
        };
        let held = self.buildkite_keys().current();
        let judged = match ask(held.as_deref().map_or(BuildkiteKeys::Missing, BuildkiteKeys::Held)) {
            Ok(judged) => judged,
            // A copy that comes again after Buildkite rotated its keys (a seek) is verified as the first was.
            Err(_) => self.with_buildkite_keys(&self.kept_keys(&delivery.data).await?, ask).await?,
        };
        let judged = match judged {
            Judgement::Decided(decided) => {
                let published = receipt.receipt().publish_time;
                self.beside_build_facts(*decided, published, beside.options()).await?
            }
            rejected @ Judgement::Rejected(_) => rejected,
        };
        match judged {
            Judgement::Rejected(rejection) => self.reject(receipt, rejection).await,
            Judgement::Decided(decided) => self.admit(receipt, *decided).await,
        }
    }

    /// Records a delivery that is not what its route takes in.
    pub(crate) async fn reject_delivery(
        &self,
        receipt: &AuthenticatedReceipt,
        refusal: Refusal,
    ) -> Result<Answer, NothingDecided> {
        let record = ReceiptRecord {
            outcome: refusal.outcome,
            reason: Some(refusal.reason),
            message: Some(refusal.message),
            ..receipt_record(receipt)
        };
        self.store_rejection(record, &receipt.receipt().data).await
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
        Ok(Answer { outcome, reason, event: None, decisions: Vec::new(), near_misses: Vec::new() })
    }

    async fn admit(
        &self,
        receipt: &AuthenticatedReceipt,
        decided: Decided,
    ) -> Result<Answer, NothingDecided> {
        let Decided { event, decisions } = decided;
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
        let (outcome, reason) = Admission::comes_to(&records);
        let near_misses = decisions.near_misses;
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
            decisions: records,
            near_misses: near_misses.clone(),
            claim: CALLS_AT_ONCE,
            lease: self.lease(),
        };
        match self.ledger().admit(admission).await? {
            Admitted::New { now, decisions } => {
                let mut claimed = 0;
                let waits = decisions.iter().any(|decision| decision.outcome == Outcome::WaitingBuild);
                let work = decisions.into_iter().map(|decision| {
                    let held = decision.is_launchable() && claimed < CALLS_AT_ONCE;
                    claimed += usize::from(held);
                    if held { Work::Held { decision, now } } else { Work::Recorded(decision) }
                });
                let mut answer = self.launch_all(id.clone(), work.collect()).await;
                answer.near_misses = near_misses;
                if waits {
                    answer.decided_anew(self.look_again(&id).await);
                }
                Ok(answer)
            }
            Admitted::Known(known) => {
                let mut answer = self.again(event, published, known).await?;
                // The first copy may have been cut off between its commit and its second look.
                answer.decided_anew(self.look_again(&id).await);
                Ok(answer)
            }
        }
    }

    /// A decision as it is recorded before anything is sent.
    pub(crate) fn decision_record(&self, event: &VerifiedEvent, decision: Decision) -> DecisionRecord {
        let Decision { subject, sha256, trigger, ordinal, launch_id, verdict, checks, signers, artifact } =
            decision;
        let wait_seconds = match &verdict {
            Verdict::Wait { seconds, .. } => Some(*seconds),
            _ => artifact.as_ref().map(|demand| demand.wait_seconds),
        };
        let (outcome, reason, message, plan) = match verdict {
            Verdict::Launch(plan) if artifact.is_some() => {
                let message = "waits for the artifact to be looked at".to_owned();
                let reason = Some(Reason::ArtifactCheckPending);
                (Outcome::WaitingArtifact, reason, Some(message), Some(*plan))
            }
            Verdict::Launch(plan) => (Outcome::Retrying, Some(Reason::Interrupted), None, Some(*plan)),
            Verdict::Observe(plan) => (Outcome::Observed, None, None, Some(*plan)),
            Verdict::Paused => (Outcome::SkippedPaused, None, None, None),
            Verdict::Wait { refusal, .. } | Verdict::Refused(refusal) => {
                (refusal.outcome, Some(refusal.reason), Some(refusal.message), None)
            }
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
            artifact,
            wait_seconds,
            by: None,
        }
    }
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
