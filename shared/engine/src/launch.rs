//! Carrying out decisions that are durable: claimed, then sent.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{EventId, Timestamp};
use launchgate_triggers::TriggerName;

use crate::{Answer, Claim, Claimed, DecisionRecord, Fence, Gate};

/// Calls to Vertex that one event makes at the same time.
pub(crate) const CALLS_AT_ONCE: usize = 8;

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

impl Gate {
    /// Carries out what was just decided. What fails here is durable already: the answer is 204 and the
    /// sweep goes on.
    pub(crate) async fn launch_all(&self, event: EventId, work: Vec<Work>) -> Answer {
        let looking_ends = Self::looking_ends();
        let done: Vec<(TriggerName, Outcome, Option<Reason>)> = stream::iter(work)
            .map(|work| async move {
                match work {
                    Work::Recorded(waits) if waits.outcome == Outcome::WaitingArtifact => {
                        self.check_now(&waits, looking_ends).await
                    }
                    work => self.launch(work).await,
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
        Answer { outcome, reason, event: Some(event), decisions, near_misses: Vec::new() }
    }

    /// One decision: sent if it is open, else as it was recorded. What waits for its artifact is left to the
    /// sweep: whoever comes by here has other decisions to see to.
    pub(crate) async fn launch(&self, work: Work) -> (TriggerName, Outcome, Option<Reason>) {
        let decision = match &work {
            Work::Held { decision, .. } | Work::Recorded(decision) => decision.clone(),
        };
        let trigger = decision.trigger.clone();
        if !decision.is_launchable() {
            return (trigger, decision.outcome, decision.reason);
        }
        let interrupted = (Outcome::Retrying, Some(Reason::Interrupted));
        let claimed = match work {
            Work::Held { decision, now } => Ok(Claim::Held(Box::new(Claimed {
                decision,
                fence: Fence(1),
                first_intent: now,
                decided: now,
                unanswered_since: None,
                now,
            }))),
            Work::Recorded(decision) => self.ledger().claim(&decision.launch_id, self.lease()).await,
        };
        let done = match claimed {
            Ok(Claim::Held(claimed)) => {
                self.work_on(*claimed, false).await.map(|done| (done.outcome, done.reason))
            }
            Ok(Claim::Ended(decision)) => Ok((decision.outcome, decision.reason)),
            // The sweep was faster.
            Ok(Claim::Busy | Claim::Settled) => Ok(interrupted),
            Err(error) => Err(error),
        };
        let (outcome, reason) = done.unwrap_or_else(|error| {
            tracing::error!(%trigger, %error, "launch not recorded; the sweep will find it");
            interrupted
        });
        (trigger, outcome, reason)
    }
}
