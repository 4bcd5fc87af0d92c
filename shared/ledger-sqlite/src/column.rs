//! How our types stand in columns and are read back.

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{EventId, Sha256, Timestamp};
use launchgate_triggers::{LaunchId, MissedClause, TriggerName};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use serde::{Serialize, de::DeserializeOwned};

use crate::fault::Fault;

/// A value kept as JSON text.
pub(crate) struct Json<T>(pub(crate) T);

/// A value kept as its stable text or number.
pub(crate) struct Plain<T>(pub(crate) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(|error| FromSqlError::Other(error.into()))
    }
}

impl FromSql for Plain<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(Timestamp::from_micros(value.as_i64()?)))
    }
}

impl FromSql for Plain<Sha256> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let bytes =
            bytes.try_into().map_err(|_| unreadable("32 bytes", &format!("{} bytes", bytes.len())))?;
        Ok(Self(Sha256::from_bytes(bytes)))
    }
}

macro_rules! from_text {
    ($($type:ty, $parse:expr, $expected:literal;)*) => {$(
        impl FromSql for Plain<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                $parse(text).map(Self).ok_or_else(|| unreadable($expected, text))
            }
        }
    )*};
}

from_text! {
    Outcome, Outcome::from_code, "an outcome";
    Reason, Reason::from_code, "a reason";
    EventId, EventId::parse, "an event id";
    LaunchId, LaunchId::parse, "a launch id";
    TriggerName, TriggerName::parse, "a trigger's name";
    MissedClause, MissedClause::from_key, "a clause of `match`";
}

fn unreadable(expected: &str, found: &str) -> FromSqlError {
    FromSqlError::Other(format!("expected {expected}, found `{found}`").into())
}

/// A length or limit as `SQLite` counts; saturates.
pub(crate) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    Ok(serde_json::to_string(value)?)
}
