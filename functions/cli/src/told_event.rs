//! What the gate tells a job of an event, and whether there is anything left to wait for.
//!
//! Promises: only codes of this program's own vocabulary decide; text that came with the event is for showing. Does
//! not: ask.

use launchgate_outcome::{Outcome, Reason};
use serde::Deserialize;

/// The gate's answer. Members that it does not know are a newer gate's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToldEvent {
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// Whether `run.state` is kept up.
    #[serde(default)]
    follows_runs: bool,
    #[serde(default)]
    pub(crate) decisions: Vec<ToldDecision>,
}

/// One decision of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToldDecision {
    pub(crate) trigger: String,
    pub(crate) subject: String,
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) run: Option<ToldRun>,
}

/// Its run at Vertex AI.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ToldRun {
    pub(crate) name: String,
    pub(crate) console: String,
    #[serde(default)]
    pub(crate) state: Option<String>,
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Until {
    /// A run was started, or there will be none
    Launch,
    /// Every run that was started has ended
    Completion,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing; the exit code.
    Over(u8),
    /// Ask again later; should the time be over, the exit code.
    Wait(u8),
    /// The gate waits for the end of the build, and so for whoever asks.
    OwnBuild,
    /// This gate does not learn when runs end.
    NotFollowed,
    /// This program does not know the code: it is of a newer gate.
    Unknown,
}

impl ToldEvent {
    pub(crate) fn next(&self, until: Until) -> Next {
        let Some(outcome) = Outcome::from_code(&self.outcome) else { return Next::Unknown };
        let code = outcome.exit_code();
        let own_build =
            |decision: &ToldDecision| decision.reason.as_deref() == Some(Reason::BuildNotFinished.as_str());
        if outcome == Outcome::WaitingBuild && self.decisions.iter().any(own_build) {
            return Next::OwnBuild;
        }
        if outcome.is_open() {
            return Next::Wait(code);
        }
        if outcome != Outcome::Launched || until == Until::Launch {
            return Next::Over(code);
        }
        if !self.follows_runs {
            return Next::NotFollowed;
        }
        let ends: Vec<_> =
            self.decisions.iter().filter_map(|decision| decision.run.as_ref()).map(ToldRun::end).collect();
        match ends.iter().max() {
            None | Some(End::NotYet) => Next::Wait(6),
            Some(End::Badly) => Next::Over(4),
            Some(End::Well) => Next::Over(0),
        }
    }

    /// Where it stands, on one line; holds text of the event.
    pub(crate) fn stand(&self) -> String {
        let mut stand = with_reason(&self.outcome, self.reason.as_deref());
        for run in self.decisions.iter().filter_map(|decision| decision.run.as_ref()) {
            if let Some(state) = run.state.as_deref().filter(|_| self.follows_runs) {
                stand.push_str(&format!(", run {state}"));
            }
        }
        stand
    }
}

/// How a run ended; the worst is the greatest, and one that goes on is greater still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Well,
    Badly,
    NotYet,
}

impl ToldRun {
    /// Vertex AI's states begin with the kind (`PIPELINE_STATE_SUCCEEDED`, `JOB_STATE_SUCCEEDED`).
    fn end(&self) -> End {
        let state = self.state.as_deref().unwrap_or_default();
        match state.rsplit_once("_STATE_").map_or(state, |(_, word)| word) {
            "SUCCEEDED" => End::Well,
            "FAILED" | "CANCELLED" | "EXPIRED" | "PARTIALLY_SUCCEEDED" => End::Badly,
            _ => End::NotYet,
        }
    }
}

pub(crate) fn with_reason(outcome: &str, reason: Option<&str>) -> String {
    reason.map_or_else(|| outcome.to_owned(), |reason| format!("{outcome}/{reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn told(mut answer: Value, decision: Value) -> ToldEvent {
        let mut one = json!({"trigger": "retrain", "subject": "model", "outcome": answer["outcome"]});
        one.as_object_mut().unwrap().extend(decision.as_object().unwrap().clone());
        answer["decisions"] = json!([one]);
        serde_json::from_value(answer).unwrap()
    }

    fn run(state: &str) -> Value {
        json!({"run": {"name": "projects/p", "console": "https://c", "state": state}})
    }

    #[test]
    fn a_launch_is_over_when_there_is_a_run_or_will_be_none() {
        for (outcome, next) in [
            ("launched", Next::Over(0)),
            ("denied_policy", Next::Over(4)),
            ("no_match", Next::Over(5)),
            ("observed", Next::Over(6)),
            ("retrying", Next::Wait(7)),
            ("waiting_turn", Next::Wait(6)),
            ("waiting_build", Next::Wait(6)),
            ("launch_unknown", Next::Wait(6)),
            ("levitated", Next::Unknown),
        ] {
            assert_eq!(told(json!({"outcome": outcome}), json!({})).next(Until::Launch), next, "{outcome}");
        }
    }

    #[test]
    fn a_step_does_not_wait_for_a_gate_that_waits_for_the_steps_own_build() {
        let waiting = |reason: &str| told(json!({"outcome": "waiting_build"}), json!({"reason": reason}));

        assert_eq!(waiting("build_not_finished").next(Until::Launch), Next::OwnBuild);
        assert_eq!(waiting("build_facts_awaited").next(Until::Launch), Next::Wait(6));
    }

    #[test]
    fn completion_is_over_when_every_run_has_ended_and_never_where_nobody_follows_them() {
        let launched = json!({"outcome": "launched", "followsRuns": true});
        for (state, next) in [
            ("PIPELINE_STATE_RUNNING", Next::Wait(6)),
            ("PIPELINE_STATE_SUCCEEDED", Next::Over(0)),
            ("JOB_STATE_SUCCEEDED", Next::Over(0)),
            ("JOB_STATE_PARTIALLY_SUCCEEDED", Next::Over(4)),
            ("PIPELINE_STATE_FAILED", Next::Over(4)),
            ("PIPELINE_STATE_CANCELLED", Next::Over(4)),
        ] {
            let mut told = told(launched.clone(), run(state));
            assert_eq!(told.next(Until::Completion), next, "{state}");
            told.decisions.extend(self::told(launched.clone(), run("JOB_STATE_QUEUED")).decisions);
            assert_eq!(told.next(Until::Completion), Next::Wait(6), "{state} and another that goes on");
            assert_eq!(told.next(Until::Launch), Next::Over(0));
        }
        let unfollowed = told(json!({"outcome": "launched"}), run("PIPELINE_STATE_SUCCEEDED"));
        assert_eq!(unfollowed.next(Until::Completion), Next::NotFollowed);
        assert_eq!(told(json!({"outcome": "no_match"}), json!({})).next(Until::Completion), Next::Over(5));
    }
}
