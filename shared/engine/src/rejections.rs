//! How many rejected deliveries are stored.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// Rejected deliveries stored a minute by one instance; beyond it they are only counted, so that nobody
/// can fill the disk with garbage. Source: DESIGN §5.
const STORED_REJECTIONS_A_MINUTE: u64 = 600;

/// Counts the rejections of the current minute.
pub(crate) struct Rejections {
    started: Instant,
    /// The minute since `started` in the upper half, its count in the lower.
    minute_and_count: AtomicU64,
}

impl Rejections {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), minute_and_count: AtomicU64::new(0) }
    }

    /// Whether one more may be stored in this minute; counts it.
    pub(crate) fn may_store(&self) -> bool {
        let minute = self.started.elapsed().as_secs() / 60;
        let counted = self.minute_and_count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let count = if packed >> 32 == minute { packed & 0xFFFF_FFFF } else { 0 };
            Some(minute << 32 | (count + 1).min(0xFFFF_FFFF))
        });
        let packed = counted.unwrap_or_default();
        packed >> 32 != minute || packed & 0xFFFF_FFFF < STORED_REJECTIONS_A_MINUTE
    }
}
