//! Events and rejected deliveries, newest first.

use launchgate_engine::{EventFilter, EventSummary, Page, Run};
use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::EventId;
use rusqlite::{Connection, named_params};

use crate::{
    column::{Json, Plain, count},
    fault::Fault,
};

/// One page. The cursor is the seq of its last row, so rows that come in later shift nothing.
pub(crate) fn events(db: &Connection, filter: &EventFilter) -> Result<Page<EventSummary>, Fault> {
    let mut lines = lines(db, filter, before(filter)?)?;
    let more = lines.len() > filter.limit;
    lines.truncate(filter.limit);
    let next = lines.last().filter(|_| more).map(|line| line.seq.to_string());
    let items = lines.into_iter().map(|line| summary(db, line)).collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

fn before(filter: &EventFilter) -> Result<i64, Fault> {
    filter.cursor.as_ref().map_or(Ok(i64::MAX), |cursor| {
        cursor
            .parse()
            .map_err(|_| Fault::Refused(format!("`{cursor}` is not where a page of this list ended")))
    })
}

/// A line of the listing, before its event's decisions are looked at.
struct Line {
    seq: i64,
    /// Whether an event stands behind it.
    is_event: bool,
    /// As the receipt says; an event's own outcome and reason come from its decisions.
    summary: EventSummary,
}

fn lines(db: &Connection, filter: &EventFilter, before: i64) -> Result<Vec<Line>, Fault> {
    // A receipt is a line when it is an event's first or delivered none. `+` keeps the planner walking
    // the receipts backwards and stopping at the limit.
    let sql = format!(
        "SELECT r.seq, r.recorded, r.message_id, r.outcome, r.reason, e.id, r.claimed_event, e.build \
         FROM receipts r LEFT JOIN events e ON e.seq = r.seq \
         WHERE r.seq < :before AND (+r.event IS NULL OR +r.event = r.seq){}{}{} \
         ORDER BY r.seq DESC LIMIT :limit",
        filter.outcome.map(outcome_clause).unwrap_or_default(),
        if filter.trigger.is_some() {
            " AND EXISTS (SELECT 1 FROM decisions d WHERE d.event = e.seq AND d.trigger_name = :trigger)"
        } else {
            " AND :trigger IS NULL"
        },
        if filter.pipeline.is_some() { " AND e.pipeline = :pipeline" } else { " AND :pipeline IS NULL" },
    );
    let mut statement = db.prepare_cached(&sql)?;
    let parameters = named_params! {
        ":before": before,
        ":limit": count(filter.limit).saturating_add(1),
        ":trigger": filter.trigger,
        ":pipeline": filter.pipeline,
    };
    let rows = statement.query_map(parameters, |row| {
        let event = row.get::<_, Option<Plain<EventId>>>("id")?.map(|id| id.0);
        let claimed = row.get::<_, Option<Plain<EventId>>>("claimed_event")?.map(|id| id.0);
        Ok(Line {
            seq: row.get("seq")?,
            is_event: event.is_some(),
            summary: EventSummary {
                event: event.or(claimed),
                message_id: row.get("message_id")?,
                recorded: row.get::<_, Plain<_>>("recorded")?.0,
                outcome: row.get::<_, Plain<_>>("outcome")?.0,
                reason: row.get::<_, Option<Plain<_>>>("reason")?.map(|reason| reason.0),
                build: row.get::<_, Option<Json<_>>>("build")?.map(|build| build.0),
                triggers: Vec::new(),
                runs: Vec::new(),
                receipts: 1,
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The event's outcome is the first of its decisions' in `Outcome`'s order: one of them has it, and none
/// has an earlier one. Only our own codes are written into the text.
fn outcome_clause(outcome: Outcome) -> String {
    let list = |outcomes: &[Outcome]| {
        outcomes.iter().map(|outcome| format!("'{outcome}'")).collect::<Vec<_>>().join(", ")
    };
    let earlier: Vec<Outcome> = Outcome::ALL.into_iter().filter(|other| *other < outcome).collect();
    let none_earlier = format!(
        "NOT EXISTS (SELECT 1 FROM decisions d WHERE d.event = e.seq AND d.outcome IN ({}))",
        list(&earlier)
    );
    let some = if outcome == Outcome::NoMatch {
        // What an event without decisions is.
        String::new()
    } else {
        format!(" AND EXISTS (SELECT 1 FROM decisions d WHERE d.event = e.seq AND d.outcome = '{outcome}')")
    };
    format!(" AND iif(e.seq IS NULL, r.outcome = '{outcome}', {none_earlier}{some})")
}

fn summary(db: &Connection, line: Line) -> Result<EventSummary, Fault> {
    let mut summary = line.summary;
    if !line.is_event {
        return Ok(summary);
    }
    let sql =
        "SELECT outcome, reason, trigger_name, run FROM decisions WHERE event = ?1 ORDER BY ordinal, seq";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([line.seq])?;
    let mut first: Option<(Outcome, Option<Reason>)> = None;
    while let Some(row) = rows.next()? {
        let outcome = row.get::<_, Plain<Outcome>>(0)?.0;
        let reason = row.get::<_, Option<Plain<Reason>>>(1)?.map(|reason| reason.0);
        if first.is_none_or(|(earlier, _)| outcome < earlier) {
            first = Some((outcome, reason));
        }
        let trigger: String = row.get(2)?;
        if !summary.triggers.contains(&trigger) {
            summary.triggers.push(trigger);
        }
        summary.runs.extend(row.get::<_, Option<Json<Run>>>(3)?.map(|run| run.0.name));
    }
    match first {
        Some((outcome, reason)) => (summary.outcome, summary.reason) = (outcome, reason),
        None => summary.outcome = Outcome::NoMatch,
    }
    let count = db
        .prepare_cached("SELECT 1 + count(*) FROM receipts WHERE event = ?1 AND event <> seq")?
        .query_row([line.seq], |row| row.get::<_, i64>(0))?;
    summary.receipts = u64::try_from(count).unwrap_or(0);
    Ok(summary)
}
