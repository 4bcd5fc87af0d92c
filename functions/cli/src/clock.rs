//! The machine's clock: the one place of this program that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use launchgate_statement::Timestamp;

/// Now, by this machine.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Now, cut to whole seconds: what statements carry, so that they are easy to read and compare.
pub(crate) fn now_in_seconds() -> Timestamp {
    Timestamp::from_seconds(now().seconds())
}

/// Reads an RFC 3339 instant given as an option.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected an RFC 3339 time such as 2026-11-18T11:06:40Z".to_owned())
}
