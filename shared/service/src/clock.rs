//! This machine's clock, read at the edge and handed inward.

use std::time::{SystemTime, UNIX_EPOCH};

use launchgate_statement::Timestamp;

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
