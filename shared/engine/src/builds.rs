//! Buildkite's webhooks in, and the decisions that wait for them.
//!
//! Promises: facts are kept before anything is decided by them; a decision that waits is decided anew when
//! they come, whichever comes first, the event or the facts; one that waited in vain ends in
//! `denied_policy / build_facts_expired`. Does not: ask Buildkite (`reconcile` does).

use std::{collections::BTreeSet, sync::Arc};

use launchgate_outcome::{Check, CheckStatus, Outcome, Reason, Refusal};
use launchgate_statement::{EventId, Timestamp};
use launchgate_triggers::{DecideOptions, TriggerName, Verdict};
use launchgate_trust::{
    BuildFacts, BuildTold, BuildkiteKeys, VerifiedSignature, VerifiedWebhook, WebhookProof, WebhookTells,
};
use tracing::Instrument as _;

use crate::{
    Answer, AuthenticatedReceipt, BuildKey, Claimed, DecisionRecord, Durability, FactsKept, Gate, Judgement,
    NothingDecided, Progress, Redecided, Redecision, StoredEvent, UnheededBuild,
    buildkite_keys::kept_keys,
    judge::{Decided, judge_again, judge_event},
    launch::Work,
    ports::LedgerError,
};

/// What became of a webhook. Answer Pub/Sub with 204.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildAnswer {
    /// How it ended.
    pub end: BuildEnd,
    /// What the decisions that waited for it came to.
    pub decisions: Vec<(TriggerName, Outcome)>,
    /// What the events that it brought came to.
    pub events: Vec<Answer>,
}

impl BuildAnswer {
    fn without_events(end: BuildEnd, decisions: Resolved) -> Self {
        Self { end, decisions, events: Vec::new() }
    }
}

/// How a webhook ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEnd {
    /// Its facts were handed to the ledger.
    Facts(FactsKept),
    /// It tells of nothing that is used here; counted, not recorded.
    Unused,
    /// It is not believed, or not about a build of ours; recorded with the reason.
    Refused(Outcome, Reason),
}

impl BuildEnd {
    /// A stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Facts(FactsKept::Newest) => "kept",
            Self::Facts(FactsKept::Repeated) => "repeated",
            Self::Facts(FactsKept::Older) => "older",
            Self::Unused => "unused",
            Self::Refused(_, reason) => reason.as_str(),
        }
    }
}

/// What is known of an event's build beside the event, where that is needed from the start: an event that was made
/// of a webhook says little of its build, and the facts are there before it.
#[derive(Default)]
pub(crate) struct Beside {
    facts: Vec<BuildFacts>,
    named_before: Option<EventId>,
}

impl Beside {
    pub(crate) fn options(&self) -> DecideOptions<'_> {
        let named_before = self.named_before.as_ref();
        DecideOptions { build_facts: &self.facts, named_before, ..DecideOptions::default() }
    }
}

/// What a decision that waited came to.
type Resolved = Vec<(TriggerName, Outcome)>;

impl Gate {
    /// Takes one webhook, as the relay published it, to its end.
    ///
    /// Runs in a task of its own, as `receive` does.
    ///
    /// # Errors
    /// `NothingDecided` when the ledger could not take it; redelivery is safe.
    pub async fn receive_build(&self, receipt: AuthenticatedReceipt) -> Result<BuildAnswer, NothingDecided> {
        let gate = self.clone();
        let work = tokio::spawn(async move { gate.take_in_build(receipt).await }.in_current_span());
        work.await.unwrap_or_else(|error| Err(NothingDecided(format!("the work stopped: {error}"))))
    }

    async fn take_in_build(&self, receipt: AuthenticatedReceipt) -> Result<BuildAnswer, NothingDecided> {
        let message_id = receipt.receipt().message_id.clone();
        let BuildTold { facts, metadata } = match self.believed(&receipt) {
            Ok(WebhookTells::Build(told)) => *told,
            Ok(WebhookTells::Unused(event)) => {
                tracing::info!(message_id, event, "a webhook that is not used here");
                return Ok(BuildAnswer::without_events(BuildEnd::Unused, Vec::new()));
            }
            Err(refusal) => {
                let end = BuildEnd::Refused(refusal.outcome, refusal.reason);
                self.reject_delivery(&receipt, refusal).await?;
                return Ok(BuildAnswer::without_events(end, Vec::new()));
            }
        };
        let kept = self.ledger().keep_build_facts(facts.clone()).await?;
        let end = BuildEnd::Facts(kept.kept);
        tracing::info!(message_id, end = end.as_str(), "build facts");
        let mut answer = BuildAnswer::without_events(end, Vec::new());
        if let Some(unheeded) = kept.unheeded {
            // The facts are durable and marked: what fails from here on is taken up by the sweep.
            answer.decisions = self.heed(&unheeded).await.unwrap_or_else(|error| {
                tracing::error!(%error, "decisions that wait for these facts are left to the sweep");
                Vec::new()
            });
        }
        // After the facts, which what comes out of the meta-data may need. Older facts change nothing here: what
        // lies in the meta-data is of the build either way.
        if let Some(metadata) = metadata {
            let metadata =
                if metadata.is_told { Some(metadata) } else { self.fetched(&receipt, &facts).await? };
            if let Some(metadata) = metadata {
                answer.events = self.take_in_metadata(&receipt, &facts, &metadata).await?;
            }
        }
        Ok(answer)
    }

    /// What the webhook tells, if Buildkite signed it and it is about a build of the file's organization.
    fn believed(&self, receipt: &AuthenticatedReceipt) -> Result<WebhookTells, Refusal> {
        let receipt = receipt.receipt();
        let (Some(secrets), Some(buildkite)) = (self.webhook_secrets(), &self.config().buildkite) else {
            let message = "this gate has no webhook secret, so it believes no webhook";
            return Err(Refusal::new(Reason::WebhookSignature, message));
        };
        let header = receipt.buildkite_signature.as_deref();
        let header = header
            .ok_or_else(|| Refusal::new(Reason::WebhookHeader, "no attribute `buildkite-signature`"))?;
        let webhook = VerifiedWebhook::verify(header, &receipt.data, secrets, receipt.publish_time)
            .map_err(|error| Refusal::new(error.reason(), error.to_string()))?;
        let told = BuildFacts::read(&webhook)?;
        if let WebhookTells::Build(told) = &told
            && let facts = &told.facts
            && facts.build().organization.as_ref() != Some(&buildkite.organization)
        {
            let found = facts.build().organization.as_deref().unwrap_or("none");
            let message = format!("expected a build of {}, found one of {found}", buildkite.organization);
            return Err(Refusal::new(Reason::ForeignOrganization, message));
        }
        Ok(told)
    }

    /// Decides everything that waits for a build by its newest facts, and notes that it is done.
    pub(crate) async fn heed(&self, unheeded: &UnheededBuild) -> Result<Resolved, LedgerError> {
        let mut resolved = Vec::new();
        for event in self.ledger().waiting_for(&unheeded.build).await? {
            resolved.extend(self.decide_waiting(&event).await?);
        }
        self.ledger().build_heeded(unheeded).await?;
        Ok(resolved)
    }

    /// What the file says of an event once Buildkite's own word is laid beside it, if that is at hand.
    /// Without a decision that waits nothing is asked, and nothing would change.
    pub(crate) async fn beside_build_facts(
        &self,
        decided: Decided,
        published: Timestamp,
        options: DecideOptions<'_>,
    ) -> Result<Judgement, LedgerError> {
        let waits = |decided: &Decided| decided.decisions.decisions.iter().any(|one| is_wait(&one.verdict));
        let build = waits(&decided).then(|| BuildKey::of(&decided.event.statement().build)).flatten();
        let Some(build) = build else { return Ok(Judgement::Decided(Box::new(decided))) };
        let facts = self.ledger().build_facts(&build).await?;
        if facts.is_empty() {
            return Ok(Judgement::Decided(Box::new(decided)));
        }
        let options = DecideOptions { build_facts: &facts, ..options };
        Ok(judge_event(self.config(), decided.event, published, options))
    }

    /// What is known of the build of an event that was made of a webhook.
    pub(crate) async fn beside_webhook(&self, proof: &WebhookProof) -> Result<Beside, LedgerError> {
        let named_before = self.first_named(proof).await?;
        let facts = match BuildKey::of(proof.build()) {
            Some(build) => self.ledger().build_facts(&build).await?,
            None => Vec::new(),
        };
        Ok(Beside { facts, named_before })
    }

    /// The event in which the build of an event made by webhook named other artifacts before.
    pub(crate) async fn named_before(
        &self,
        signatures: &[VerifiedSignature],
    ) -> Result<Option<EventId>, LedgerError> {
        match signatures.iter().find_map(|signature| signature.webhook.as_deref()) {
            Some(proof) => self.first_named(proof).await,
            None => Ok(None),
        }
    }

    async fn first_named(&self, proof: &WebhookProof) -> Result<Option<EventId>, LedgerError> {
        let first = self.ledger().name_artifacts(proof.build_id(), proof.event()).await?;
        Ok((first != proof.event()).then(|| first.id()))
    }

    /// Looks once more at the facts after a decision that waits is durable: they may have come between the
    /// first look and the commit, and whoever kept them found nothing that waits.
    pub(crate) async fn look_again(&self, event: &EventId) -> Resolved {
        if self.config().ingress.builds.is_none() {
            return Vec::new();
        }
        self.decide_waiting(event).await.unwrap_or_else(|error| {
            tracing::error!(%event, %error, "what waits for build facts is looked at again when they come, or at its end");
            Vec::new()
        })
    }

    /// Decides anew what waits on an event, under today's file and by the facts at hand; launches what comes of
    /// it. Gives what no longer waits.
    pub(crate) async fn decide_waiting(&self, id: &EventId) -> Result<Resolved, LedgerError> {
        let Some(stored) = self.ledger().event(id).await? else { return Ok(Vec::new()) };
        let waiting: Vec<&DecisionRecord> =
            stored.decisions.iter().filter(|decision| decision.outcome == Outcome::WaitingBuild).collect();
        let Some(build) = BuildKey::of(&stored.event.build).filter(|_| !waiting.is_empty()) else {
            return Ok(Vec::new());
        };
        let facts = self.ledger().build_facts(&build).await?;
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let mut resolved = Vec::new();
        let ordinals: BTreeSet<u32> = waiting.iter().map(|decision| decision.ordinal).collect();
        for ordinal in ordinals {
            let mine: Vec<_> = waiting.iter().copied().filter(|one| one.ordinal == ordinal).collect();
            let decisions = self.decided_anew(&stored, &mine, &facts).await?;
            let redecision = Redecision {
                event: id.clone(),
                signatures: Vec::new(),
                decisions,
                replaces: vec![(Outcome::WaitingBuild, None)],
                adds: false,
                unless_launched: false,
            };
            let Redecided { written, .. } = self.ledger().redecide(redecision).await?;
            for decision in written {
                let (trigger, outcome, reason) = self.launch(Work::Recorded(decision)).await;
                let reason = reason.map_or("", Reason::as_str);
                tracing::info!(event = %id, %trigger, %outcome, reason, "decided by build facts");
                if outcome != Outcome::WaitingBuild {
                    resolved.push((trigger, outcome));
                }
            }
        }
        Ok(resolved)
    }

    /// What the decisions that wait (all of one ordinal) come to by these facts. What would wait on for the
    /// same reason is left out, so that its record and its deadline stay as they are.
    async fn decided_anew(
        &self,
        stored: &StoredEvent,
        waiting: &[&DecisionRecord],
        facts: &[BuildFacts],
    ) -> Result<Vec<Arc<DecisionRecord>>, LedgerError> {
        let ordinal = waiting.first().map_or(0, |decision| decision.ordinal);
        let max_age_met = waiting.iter().any(|decision| {
            let mut rungs = decision.checks.iter();
            rungs.any(|rung| rung.name == "require.maxAge" && rung.status == CheckStatus::Skipped)
        });
        let named_before = self.named_before(&stored.event.signatures).await?;
        let options =
            DecideOptions { ordinal, max_age_met, build_facts: facts, named_before: named_before.as_ref() };
        let ask = |keys: BuildkiteKeys<'_>| judge_again(self.config(), &stored.event, keys, options);
        let judged = self.with_buildkite_keys(&kept_keys(&stored.event.signatures), ask).await;
        let judged = judged.map_err(|undecided| LedgerError(undecided.to_string()))?;
        let (mut anew, unmatched) = match judged {
            Judgement::Rejected(rejection) => {
                let message =
                    format!("no signer of the event counts any more: {}", rejection.refusal.message);
                let refusal = Refusal::new(Reason::SignerRevoked, message);
                return Ok(waiting.iter().map(|old| ended(old, &refusal, None)).collect());
            }
            Judgement::Decided(decided) => {
                let Decided { event, decisions } = *decided;
                let records = decisions.decisions.into_iter().map(|one| self.decision_record(&event, one));
                (records.collect::<Vec<_>>(), decisions.unmatched)
            }
        };
        let records = waiting.iter().filter_map(|old| {
            let Some(index) = anew.iter().position(|new| new.launch_id == old.launch_id) else {
                let refusal = self.no_longer_matches(old);
                let rungs = unmatched
                    .iter()
                    .filter(|subject| {
                        subject.artifact.name == old.subject && subject.artifact.sha256 == old.sha256
                    })
                    .flat_map(|subject| &subject.nearest)
                    .find(|(trigger, _)| *trigger == old.trigger)
                    .map(|(_, rungs)| rungs.clone());
                return Some(ended(old, &refusal, rungs));
            };
            let new = DecisionRecord { by: old.by.clone(), ..anew.swap_remove(index) };
            let waits_on = new.outcome == Outcome::WaitingBuild && new.reason == old.reason;
            (!waits_on).then(|| Arc::new(new))
        });
        Ok(records.collect())
    }

    fn no_longer_matches(&self, old: &DecisionRecord) -> Refusal {
        let trigger = &old.trigger;
        if self.config().trigger(trigger.as_str()).is_none() {
            let message = format!("the trigger `{trigger}` is no longer in the file");
            return Refusal::new(Reason::TriggerRemoved, message);
        }
        let message = format!("by what Buildkite says of the build, `{trigger}` does not match it");
        Refusal::new(Reason::NoTriggerMatches, message)
    }

    /// Ends a decision that waited its time, after one last look at the facts.
    pub(crate) async fn expire(&self, claimed: &Claimed) -> Result<Outcome, LedgerError> {
        let decision = &claimed.decision;
        let resolved = self.look_again(&decision.event).await;
        if let Some((_, outcome)) = resolved.iter().find(|(trigger, _)| *trigger == decision.trigger) {
            return Ok(*outcome);
        }
        let why = decision.message.as_deref().unwrap_or("no build facts");
        let seconds = decision.wait_seconds.unwrap_or_default();
        let message = format!("waited {seconds} s in vain (`waitFor.build`): {why}");
        let ended = Progress::Ended {
            outcome: Outcome::DeniedPolicy,
            reason: Some(Reason::BuildFactsExpired),
            message,
            attempt: None,
        };
        let launch_id = &decision.launch_id;
        tracing::warn!(event = %decision.event, trigger = %decision.trigger, %launch_id, "build facts did not come in time");
        self.ledger().record(launch_id, claimed.fence, ended, Durability::Now).await?;
        Ok(Outcome::DeniedPolicy)
    }
}

fn is_wait(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Wait { .. })
}

/// The record of a decision that ends without having been made.
fn ended(old: &DecisionRecord, refusal: &Refusal, rungs: Option<Vec<Check>>) -> Arc<DecisionRecord> {
    Arc::new(DecisionRecord {
        outcome: refusal.outcome,
        reason: Some(refusal.reason),
        message: Some(refusal.message.clone()),
        checks: rungs.unwrap_or_else(|| old.checks.clone()),
        wait_seconds: None,
        ..old.clone()
    })
}
