//! `launchgate wait`: a step that goes on when the gate has decided, and as the gate has decided.

use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use launchgate_service::Environment;
use launchgate_statement::EventId;
use serde_json::Value;

use super::events::event_id;
use crate::{
    asking::{Answer, Asking},
    command_line::block_on,
    failure::Failure,
    keyless::Keyless,
    output::{Output, line},
    told_event::{Next, ToldDecision, ToldEvent, Until, with_reason},
};

/// The wait before the second question; each is half as long again as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// The longest wait between two questions.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
#[command(after_help = "\
The gate answers jobs of the event's own build alone, told by a Buildkite token that this job asks for and that is
good for this one question. Its triggers file needs a `buildkiteOidc` signer for that, whoever signed the event.

A step cannot wait for a gate that waits for the step's own build: with `require.build: passed`, and for an event that
went by meta-data, the gate goes on when the build has ended.

Examples:
  event=$(launchgate emit --keyless --audience launchgate-prod --artifact model.bin --topic …)
  launchgate wait \"$event\" --gate-url https://launchgate.example.com --audience launchgate-prod
  launchgate wait \"$event\" --for completion --timeout 4h

Exit codes: 0 launched (with --for completion: and every run succeeded) · 2 wrong use, no token, a gate that does not
answer jobs · 4 denied, or the run failed · 5 no trigger matches · 6 waiting, skipped, observed ·
7 retrying, or no answer in time, or not recorded in time (an event that is rejected never is)")]
pub(crate) struct Wait {
    /// The event's id, as `emit` prints it
    #[arg(value_parser = event_id)]
    event: EventId,
    /// What to wait for
    #[arg(long = "for", value_name = "WHAT", default_value = "launch")]
    until: Until,
    /// How long at most: 90s, 30m, 4h
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    timeout: Duration,
    /// The gate's address, `service.url` of the triggers file; default: the variable LAUNCHGATE_SERVICE_URL
    #[arg(long, value_name = "URL")]
    gate_url: Option<String>,
    /// `service.audience` of the triggers file; default: the variable LAUNCHGATE_SERVICE_AUDIENCE
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
}

impl Wait {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let environment = Environment::of_process();
        let given = |value: &Option<String>, option: &str, variable: &str| {
            let value = value.as_deref().or_else(|| environment.get(variable));
            value.map(str::to_owned).ok_or_else(|| Failure::usage(format!("say {option}, or set {variable}")))
        };
        let gate = given(&self.gate_url, "--gate-url", "LAUNCHGATE_SERVICE_URL")?;
        let audience = given(&self.audience, "--audience", "LAUNCHGATE_SERVICE_AUDIENCE")?;
        block_on(async {
            let agent = Keyless::new(&audience, &environment)?;
            let asking = Asking::new(&gate, self.event.clone(), agent)?;
            self.until_over(asking, output).await
        })
    }

    async fn until_over(&self, mut asking: Asking, output: &Output) -> Result<u8, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut live = Live::new(&self.event, output);
        let mut wait = FIRST_WAIT;
        loop {
            let (code, told) = match asking.once().await? {
                Answer::Told(told, answer) => {
                    live.say(&told.stand());
                    match told.next(self.until) {
                        Next::Over(code) => return self.over(live, code, &told, &answer),
                        Next::Wait(code) => (code, Some((told, answer))),
                        Next::OwnBuild => {
                            let code = self.over(live, 6, &told, &answer)?;
                            output.warn(
                                "the gate waits for this build to end, and this step is part of it: leave `wait` out, \
                                 or the trigger's `require.build: passed`",
                            );
                            return Ok(code);
                        }
                        Next::Unknown => {
                            return Err(Failure::usage(format!(
                                "the gate says `{}`, which this version does not know: use the gate's version",
                                line(&told.outcome)
                            )));
                        }
                    }
                }
                Answer::NotThere => {
                    live.say("not recorded yet");
                    (7, None)
                }
                Answer::Later(why) => {
                    live.say(&why);
                    (7, None)
                }
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = live.last.clone();
                let code = match &told {
                    Some((told, answer)) => self.over(live, code, told, answer)?,
                    None => code,
                };
                output.warn(&format!("{}: the time is over: {}", self.event, line(&last)));
                return Ok(code);
            }
            tokio::time::sleep(wait.min(left)).await;
            wait = (wait * 3 / 2).min(LONGEST_WAIT);
        }
    }

    /// Says how it stands and answers the code.
    fn over(&self, live: Live<'_>, code: u8, told: &ToldEvent, answer: &Value) -> Result<u8, Failure> {
        let output = live.output;
        live.end();
        if output.is_json() {
            output.json(answer)?;
            return Ok(code);
        }
        let mut text =
            format!("{}  {}\n", self.event, line(&with_reason(&told.outcome, told.reason.as_deref())));
        for decision in &told.decisions {
            text.push_str(&shown(decision));
        }
        output.data(&text)?;
        Ok(code)
    }
}

fn shown(decision: &ToldDecision) -> String {
    let ToldDecision { trigger, subject, outcome, reason, message, run } = decision;
    let stand = line(&with_reason(outcome, reason.as_deref()));
    let mut text = format!("  {} × {}  {stand}\n", line(subject), line(trigger));
    if let Some(message) = message {
        text.push_str(&format!("    {}\n", line(message)));
    }
    if let Some(run) = run {
        text.push_str(&format!("    {}\n    {}\n", line(&run.name), line(&run.console)));
    }
    text
}

/// The live line: rewritten on a terminal, one line for each change in a log.
struct Live<'o> {
    event: String,
    bar: Option<ProgressBar>,
    last: String,
    output: &'o Output,
}

impl<'o> Live<'o> {
    fn new(event: &EventId, output: &'o Output) -> Self {
        let bar = output.is_watched().then(ProgressBar::new_spinner);
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { event: event.to_string(), bar, last: String::new(), output }
    }

    fn say(&mut self, stand: &str) {
        if self.last == stand {
            return;
        }
        stand.clone_into(&mut self.last);
        let text = format!("{}: {}", self.event, line(stand));
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => self.output.say(&text),
        }
    }

    fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a number and s, m or h, such as 90s, 30m or 4h";
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or(expected)?);
    let number: u64 = number.parse().map_err(|_| expected)?;
    let seconds = match unit {
        "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    };
    // A week: no job of Buildkite's runs longer, and every instant of it can be computed.
    seconds
        .filter(|seconds| *seconds <= 7 * 24 * 3600)
        .map(Duration::from_secs)
        .ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30m"), Ok(Duration::from_mins(30)));
        assert_eq!(duration("4h"), Ok(Duration::from_hours(4)));
        for bad in ["", "30", "m", "-1m", "1.5h", "1d", "4h30m", "200h", "99999999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
