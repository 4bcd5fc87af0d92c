//! EVENT on a command line: a file or standard input holding an envelope, a bundle or a push body.

use std::{io::Read as _, path::Path};

use launchgate_statement::Timestamp;

use crate::{failure::Failure, push_message::PushMessage};

/// Bytes read of an event: Pub/Sub's own limit with base64 and the wrapper around it.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// An event as given; nothing in it is proven.
#[derive(Debug)]
pub(crate) struct GivenEvent {
    /// The message data: an envelope or a bundle, if all is well.
    pub(crate) data: Vec<u8>,
    /// The push body's publish time.
    pub(crate) publish_time: Option<Timestamp>,
}

impl GivenEvent {
    /// Reads the file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = read_bounded(path)?;
        match PushMessage::read(&bytes) {
            Ok(Some(message)) => Ok(Self { data: message.data, publish_time: message.publish_time }),
            Ok(None) => Ok(Self { data: bytes, publish_time: None }),
            Err(error) => Err(Failure::usage(format!("{}: {error:#}", path.display()))),
        }
    }
}

/// A file or standard input as it is, up to a size that no event has.
pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        std::fs::File::open(path)
            .map_err(cannot)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::usage(format!(
            "{} has more than {MAX_BYTES} bytes; no event is that large",
            path.display()
        )));
    }
    Ok(bytes)
}
