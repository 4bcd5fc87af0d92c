//! Fuzz targets for whatever strangers send: envelopes, bundles, tokens, keys, webhook headers.
//!
//! Each takes a seed that is right, edits it, and asks what must hold whatever came of it; that nothing
//! panics is the least. As tests they run a fixed number of inputs; `BOLERO_RANDOM_TEST_TIME_MS` makes each
//! run that long instead (`make fuzz`: a minute). They are modules of this test binary, and not a crate of
//! their own, because they need its keys, vectors and tokens, and a second binary would link it all again.

mod edit;
mod envelopes;
mod headers;
mod keys;
mod tokens;

use std::cell::Cell;
use std::io::Write as _;
use std::time::{Duration, Instant};

use edit::Recipe;

/// Inputs of a run that nobody gave a time. Few enough for every `cargo test`.
const INPUTS: usize = 1000;

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused,
}

impl Answer {
    fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Accepted } else { Self::Refused }
    }
}

/// Runs `target` over many recipes and says how many there were; fails when none of them came to either
/// answer, for then the target tries nothing.
fn run(name: &str, target: impl Fn(&Recipe) -> Answer) {
    let timed = std::env::var_os("BOLERO_RANDOM_TEST_TIME_MS").is_some();
    let (inputs, accepted) = (Cell::new(0_usize), Cell::new(0_usize));
    let begun = Instant::now();
    // Nothing is looked at again after a panic but the input that caused it.
    let counted = std::panic::AssertUnwindSafe((&target, &inputs, &accepted));
    let check = bolero::check!().with_type::<Recipe>().with_shrink_time(Duration::from_secs(10));
    let check = if timed { check } else { check.with_iterations(INPUTS) };
    check.for_each(|recipe| {
        let (target, inputs, accepted) = *counted;
        let answer = target(recipe);
        inputs.set(inputs.get() + 1);
        accepted.set(accepted.get() + usize::from(answer == Answer::Accepted));
    });
    let (inputs, accepted, seconds) = (inputs.get(), accepted.get(), begun.elapsed().as_secs_f64());
    if timed {
        // Past the capture of the test runner.
        _ = writeln!(
            std::io::stderr(),
            "FUZZED {name}: {inputs} inputs, {accepted} accepted, {seconds:.0} s"
        );
    }
    assert!(accepted > 0 && accepted < inputs, "{name}: {accepted} of {inputs} inputs were accepted");
}
