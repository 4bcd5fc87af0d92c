//! Triggers that launch for the same builds.

use std::collections::HashMap;

use launchgate_statement::Sha256;

use super::warning;
use crate::{Finding, Mode, Trigger};

/// Two triggers of one `match`; and two that launch the same job, where the builds of one are builds of the
/// other as well.
pub(super) fn of(triggers: &[Trigger]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_match: HashMap<&str, &Trigger> = HashMap::new();
    let mut by_launch: HashMap<&Sha256, Vec<&Trigger>> = HashMap::new();
    for trigger in triggers {
        if let Some(twin) = by_match.get(&*trigger.match_text) {
            findings.push(same_match(twin, trigger));
            continue;
        }
        by_match.insert(&trigger.match_text, trigger);
        if trigger.mode == Mode::Enforce {
            by_launch.entry(&trigger.launch_digest).or_default().push(trigger);
        }
    }
    for alike in by_launch.values() {
        // A file of thousands of triggers names a pipeline in each, and one pipeline never covers another.
        let mut of_pipeline: HashMap<&str, Vec<&Trigger>> = HashMap::new();
        let mut of_patterns = Vec::new();
        for trigger in alike {
            match &trigger.matching.literal_pipeline {
                Some(name) => of_pipeline.entry(name).or_default().push(trigger),
                None => of_patterns.push(*trigger),
            }
        }
        for narrow in alike {
            let literal = narrow.matching.literal_pipeline.as_deref();
            let same = literal.and_then(|name| of_pipeline.get(name)).map(Vec::as_slice).unwrap_or_default();
            findings.extend(shadowed(&[same, &of_patterns].concat(), narrow));
        }
    }
    findings
}

fn same_match(twin: &Trigger, trigger: &Trigger) -> Finding {
    let message = format!(
        "the triggers `{}` and `{}` match the same builds: both will launch",
        twin.name, trigger.name
    );
    let fix = "narrow one of them, or keep both on purpose";
    warning("same-match", trigger.place.as_ref(), message, fix)
}

fn shadowed(alike: &[&Trigger], narrow: &Trigger) -> Option<Finding> {
    let covers = |wide: &Trigger| wide.name != narrow.name && wide.matching.covers(&narrow.matching);
    // Two that cover each other are told once, of the later one.
    let after = |wide: &Trigger| narrow.matching.covers(&wide.matching) && starts(narrow) < starts(wide);
    let wide = alike.iter().find(|wide| covers(wide) && !after(wide))?;
    let message = format!(
        "whatever the trigger `{}` matches, `{}` matches too, and both launch the same job: it will run twice",
        narrow.name, wide.name
    );
    let fix = "take one of them out, or keep the narrow one's builds out of the wide one with `!`";
    Some(warning("shadowed-trigger", narrow.place.as_ref(), message, fix))
}

fn starts(trigger: &Trigger) -> usize {
    trigger.place.as_ref().map_or(0, |place| place.bytes.start)
}
