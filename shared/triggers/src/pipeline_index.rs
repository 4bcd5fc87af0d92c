//! Which triggers an event's pipeline can match, found without walking the file.
//!
//! Promises: no trigger whose `match.pipeline` holds is left out; what is given stands in the file's order;
//! the work does not grow with the triggers of other pipelines. Does not: say that a trigger matches (its
//! clauses do).

use std::collections::{BTreeSet, HashMap};

use launchgate_trust::{Pattern, PatternList};

/// Names looked at in each direction of each order when no trigger names a pipeline. Whoever may sign events
/// may send any number of them, so the search is bounded whatever the file holds.
const WINDOW: usize = 8;

/// Triggers given for one name: more of them say the same.
const OF_ONE_NAME: usize = 3;

/// Triggers given in all: each one's clauses are then held against every artifact of the event.
const ALIKE: usize = 6;

/// Characters of a name that are compared: a slug has no more, a pattern of the file may.
const COMPARED: usize = 128;

/// The triggers of a file by what their `match.pipeline` says.
#[derive(Debug, Default)]
pub(crate) struct PipelineIndex {
    /// Triggers that name the pipeline.
    names: HashMap<String, Vec<usize>>,
    /// Triggers with a wildcard, by the text before it; those that begin with one, or only say what is not
    /// meant, by the empty text.
    prefixes: HashMap<String, Vec<usize>>,
    /// The distinct lengths of `prefixes` in bytes.
    lengths: BTreeSet<usize>,
    /// Every pattern as written, sorted, with the first triggers that have it.
    texts: Vec<(String, Vec<usize>)>,
    /// Places in `texts`, sorted by the text read backwards.
    backwards: Vec<usize>,
}

impl PipelineIndex {
    /// Of the pipeline patterns of every trigger, in the file's order.
    pub(crate) fn new<'a>(lists: impl Iterator<Item = Option<&'a PatternList>>) -> Self {
        let mut index = Self::default();
        let mut texts = HashMap::<&str, Vec<usize>>::new();
        for (trigger, list) in lists.enumerate() {
            let positive = list.map(PatternList::positive).unwrap_or_default();
            if positive.is_empty() {
                index.add_prefix("", trigger);
            }
            for pattern in positive {
                if pattern.is_literal() {
                    push_new(index.names.entry(pattern.as_str().to_owned()).or_default(), trigger);
                } else {
                    index.add_prefix(prefix(pattern), trigger);
                }
                let having = texts.entry(pattern.as_str()).or_default();
                if having.len() < OF_ONE_NAME {
                    push_new(having, trigger);
                }
            }
        }
        index.texts = texts.into_iter().map(|(text, having)| (text.to_owned(), having)).collect();
        index.texts.sort();
        index.backwards = (0..index.texts.len()).collect();
        index.backwards.sort_by(|left, right| {
            let [left, right] = [left, right].map(|place| index.texts[*place].0.bytes().rev());
            left.cmp(right)
        });
        index
    }

    fn add_prefix(&mut self, prefix: &str, trigger: usize) {
        push_new(self.prefixes.entry(prefix.to_owned()).or_default(), trigger);
        self.lengths.insert(prefix.len());
    }

    /// The triggers that may match one of these pipelines, in the file's order.
    pub(crate) fn candidates<'a>(&self, pipelines: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for pipeline in pipelines {
            found.extend(self.names.get(pipeline).into_iter().flatten());
            let beginnings = self.lengths.iter().map_while(|length| match pipeline.len() {
                shorter if shorter < *length => None,
                // Within a character no pattern ends.
                _ => Some(pipeline.get(..*length)),
            });
            for beginning in beginnings.flatten() {
                found.extend(self.prefixes.get(beginning).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Triggers of pipelines that are called much like this one, the likest first: for telling a slip of the
    /// pen. The neighbours in the order of the names share its beginning, those in the order of the names read
    /// backwards its end.
    pub(crate) fn alike(&self, pipeline: &str) -> Vec<usize> {
        let cut = |text: &str| text.chars().take(COMPARED).collect::<String>();
        let wanted = cut(pipeline);
        let forwards = self.texts.partition_point(|(text, _)| text.as_str() < pipeline);
        let backwards = self
            .backwards
            .partition_point(|place| self.texts[*place].0.bytes().rev().lt(pipeline.bytes().rev()));
        let mut places: Vec<usize> = window(forwards, self.texts.len()).collect();
        places.extend(window(backwards, self.backwards.len()).map(|at| self.backwards[at]));
        places.sort_unstable();
        places.dedup();
        let mut scored: Vec<_> = places
            .into_iter()
            .map(|place| {
                let (text, having) = &self.texts[place];
                (strsim::osa_distance(&wanted, &cut(text)), having)
            })
            .collect();
        scored.sort_by_key(|(distance, _)| *distance);
        let mut alike = Vec::new();
        for trigger in scored.into_iter().flat_map(|(_, having)| having) {
            if alike.len() < ALIKE && !alike.contains(trigger) {
                alike.push(*trigger);
            }
        }
        alike
    }
}

/// The text before the first wildcard.
fn prefix(pattern: &Pattern) -> &str {
    pattern.as_str().split(['*', '?']).next().unwrap_or_default()
}

fn window(at: usize, length: usize) -> std::ops::Range<usize> {
    at.saturating_sub(WINDOW)..(at + WINDOW).min(length)
}

/// A trigger may say one thing twice; triggers come one after the other.
fn push_new(list: &mut Vec<usize>, trigger: usize) {
    if list.last() != Some(&trigger) {
        list.push(trigger);
    }
}
