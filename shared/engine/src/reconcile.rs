//! Asking Buildkite about builds whose webhook did not come: webhooks are delivered at most once.
//!
//! Promises: only builds that decisions wait for are asked about, after a while, ever more seldom, and never more than
//! a fair share of what the organization may ask in a minute; what the API says is kept and heeded like a webhook's.
//! Does not: give up a decision; that is its own deadline's to do.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use launchgate_outcome::{Outcome, Reason, Refusal};
use launchgate_trust::BuildTold;
use tokio::time::Instant;

use crate::{
    BuildKey, BuildToAsk, Gate, SweepReport,
    ports::{BuildkiteApi, BuildkiteApiError, LedgerError},
};

/// Builds that one sweep asks about; the next sweep asks about the rest.
const BATCH: usize = 16;

/// Questions in a minute. An organization has 200 for everything that uses its API.
/// Source: buildkite.com/docs/apis/rest-api/limits.
const A_MINUTE: u32 = 60;

/// How long nothing is asked after the token was refused: somebody has to mend that.
const REFUSED_PAUSE: Duration = Duration::from_mins(5);

/// How long nothing is asked after the API did not answer and did not say when it will.
const LATER_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause between two questions about one build.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What is remembered between sweeps of one process; nothing is lost with it.
#[derive(Default)]
pub(crate) struct Asking(Mutex<State>);

#[derive(Default)]
struct State {
    /// Nothing is asked before.
    paused_until: Option<Instant>,
    /// When the minute began that is counted, and the questions in it.
    minute: Option<(Instant, u32)>,
    /// Why the last question got no answer.
    trouble: Option<String>,
}

impl Asking {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more question may be asked now; counts it.
    fn may_ask(&self, now: Instant) -> bool {
        let mut state = self.state();
        if state.paused_until.is_some_and(|until| now < until) {
            return false;
        }
        let in_minute = state.minute.filter(|(began, _)| now.duration_since(*began) < Duration::from_mins(1));
        let (began, count) = in_minute.unwrap_or((now, 0));
        if count < A_MINUTE {
            state.minute = Some((began, count + 1));
        }
        count < A_MINUTE
    }

    fn failed(&self, why: &BuildkiteApiError, now: Instant) {
        let pause = match why {
            BuildkiteApiError::NotFound(_) => None,
            BuildkiteApiError::Refused(_) => Some(REFUSED_PAUSE),
            BuildkiteApiError::Later { wait, .. } => Some(wait.unwrap_or(LATER_PAUSE)),
        };
        let mut state = self.state();
        state.trouble = Some(why.to_string());
        if let Some(pause) = pause {
            state.paused_until = Some(now + pause);
        }
    }

    fn answered(&self) {
        self.state().trouble = None;
    }
}

impl Gate {
    /// Why Buildkite's API last gave no answer, until it gives one; for `/readyz`.
    pub fn buildkite_api_trouble(&self) -> Option<String> {
        self.asking().state().trouble.clone()
    }

    /// Asks about builds that decisions have waited for in vain, where a token lets it.
    pub(crate) async fn ask_about_builds(&self, report: &mut SweepReport) -> Result<(), LedgerError> {
        let (Some(api), Some(buildkite)) = (self.buildkite_api(), &self.config().buildkite) else {
            return Ok(());
        };
        let waited = Duration::from_secs(buildkite.ask_after_seconds);
        for ask in self.ledger().builds_to_ask(waited, BATCH).await? {
            if !self.asking().may_ask(Instant::now()) {
                return Ok(());
            }
            report.builds_asked += 1;
            let BuildToAsk { build, asked } = &ask;
            match self.ask_about(api, build).await {
                Ok(told) => {
                    self.ledger().build_asked(build, pause_after(*asked, waited)).await?;
                    self.heed_answer(told, report).await?;
                }
                Err(why @ BuildkiteApiError::NotFound(_)) => {
                    tracing::error!(?build, %why, "Buildkite does not show a build that decisions wait for");
                    self.ledger().build_asked(build, LONGEST_PAUSE).await?;
                }
                Err(why) => {
                    tracing::error!(%why, "Buildkite could not be asked about builds that decisions wait for");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn heed_answer(&self, told: BuildTold, report: &mut SweepReport) -> Result<(), LedgerError> {
        let kept = self.ledger().keep_build_facts(told.facts).await?;
        let Some(unheeded) = kept.unheeded else { return Ok(()) };
        let resolved = self.heed(&unheeded).await?;
        report.launched += resolved.iter().filter(|(_, outcome)| *outcome == Outcome::Launched).count();
        report.builds_heeded += 1;
        Ok(())
    }

    /// What Buildkite says of a build now. An answer about another build, or none that can be read, is no answer.
    pub(crate) async fn ask_about(
        &self,
        api: &dyn BuildkiteApi,
        build: &BuildKey,
    ) -> Result<BuildTold, BuildkiteApiError> {
        let answered = api.build(build).await.and_then(|answer| {
            let told = BuildTold::answered(&answer.body, answer.at).and_then(|told| {
                if BuildKey::of(told.facts.build()).as_ref() == Some(build) {
                    return Ok(told);
                }
                let message = format!("expected the build {build:?}, found another");
                Err(Refusal::new(Reason::WebhookShape, message))
            });
            told.map_err(|refusal| BuildkiteApiError::Later { message: refusal.message, wait: None })
        });
        match &answered {
            Ok(_) => self.asking().answered(),
            Err(why) => self.asking().failed(why, Instant::now()),
        }
        answered
    }
}

/// Doubles with each question, up to an hour.
fn pause_after(asked: u32, first: Duration) -> Duration {
    first.saturating_mul(1 << asked.min(12)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_asked_about_ever_more_seldom() {
        let first = Duration::from_mins(5);
        let minutes: Vec<_> = (0..6).map(|asked| pause_after(asked, first).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 60, 60]);
        assert_eq!(pause_after(u32::MAX, first), LONGEST_PAUSE);
    }

    #[test]
    fn no_more_is_asked_in_a_minute_than_a_fair_share() {
        let (asking, now) = (Asking::default(), Instant::now());
        let asked = (0..100).filter(|_| asking.may_ask(now)).count();
        assert_eq!(asked, 60);
        assert!(!asking.may_ask(now + Duration::from_secs(59)));
        assert!(asking.may_ask(now + Duration::from_mins(1)));
    }

    #[test]
    fn buildkite_says_when_it_may_be_asked_again() {
        let (asking, now) = (Asking::default(), Instant::now());
        let wait = Some(Duration::from_secs(42));
        asking.failed(&BuildkiteApiError::Later { message: "429".to_owned(), wait }, now);

        assert!(!asking.may_ask(now + Duration::from_secs(41)));
        assert!(asking.may_ask(now + Duration::from_secs(42)));
        assert_eq!(asking.state().trouble.as_deref(), Some("429"), "shown until there is an answer");
    }
}
