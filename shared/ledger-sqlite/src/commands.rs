//! What operators ask for.

use launchgate_engine::{Command, CommandId, CommandRecord};
use launchgate_statement::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    column::{Json, Plain, count, json},
    fault::Fault,
};

/// Records a command. The same one asked again while nobody has carried it out is the same command: an
/// operator whose answer was lost must not force two runs.
pub(crate) fn ask(db: &Connection, command: &Command, now: Timestamp) -> Result<CommandId, Fault> {
    let kind = json(&command.kind)?;
    let sql = "SELECT id FROM commands WHERE result IS NULL AND kind = ?1 AND asker = ?2 AND why = ?3";
    let open = db
        .prepare_cached(sql)?
        .query_row(params![kind, command.by, command.why], |row| row.get(0))
        .optional()?;
    if let Some(id) = open {
        return Ok(CommandId(id));
    }
    db.prepare_cached("INSERT INTO commands (asked, kind, asker, why) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![now.micros(), kind, command.by, command.why])?;
    Ok(CommandId(db.last_insert_rowid()))
}

/// Commands that nobody has carried out, oldest first.
pub(crate) fn open_commands(db: &Connection, limit: usize) -> Result<Vec<CommandRecord>, Fault> {
    let sql = "SELECT * FROM commands WHERE result IS NULL ORDER BY id LIMIT ?1";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([count(limit)], record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes what became of a command; the first result stays.
pub(crate) fn command_done(
    db: &Connection,
    id: CommandId,
    result: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "UPDATE commands SET done = coalesce(done, ?3), result = coalesce(result, ?2) WHERE id = ?1";
    if db.prepare_cached(sql)?.execute(params![id.0, result, now.micros()])? == 0 {
        return Err(Fault::Refused(format!("no command {} is recorded", id.0)));
    }
    Ok(())
}

/// One command.
pub(crate) fn command(db: &Connection, id: CommandId) -> Result<Option<CommandRecord>, Fault> {
    Ok(db.prepare_cached("SELECT * FROM commands WHERE id = ?1")?.query_row([id.0], record).optional()?)
}

fn record(row: &Row<'_>) -> rusqlite::Result<CommandRecord> {
    Ok(CommandRecord {
        id: CommandId(row.get("id")?),
        command: Command {
            kind: row.get::<_, Json<_>>("kind")?.0,
            by: row.get("asker")?,
            why: row.get("why")?,
        },
        asked: row.get::<_, Plain<_>>("asked")?.0,
        result: row.get("result")?,
    })
}
