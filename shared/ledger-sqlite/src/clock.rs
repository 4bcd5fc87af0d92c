//! The ledger's clock.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use launchgate_statement::Timestamp;

/// The system's time, kept from going back.
///
/// A system clock that is set back would stop every lease for as long as it was wrong; so time then goes
/// on at its own pace from where it was, until the system's has caught up.
pub(crate) struct Clock(Mutex<Reading>);

struct Reading {
    taken: Instant,
    micros: i64,
}

impl Clock {
    /// A clock that is never before `floor`, the newest time on record.
    pub(crate) fn not_before(floor: i64) -> Self {
        Self(Mutex::new(Reading { taken: Instant::now(), micros: floor.max(system_micros()) }))
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.read(Instant::now(), system_micros())
    }

    fn read(&self, instant: Instant, system: i64) -> Timestamp {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paced = last.micros.saturating_add(micros(instant.saturating_duration_since(last.taken)));
        *last = Reading { taken: instant.max(last.taken), micros: paced.max(system) };
        Timestamp::from_micros(last.micros)
    }
}

/// Whole microseconds; saturates.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn system_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_clock_set_back_slows_nothing_down() {
        let clock = Clock(Mutex::new(Reading { taken: Instant::now(), micros: 0 }));
        let start = Instant::now();

        let before = clock.read(start, 1_000_000_000);
        let after = clock.read(start + Duration::from_secs(3), 5);

        assert_eq!(after.micros_since(before), 3_000_000);
    }

    #[test]
    fn a_system_clock_set_forward_is_followed() {
        let clock = Clock(Mutex::new(Reading { taken: Instant::now(), micros: 0 }));

        assert_eq!(clock.read(Instant::now(), 7_000_000_000).micros(), 7_000_000_000);
    }
}
