//! Where findings gather while the file is read.

use std::ops::Range;

use super::source::Source;
use crate::{Finding, Severity};

/// Findings kept of one file. A file that is broken all over is not mended faster by a longer list, and
/// each one costs a rendered snippet.
const LIMIT: usize = 200;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The file.
    Bytes(Range<usize>),
    /// A `LAUNCHGATE_…` variable.
    Variable(String),
}

/// The list, with the text it speaks of.
pub(crate) struct Findings<'a> {
    pub(crate) source: Source<'a>,
    list: Vec<Finding>,
    dropped: usize,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self { source, list: Vec::new(), dropped: 0 }
    }

    /// Adds an error.
    pub(crate) fn error(&mut self, code: &'static str, at: &At, message: impl Into<String>) -> &mut Finding {
        self.add(Finding::new(code, Severity::Error, message), at)
    }

    /// Adds a warning.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        at: &At,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.add(Finding::new(code, Severity::Warning, message), at)
    }

    /// Adds a finding that has no place in the file.
    pub(crate) fn placeless(
        &mut self,
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.push(Finding::new(code, severity, message))
    }

    fn add(&mut self, mut finding: Finding, at: &At) -> &mut Finding {
        match at {
            // What `defaults` share is read once for each trigger, and said once.
            At::Bytes(range) if let Some(index) = self.said(&finding, range) => return &mut self.list[index],
            At::Bytes(range) => finding.place = Some(self.source.place(range)),
            At::Variable(name) => finding.message = format!("{} (set by {name})", finding.message),
        }
        self.push(finding)
    }

    fn said(&self, finding: &Finding, range: &Range<usize>) -> Option<usize> {
        let place = self.source.place(range).bytes;
        self.list.iter().position(|said| {
            said.code == finding.code
                && said.message == finding.message
                && said.place.as_ref().is_some_and(|at| at.bytes == place)
        })
    }

    fn push(&mut self, finding: Finding) -> &mut Finding {
        if self.list.len() < LIMIT {
            self.list.push(finding);
        } else {
            self.dropped += 1;
            // An error must stay an error even where it is not listed: it takes the last one's place.
            if finding.severity <= self.list[LIMIT - 1].severity {
                self.list[LIMIT - 1] = finding;
            }
        }
        self.list.last_mut().expect("one was just added, or LIMIT stand there")
    }

    /// Whether the file cannot be used.
    pub(crate) fn any_error(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Errors and warnings in the file's order, those without a place first.
    pub(crate) fn into_list(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|finding| finding.place.as_ref().map_or(0, |place| place.bytes.start + 1));
        if self.dropped > 0 {
            let message = format!("{} more findings are not shown", self.dropped);
            self.list.push(Finding::new("more-findings", Severity::Warning, message));
        }
        self.list
    }
}
