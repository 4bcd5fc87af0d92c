//! Buildkite's own word on builds, and who waits for it.

use launchgate_engine::{BuildKey, FactsKept, KeptFacts, UnheededBuild};
use launchgate_statement::{EventId, Timestamp};
use launchgate_trust::BuildFacts;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    column::{Json, Plain, count, json},
    fault::Fault,
};

/// Builds of one organization, pipeline and number whose facts are given back: a pipeline that was deleted
/// and made anew under its old name counts its builds from 1 again.
const NAMESAKES: usize = 8;

/// Keeps the facts if they are the newest of their build.
pub(crate) fn keep(db: &Connection, facts: &BuildFacts, now: Timestamp) -> Result<KeptFacts, Fault> {
    let Some(build) = BuildKey::of(facts.build()) else {
        return Err(Fault::Refused("build facts without organization, pipeline or number".to_owned()));
    };
    let sql = "SELECT facts, version, unheeded FROM build_facts WHERE id = ?1";
    let known = db
        .prepare_cached(sql)?
        .query_row([facts.id()], |row| {
            Ok((row.get::<_, Json<BuildFacts>>(0)?.0, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?))
        })
        .optional()?;
    let unheeded = |version| UnheededBuild { build: build.clone(), id: facts.id().to_owned(), version };
    let version = match known {
        Some((kept, version, open)) if !facts.is_newer_than(&kept) => {
            let kept = if *facts == kept { FactsKept::Repeated } else { FactsKept::Older };
            return Ok(KeptFacts { kept, unheeded: open.then(|| unheeded(version)) });
        }
        Some((_, version, _)) => version + 1,
        None => 1,
    };
    let sql = "INSERT INTO build_facts (id, organization, pipeline, number, facts, recorded, version, unheeded) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1) ON CONFLICT (id) DO UPDATE SET \
               organization = excluded.organization, pipeline = excluded.pipeline, \
               number = excluded.number, facts = excluded.facts, recorded = excluded.recorded, \
               version = excluded.version, unheeded = 1";
    db.prepare_cached(sql)?.execute(params![
        facts.id(),
        build.organization,
        build.pipeline,
        number(&build),
        json(facts)?,
        now.micros(),
        version
    ])?;
    Ok(KeptFacts { kept: FactsKept::Newest, unheeded: Some(unheeded(version)) })
}

/// What is kept of the builds of this name, the newest first.
pub(crate) fn of_build(db: &Connection, build: &BuildKey) -> Result<Vec<BuildFacts>, Fault> {
    let sql = "SELECT facts FROM build_facts WHERE organization = ?1 AND pipeline = ?2 AND number = ?3 \
               ORDER BY recorded DESC, id LIMIT ?4";
    let mut statement = db.prepare_cached(sql)?;
    let parameters = params![build.organization, build.pipeline, number(build), count(NAMESAKES)];
    let rows = statement.query_map(parameters, |row| Ok(row.get::<_, Json<BuildFacts>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Events with a decision that waits for this build, oldest first.
pub(crate) fn waiting_for(db: &Connection, build: &BuildKey) -> Result<Vec<EventId>, Fault> {
    let sql = "SELECT e.id FROM build_waits w JOIN events e ON e.seq = w.event \
               WHERE w.organization = ?1 AND w.pipeline = ?2 AND w.number = ?3 AND EXISTS \
               (SELECT 1 FROM decisions d WHERE d.event = w.event AND d.outcome = 'waiting_build') \
               ORDER BY w.event";
    let mut statement = db.prepare_cached(sql)?;
    let parameters = params![build.organization, build.pipeline, number(build)];
    let rows = statement.query_map(parameters, |row| Ok(row.get::<_, Plain<EventId>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Builds whose newest word has not been heeded, oldest first.
pub(crate) fn unheeded(db: &Connection, limit: usize) -> Result<Vec<UnheededBuild>, Fault> {
    let sql = "SELECT id, organization, pipeline, number, version FROM build_facts WHERE unheeded = 1 \
               ORDER BY recorded LIMIT ?1";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([count(limit)], |row| {
        let number: i64 = row.get(3)?;
        let build = BuildKey {
            organization: row.get(1)?,
            pipeline: row.get(2)?,
            number: u64::try_from(number).unwrap_or_default(),
        };
        Ok(UnheededBuild { build, id: row.get(0)?, version: row.get(4)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a word was heeded, unless a newer one has come.
pub(crate) fn heeded(db: &Connection, heeded: &UnheededBuild) -> Result<(), Fault> {
    let sql = "UPDATE build_facts SET unheeded = 0 WHERE id = ?1 AND version = ?2";
    db.prepare_cached(sql)?.execute(params![heeded.id, heeded.version])?;
    Ok(())
}

/// Notes which build an event waits for; again is the same.
pub(crate) fn wait(db: &Connection, event: i64) -> Result<(), Fault> {
    let sql = "INSERT OR IGNORE INTO build_waits (organization, pipeline, number, event) \
               SELECT build ->> 'organization', build ->> 'pipeline', build ->> 'number', seq FROM events \
               WHERE seq = ?1";
    db.prepare_cached(sql)?.execute([event])?;
    Ok(())
}

/// Build numbers fit: `statement` and `trust` let no larger one through.
fn number(build: &BuildKey) -> i64 {
    i64::try_from(build.number).unwrap_or(i64::MAX)
}
