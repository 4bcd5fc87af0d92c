//! The requests that Google's Python SDK sends for the same job, and the launch ids other implementations
//! compute.

use launchgate_outcome::Outcome;
use launchgate_statement::{EventDigest, Sha256};
use launchgate_triggers::{DecideOptions, Overrides, TriggerName, decide, launch_id, load, render};
use serde_json::{Value, json};

use crate::{
    an_event::{AnEvent, an_event, published},
    the_file::{Folder, vectors},
};

const KINDS: [(&str, &str); 4] = [
    ("pipelineJobs", "pipelineJob"),
    ("customJobs", "customJob"),
    ("hyperparameterTuningJobs", "hyperparameterTuningJob"),
    ("batchPredictionJobs", "batchPredictionJob"),
];

/// What the SDK makes up by clock or account, and an artifact that the pipeline does not declare.
const SDK_ONLY: [&str; 7] = [
    "pipeline_generated_root",
    "pipeline_default_root_staging_bucket",
    "pipeline_init_defaults",
    "pipeline_generated_display_name",
    "pipeline_preflight_and_artifacts",
    "custom_default_output_dir",
    "custom_default_display_name_other_region",
];

fn read(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Numbers by value: 3 is 3.0.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => left == right,
    }
}

fn without_our_labels(mut body: Value) -> Value {
    let object = body.as_object_mut().unwrap();
    if let Some(Value::Object(labels)) = object.get_mut("labels") {
        labels.retain(|key, _| !key.starts_with("launchgate-"));
        if labels.is_empty() {
            object.remove("labels");
        }
    }
    body
}

/// The launch block for the call of a vector; what the SDK fills in is left for us to fill in too.
fn launch_of(vector: &Value, kind: &str) -> Value {
    let mut body = vector["body"].clone();
    if kind == "pipelineJob" {
        let call = &vector["args"]["ctor"];
        let members = body.as_object_mut().unwrap();
        members.remove("pipelineSpec");
        members.remove("templateUri");
        if call["pipeline_root"].as_str().is_none_or(str::is_empty)
            && let Some(Value::Object(runtime)) = members.get_mut("runtimeConfig")
        {
            runtime.remove("gcsOutputDirectory");
        }
        members.insert("template".to_owned(), vector["spec"].clone());
        if let Some(caching) = call["enable_caching"].as_bool() {
            members.insert("caching".to_owned(), json!(caching));
        }
    }
    json!({ kind: body })
}

fn file_with(launch: &Value, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let file = json!({
        "apiVersion": "launchgate/v1",
        "service": {"audience": "launchgate-prod"},
        "vertex": {"project": parts[3], "location": parts[5]},
        "signers": [{"id": "signer", "publicKey": "keys/release.pem"}],
        "triggers": [{
            "name": "check",
            "match": {"pipeline": "fraud-train", "artifact": "us-docker.pkg.dev/acme/ml/fraud-train@*"},
            "require": {"signers": {"anyOf": ["signer"]}},
            "launch": launch,
        }],
    });
    serde_json::to_string_pretty(&file).unwrap()
}

#[test]
fn a_planned_request_is_the_one_that_googles_sdk_sends() {
    let mut compared = 0;
    let mut files: Vec<_> =
        std::fs::read_dir(vectors().join("vectors")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let vector = read(&path);
        let url = vector["path"].as_str().unwrap();
        let kind = KINDS.iter().find(|(ending, _)| url.ends_with(ending));
        let Some((_, kind)) = kind.filter(|_| !SDK_ONLY.contains(&name)) else { continue };
        let text = file_with(&launch_of(&vector, kind), url);
        let loaded = load(name, &text, &Folder::new().with_specs(), &Overrides::default());
        let Some(config) = loaded.config else { panic!("{}", render(&text, &loaded.findings)) };
        let decisions = decide(&config, &an_event().verified(&config), published(), DecideOptions::default());
        let plan = decisions.decisions[0].verdict.plan().unwrap_or_else(|| panic!("{name}: {decisions:#?}"));
        let request = plan.request();
        assert_eq!(request.path, url, "{name}");
        let sent = without_our_labels(serde_json::from_str(&request.body).unwrap());
        let wanted = without_our_labels(vector["body"].clone());
        assert!(same(&sent, &wanted), "{name}\n sent {sent}\n wanted {wanted}");
        compared += 1;
    }
    assert!(compared >= 12, "{compared}");
}

const PIPELINE_JOBS: &str = "/v1/projects/acme-ml/locations/europe-west1/pipelineJobs";

/// The parameters that would be sent; `None` when the file or the event is refused for them.
fn sent_parameters(text: &str, folder: &Folder, event: AnEvent) -> Option<Value> {
    let config = load("launchgate.yaml", text, folder, &Overrides::default()).config?;
    let decisions = decide(&config, &event.verified(&config), published(), DecideOptions::default());
    let verdict = &decisions.decisions[0].verdict;
    let Some(plan) = verdict.plan() else {
        assert_eq!(verdict.outcome(), Outcome::InvalidParameters, "{verdict:?}");
        return None;
    };
    let body: Value = serde_json::from_str(&plan.request().body).unwrap();
    Some(body["runtimeConfig"]["parameterValues"].clone())
}

#[test]
fn parameters_are_refused_in_the_file_and_in_the_event_as_the_cases_say() {
    let data = read(&vectors().join("parameter_cases.json"));
    let mut judged = 0;
    for case in data["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let Some(expected) = case["strict_expected"].as_str() else { continue };
        let spec = case["spec"].as_str().unwrap();
        let other_job_id = case["job_id"].as_str().is_some_and(|job| job != "j1");
        if other_job_id
            || expected == "not_json"
            || id.contains("non_string_key")
            || spec.starts_with("legacy")
        {
            continue;
        }
        let mut folder = Folder::new().with_specs();
        let template = match &data["specs"][spec] {
            Value::String(path) => path.clone(),
            Value::Null => format!("specs/{spec}.json"),
            inline => {
                folder.0.insert("inline.json".to_owned(), inline.to_string().into_bytes());
                "inline.json".to_owned()
            }
        };
        let mut runtime =
            json!({"parameterValues": case.get("parameter_values").cloned().unwrap_or_else(|| json!({}))});
        if let Some(Value::Object(artifacts)) = case.get("input_artifacts") {
            let artifacts = artifacts.iter().map(|(key, value)| (key.clone(), json!({"artifactId": value})));
            runtime["inputArtifacts"] = Value::Object(artifacts.collect());
        }
        if let Some(root) = case.get("pipeline_root").filter(|root| !root.is_null()) {
            runtime["gcsOutputDirectory"] = root.clone();
        }
        if let Some(policy) = case["failure_policy"].as_str() {
            let name = match policy {
                "fast" => "PIPELINE_FAILURE_POLICY_FAIL_FAST",
                "slow" => "PIPELINE_FAILURE_POLICY_FAIL_SLOW",
                other => other,
            };
            runtime["failurePolicy"] = json!(name);
        }
        let name = case.get("display_name").cloned().unwrap_or_else(|| json!("d"));
        let mut job = json!({"template": template, "displayName": name, "runtimeConfig": &runtime});
        if let Some(labels) = case.get("labels").filter(|labels| !labels.is_null()) {
            job["labels"] = labels.clone();
        }
        let text = file_with(&json!({"pipelineJob": job}), PIPELINE_JOBS);
        let loaded = load(id, &text, &folder, &Overrides::default());
        let said = render(&text, &loaded.findings);
        assert_eq!(loaded.config.is_some(), expected == "ok", "{id}: expected {expected}\n{said}");
        judged += 1;

        let values = runtime["parameterValues"].as_object().unwrap().clone();
        if values.is_empty() || values.values().any(Value::is_null) {
            continue;
        }
        let names = values.keys().enumerate();
        let holes =
            names.map(|(n, key)| (key.clone(), json!(format!("${{artifact.annotations.value_{n}}}"))));
        job["runtimeConfig"]["parameterValues"] = Value::Object(holes.collect());
        let event = values
            .values()
            .enumerate()
            .fold(an_event(), |event, (n, value)| event.annotated(&format!("value_{n}"), value.clone()));
        let sent = sent_parameters(&file_with(&json!({"pipelineJob": job}), PIPELINE_JOBS), &folder, event);
        match sent {
            Some(sent) if expected == "ok" => assert!(same(&sent, &Value::Object(values)), "{id}: {sent}"),
            sent => assert_eq!(sent.is_some(), expected == "ok", "{id}: expected {expected}"),
        }
    }
    assert!(judged >= 25, "{judged}");
}

#[test]
fn launch_ids_are_the_ones_that_others_compute() {
    let data = read(&vectors().join("../trust/launch-id.json"));
    let cases = data["vectors"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let sha256 = |name: &str| Sha256::from_hex(text(name)).unwrap();
        let ordinal = u32::try_from(case["ordinal"].as_u64().unwrap()).unwrap();
        let trigger = TriggerName::parse(text("trigger")).unwrap();
        let id = launch_id(
            EventDigest(sha256("event_digest")),
            text("subject_name"),
            sha256("subject_sha256"),
            &trigger,
            ordinal,
        );
        assert_eq!(id.as_str(), text("launch_id"));
    }
}
