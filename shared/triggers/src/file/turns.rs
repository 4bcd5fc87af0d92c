//! `oncePer`, `order` and `maxLaunchesPerHour` of a trigger.

use std::num::NonZeroU32;

use launchgate_statement::FactName;

use super::{findings::Findings, match_section::Reads, scalar, section::Section};
use crate::turns::{OncePer, TurnRules};

/// Reads the three keys; what their keys are made of is noted, so that a fact which no permitted signer can
/// prove is found, and one that only Buildkite proves is waited for.
pub(super) fn read(section: &Section, reads: &mut Vec<Reads>, findings: &mut Findings) -> Option<TurnRules> {
    use FactName as F;
    let once_per = section.get("oncePer").map(|it| {
        let word = scalar::choice(it, &["event", "build", "commit", "artifact"], findings)?;
        let (once_per, facts): (_, &[FactName]) = match word {
            "build" => (OncePer::Build, &[F::Organization, F::Pipeline, F::Number]),
            "commit" => (OncePer::Commit, &[F::Organization, F::Pipeline, F::Commit]),
            "artifact" => (OncePer::Artifact, &[]),
            _ => (OncePer::Event, &[]),
        };
        reads.extend(facts.iter().map(|fact| Reads::of(*fact, &it.value.at)));
        Some(once_per)
    });
    let newest = section.get("order").map(|it| {
        let newest = scalar::choice(it, &["any", "newest"], findings)? == "newest";
        let facts: &[FactName] =
            if newest { &[F::Organization, F::Pipeline, F::Number, F::Branch] } else { &[] };
        reads.extend(facts.iter().map(|fact| Reads::of(*fact, &it.value.at)));
        Some(newest)
    });
    let per_hour =
        section.get("maxLaunchesPerHour").map(|it| scalar::count(it, findings).and_then(NonZeroU32::new));
    Some(TurnRules {
        once_per: once_per.unwrap_or(Some(OncePer::Event))?,
        newest: newest.unwrap_or(Some(false))?,
        per_hour: per_hour.map_or(Some(None), |read| read.map(Some))?,
    })
}
