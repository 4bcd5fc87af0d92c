//! What triggers share: a file with `defaults` decides as one that has them written out.

use launchgate_triggers::{Config, DecideOptions, Decisions, decide};
use serde_json::{Map, Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::{YAML, config, load_text},
};

const LAUNCHER: &str = "launcher@acme-ml.iam.gserviceaccount.com";

/// What can be shared, by its place in a trigger and in `defaults`.
const SHARED: [(&str, &str); 9] = [
    ("/require/signers", "/require/signers"),
    ("/require/maxAge", "/require/maxAge"),
    ("/require/repository", "/require/repository"),
    ("/mode", "/mode"),
    ("/waitFor/build", "/waitFor/build"),
    ("/vertex/location", "/vertex/location"),
    ("/vertex/impersonate", "/vertex/impersonate"),
    ("/launch/customJob/labels/team", "/labels/team"),
    ("/launch/customJob/jobSpec/serviceAccount", "/serviceAccount"),
];

fn a_trigger() -> Value {
    json!({
        "name": "train",
        "match": {"pipeline": "fraud-train"},
        "require": {
            "signers": {"anyOf": ["release-key"]}, "maxAge": "10m", "repository": "https://github.com/acme/fraud-train",
            "sources": ["webhook"],
        },
        "mode": "observe",
        "waitFor": {"build": "6h"},
        "vertex": {"location": "europe-west4", "impersonate": LAUNCHER},
        "launch": {"customJob": {
            "jobSpec": {
                "serviceAccount": "runner@acme-ml.iam.gserviceaccount.com",
                "workerPoolSpecs": [{"replicaCount": "1"}],
            },
            "labels": {"team": "fraud", "branch": "${labelSafe(build.branch)}"},
        }},
    })
}

/// A trigger that says all of it otherwise.
fn another() -> Value {
    let mut other = a_trigger();
    other["name"] = "other".into();
    other["require"]["signers"] = json!({"anyOf": ["second-key"]});
    other["require"]["maxAge"] = "1d".into();
    other["require"]["repository"] = "https://github.com/acme/other".into();
    other["mode"] = "enforce".into();
    other["waitFor"]["build"] = "1h".into();
    other["vertex"] = json!({"location": "us-east1", "impersonate": "other@acme-ml.iam.gserviceaccount.com"});
    other["launch"]["customJob"]["labels"]["team"] = "other".into();
    other["launch"]["customJob"]["jobSpec"]["serviceAccount"] =
        "other@acme-ml.iam.gserviceaccount.com".into();
    other
}

fn a_file(triggers: &[Value], defaults: Option<&Value>) -> String {
    let mut file = json!({
        "apiVersion": "launchgate/v1",
        "service": {"audience": "launchgate-prod"},
        "vertex": {"project": "acme-ml", "location": "us-central1"},
        "signers": [
            {"id": "release-key", "publicKey": "keys/release.pem"},
            {"id": "second-key", "publicKey": "keys/second.pem"},
        ],
        "triggers": triggers,
    });
    if let Some(defaults) = defaults {
        file["defaults"] = defaults.clone();
    }
    file.to_string()
}

/// Takes what is at `pointer` out; mappings that it leaves empty go too.
fn take_out(value: &mut Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let members = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    let taken = members.remove(name).unwrap();
    if members.is_empty() && parent.matches('/').count() == 1 {
        take_out(value, parent);
    }
    taken
}

fn put_in(value: &mut Value, pointer: &str, what: Value) {
    let mut place = value;
    for step in pointer.split('/').skip(1) {
        place = place.as_object_mut().unwrap().entry(step).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = what;
}

fn events() -> Vec<AnEvent> {
    let by_hand = json!({"buildkite": {"build_number": "42", "source": "ui"}});
    let internal = "/predicate/buildDefinition/internalParameters";
    let by_webhook = json!({"buildkite": {"build_number": "42", "source": "webhook"}});
    vec![
        an_event().with(internal, by_webhook.clone()),
        an_event().with(internal, by_hand),
        an_event().with(internal, by_webhook.clone()).signed_by(&[&crate::the_file::SECOND]),
        an_event()
            .with(internal, by_webhook)
            .with("/predicate/runDetails/metadata/startedOn", json!("2026-11-18T10:00:00Z")),
    ]
}

/// Everything that is decided, bodies as JSON: the order of members is not what is meant.
fn decided(config: &Config) -> Vec<String> {
    let shown = |decisions: Decisions| {
        let one = decisions.decisions.iter().map(|decision| {
            let plan = decision.verdict.plan().map(|plan| {
                let body: Value = serde_json::from_str(&plan.request().body).unwrap();
                (plan.request().path.clone(), plan.impersonate().map(str::to_owned), body)
            });
            let said = (decision.verdict.outcome(), decision.verdict.reason(), &decision.checks, plan);
            format!("{} {} {said:?}", decision.trigger, decision.launch_id)
        });
        one.collect::<Vec<_>>()
    };
    let decide =
        |event: AnEvent| decide(config, &event.verified(config), published(), DecideOptions::default());
    events().into_iter().flat_map(|event| shown(decide(event))).collect()
}

#[test]
fn whatever_is_shared_the_decisions_are_those_of_the_file_written_out() {
    let written_out = config(&a_file(&[a_trigger(), another()], None));
    let expected = decided(&written_out);
    assert!(
        expected.iter().any(|it| it.contains("Observed")) && expected.iter().any(|it| it.contains("TooOld"))
    );

    for chosen in 1..1_usize << SHARED.len() {
        let (mut trigger, mut defaults) = (a_trigger(), json!({}));
        for (index, (own, shared)) in SHARED.iter().enumerate() {
            if chosen & (1 << index) != 0 {
                let value = take_out(&mut trigger, own);
                put_in(&mut defaults, shared, value);
            }
        }
        // The whole product is 511 files; two thirds of it are as good.
        if chosen % 3 == 0 {
            continue;
        }

        let config = config(&a_file(&[trigger, another()], Some(&defaults)));

        assert_eq!(decided(&config), expected, "{defaults}");
    }
}

#[test]
fn each_kind_has_the_shared_account_where_it_names_one() {
    let kinds = [
        (
            json!({"customJob": {"jobSpec": {"workerPoolSpecs": [{"replicaCount": "1"}]}}}),
            "/jobSpec/serviceAccount",
        ),
        (
            json!({"hyperparameterTuningJob": {
                "maxTrialCount": 2, "parallelTrialCount": 1,
                "studySpec": {
                    "metrics": [{"metricId": "m", "goal": "MAXIMIZE"}],
                    "parameters": [{"parameterId": "p", "discreteValueSpec": {"values": [1]}}],
                },
                "trialJobSpec": {"workerPoolSpecs": [{"replicaCount": "1"}]},
            }}),
            "/trialJobSpec/serviceAccount",
        ),
        (
            json!({"batchPredictionJob": {
                "model": "projects/p/locations/l/models/1",
                "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://a/b"]}},
                "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://a/c"}},
            }}),
            "/serviceAccount",
        ),
        (
            json!({"pipelineJob": {
                "template": "pipelines/retrain.yaml",
                "runtimeConfig": {
                    "gcsOutputDirectory": "gs://acme/root", "parameterValues": {"image": "i", "commit": "c"},
                },
            }}),
            "/serviceAccount",
        ),
    ];
    let defaults = json!({
        "serviceAccount": LAUNCHER, "labels": {"team": "fraud"}, "require": {"signers": {"anyOf": ["release-key"]}},
    });
    for (launch, place) in kinds {
        let trigger = json!({"name": "train", "match": {"pipeline": "fraud-train"}, "launch": launch});
        let config = config(&a_file(&[trigger], Some(&defaults)));

        let decisions = decide(&config, &an_event().verified(&config), published(), DecideOptions::default());

        let plan = decisions.decisions[0].verdict.plan().unwrap();
        let body: Value = serde_json::from_str(&plan.request().body).unwrap();
        assert_eq!(body.pointer(place), Some(&json!(LAUNCHER)), "{body}");
        assert_eq!(body["labels"]["team"], "fraud", "{body}");
    }
}

#[test]
fn a_broken_default_is_said_once_however_many_triggers_take_it() {
    let second = YAML[YAML.find("  - name: retrain-fraud").unwrap()..].replace("retrain-fraud", "second");
    let both =
        format!("{YAML}{second}").replace("      maxAge: 24h\n", "").replace("    mode: enforce\n", "");
    let defaults = "defaults: { mode: on, require: { maxAge: soon }, labels: { Team: fraud } }\ntriggers:\n";
    let text = both.replace("triggers:\n", defaults);

    let findings = load_text(&text).findings;

    let said: Vec<_> = findings.iter().map(|it| (it.code, it.place.as_ref().unwrap().line)).collect();
    let line = text.lines().position(|line| line.starts_with("defaults:")).unwrap() + 1;
    assert_eq!(said, [("unknown-value", line), ("bad-duration", line), ("bad-label", line)]);
}

#[test]
fn a_default_that_no_trigger_takes_is_warned_of() {
    let defaults = "defaults: { mode: observe, require: { maxAge: 1h, sources: [webhook] } }\ntriggers:\n";
    let text = YAML.replace("triggers:\n", defaults);

    let loaded = load_text(&text);

    let said: Vec<_> = loaded.findings.iter().map(|it| (it.code, it.message.as_str())).collect();
    assert_eq!(
        said,
        [
            ("unused-default", "no trigger takes the default `mode`: each says its own"),
            ("unused-default", "no trigger takes the default `maxAge`: each says its own"),
        ]
    );
    assert!(loaded.config.is_some());
}
