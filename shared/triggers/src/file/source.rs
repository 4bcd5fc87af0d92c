//! The text of the triggers file and its lines.

use std::ops::Range;

use crate::Place;

/// The file as people named it, its text, and where each line starts.
pub(crate) struct Source<'a> {
    name: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    /// Characters before each block of the text, so that a column in a file of one long line is not counted
    /// from its start.
    counted: Vec<usize>,
}

/// Bytes in a block of `counted`.
const BLOCK: usize = 1024;

impl<'a> Source<'a> {
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let mut counted = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            counted.push(counted[counted.len() - 1] + characters(block));
        }
        Self { name, text, line_starts: std::iter::once(0).chain(breaks).collect(), counted }
    }

    /// What stands at a byte range; empty for a range outside the text.
    pub(crate) fn slice(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Line and column of a byte range, cut to its first line so that a caret never underlines a page.
    pub(crate) fn place(&self, range: &Range<usize>) -> Place {
        let start = self.boundary(range.start);
        let line = self.line_starts.partition_point(|line_start| *line_start <= start).max(1);
        let line_start = self.line_starts[line - 1];
        let line_end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let end = self.boundary(range.end).clamp(start, line_end.max(start));
        let column = self.characters_before(start) - self.characters_before(line_start) + 1;
        Place { file: self.name.to_owned(), line, column, bytes: start..end }
    }

    fn characters_before(&self, at: usize) -> usize {
        let block = at / BLOCK;
        self.counted[block] + characters(&self.text.as_bytes()[block * BLOCK..at])
    }

    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The range in the file of a range within a scalar's value: exact where the value stands in the file
    /// as it is (plain, quoted without escapes, line by line in a block), else the whole scalar.
    pub(crate) fn within(&self, scalar: &Range<usize>, value: &str, part: &Range<usize>) -> Range<usize> {
        let raw = self.slice(scalar);
        let line_start = value.get(..part.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line_end = value[line_start..].find('\n').map_or(value.len(), |at| line_start + at);
        let line = value.get(line_start..line_end).unwrap_or_default();
        match raw.find(line) {
            Some(found) if !line.is_empty() && part.start >= line_start => {
                let start = scalar.start + found + (part.start - line_start);
                start..scalar.start + found + (part.end.min(line_end).max(part.start) - line_start)
            }
            _ => scalar.clone(),
        }
    }
}

/// Characters that begin in these bytes of a text.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| !matches!(byte, 0x80..=0xbf)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters_from_the_start_of_its_line_however_long_that_is() {
        let line = "ä€𝄞x".repeat(BLOCK);
        let text = format!("first\n{line}\n{line}");
        let source = Source::new("f", &text);
        for (at, _) in text.char_indices().step_by(97) {
            let place = source.place(&(at..at + 1));
            let line_start = text[..at].rfind('\n').map_or(0, |before| before + 1);
            assert_eq!(place.column, text[line_start..at].chars().count() + 1, "byte {at}");
        }
        assert_eq!(source.place(&(text.len()..text.len())).column, line.chars().count() + 1);
    }
}
