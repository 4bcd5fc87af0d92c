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
    /// Vertex AI's own word.
    #[serde(default)]
    state: Option<String>,
    /// How it ended, once it has.
    #[serde(default)]
    end: Option<String>,
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
            if let Some(word) = run.end.as_deref().or(run.state.as_deref()) {
                stand.push_str(&format!(", run {word}"));
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
    fn end(&self) -> End {
        match self.end.as_deref() {
            None => End::NotYet,
            Some("succeeded") => End::Well,
            // Failed, cancelled, expired, vanished, in part: nothing that later steps may build on.
            Some(_) => End::Badly,
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

    fn told(answer: &Value, decision: &Value) -> ToldEvent {
        let mut answer = answer.clone();
        let mut one = json!({"trigger": "retrain", "subject": "model", "outcome": answer["outcome"]});
        one.as_object_mut().unwrap().extend(decision.as_object().unwrap().clone());
        answer["decisions"] = json!([one]);
        serde_json::from_value(answer).unwrap()
    }

    fn run(end: Option<&str>) -> Value {
        json!({"run": {"name": "projects/p", "console": "https://c", "state": "JOB_STATE_X", "end": end}})
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
            assert_eq!(told(&json!({"outcome": outcome}), &json!({})).next(Until::Launch), next, "{outcome}");
        }
    }

    #[test]
    fn a_step_does_not_wait_for_a_gate_that_waits_for_the_steps_own_build() {
        let waiting = |reason: &str| told(&json!({"outcome": "waiting_build"}), &json!({"reason": reason}));

        assert_eq!(waiting("build_not_finished").next(Until::Launch), Next::OwnBuild);
        assert_eq!(waiting("build_facts_awaited").next(Until::Launch), Next::Wait(6));
    }

    #[test]
    fn completion_is_over_when_every_run_has_ended() {
        let launched = json!({"outcome": "launched"});
        for (end, next) in [
            (None, Next::Wait(6)),
            (Some("succeeded"), Next::Over(0)),
            (Some("partially_succeeded"), Next::Over(4)),
            (Some("failed"), Next::Over(4)),
            (Some("cancelled"), Next::Over(4)),
            (Some("vanished"), Next::Over(4)),
        ] {
            let mut told = told(&launched, &run(end));
            assert_eq!(told.next(Until::Completion), next, "{end:?}");
            told.decisions.extend(self::told(&launched, &run(None)).decisions);
            assert_eq!(told.next(Until::Completion), Next::Wait(6), "{end:?} and another that goes on");
            assert_eq!(told.next(Until::Launch), Next::Over(0));
        }
        assert_eq!(told(&json!({"outcome": "no_match"}), &json!({})).next(Until::Completion), Next::Over(5));
    }
}
