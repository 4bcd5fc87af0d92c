//! Tests that cannot run on this machine.

use std::io::Write;

/// Whether a skipped test is a failure: in CI, where everything a test needs is there.
pub fn must_not_skip() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Says in one line that the running test is skipped, past the test runner's capture, where people and CI see it.
///
/// # Panics
/// Where `CI=true`: a test that is not run proves nothing.
pub fn say_skipped(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test").to_owned();
    assert!(!must_not_skip(), "{name} may not be skipped in CI: {why}");
    // Captured output goes through `print!`; this does not. A stderr that is gone loses only the line.
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {why}");
}

/// Ends the test with one visible line that says why; fails it where `CI=true`.
#[macro_export]
macro_rules! skip {
    ($($why:tt)+) => {{
        $crate::say_skipped(&format!($($why)+));
        return;
    }};
}
