//! How far a large artifact has been read: a bar for people, a line now and then for logs.
//!
//! Promises: what is quick says nothing; stdout is left alone. Does not: slow the reading down.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::output::{Output, line};

/// Between two lines in a log: seldom enough to read, often enough to be seen alive (Buildkite can cancel silent jobs).
const EVERY: Duration = Duration::from_secs(10);

/// The progress of one artifact.
pub(crate) enum Progress<'o> {
    Bar(ProgressBar),
    Lines { said: Said, begun: Instant, output: &'o Output },
}

impl<'o> Progress<'o> {
    /// Of `what`, `length` bytes long; 0 while that is not known.
    pub(crate) fn of(what: &str, length: u64, output: &'o Output) -> Self {
        if output.is_watched() {
            let style =
                ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
            return Self::Bar(ProgressBar::new(length).with_style(style).with_message(line(what)));
        }
        let said = Said { what: line(what), length, next: EVERY };
        Self::Lines { said, begun: Instant::now(), output }
    }

    /// So much has been read.
    pub(crate) fn at(&mut self, read: u64) {
        match self {
            Self::Bar(bar) => bar.set_position(read),
            Self::Lines { said, begun, output } => {
                if let Some(text) = said.at(begun.elapsed(), read) {
                    output.say(&text);
                }
            }
        }
    }

    /// The whole length, where it becomes known on the way.
    pub(crate) fn has_length(&mut self, whole: u64) {
        match self {
            Self::Bar(bar) => bar.set_length(whole),
            Self::Lines { said, .. } => said.length = whole,
        }
    }

    /// Nothing more to say.
    pub(crate) fn finished(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// When which line is due.
pub(crate) struct Said {
    what: String,
    length: u64,
    next: Duration,
}

impl Said {
    fn at(&mut self, since: Duration, read: u64) -> Option<String> {
        if since < self.next {
            return None;
        }
        self.next = since + EVERY;
        let of = match self.length {
            0 => String::new(),
            whole => format!(" of {} ({} %)", HumanBytes(whole), read.saturating_mul(100) / whole),
        };
        Some(format!("hashing {}: {}{of}", self.what, HumanBytes(read)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_every_ten_seconds_and_none_for_what_is_quick() {
        let mut said = Said { what: "model.bin".to_owned(), length: 4 << 30, next: EVERY };
        let mut at = |seconds: u64, read: u64| said.at(Duration::from_secs(seconds), read);

        assert_eq!(at(9, 1 << 30), None);
        assert_eq!(at(11, 1 << 30).as_deref(), Some("hashing model.bin: 1.00 GiB of 4.00 GiB (25 %)"));
        assert_eq!(at(20, 2 << 30), None);
        assert!(at(21, 3 << 30).is_some());
    }
}
