//! Verify-and-decide beside the bare signature check, in one process, on one core.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// How long each loop runs.
const TIME: Duration = Duration::from_secs(1);

/// Calls a second that `work` manages.
pub(crate) fn rate(mut work: impl FnMut()) -> f64 {
    work();
    let begun = Instant::now();
    let mut calls = 0_u32;
    while begun.elapsed() < TIME {
        for _ in 0..16 {
            work();
        }
        calls += 16;
    }
    f64::from(calls) / begun.elapsed().as_secs_f64()
}

/// The payload and signature of an envelope, decoded beforehand: the bare loop pays for `ring` alone.
pub(crate) fn bare_signature(envelope: &[u8]) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let value: Value = serde_json::from_slice(envelope)?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let payload = STANDARD.decode(text("/payload"))?;
    Ok((
        launchgate_statement::pae(&text("/payloadType"), &payload),
        STANDARD.decode(text("/signatures/0/sig"))?,
    ))
}
