//! Which triggers an event concerns: the same as a walk over the whole file finds, and what one clause missed.

use std::collections::BTreeSet;

use launchgate_triggers::{Config, DecideOptions, Decisions, MissedClause, NearMiss, decide};
use launchgate_trust::{PatternList, Wildcards};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::config,
};

/// The clauses of a trigger; what is empty is left out.
#[derive(Clone, Debug)]
struct Clauses {
    pipeline: Vec<String>,
    branch: Vec<String>,
    artifact: Vec<String>,
    tag: bool,
    when: Option<bool>,
}

impl Clauses {
    fn of(pipeline: &[&str]) -> Self {
        let pipeline = pipeline.iter().map(|text| (*text).to_owned()).collect();
        Self { pipeline, branch: Vec::new(), artifact: Vec::new(), tag: false, when: None }
    }

    fn branch(mut self, branch: &str) -> Self {
        self.branch = vec![branch.to_owned()];
        self
    }

    fn artifact(mut self, artifact: &str) -> Self {
        self.artifact = vec![artifact.to_owned()];
        self
    }

    fn json(&self) -> Value {
        let mut block = json!({ "pipeline": self.pipeline });
        for (key, patterns) in [("branch", &self.branch), ("artifact", &self.artifact)] {
            if !patterns.is_empty() {
                block[key] = json!(patterns);
            }
        }
        if self.tag {
            block["tag"] = json!("v*");
        }
        if let Some(value) = self.when {
            block["when"] = json!(value.to_string());
        }
        block
    }

    /// The clauses that fail, by the definition and nothing else. The events of these tests have no tag.
    fn failed(&self, pipeline: &str, branch: &str, artifact: &str) -> Vec<Option<MissedClause>> {
        let holds = |patterns: &[String], value: &str| {
            let list = PatternList::parse(patterns.iter().map(String::as_str), Wildcards::Name).unwrap();
            patterns.is_empty() || list.matches(value)
        };
        let mut failed = Vec::new();
        failed.extend((!holds(&self.pipeline, pipeline)).then_some(None));
        failed.extend((!holds(&self.branch, branch)).then_some(Some(MissedClause::Branch)));
        failed.extend(self.tag.then_some(Some(MissedClause::Tag)));
        failed.extend((!holds(&self.artifact, artifact)).then_some(Some(MissedClause::Artifact)));
        if failed.is_empty() && self.when == Some(false) {
            failed.push(Some(MissedClause::When));
        }
        failed
    }
}

fn name(place: usize) -> String {
    format!("t{place}")
}

/// A file of these triggers; every third one permits another list of signers.
fn file(triggers: &[Clauses]) -> Config {
    let trigger = |(place, clauses): (usize, &Clauses)| {
        let any_of = if place % 3 == 0 { json!(["release", "second"]) } else { json!(["release"]) };
        json!({
            "name": name(place), "match": clauses.json(), "require": {"signers": {"anyOf": any_of}},
            "launch": {"pipelineJob": {"template": "pipelines/retrain.yaml",
                "runtimeConfig": {"parameterValues": {"image": "x", "commit": "y"}}}},
        })
    };
    let file = json!({
        "apiVersion": "launchgate/v1", "service": {"audience": "launchgate-prod"},
        "vertex": {"project": "acme-ml", "location": "us-central1", "pipelineRoot": "gs://acme/root"},
        "signers": [{"id": "release", "publicKey": "keys/release.pem"}, {"id": "second", "publicKey": "keys/second.pem"}],
        "triggers": triggers.iter().enumerate().map(trigger).collect::<Vec<_>>(),
    });
    config(&file.to_string())
}

/// Build 42 of a pipeline with these artifacts.
fn a_build(pipeline: &str, branch: &str, artifacts: &[&str]) -> AnEvent {
    let subject = |name: &&str| json!({"name": name, "digest": {"sha256": "ab".repeat(32)}});
    let page = format!("https://buildkite.com/acme/{pipeline}");
    let job = "0184990a-477b-4fa8-9968-496074483cee";
    an_event()
        .on_branch(branch)
        .with("/subject", artifacts.iter().map(subject).collect())
        .with("/predicate/buildDefinition/externalParameters/pipeline", json!(page))
        .with("/predicate/runDetails/metadata/invocationId", json!(format!("{page}/builds/42#{job}")))
}

fn decided(config: &Config, event: AnEvent) -> Decisions {
    decide(config, &event.verified(config), published(), DecideOptions::default())
}

fn nearest(decisions: &Decisions) -> Vec<&str> {
    decisions.unmatched[0].nearest.iter().map(|(trigger, _)| trigger.as_str()).collect()
}

fn near_misses(decisions: &Decisions) -> Vec<(&str, MissedClause)> {
    decisions.near_misses.iter().map(|miss| (miss.trigger.as_str(), miss.clause)).collect()
}

fn patterns(alphabet: &'static str, most: usize) -> impl Strategy<Value = Vec<String>> {
    let pattern = (any::<u8>(), alphabet)
        .prop_map(|(negated, text)| if negated < 40 { format!("!{text}") } else { text });
    prop::collection::vec(pattern, 0..=most)
}

fn any_clauses() -> impl Strategy<Value = Clauses> {
    let pipeline = patterns("[ab*?-]{1,4}", 3).prop_filter("needed", |list| !list.is_empty());
    let rarely = prop::bool::weighted(0.1);
    (pipeline, patterns("[xy*]{1,2}", 2), patterns("[mn*]{1,2}", 2), rarely, any::<Option<bool>>())
        .prop_map(|(pipeline, branch, artifact, tag, when)| Clauses { pipeline, branch, artifact, tag, when })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn what_is_decided_is_what_a_walk_over_the_file_finds(
        triggers in prop::collection::vec(any_clauses(), 1..14),
        pipeline in "[ab][ab-]{0,3}",
        branch in "[xy]{1,2}",
        artifacts in prop::collection::btree_set("[mn]{1,2}", 1..3),
    ) {
        let config = file(&triggers);
        let artifacts: Vec<&str> = artifacts.iter().map(String::as_str).collect();

        let decisions = decided(&config, a_build(&pipeline, &branch, &artifacts));

        let mut matched = Vec::new();
        let mut unmatched = Vec::new();
        for artifact in artifacts {
            let before = matched.len();
            let hits = triggers.iter().enumerate();
            let hits = hits.filter(|(_, clauses)| clauses.failed(&pipeline, &branch, artifact).is_empty());
            matched.extend(hits.map(|(place, _)| (artifact.to_owned(), name(place))));
            if matched.len() == before {
                unmatched.push(artifact);
            }
        }
        let found = decisions.decisions.iter();
        let found: Vec<_> = found.map(|one| (one.subject.clone(), one.trigger.to_string())).collect();
        prop_assert_eq!(&found, &matched);
        let left: Vec<_> = decisions.unmatched.iter().map(|one| one.artifact.name.as_str()).collect();
        prop_assert_eq!(&left, &unmatched);

        let mut near = BTreeSet::new();
        for (place, clauses) in triggers.iter().enumerate() {
            for artifact in &unmatched {
                if let [Some(clause)] = clauses.failed(&pipeline, &branch, artifact)[..]
                    && matched.iter().all(|(_, trigger)| *trigger != name(place))
                {
                    near.insert((place, clause));
                }
            }
        }
        let near: Vec<_> = near.into_iter().map(|(place, clause)| (name(place), clause)).collect();
        let counted: Vec<_> = decisions.near_misses.iter().map(|one| (one.trigger.to_string(), one.clause)).collect();
        prop_assert_eq!(counted, near);

        // The ladder names the fewest failed clauses first, whichever triggers it is shown for.
        for subject in &decisions.unmatched {
            prop_assert!((1..=3).contains(&subject.nearest.len()));
            let failed = subject.nearest.iter().map(|(trigger, _)| {
                let place: usize = trigger.as_str()[1..].parse().unwrap();
                triggers[place].failed(&pipeline, &branch, &subject.artifact.name).len()
            });
            prop_assert!(failed.is_sorted());
        }
    }
}

#[test]
fn of_the_triggers_of_its_pipeline_those_with_the_fewest_failed_clauses_are_named() {
    let config = file(&[
        Clauses::of(&["fraud"]).branch("main").artifact("model"),
        Clauses::of(&["other"]),
        Clauses::of(&["fr*"]).branch("main"),
        Clauses::of(&["fraud"]).artifact("image").branch("topic"),
        Clauses::of(&["fraud"]).branch("main"),
    ]);

    let decisions = decided(&config, a_build("fraud", "topic", &["data"]));

    assert_eq!(nearest(&decisions), ["t2", "t3", "t4"]);
    let by = |trigger, clause| (trigger, clause);
    assert_eq!(
        near_misses(&decisions),
        [by("t2", MissedClause::Branch), by("t3", MissedClause::Artifact), by("t4", MissedClause::Branch)]
    );
}

#[test]
fn where_no_trigger_is_of_the_pipeline_those_of_the_likest_names_are_named_and_none_is_counted() {
    let mut triggers: Vec<_> = (0..200).map(|n| Clauses::of(&[&*format!("team-{n}-train")])).collect();
    triggers.push(Clauses::of(&["fraud-trian"]));
    triggers.push(Clauses::of(&["farud-train"]));
    triggers.push(Clauses::of(&["fraud-train-*"]));
    let config = file(&triggers);

    let decisions = decided(&config, a_build("fraud-train", "main", &["model"]));

    let mut named = nearest(&decisions);
    named.sort_unstable();
    assert_eq!(named, ["t200", "t201", "t202"]);
    assert_eq!(near_misses(&decisions), []);
    let rungs = &decisions.unmatched[0].nearest[0].1;
    assert_eq!((rungs[0].name.as_str(), rungs[0].actual.as_deref()), ("match.pipeline", Some("fraud-train")));
}

#[test]
fn one_event_misses_a_trigger_once_however_many_subjects_it_has() {
    let config = file(&[Clauses::of(&["fraud"]).branch("main")]);
    let decisions = decided(&config, a_build("fraud", "topic", &["image", "model"]));
    assert_eq!(decisions.unmatched.len(), 2);
    assert_eq!(near_misses(&decisions), [("t0", MissedClause::Branch)]);
}

#[test]
fn a_trigger_that_matches_one_subject_is_no_near_miss_for_another() {
    let config = file(&[Clauses::of(&["fraud"]).artifact("model")]);
    let decisions = decided(&config, a_build("fraud", "main", &["image", "model"]));
    assert_eq!((decisions.decisions.len(), decisions.unmatched.len()), (1, 1));
    assert_eq!(near_misses(&decisions), []);
}

#[test]
fn a_subject_that_some_trigger_matches_is_no_near_miss_of_the_others() {
    let config = file(&[Clauses::of(&["fraud"]), Clauses::of(&["fraud"]).branch("main")]);
    let decisions = decided(&config, a_build("fraud", "topic", &["model"]));
    assert_eq!(decisions.decisions.len(), 1);
    assert_eq!(near_misses(&decisions), []);
}

#[test]
fn near_misses_of_one_event_are_capped() {
    let triggers: Vec<_> = (0..NearMiss::MAX + 8).map(|_| Clauses::of(&["fraud"]).branch("main")).collect();
    let decisions = decided(&file(&triggers), a_build("fraud", "topic", &["model"]));
    assert_eq!(decisions.near_misses.len(), NearMiss::MAX);
    assert_eq!(decisions.near_misses[0].trigger.as_str(), "t0");
}
