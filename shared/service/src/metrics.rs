//! What the service counts. Labels come from the reviewed file and from stable codes only, so their number
//! is bounded and no payload text shows.

use std::time::Duration;

use launchgate_engine::{Answer, ArtifactReport, BuildAnswer, BuildEnd, RunAnswer, SweepReport};
use launchgate_outcome::{Outcome, Reason};
use launchgate_triggers::{SignerDates, TriggerName};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReceiptLabels {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    trigger: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NearMissLabels {
    trigger: String,
    clause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    end: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QuestionLabels {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    answer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignerLabels {
    signer: String,
}

/// The service's metrics.
pub(crate) struct Metrics {
    registry: Registry,
    receipts: Family<ReceiptLabels, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    near_misses: Family<NearMissLabels, Counter>,
    webhooks: Family<WebhookLabels, Counter>,
    questions: Family<QuestionLabels, Counter>,
    run_entries: Family<RunLabels, Counter>,
    seconds: Histogram,
    pub(crate) in_flight: Gauge,
    shed: Counter,
    undecided: Counter,
    sweeps: Counter,
    swept: Counter,
}

impl Metrics {
    /// `signers` are those of the file that is served; they do not change while the process lives.
    pub(crate) fn new(signers: &[SignerDates]) -> Self {
        let mut registry = Registry::with_prefix("launchgate");
        register_dates(&mut registry, signers);
        let receipts = Family::default();
        registry.register("receipts", "Deliveries by outcome and reason", receipts.clone());
        let decisions = Family::default();
        registry.register("decisions", "Decisions of deliveries by trigger and outcome", decisions.clone());
        let near_misses = Family::default();
        registry.register(
            "near_misses",
            "Events that a trigger would have matched but for one clause, by trigger and clause",
            near_misses.clone(),
        );
        let webhooks = Family::default();
        registry.register(
            "webhooks",
            "Buildkite's webhooks: kept, repeated, older, unused, or why refused",
            webhooks.clone(),
        );
        let questions = Family::default();
        registry.register(
            "questions",
            "Questions of jobs about their events, by HTTP status",
            questions.clone(),
        );
        let run_entries = Family::default();
        registry.register(
            "run_entries",
            "Log entries on runs: how the run stands, not_followed, later, or what else they are",
            run_entries.clone(),
        );
        let seconds = Histogram::new([
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        ]);
        registry.register("push_seconds", "Time from request to answer", seconds.clone());
        let in_flight = Gauge::default();
        registry.register("in_flight", "Deliveries being worked on", in_flight.clone());
        let shed = Counter::default();
        registry.register(
            "shed",
            "Deliveries refused with 503 because too many were in flight",
            shed.clone(),
        );
        let undecided = Counter::default();
        registry.register(
            "undecided",
            "Deliveries answered 503 because nothing durable was decided",
            undecided.clone(),
        );
        let sweeps = Counter::default();
        registry.register("sweeps", "Sweeps completed", sweeps.clone());
        let swept = Counter::default();
        registry.register("swept", "Decisions taken up by sweeps", swept.clone());
        Self {
            registry,
            receipts,
            decisions,
            near_misses,
            webhooks,
            questions,
            run_entries,
            seconds,
            in_flight,
            shed,
            undecided,
            sweeps,
            swept,
        }
    }

    pub(crate) fn answered(&self, answer: &Answer, took: Duration) {
        self.receipt(answer.outcome, answer.reason);
        self.decided(&answer.decisions);
        for miss in &answer.near_misses {
            let labels = NearMissLabels { trigger: miss.trigger.to_string(), clause: miss.clause.as_str() };
            self.near_misses.get_or_create(&labels).inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }

    /// A webhook, what the decisions that waited for it came to, and the events that it brought.
    pub(crate) fn told(&self, answer: &BuildAnswer, took: Duration) {
        self.webhooks.get_or_create(&WebhookLabels { end: answer.end.as_str() }).inc();
        if let BuildEnd::Refused(outcome, reason) = answer.end {
            self.receipt(outcome, Some(reason));
        }
        self.decided(&answer.decisions);
        for event in &answer.events {
            self.receipt(event.outcome, event.reason);
            self.decided(&event.decisions);
        }
        self.seconds.observe(took.as_secs_f64());
    }

    /// A log entry on a run and what a look at that run found.
    pub(crate) fn hinted(&self, answer: RunAnswer, took: Duration) {
        self.run_entries.get_or_create(&RunLabels { answer: answer.as_str() }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    fn decided(&self, decisions: &[(TriggerName, Outcome)]) {
        for (trigger, outcome) in decisions {
            let labels = DecisionLabels { trigger: trigger.to_string(), outcome: outcome.as_str() };
            self.decisions.get_or_create(&labels).inc();
        }
    }

    pub(crate) fn receipt(&self, outcome: Outcome, reason: Option<Reason>) {
        let labels = ReceiptLabels { outcome: outcome.as_str(), reason: reason.map_or("", Reason::as_str) };
        self.receipts.get_or_create(&labels).inc();
    }

    /// A job asked; the answer's HTTP status is one of a handful.
    pub(crate) fn asked(&self, status: u16) {
        self.questions.get_or_create(&QuestionLabels { status }).inc();
    }

    pub(crate) fn shed(&self) {
        self.shed.inc();
    }

    pub(crate) fn undecided(&self) {
        self.undecided.inc();
    }

    pub(crate) fn swept(&self, report: &SweepReport) {
        self.sweeps.inc();
        self.swept.inc_by(u64::try_from(report.taken_up).unwrap_or(u64::MAX));
    }

    /// Artifacts looked at; launches of theirs count as taken up like any other.
    pub(crate) fn checked(&self, report: &ArtifactReport) {
        self.swept.inc_by(u64::try_from(report.looked_at).unwrap_or(u64::MAX));
    }

    /// The Prometheus text format (`OpenMetrics`).
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Instants rather than days left: they are true whenever they are read, and `time()` makes days of them.
/// A signer without such a date has no line.
fn register_dates(registry: &mut Registry, signers: &[SignerDates]) {
    let expires = Family::<SignerLabels, Gauge>::default();
    let rotate = Family::<SignerLabels, Gauge>::default();
    for dates in signers {
        let labels = SignerLabels { signer: dates.signer.to_string() };
        for (family, date) in [(&expires, dates.expires), (&rotate, dates.rotate_after)] {
            if let Some(date) = date {
                family.get_or_create(&labels).set(date.seconds());
            }
        }
    }
    registry.register(
        "signer_expires_timestamp_seconds",
        "Until when the signer counts, Unix time; none for one that counts for ever or is revoked",
        expires,
    );
    registry.register(
        "signer_rotate_after_timestamp_seconds",
        "When the signer's key should have been replaced, Unix time; none for a key of unknown age",
        rotate,
    );
}
