//! Waiting for something that can be observed.

use std::time::{Duration, Instant};

/// How long a test waits for what should come at once; long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Asks until there is an answer; `what` names it when the deadline passes.
pub async fn eventually<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
