//! Taking a decision, recording what came of it, and what is still to be done.

use std::{sync::Arc, time::Duration};

use launchgate_engine::{AttemptRecord, Claim, Claimed, DecisionRecord, Fence, Progress, Recorded, Run};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::Timestamp;
use launchgate_triggers::{LaunchId, OrderKey};
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use crate::{
    clock::micros,
    column::{Plain, count, json},
    decision::{SELECT_DECISION, decision, fence_from},
    fault::Fault,
    runs, standing,
};

/// Takes an open decision whose delay and lease have run out.
pub(crate) fn claim(
    db: &Connection,
    launch_id: &LaunchId,
    lease: Duration,
    now: Timestamp,
) -> Result<Claim, Fault> {
    let state = db
        .prepare_cached("SELECT open, due_at FROM decisions WHERE launch_id = ?1")?
        .query_row([launch_id.as_str()], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    match state {
        None | Some((false, _)) => return Ok(Claim::Settled),
        Some((true, due_at)) if due_at > now.micros() => return Ok(Claim::Busy),
        Some((true, _)) => {}
    }
    if let Some(ended) = superseded(db, launch_id, now)? {
        return Ok(Claim::Ended(ended));
    }
    // Read before it is changed: the answer tells of the call that an earlier holder left unanswered.
    let sql = format!("{SELECT_DECISION} WHERE d.launch_id = ?1");
    let claimed = db.prepare_cached(&sql)?.query_row([launch_id.as_str()], |row| {
        Ok(Claimed {
            decision: Arc::new(decision(row)?),
            fence: fence_from(row.get::<_, i64>("fence")? + 1),
            first_intent: row.get::<_, Option<Plain<_>>>("first_intent")?.map_or(now, |at| at.0),
            decided: row.get::<_, Plain<_>>("decided")?.0,
            unanswered_since: row.get::<_, Option<Plain<_>>>("unanswered_since")?.map(|at| at.0),
            now,
        })
    })?;
    let sql = "UPDATE decisions SET fence = fence + 1, claimed_at = :now, due_at = :lease_end, \
               first_intent = iif(outcome IN ('waiting_build', 'waiting_artifact'), first_intent, coalesce(first_intent, :now)), \
               unanswered_since = iif(outcome IN ('waiting_build', 'waiting_artifact'), unanswered_since, \
                 coalesce(unanswered_since, :now)) \
               WHERE launch_id = :launch_id";
    db.prepare_cached(sql)?.execute(named_params! {
        ":launch_id": launch_id.as_str(),
        ":now": now.micros(),
        ":lease_end": now.plus_micros(micros(lease)).micros(),
    })?;
    Ok(Claim::Held(Box::new(claimed)))
}

/// Ends a decision that was never sent (no call of it is unanswered) when a newer build was launched since it
/// was recorded. Here and not after the claim: a holder that died between the two would leave a decision that
/// looks sent, and it would be sent.
pub(crate) fn superseded(
    db: &Connection,
    launch_id: &LaunchId,
    now: Timestamp,
) -> Result<Option<Arc<DecisionRecord>>, Fault> {
    let sql = "SELECT order_line, order_number FROM decisions WHERE launch_id = ?1 AND order_line IS NOT NULL \
               AND ordinal = 0 AND unanswered_since IS NULL AND outcome <> 'waiting_build'";
    let order = db
        .prepare_cached(sql)?
        .query_row([launch_id.as_str()], |row| {
            let number = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            Ok(OrderKey { line: row.get::<_, Plain<_>>(0)?.0, number })
        })
        .optional()?;
    let Some(order) = order else { return Ok(None) };
    let Some(newer) = standing::newer(db, order, launch_id)? else { return Ok(None) };
    let sql = format!("{SELECT_DECISION} WHERE d.launch_id = ?1");
    let decision = db.prepare_cached(&sql)?.query_row([launch_id.as_str()], decision)?;
    let ended = decision.superseded_by(&newer);
    // The fence moves on, as wherever a decision is written by somebody who does not hold it.
    let sql = "UPDATE decisions SET outcome = ?2, reason = ?3, message = ?4, open = 0, fence = fence + 1, \
               recorded_fence = fence + 1, changed = ?5, failure_told = 0 WHERE launch_id = ?1 RETURNING seq";
    let seq: i64 = db.prepare_cached(sql)?.query_row(
        params![
            launch_id.as_str(),
            ended.outcome.as_str(),
            ended.reason.map(Reason::as_str),
            ended.message,
            now.micros()
        ],
        |row| row.get(0),
    )?;
    db.prepare_cached("UPDATE decision_bodies SET checks = ?2 WHERE decision = ?1")?
        .execute(params![seq, json(&ended.checks)?])?;
    Ok(Some(Arc::new(ended)))
}

/// What an attempt came to, ready to be written.
pub(crate) struct ProgressRow {
    launch_id: LaunchId,
    fence: i64,
    outcome: Outcome,
    reason: Option<Reason>,
    message: Option<String>,
    run: Option<String>,
    attempt: Option<String>,
    open: bool,
    delay: Duration,
    unanswered: Unanswered,
}

/// What becomes of the note that a call may have gone unanswered.
#[derive(Clone, Copy)]
enum Unanswered {
    /// Every call has its answer.
    Nothing,
    /// It stays.
    Stays,
    /// It stays if an earlier claim left it; under this one no call was made.
    StaysIfOlder,
}

impl ProgressRow {
    pub(crate) fn new(launch_id: LaunchId, fence: Fence, progress: Progress) -> Result<Self, Fault> {
        // A fence beyond i64 was never given out; -1 matches none.
        let fence = i64::try_from(fence.0).unwrap_or(-1);
        let text = |attempt: Option<AttemptRecord>| attempt.as_ref().map(json).transpose();
        Ok(match progress {
            Progress::Launched { run, attempt } => Self {
                launch_id,
                fence,
                outcome: Outcome::Launched,
                reason: None,
                message: None,
                run: Some(json::<Run>(&run)?),
                attempt: text(Some(attempt))?,
                open: false,
                delay: Duration::ZERO,
                unanswered: Unanswered::Nothing,
            },
            Progress::Later { outcome, reason, message, delay, not_accepted, attempt } => Self {
                launch_id,
                fence,
                outcome,
                reason: Some(reason),
                message: Some(message),
                run: None,
                attempt: text(attempt)?,
                open: true,
                delay,
                unanswered: if not_accepted { Unanswered::Nothing } else { Unanswered::Stays },
            },
            Progress::Ended { outcome, reason, message, attempt } => Self {
                launch_id,
                fence,
                outcome,
                reason,
                message: Some(message),
                run: None,
                unanswered: if attempt.is_some() { Unanswered::Nothing } else { Unanswered::StaysIfOlder },
                attempt: text(attempt)?,
                open: false,
                delay: Duration::ZERO,
            },
        })
    }

    pub(crate) fn launch_id(&self) -> &LaunchId {
        &self.launch_id
    }

    pub(crate) fn record(&self, db: &Connection, now: Timestamp) -> Result<Recorded, Fault> {
        let sql = "UPDATE decisions SET outcome = :outcome, reason = :reason, message = :message, \
                   run = coalesce(:run, run), open = :open, due_at = :due_at, recorded_fence = fence, \
                   changed = :now, failure_told = 0, run_at = iif(:has_run, :now, NULL), \
                   unanswered_since = CASE :unanswered WHEN 0 THEN NULL WHEN 1 THEN unanswered_since \
                     ELSE iif(unanswered_since < claimed_at, unanswered_since, NULL) END, \
                   attempts = CASE WHEN :attempt IS NULL THEN attempts \
                     WHEN attempt_count = 0 THEN '[' || :attempt || ']' \
                     ELSE json_insert( \
                       iif(json_array_length(attempts) >= 50, json_remove(attempts, '$[0]'), attempts), \
                       '$[#]', json(:attempt)) END, \
                   attempt_count = attempt_count + (:attempt IS NOT NULL) \
                   WHERE launch_id = :launch_id AND fence = :fence AND recorded_fence < fence";
        let written = db.prepare_cached(sql)?.execute(named_params! {
            ":launch_id": self.launch_id.as_str(),
            ":fence": self.fence,
            ":outcome": self.outcome.as_str(),
            ":reason": self.reason.map(Reason::as_str),
            ":message": self.message,
            ":run": self.run,
            ":open": self.open,
            ":due_at": now.plus_micros(micros(self.delay)).micros(),
            ":now": now.micros(),
            ":has_run": !self.open && matches!(self.outcome, Outcome::Launched | Outcome::LaunchUnknown),
            ":unanswered": self.unanswered as i64,
            ":attempt": self.attempt,
        })?;
        if written == 0 {
            return self.recorded_before(db);
        }
        if self.outcome == Outcome::Launched {
            runs::follow(db, &self.launch_id, now)?;
        }
        Ok(Recorded::Yes)
    }

    /// `Yes` when this very thing stands recorded under this very fence: a lost answer, asked again.
    fn recorded_before(&self, db: &Connection) -> Result<Recorded, Fault> {
        let sql = "SELECT fence = ?2 AND outcome = ?3 AND reason IS ?4 AND message IS ?5 \
                   AND (?6 IS NULL OR run IS ?6) FROM decisions WHERE launch_id = ?1";
        let same = db
            .prepare_cached(sql)?
            .query_row(
                params![
                    self.launch_id.as_str(),
                    self.fence,
                    self.outcome.as_str(),
                    self.reason.map(Reason::as_str),
                    self.message,
                    self.run
                ],
                |row| row.get::<_, bool>(0),
            )
            .optional()?;
        match same {
            Some(true) => Ok(Recorded::Yes),
            Some(false) => Ok(Recorded::FenceLost),
            None => Err(Fault::Refused(format!("no decision {} is recorded", self.launch_id))),
        }
    }
}

/// Open decisions that may be claimed, the longest due first.
pub(crate) fn due(db: &Connection, now: Timestamp, limit: usize) -> Result<Vec<LaunchId>, Fault> {
    let sql = "SELECT launch_id FROM decisions WHERE open = 1 AND due_at <= ?1 \
               AND outcome <> 'waiting_artifact' ORDER BY due_at, seq LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![now.micros(), count(limit)], |row| Ok(row.get::<_, Plain<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Failures that nobody has been told of, oldest first.
pub(crate) fn untold_failures(db: &Connection, limit: usize) -> Result<Vec<DecisionRecord>, Fault> {
    let sql = format!(
        "{SELECT_DECISION} WHERE d.outcome = 'failed_launch' AND d.failure_told = 0 ORDER BY d.changed, d.seq LIMIT ?1"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([count(limit)], decision)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a failure has been told.
pub(crate) fn failure_told(db: &Connection, launch_id: &LaunchId) -> Result<(), Fault> {
    let sql = "UPDATE decisions SET failure_told = 1 WHERE launch_id = ?1 AND outcome = 'failed_launch'";
    db.prepare_cached(sql)?.execute([launch_id.as_str()])?;
    Ok(())
}
