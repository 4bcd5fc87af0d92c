//! How long the other side asks us to wait.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// The longest wait that is believed; a clock that is off must not park a decision for good.
const LONGEST: Duration = Duration::from_hours(24);

/// `Retry-After` in either of its forms: seconds, or a date, which counts from the answer's own `Date`
/// (our clock need not agree with theirs). Source: RFC 9110 §10.2.3.
pub(crate) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let until = http_date(value)?;
    let from = text(DATE).and_then(http_date).unwrap_or(now);
    Some(Duration::try_from(until - from).unwrap_or_default().min(LONGEST))
}

fn http_date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn wait(headers: &[(HeaderName, &str)]) -> Option<Duration> {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect::<HeaderMap>();
        let now = OffsetDateTime::from_unix_timestamp(1_445_412_400).unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(wait(&[(RETRY_AFTER, "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:28:00 GMT")]), Some(Duration::from_secs(80)));
        assert_eq!(
            wait(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:28:00 GMT"), (DATE, "Wed, 21 Oct 2015 07:27:55 GMT")]),
            Some(Duration::from_secs(5))
        );
    }

    #[test]
    fn the_past_is_now_nonsense_is_nothing_and_the_far_future_is_cut() {
        assert_eq!(wait(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:00:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[(RETRY_AFTER, "99999999999")]), Some(LONGEST));
    }
}
