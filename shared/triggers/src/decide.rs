//! From a verified event to decisions.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use launchgate_outcome::{Check, CheckStatus, Reason, Refusal};
use launchgate_statement::{Artifact, EventId, FactName, Timestamp};
use launchgate_trust::{BUILD_FACTS, BuildFacts, VerifiedEvent, VouchedFacts};

use crate::{
    Config, Decision, Decisions, LaunchId, LaunchPlan, MissedClause, Mode, NearMiss, Trigger, TriggerName,
    Unmatched, Verdict,
    build_word::{BuildReads, BuildWord, awaiting, is_left_to_buildkite},
    launch_id,
    launch_template::Asker,
    lazy_scope::LazyScope,
    requirements::{Evidence, Met, Requirements},
    turns::{Asking, KeyMaterial},
};

/// Near misses kept for a subject that nothing matches.
const NEAREST: usize = 3;

/// How to decide.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecideOptions<'f> {
    /// The replay ordinal of the launch ids.
    pub ordinal: u32,
    /// A replay: `maxAge` was met at first receipt and is not asked again.
    pub max_age_met: bool,
    /// What Buildkite itself says of builds, the newest first; facts of other builds do not count.
    pub build_facts: &'f [BuildFacts],
    /// For an event made of a webhook: the event in which its build named other artifacts before.
    pub named_before: Option<&'f EventId>,
}

/// Matches every subject against the triggers that its pipeline may concern, checks the requirements of those
/// that match, and plans. `published` is when Pub/Sub took the delivery in.
pub fn decide(
    config: &Config,
    event: &VerifiedEvent,
    published: Timestamp,
    options: DecideOptions<'_>,
) -> Decisions {
    let triggers = looked_at(config, event);
    let proofs = triggers.iter().map(|trigger| (trigger.require.signer_set, SetProof::default())).collect();
    let judge = Judge { config, event, published, options, proofs };
    let mut decisions = Decisions::default();
    let mut candidates = Vec::new();
    let mut near = BTreeSet::new();
    for artifact in &event.statement().artifacts {
        let before = candidates.len();
        let mut misses = Misses::default();
        for (place, trigger) in triggers.iter().enumerate() {
            match judge.meet(trigger, artifact) {
                Ok(candidate) => candidates.push((place, candidate)),
                Err(miss) => misses.add(place, miss),
            }
        }
        if candidates.len() == before {
            near.extend(std::mem::take(&mut misses.near));
            decisions.unmatched.push(Unmatched { artifact: artifact.clone(), nearest: misses.nearest() });
        }
    }
    decisions.matched = candidates.len();
    let matched: BTreeSet<usize> = candidates.iter().map(|(place, _)| *place).collect();
    decisions.near_misses = near
        .into_iter()
        .filter(|(place, _)| !matched.contains(place))
        .map(|(place, clause)| NearMiss { trigger: triggers[place].name.clone(), clause })
        .take(NearMiss::MAX)
        .collect();
    if !decisions.too_many() {
        decisions.decisions = candidates.into_iter().map(|(_, candidate)| judge.decide(candidate)).collect();
    }
    decisions
}

/// The triggers that may match the event; where there is none, those of pipelines called much like its own, for
/// people to see what was meant.
fn looked_at<'c>(config: &'c Config, event: &VerifiedEvent) -> Vec<&'c Trigger> {
    let claimed = event.statement().build.pipeline.as_deref();
    let vouched = event.signatures().iter().flat_map(|signature| {
        let token = signature.token.iter().map(|token| &token.build);
        let certificate = signature.certificate.iter().map(|certificate| &certificate.build);
        token.chain(certificate).filter_map(|build| build.pipeline.as_deref())
    });
    let mut found = config.pipelines.candidates(claimed.into_iter().chain(vouched));
    if found.is_empty() {
        found = config.pipelines.alike(claimed.unwrap_or_default());
    }
    found.into_iter().map(|place| &config.triggers[place]).collect()
}

struct Judge<'a> {
    config: &'a Config,
    event: &'a VerifiedEvent,
    published: Timestamp,
    options: DecideOptions<'a>,
    /// What the distinct `anyOf` lists of the triggers looked at prove of the event.
    proofs: BTreeMap<usize, SetProof>,
}

/// What one `anyOf` list proves of the event, once it is asked.
#[derive(Default)]
struct SetProof {
    facts: OnceCell<VouchedFacts>,
    /// The same together with Buildkite's own word, for triggers that need it.
    joined: OnceCell<VouchedFacts>,
}

impl Judge<'_> {
    /// Holds an artifact against a trigger's `match`.
    fn meet<'j>(&'j self, trigger: &'j Trigger, artifact: &'j Artifact) -> Result<Candidate<'j>, Miss<'j>> {
        let proof = self.proof(trigger);
        let matched = trigger.matching.clauses(proof.facts, &self.event.statement().build, artifact);
        let failed = matched.failed();
        let mut checks = matched.rungs;
        if failed > 0 {
            checks.extend(trigger.matching.when_not_reached());
            return Err(Miss { trigger, failed, checks });
        }
        let scope = LazyScope::new(self.event, artifact, proof.facts);
        let refusal = match self.when(trigger, &proof, matched.unvouched, &scope, &mut checks) {
            WhenSays::No => return Err(Miss { trigger, failed: 1, checks }),
            WhenSays::Refused(refusal) => Some(refusal),
            WhenSays::Yes => None,
        };
        Ok(Candidate { trigger, artifact, proof, scope, checks, refusal })
    }

    fn decide(&self, candidate: Candidate) -> Decision {
        let Candidate { trigger, artifact, proof, scope, mut checks, refusal } = candidate;
        let ordinal = self.options.ordinal;
        let launch_id =
            launch_id(self.event.digest(), &artifact.name, artifact.sha256, &trigger.name, ordinal);
        let verdict = match refusal {
            Some(refusal) => {
                trigger.require.not_reached(&proof.word, proof.facts, &mut checks);
                not_planned(trigger, &mut checks);
                Verdict::Refused(refusal)
            }
            None => self.verdict(trigger, artifact, &proof, &scope, &launch_id, &mut checks),
        };
        Decision {
            subject: artifact.name.clone(),
            sha256: artifact.sha256,
            trigger: trigger.name.clone(),
            ordinal,
            launch_id,
            artifact: match &verdict {
                Verdict::Launch(_) => {
                    let demand = trigger.require.demand(artifact, trigger.wait_for_artifact);
                    demand.and_then(Result::ok)
                }
                _ => None,
            },
            verdict,
            checks,
            signers: proof.facts.signers().to_vec(),
        }
    }

    /// What the trigger's permitted signers prove of the event, together with Buildkite's own word where the
    /// trigger needs that.
    fn proof(&self, trigger: &Trigger) -> Proof<'_> {
        let set = trigger.require.signer_set;
        let of_set = &self.proofs[&set];
        let facts = of_set.facts.get_or_init(|| self.event.facts(&self.config.signer_sets[set]));
        let word = BuildWord::look(
            &trigger.reads,
            trigger.require.asks_buildkite(),
            self.config.ingress.builds.is_some(),
            facts,
            &self.config.signers,
            self.options.build_facts,
        );
        let BuildWord::Said { facts: said, .. } = word else { return Proof { facts, word } };
        let joined = of_set.joined.get_or_init(|| {
            let mut joined = facts.clone();
            joined.add_build_facts(said);
            joined
        });
        Proof { facts: joined, word }
    }

    /// `match.when`. What cannot be evaluated does not launch, and says so.
    fn when(
        &self,
        trigger: &Trigger,
        proof: &Proof,
        unvouched: Option<FactName>,
        scope: &LazyScope,
        checks: &mut Vec<Check>,
    ) -> WhenSays {
        if !Requirements::permits(proof.facts) {
            // No permitted signer: nothing is vouched, so `when` has nothing to read. The requirement on
            // signers is the one that says why.
            if let Some(when) = &trigger.matching.when {
                let rung = Check::skipped("when").expected(when.source.clone());
                checks.push(rung.detail("no permitted signer vouches for anything it could read"));
            }
            return WhenSays::Yes;
        }
        if self.is_wanting(trigger, proof, unvouched) {
            // Buildkite's own word decides; the requirements say that it is waited for, or is another.
            if let Some(when) = &trigger.matching.when {
                checks.push(awaiting("when", when.source.clone()));
            }
            return WhenSays::Yes;
        }
        if let Some(fact) = unvouched {
            checks.extend(trigger.matching.when_not_reached());
            let name = fact.as_str();
            let clause = format!("match.{name}");
            if let Some(rung) = checks.iter_mut().find(|rung| rung.name == clause) {
                // It held, but by a claim alone: that is what refuses.
                rung.status = CheckStatus::Failed;
            }
            let message = format!(
                "match.{name} holds by the job's own word only; no permitted signer proves build.{name}"
            );
            return WhenSays::Refused(Refusal::new(Reason::FactNotVouched, message));
        }
        let Some(when) = &trigger.matching.when else { return WhenSays::Yes };
        let (passed, actual) = match when.expression.evaluate(scope.get()) {
            Ok(serde_json::Value::Bool(passed)) => (Some(passed), passed.to_string()),
            Ok(other) => (None, format!("{other}, which is neither true nor false")),
            Err(error) => (None, error.message),
        };
        let rung = if passed == Some(true) { Check::passed("when") } else { Check::failed("when") };
        checks.push(rung.expected(when.source.clone()).actual(actual.clone()));
        match passed {
            Some(true) => WhenSays::Yes,
            Some(false) => WhenSays::No,
            None => WhenSays::Refused(Refusal::new(Reason::WhenError, format!("match.when: {actual}"))),
        }
    }

    /// Whether a clause or `when` rests on what only Buildkite can prove, and its word is not at hand.
    fn is_wanting(&self, trigger: &Trigger, proof: &Proof, unvouched: Option<FactName>) -> bool {
        let left = |fact: FactName| is_left_to_buildkite(fact, proof.facts, &self.config.signers);
        let read = || {
            let when = trigger.matching.when.as_ref();
            when.is_some_and(|when| BuildReads::of_expression(&when.expression).facts.into_iter().any(left))
        };
        proof.word.is_wanting() && (unvouched.is_some_and(|fact| BUILD_FACTS.contains(&fact)) || read())
    }

    fn verdict(
        &self,
        trigger: &Trigger,
        artifact: &Artifact,
        proof: &Proof,
        scope: &LazyScope,
        launch_id: &LaunchId,
        checks: &mut Vec<Check>,
    ) -> Verdict {
        let evidence = Evidence {
            facts: proof.facts,
            word: proof.word,
            signers: &self.config.signers,
            claimed: &self.event.statement().build,
            artifact,
            wait_for_artifact: trigger.wait_for_artifact,
            published: self.published,
            max_age_met: self.options.max_age_met,
            named_before: self.options.named_before,
        };
        match trigger.require.check(&evidence, checks) {
            Met::All => {}
            Met::Awaiting(refusal) => {
                not_reached(trigger, checks);
                return Verdict::Wait { refusal, seconds: trigger.wait_for_build };
            }
            Met::Denied(refusal) => {
                not_planned(trigger, checks);
                return Verdict::Refused(refusal);
            }
        }
        // After the requirements: a replay of a paused decision does not ask for the age again, so an old
        // event must not become young by having been paused.
        if trigger.mode == Mode::Paused {
            checks.push(Check::skipped("parameters"));
            checks.push(Check::skipped("plan").detail("the trigger is paused"));
            trigger.turns.skipped("the trigger is paused", checks);
            return Verdict::Paused;
        }
        let plan = self.plan(trigger, scope, launch_id, checks);
        let plan = plan.inspect_err(|_| trigger.turns.not_reached(checks));
        match plan.and_then(|plan| self.under_conditions(plan, trigger, proof, artifact, checks)) {
            Ok(plan) if trigger.mode == Mode::Observe => Verdict::Observe(Box::new(plan)),
            Ok(plan) => Verdict::Launch(Box::new(plan)),
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    fn plan(
        &self,
        trigger: &Trigger,
        scope: &LazyScope,
        launch_id: &LaunchId,
        checks: &mut Vec<Check>,
    ) -> Result<LaunchPlan, Refusal> {
        let values = trigger.launch.values(scope).inspect_err(|refusal| {
            checks.push(Check::failed("parameters").actual(refusal.message.clone()));
            checks.push(Check::not_reached("plan"));
        })?;
        checks.push(Check::passed("parameters"));
        let event = self.event.id();
        let asker = Asker { launch_id, trigger: &trigger.name, event: &event };
        let plan = trigger.launch.plan(&values, scope, &asker).inspect_err(|refusal| {
            checks.push(Check::failed("plan").actual(refusal.message.clone()));
        })?;
        checks.push(Check::passed("plan").actual(format!("{} {}", plan.request.method, plan.request.path)));
        Ok(plan)
    }

    /// The plan with what the ledger has to find true before it becomes a launch.
    fn under_conditions(
        &self,
        plan: LaunchPlan,
        trigger: &Trigger,
        proof: &Proof,
        artifact: &Artifact,
        checks: &mut Vec<Check>,
    ) -> Result<LaunchPlan, Refusal> {
        let asking = match trigger.mode {
            Mode::Observe => Asking::Observes,
            _ if self.options.ordinal > 0 => Asking::Forced,
            _ => Asking::Asked,
        };
        let claimed = &self.event.statement().build;
        let material = KeyMaterial { trigger: &trigger.name, artifact, facts: proof.facts, claimed, asking };
        let conditions = trigger.turns.conditions(&material, checks)?;
        Ok(LaunchPlan { conditions, ..plan })
    }
}

/// A trigger and an artifact that belong together, before the requirements.
struct Candidate<'a> {
    trigger: &'a Trigger,
    artifact: &'a Artifact,
    proof: Proof<'a>,
    scope: LazyScope<'a>,
    checks: Vec<Check>,
    /// Why it ended already.
    refusal: Option<Refusal>,
}

/// A trigger whose `match` does not hold for an artifact.
struct Miss<'a> {
    trigger: &'a Trigger,
    /// How many clauses failed; never 0.
    failed: usize,
    checks: Vec<Check>,
}

/// What is kept of the misses of one artifact, however many there are.
#[derive(Default)]
struct Misses<'a> {
    /// Fewest failed clauses first, at most `NEAREST`.
    nearest: Vec<Miss<'a>>,
    /// Those that one clause alone kept from matching, by the trigger's place.
    near: Vec<(usize, MissedClause)>,
}

impl<'a> Misses<'a> {
    fn add(&mut self, place: usize, miss: Miss<'a>) {
        let is_failed = |check: &&Check| check.status == CheckStatus::Failed;
        if miss.failed == 1
            && let Some(rung) = miss.checks.iter().find(is_failed)
        {
            self.near.extend(MissedClause::of_rung(&rung.name).map(|clause| (place, clause)));
        }
        // Of two that are equally near the first one stays the first.
        let at = self.nearest.partition_point(|other| other.failed <= miss.failed);
        if at < NEAREST {
            self.nearest.insert(at, miss);
            self.nearest.truncate(NEAREST);
        }
    }

    fn nearest(self) -> Vec<(TriggerName, Vec<Check>)> {
        self.nearest.into_iter().map(|miss| (miss.trigger.name.clone(), miss.checks)).collect()
    }
}

/// What is proven of the event for one trigger.
struct Proof<'a> {
    facts: &'a VouchedFacts,
    word: BuildWord<'a>,
}

enum WhenSays {
    Yes,
    No,
    Refused(Refusal),
}

fn not_planned(trigger: &Trigger, checks: &mut Vec<Check>) {
    debug_assert!(checks.iter().any(|check| check.status == CheckStatus::Failed));
    not_reached(trigger, checks);
}

/// Everything after the requirements.
fn not_reached(trigger: &Trigger, checks: &mut Vec<Check>) {
    checks.push(Check::not_reached("parameters"));
    checks.push(Check::not_reached("plan"));
    trigger.turns.not_reached(checks);
}
