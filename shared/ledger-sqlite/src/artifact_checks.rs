//! Decisions that wait for their artifact to be looked at.

use std::time::Duration;

use launchgate_engine::{CheckRecorded, CheckedArtifact, Fence, Recorded};
use launchgate_outcome::Check;
use launchgate_statement::Timestamp;
use launchgate_triggers::{ArtifactRule, LaunchId};
use rusqlite::{Connection, named_params, params};

use crate::{
    claims::{ProgressRow, superseded},
    clock::micros,
    column::{Plain, count, json},
    fault::Fault,
};

/// Those of one rule that may be claimed, the longest due first.
pub(crate) fn due(
    db: &Connection,
    rule: ArtifactRule,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<LaunchId>, Fault> {
    let sql = "SELECT launch_id FROM decisions WHERE outcome = 'waiting_artifact' AND artifact_rule = ?1 \
               AND due_at <= ?2 ORDER BY due_at, seq LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let parameters = params![rule.as_str(), now.micros(), count(limit)];
    let rows = statement.query_map(parameters, |row| Ok(row.get::<_, Plain<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets a claim last longer.
pub(crate) fn renew(
    db: &Connection,
    launch_id: &LaunchId,
    fence: Fence,
    lease: Duration,
    now: Timestamp,
) -> Result<Recorded, Fault> {
    let sql = "UPDATE decisions SET due_at = ?3 WHERE launch_id = ?1 AND fence = ?2 AND recorded_fence < fence \
               AND open = 1";
    let lease_end = now.plus_micros(micros(lease)).micros();
    let parameters = params![launch_id.as_str(), number(fence), lease_end];
    let renewed = db.prepare_cached(sql)?.execute(parameters)?;
    Ok(if renewed == 1 { Recorded::Yes } else { Recorded::FenceLost })
}

/// What was seen and what follows from it, ready to be written.
pub(crate) struct CheckedRow {
    launch_id: LaunchId,
    fence: i64,
    checks: String,
    follows: Follows,
}

enum Follows {
    Launch(Duration),
    Settled(ProgressRow),
}

impl CheckedRow {
    pub(crate) fn new(
        launch_id: LaunchId,
        fence: Fence,
        checks: &[Check],
        checked: CheckedArtifact,
    ) -> Result<Self, Fault> {
        let follows = match checked {
            CheckedArtifact::Launch { lease } => Follows::Launch(lease),
            CheckedArtifact::Settled(progress) => {
                Follows::Settled(ProgressRow::new(launch_id.clone(), fence, *progress)?)
            }
        };
        Ok(Self { launch_id, fence: number(fence), checks: json(checks)?, follows })
    }

    pub(crate) fn write(&self, db: &Connection, now: Timestamp) -> Result<CheckRecorded, Fault> {
        let took = match &self.follows {
            Follows::Launch(lease) => {
                if self.still_looks(db)?
                    && let Some(ended) = superseded(db, &self.launch_id, now)?
                {
                    return Ok(CheckRecorded::Ended(ended));
                }
                self.begin(db, *lease, now)?
            }
            Follows::Settled(progress) => progress.record(db, now)? == Recorded::Yes,
        };
        if !took {
            return Ok(CheckRecorded::FenceLost);
        }
        let sql = "UPDATE decision_bodies SET checks = ?2 \
                   WHERE decision = (SELECT seq FROM decisions WHERE launch_id = ?1)";
        db.prepare_cached(sql)?.execute(params![self.launch_id.as_str(), self.checks])?;
        Ok(CheckRecorded::Yes(now))
    }

    /// Whether it is the newest holder's, and nothing was begun.
    fn still_looks(&self, db: &Connection) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM decisions WHERE launch_id = ?1 AND fence = ?2 AND recorded_fence < fence \
                   AND outcome = 'waiting_artifact'";
        Ok(db.prepare_cached(sql)?.exists(params![self.launch_id.as_str(), self.fence])?)
    }

    /// What waited becomes an intent, under the same claim; again is the same.
    fn begin(&self, db: &Connection, lease: Duration, now: Timestamp) -> Result<bool, Fault> {
        let sql = "UPDATE decisions SET outcome = 'retrying', reason = 'interrupted', message = NULL, \
                   due_at = :lease_end, first_intent = coalesce(first_intent, :now), \
                   unanswered_since = coalesce(unanswered_since, :now), changed = :now \
                   WHERE launch_id = :launch_id AND fence = :fence AND recorded_fence < fence \
                   AND (outcome = 'waiting_artifact' OR outcome = 'retrying' AND reason = 'interrupted')";
        let written = db.prepare_cached(sql)?.execute(named_params! {
            ":launch_id": self.launch_id.as_str(),
            ":fence": self.fence,
            ":now": now.micros(),
            ":lease_end": now.plus_micros(micros(lease)).micros(),
        })?;
        Ok(written == 1)
    }
}

/// A fence beyond i64 was never given out; -1 matches none.
fn number(fence: Fence) -> i64 {
    i64::try_from(fence.0).unwrap_or(-1)
}
