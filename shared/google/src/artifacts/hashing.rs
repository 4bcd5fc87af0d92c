//! Content, hashed as it comes; nothing of it is kept.

use launchgate_statement::Sha256;
use reqwest::Response;
use ring::digest::{Context, SHA256};

use super::{Progress, STALL_TIMEOUT, stalled, unreachable};
use crate::{GoogleError, http::cut_off};

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) sha256: Sha256,
    /// Bytes.
    pub(super) size: u64,
}

/// Reads all of an answer's content, but not more than one byte over `size`: what is longer is another thing.
/// One that ends early is not whole, whatever its framing says.
pub(super) async fn hashed(
    what: &str,
    mut response: Response,
    size: u64,
    progress: Progress<'_>,
) -> Result<Hashed, GoogleError> {
    let mut context = Context::new(&SHA256);
    let mut done = 0;
    while done <= size {
        let chunk = tokio::time::timeout(STALL_TIMEOUT, response.chunk()).await;
        let chunk = chunk.map_err(|_| stalled(what))?.map_err(|error| unreachable(what, &cut_off(&error)))?;
        let Some(chunk) = chunk else { break };
        context.update(&chunk);
        done += chunk.len() as u64;
        progress(done, size);
    }
    if done < size {
        let cause = format!("expected {size} bytes, read {done}");
        return Err(GoogleError::Unreachable { what: what.to_owned(), cause });
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok(Hashed { sha256: Sha256::from_bytes(digest), size: done })
}
