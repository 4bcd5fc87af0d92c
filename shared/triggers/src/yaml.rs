//! YAML as every file of ours is read: the triggers file and the files of test cases.
//!
//! Promises: YAML 1.2 without anchors, merges and unknown tags, booleans in one spelling, bounded in depth and
//! size, so that a reviewer reads what the program reads. Does not: read templates, which are meant as `PyYAML`
//! wrote them (`template`).

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_saphyr::{Location, options::DuplicateKeyPolicy};

use crate::{Place, file::Source, finding::render_fault};

/// Mappings and lists in each other. A custom job's container is 11 deep, a spec written in the file about
/// 20; the reader recurses, and an unoptimized build needs some 30 KiB of stack for each level.
const MAX_DEPTH: usize = 32;

/// A text that cannot be read: what was found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlFault {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
}

impl YamlFault {
    /// As people read it, with the line and a caret. `text` is what was read.
    pub fn rendered(&self, text: &str) -> String {
        render_fault(text, &self.message, &self.place)
    }
}

/// Reads the one document of a text. `name` is the file as people named it.
///
/// # Errors
/// Where it is no such YAML, holds a key twice, or is not what `T` takes.
pub fn read_yaml<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, YamlFault> {
    read(text, DuplicateKeyPolicy::Error).map_err(|Unreadable { found, at }| YamlFault {
        message: found,
        place: Source::new(name, text).place(&at),
    })
}

/// Why a text could not be read.
pub(crate) struct Unreadable {
    pub(crate) found: String,
    pub(crate) at: Range<usize>,
}

/// Reads the one document of a text.
pub(crate) fn read<T: DeserializeOwned>(
    text: &str,
    duplicate_keys: DuplicateKeyPolicy,
) -> Result<T, Unreadable> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        duplicate_keys: duplicate_keys,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 2_000_000, max_aliases: 0, max_anchors: 0, max_depth: MAX_DEPTH }
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map_or(0..0, |location| range(&location));
        let error = error.without_snippet();
        // What `T` says of a value is its own, whatever words the value brings in.
        let is_own = matches!(error, serde_saphyr::Error::Message { .. });
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        Unreadable { found: if is_own { said.to_owned() } else { in_words(said) }, at }
    })
}

/// The bytes of a place.
pub(crate) fn range(location: &Location) -> Range<usize> {
    let index = |at: Option<u64>| at.and_then(|at| usize::try_from(at).ok());
    let start = index(location.span().byte_offset()).unwrap_or_default();
    start..start + index(location.span().byte_len()).unwrap_or_default()
}

/// The parser's own words, except where they are names of its settings.
fn in_words(said: &str) -> String {
    let rules = [
        ("Anchors", "an anchor (`&name`); write the value where it is used"),
        ("Alias", "an alias (`*name`); write the value where it is used"),
        ("Depth", "mappings and lists nested more than 32 deep"),
        ("Nodes", "more than two million values"),
        ("merge keys", "a merge key (`<<`); write the keys where they are used"),
        ("non-finite", "a number that is not finite"),
    ];
    let rule = rules.iter().find(|(name, _)| said.contains(name));
    rule.map_or_else(|| said.to_owned(), |(_, words)| (*words).to_owned())
}
