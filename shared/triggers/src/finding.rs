//! Something to say about the triggers file, with its place.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::FindingCode;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable kebab-case code, such as `unknown-key`; `FindingCode` says what it means.
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

impl Finding {
    pub(crate) fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        debug_assert_eq!(
            FindingCode::parse(code).map(FindingCode::severity),
            Some(severity),
            "`{code}` needs a row in finding_code.rs, and one severity"
        );
        Self { code, severity, message: message.into(), place: None, fix: None }
    }

    /// A file that could not even be read.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new("unreadable", Severity::Error, message)
    }

    /// Adds what to do.
    pub(crate) fn fix(&mut self, text: impl Into<String>) {
        self.fix = Some(text.into());
    }
}

/// The findings as text: message, `file:line:column`, the line, a caret, the fix. `source` is the text of
/// the file that was loaded. Plain: no colours.
pub fn render(source: &str, findings: &[Finding]) -> String {
    let renderer = Renderer::plain();
    let texts = findings.iter().map(|finding| renderer.render(&[report(source, finding)]));
    let mut text = texts.collect::<Vec<_>>().join("\n\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn report<'a>(source: &'a str, finding: &'a Finding) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level
        .primary_title(finding.message.as_str())
        .id(finding.code)
        .elements(std::iter::empty::<annotate_snippets::Element>());
    if let Some(place) = &finding.place {
        group = group.element(snippet(source, place));
    }
    if let Some(fix) = &finding.fix {
        group = group.element(Level::HELP.with_name("fix").message(fix.as_str()));
    }
    group
}

/// A fault without a code, as text.
pub(crate) fn render_fault(source: &str, message: &str, place: &Place) -> String {
    let group = Level::ERROR.primary_title(message).element(snippet(source, place));
    Renderer::plain().render(&[group])
}

/// A place from another text (the caller mixed files up) shows no line rather than a wrong one.
fn snippet<'a>(source: &'a str, place: &'a Place) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let range = place.bytes.start.min(source.len())..place.bytes.end.min(source.len());
    let range = if source.get(range.clone()).is_some() { range } else { 0..0 };
    // The one line rather than the whole text, which the renderer would walk for every finding.
    let start = source[..range.start].rfind('\n').map_or(0, |before| before + 1);
    let end = source[range.end..].find('\n').map_or(source.len(), |rest| range.end + rest);
    let line = if range.is_empty() && range.start == 0 { 1 } else { place.line };
    let span = range.start - start..range.end - start;
    let snippet = Snippet::source(&source[start..end]).line_start(line).path(place.file.as_str());
    snippet.annotation(AnnotationKind::Primary.span(span))
}
