//! A later copy of a recorded event.

use std::sync::Arc;

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::Timestamp;
use launchgate_trust::{VerifiedEvent, VerifiedSignature};

use crate::{
    Answer, Gate, Judgement, Known, NothingDecided, Redecided, Redecision,
    builds::Beside,
    judge::{Decided, judge_event},
    launch::Work,
};

impl Gate {
    /// A later copy of a recorded event. One that brings a signer not yet in the union re-decides what ended
    /// for want of signers; everything else is a duplicate. Source: DESIGN §3, "Union of signers".
    pub(crate) async fn again(
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
        let beside = match event.webhook() {
            Some(proof) => self.beside_webhook(proof).await?,
            None => Beside::default(),
        };
        // Copies with other signers may come at the same time: whoever writes last sees all of them, and
        // judges again with those it had not known.
        let mut unseen = missing(&union, event.signatures());
        while unseen {
            let joined = event.clone().joined(&union, &self.config().signers);
            let judged = joined.signatures().to_vec();
            let options = beside.options();
            let Judgement::Decided(decided) = judge_event(self.config(), joined, published, options) else {
                break;
            };
            let Judgement::Decided(decided) = self.beside_build_facts(*decided, published, options).await?
            else {
                break;
            };
            let Decided { event: joined, decisions } = *decided;
            let decisions = decisions.decisions.into_iter();
            let decisions: Vec<_> =
                decisions.map(|decision| Arc::new(self.decision_record(&joined, decision))).collect();
            let wanting = [Reason::SignerNotPermitted, Reason::ThresholdNotMet, Reason::FactNotVouched];
            let wanting = wanting.map(|reason| (Outcome::DeniedPolicy, Some(reason)));
            // A new signer may vouch for what another left to Buildkite's own word.
            let open = [(Outcome::WaitingBuild, None)];
            let redecision = Redecision {
                event: id.clone(),
                signatures: event.signatures().to_vec(),
                decisions,
                replaces: wanting.into_iter().chain(open).collect(),
                adds: false,
                unless_launched: false,
            };
            let Redecided { written, signatures } = self.ledger().redecide(redecision).await?;
            work.extend(written);
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
                near_misses: Vec::new(),
            });
        }
        tracing::info!(event = %id, decisions = work.len(), "decided again with a new signer");
        Ok(self.launch_all(id, work.into_iter().map(Work::Recorded).collect()).await)
    }
}
