//! `ledger`.

use super::{
    findings::{At, Findings},
    later,
    node::Member,
    scalar,
    section::Section,
};
use crate::LedgerChoice;

pub(super) const KEYS: &[&str] = &["sqlite", "ephemeralDisk", "firestore"];

pub(super) fn read(member: &Member, findings: &mut Findings) -> Option<LedgerChoice> {
    let section = Section::open("ledger", KEYS, &member.value, &member.key_at, findings)?;
    if section.get("firestore").is_some() {
        later::refuse(section.get("firestore"), "the Firestore ledger", findings);
        return None;
    }
    let ephemeral = section.get("ephemeralDisk").and_then(|it| scalar::choice(it, &["allowed"], findings));
    let sqlite = section.need("sqlite", "add `sqlite: ./data/launchgate.db`", findings)?;
    let path = match &sqlite.value.at {
        // Whoever sets the environment may place the database on a mounted disk; the file may not.
        At::Variable(_) => scalar::text(sqlite, findings),
        At::Bytes(_) => scalar::path(sqlite, findings),
    };
    Some(LedgerChoice::Sqlite { path: path?.to_owned(), ephemeral_disk_allowed: ephemeral.is_some() })
}
