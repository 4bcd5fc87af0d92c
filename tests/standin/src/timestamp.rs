//! Times as Google's JSON writes them: RFC 3339 in UTC with at most microseconds.

use std::time::{Duration, SystemTime};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `2026-11-24T12:00:04.120512Z`.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let micros = at.replace_nanosecond(at.microsecond() * 1000).unwrap_or(at);
    micros
        .format(&Rfc3339)
        .expect("every SystemTime of this era has a four-digit year and no seconds in its offset")
}

/// The same of whole seconds since 1970.
pub(crate) fn rfc3339_of(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    rfc3339(SystemTime::UNIX_EPOCH + since)
}

/// Reads an RFC 3339 time.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(SystemTime::from)
}

/// Whole seconds since 1970.
pub(crate) fn unix_seconds(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
