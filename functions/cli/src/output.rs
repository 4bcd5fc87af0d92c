//! What is written where: data on stdout, talk on stderr, colour only for a terminal that wants it.
//!
//! Promises: text that came with an event cannot move the cursor, change colours, reorder the line or add
//! a line of its own. Does not: know what the data means.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Findings for code scanning; `lint` only
    Sarif,
}

/// Where a command speaks.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    /// Colours on stdout.
    pub(crate) paint: Paint,
    /// Colours on stderr.
    talk: Paint,
}

#[allow(clippy::unused_self, reason = "an `Output` in hand is the permission to speak")]
impl Output {
    /// Looks at the terminal and at `NO_COLOR` once. Source: no-color.org.
    pub(crate) fn new(format: Format) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            format,
            paint: Paint(wanted && std::io::stdout().is_terminal()),
            talk: Paint(wanted && std::io::stderr().is_terminal()),
        }
    }

    /// Whether programs read along.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether findings go to code scanning.
    pub(crate) fn is_sarif(&self) -> bool {
        self.format == Format::Sarif
    }

    /// Whether somebody watches stderr: progress bars are for people.
    pub(crate) fn is_watched(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Writes data to stdout; a missing line end is added.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        let ended = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.write_all(ended.as_bytes()))
            .and_then(|()| stdout.flush())
        {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::NoReader),
            Err(error) => Err(Failure::Internal(anyhow::Error::new(error).context("writing to stdout"))),
        }
    }

    /// Writes a value to stdout as indented JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
        if std::io::stdout().is_terminal() { self.data(&harmless_json(&text)) } else { self.data(&text) }
    }

    /// Writes a line of talk to stderr.
    pub(crate) fn say(&self, text: &str) {
        // Nobody to complain to when stderr is gone.
        let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end_matches('\n'));
    }

    /// A line of talk that deserves a second look.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{} {}", self.talk.yellow("warning:"), lines(text)));
    }

    /// Why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        let error = self.talk.red("error:");
        match failure {
            Failure::NoReader => {}
            Failure::Config(unusable) => self.say(&lines(&unusable.rendered)),
            Failure::Usage(message) | Failure::Transient(message) => {
                self.say(&format!("{error} {}", lines(message)));
            }
            Failure::Internal(cause) => self.say(&format!("{error} {}", lines(&format!("{cause:#}")))),
        }
    }
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    /// No colours.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self(false);

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Good.
    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Refused or broken.
    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Waiting, skipped, worth a look.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// A title.
    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Less important.
    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// An outcome in its colour.
    pub(crate) fn outcome(self, outcome: launchgate_outcome::Outcome) -> String {
        let text = outcome.as_str();
        match outcome.exit_code() {
            0 => self.green(text),
            3 | 4 => self.red(text),
            _ => self.yellow(text),
        }
    }
}

/// `text` on one line, safe for a terminal: controls and characters that reorder or hide text are written
/// as `\u{…}`.
pub(crate) fn line(text: &str) -> String {
    escape(text, |_| false)
}

/// `text` safe for a terminal, its line ends kept.
pub(crate) fn lines(text: &str) -> String {
    escape(text, |c| c == '\n')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if !is_hostile(c) || keep(c) {
            safe.push(c);
        } else {
            match c {
                '\n' => safe.push_str("\\n"),
                '\t' => safe.push_str("\\t"),
                '\r' => safe.push_str("\\r"),
                // Writing to a String cannot fail.
                c => _ = write!(safe, "\\u{{{:x}}}", u32::from(c)),
            }
        }
    }
    safe
}

/// The same JSON with what acts on a terminal written as `\uXXXX`. All such characters stand in strings,
/// and none is outside the basic plane.
fn harmless_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hostile(c) && c != '\n' {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// Controls (C0, DEL, C1), line and paragraph separators, and what Unicode calls bidirectional or
/// invisible format characters: with them a terminal shows something else than what is there.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Indents every line of `text`.
pub(crate) fn indented(text: &str, by: usize) -> String {
    let front = " ".repeat(by);
    let lines: Vec<_> = text
        .lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("{front}{line}") })
        .collect();
    lines.join("\n")
}

/// A valid JSON text with line ends and indentation added and nothing else changed: numbers, member order
/// and escapes stay as they are sent.
pub(crate) fn spread_json(json: &str) -> String {
    let mut spread = String::with_capacity(json.len() * 2);
    let mut depth = 0usize;
    let mut characters = json.chars().peekable();
    let mut in_string = false;
    let mut escaped = false;
    while let Some(c) = characters.next() {
        if in_string {
            spread.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                in_string = true;
                spread.push(c);
            }
            '{' | '[' => {
                spread.push(c);
                while characters.peek().is_some_and(char::is_ascii_whitespace) {
                    characters.next();
                }
                if let Some(&next @ ('}' | ']')) = characters.peek() {
                    spread.push(next);
                    characters.next();
                } else {
                    depth += 1;
                    new_line(&mut spread, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut spread, depth);
                spread.push(c);
            }
            ',' => {
                spread.push(c);
                new_line(&mut spread, depth);
            }
            ':' => spread.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => spread.push(c),
        }
    }
    spread
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn hostile_text_stays_on_its_line_and_has_no_effect() {
        assert_eq!(line("a\u{1b}[31m\nb\u{202e}c\u{9b}2J"), "a\\u{1b}[31m\\nb\\u{202e}c\\u{9b}2J");
        assert_eq!(lines("a\n\u{7}b"), "a\n\\u{7}b");
        assert_eq!(line("Zürich ✓ 機械"), "Zürich ✓ 機械");
    }

    #[test]
    fn json_for_a_terminal_is_the_same_json() {
        let value = serde_json::json!({"name": "a\u{9b}2J\u{202e}b\u{1b}ü"});
        let text = harmless_json(&serde_json::to_string_pretty(&value).unwrap());

        assert!(!text.chars().any(|c| is_hostile(c) && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn spreading_changes_nothing_but_space() {
        let json = r#"{"a":[1.0,2,{}],"b":"x{\"y\":[\\","c":[],"d":{"e":1e2}}"#;

        let spread = spread_json(json);

        assert!(spread.contains("\"a\": [\n    1.0,\n    2,\n    {}\n  ],"), "{spread}");
        assert!(spread.contains(r#""b": "x{\"y\":[\\","#), "{spread}");
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(json).unwrap(), serde_json::from_str(&spread).unwrap());
        assert_eq!(before, after);
    }
}
