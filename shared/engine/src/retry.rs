//! When to try again, and when to stop.

use std::time::Duration;

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::Timestamp;

use crate::{
    AttemptRecord, Progress,
    ports::{CallError, CallErrorKind},
};

/// How long a decision is worth retrying, from when it was decided, in microseconds: 24 hours.
const BUDGET_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Internal errors worth trying again; some are permanent and come back for ever.
const MAX_INTERNAL: usize = 5;

/// Refused tokens worth another attempt: one, with a fresh token.
const MAX_UNAUTHENTICATED: usize = 2;

/// What a failed call means for the decision, given the calls before it.
pub(crate) fn after_failure(
    error: &CallError,
    attempt: &AttemptRecord,
    earlier: &[AttemptRecord],
    decided: Timestamp,
    now: Timestamp,
) -> Progress {
    let with_code = |code: &str| 1 + earlier.iter().filter(|attempt| attempt.call.code == code).count();
    let spent = now.micros_since(decided) >= BUDGET_MICROS;
    let later = |outcome, reason, delay| Progress::Later {
        outcome,
        reason,
        message: error.message.clone(),
        delay,
        not_accepted: error.not_accepted,
        attempt: Some(attempt.clone()),
    };
    let ended = |reason, message| Progress::Ended {
        outcome: Outcome::FailedLaunch,
        reason: Some(reason),
        message,
        attempt: Some(attempt.clone()),
    };
    let tried = earlier.len();
    match error.kind {
        CallErrorKind::Terminal(reason) => ended(reason, error.message.clone()),
        CallErrorKind::AlreadyExists => ended(Reason::JobIdTaken, error.message.clone()),
        CallErrorKind::QuotaUsedUp if spent => {
            ended(Reason::Quota, format!("no quota came free within 24 hours: {}", error.message))
        }
        CallErrorKind::QuotaUsedUp => later(
            Outcome::WaitingQuota,
            Reason::QuotaUsedUp,
            backoff(60, 1800, tried, attempt, error.retry_after),
        ),
        CallErrorKind::Unauthenticated if with_code(&attempt.call.code) >= MAX_UNAUTHENTICATED => {
            ended(Reason::Unauthenticated, error.message.clone())
        }
        CallErrorKind::Internal if with_code(&attempt.call.code) >= MAX_INTERNAL => {
            ended(Reason::RetriesExhausted, format!("{MAX_INTERNAL} internal errors: {}", error.message))
        }
        _ if spent => ended(Reason::RetriesExhausted, format!("24 hours of attempts: {}", error.message)),
        CallErrorKind::Unauthenticated => {
            later(Outcome::Retrying, Reason::CredentialsUnavailable, backoff(1, 1, 0, attempt, None))
        }
        CallErrorKind::Internal => later(
            Outcome::Retrying,
            Reason::VertexInternal,
            backoff(2, 300, tried, attempt, error.retry_after),
        ),
        CallErrorKind::Transient(reason) => {
            later(Outcome::Retrying, reason, backoff(1, 300, tried, attempt, error.retry_after))
        }
    }
}

/// Doubles from `first` to at most `most` seconds, spread by ±20 % so that many decisions that failed
/// together do not come back together. The spread is taken from the attempt itself: no random source, and
/// a test sees the same delays as production. `Retry-After` is a lower bound.
fn backoff(
    first: u64,
    most: u64,
    tried: usize,
    attempt: &AttemptRecord,
    retry_after: Option<Duration>,
) -> Duration {
    let doubled = first.saturating_mul(1 << tried.min(20)).min(most);
    let seed = attempt.millis.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ attempt.fence.0.wrapping_mul(0xD1B5_4A32_D192_ED03);
    let spread = 800 + (seed >> 32) % 401;
    Duration::from_millis(doubled * spread).max(retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallSummary, Fence};

    fn attempt(code: &str) -> AttemptRecord {
        AttemptRecord {
            fence: Fence(1),
            millis: 7,
            call: CallSummary { http_status: None, code: code.to_owned(), message: String::new() },
        }
    }

    fn error(kind: CallErrorKind) -> CallError {
        CallError {
            kind,
            http_status: None,
            code: String::new(),
            message: "m".to_owned(),
            not_accepted: false,
            retry_after: None,
        }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_seconds(hours * 3600)
    }

    #[test]
    fn the_fifth_internal_error_is_the_end() {
        let earlier: Vec<_> = (0..3).map(|_| attempt("INTERNAL")).collect();
        let fourth =
            after_failure(&error(CallErrorKind::Internal), &attempt("INTERNAL"), &earlier, at(0), at(1));
        let earlier: Vec<_> = (0..4).map(|_| attempt("INTERNAL")).collect();
        let fifth =
            after_failure(&error(CallErrorKind::Internal), &attempt("INTERNAL"), &earlier, at(0), at(1));

        assert!(matches!(fourth, Progress::Later { .. }), "{fourth:?}");
        assert!(matches!(fifth, Progress::Ended { reason: Some(Reason::RetriesExhausted), .. }), "{fifth:?}");
    }

    #[test]
    fn a_refused_token_is_tried_once_more() {
        let kind = CallErrorKind::Unauthenticated;
        let first = after_failure(&error(kind), &attempt("UNAUTHENTICATED"), &[], at(0), at(0));
        let second = after_failure(
            &error(kind),
            &attempt("UNAUTHENTICATED"),
            &[attempt("UNAUTHENTICATED")],
            at(0),
            at(0),
        );

        assert!(matches!(first, Progress::Later { .. }));
        assert!(matches!(second, Progress::Ended { reason: Some(Reason::Unauthenticated), .. }));
    }

    #[test]
    fn an_outage_is_retried_for_a_day_and_then_ends() {
        let kind = CallErrorKind::Transient(Reason::VertexUnavailable);
        let early = after_failure(&error(kind), &attempt("UNAVAILABLE"), &[], at(0), at(23));
        let late = after_failure(&error(kind), &attempt("UNAVAILABLE"), &[], at(0), at(24));

        assert!(matches!(early, Progress::Later { outcome: Outcome::Retrying, .. }));
        assert!(matches!(late, Progress::Ended { reason: Some(Reason::RetriesExhausted), .. }));
    }

    #[test]
    fn delays_double_stay_bounded_and_respect_retry_after() {
        let delays: Vec<_> = (0..30).map(|tried| backoff(1, 300, tried, &attempt("X"), None)).collect();

        assert!(delays[0] >= Duration::from_millis(800) && delays[0] <= Duration::from_millis(1200));
        assert!(delays.iter().all(|delay| *delay <= Duration::from_mins(6)));
        assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]));
        let told = backoff(1, 300, 0, &attempt("X"), Some(Duration::from_secs(42)));
        assert_eq!(told, Duration::from_secs(42));
    }
}
