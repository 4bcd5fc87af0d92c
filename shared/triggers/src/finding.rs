//! Something to say about the triggers file, with its place.

use serde::Serialize;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable kebab-case code, such as `unknown-key`.
    pub code: &'static str,
    /// Whether the file can be used.
    pub severity: Severity,
    /// What is wrong: expected, found.
    pub message: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Whether the file can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No.
    Error,
    /// Yes, but look at it.
    Warning,
}

/// A place in the triggers file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as named on the command line.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Byte range in the file.
    #[serde(skip)]
    pub bytes: std::ops::Range<usize>,
}

/// The findings as text: message, `file:line:column`, the line, a caret, the fix.
pub fn render(source: &str, findings: &[Finding]) -> String {
    let _ = (source, findings);
    unimplemented!("render")
}
