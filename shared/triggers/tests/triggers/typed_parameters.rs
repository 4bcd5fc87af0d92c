//! Every rule of `parameterValues` and `inputArtifacts`, for values in the file and for values of an event.

use launchgate_outcome::Reason;
use launchgate_statement::Timestamp;
use launchgate_triggers::{Config, DecideOptions, Finding, Loaded, Overrides, decide, lint, load};
use serde_json::{Value, json};

use crate::{
    an_event::{an_event, published},
    the_file::Folder,
};

const TEMPLATE: &str = "
pipelineInfo: {name: typed}
root:
  inputDefinitions:
    parameters:
      flag: {parameterType: BOOLEAN, isOptional: true}
      epochs: {parameterType: NUMBER_INTEGER, isOptional: true}
      listed: {parameterType: LIST, isOptional: true}
      needed: {parameterType: STRING}
      rate: {parameterType: NUMBER_DOUBLE, defaultValue: 0.5}
      size: {parameterType: STRING, isOptional: true, literals: [small, \"on\"]}
      steps: {parameterType: NUMBER_INTEGER, isOptional: true, literals: [1.0, 2.0]}
      struct: {parameterType: STRUCT, isOptional: true}
      text: {parameterType: STRING, isOptional: true}
    artifacts:
      data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
      model: {artifactType: {schemaTitle: system.Model, schemaVersion: 0.0.1}, isOptional: true}
schemaVersion: 2.1.0
";

fn loaded(template: &str, runtime: &Value) -> Loaded {
    let file = json!({
        "apiVersion": "launchgate/v1",
        "service": {"audience": "launchgate-prod"},
        "vertex": {"project": "acme-ml", "location": "us-central1", "pipelineRoot": "gs://acme-pipelines/root"},
        "signers": [{"id": "signer", "publicKey": "keys/release.pem"}],
        "triggers": [{
            "name": "check",
            "match": {"pipeline": "fraud-train"},
            "require": {"signers": {"anyOf": ["signer"]}},
            "launch": {"pipelineJob": {"template": "typed.yaml", "runtimeConfig": runtime}},
        }],
    });
    let mut folder = Folder::new();
    folder.0.insert("typed.yaml".to_owned(), template.into());
    load("f", &file.to_string(), &folder, &Overrides::default())
}

/// `needed` and `data`, which every run needs, and one value more.
fn with(name: &str, value: &Value) -> Value {
    json!({
        "parameterValues": {"needed": "x", name: value},
        "inputArtifacts": {"data": {"artifactId": "7731"}},
    })
}

fn only(findings: Vec<Finding>) -> Finding {
    let [finding] = <[Finding; 1]>::try_from(findings).unwrap_or_else(|found| panic!("{found:#?}"));
    finding
}

fn config(runtime: &Value) -> Config {
    let loaded = loaded(TEMPLATE, runtime);
    loaded.config.unwrap_or_else(|| panic!("{:#?}", loaded.findings))
}

/// What an event that brings the value comes to.
fn of_an_event(name: &str, value: &Value) -> Result<Value, Reason> {
    let config = config(&with(name, &json!("${artifact.annotations.value}")));
    let event = an_event().annotated("value", value.clone()).verified(&config);
    let decisions = decide(&config, &event, published(), DecideOptions::default());
    let verdict = &decisions.decisions[0].verdict;
    match verdict.plan() {
        Some(plan) => {
            let body: Value = serde_json::from_str(&plan.request().body).unwrap();
            Ok(body["runtimeConfig"]["parameterValues"][name].clone())
        }
        None => Err(verdict.reason().unwrap()),
    }
}

#[test]
fn a_value_of_the_inputs_type_is_taken_from_file_and_event_alike() {
    for (name, value) in [
        ("flag", json!(false)),
        ("epochs", json!(3)),
        ("epochs", json!(3.0)),
        ("epochs", json!(-9_007_199_254_740_992_i64)),
        ("rate", json!(2)),
        ("rate", json!(1e300)),
        ("listed", json!([])),
        ("listed", json!([1, "a", [true, null, {"k": []}]])),
        ("struct", json!({"a": {"b": [null, {"c": 1.5}]}})),
        ("size", json!("on")),
        ("steps", json!(2)),
        ("text", json!("")),
        ("text", json!("822e615")),
    ] {
        let loaded = loaded(TEMPLATE, &with(name, &value));
        assert!(loaded.config.is_some(), "{name}: {value}: {:#?}", loaded.findings);
        let sent = of_an_event(name, &value).unwrap_or_else(|reason| panic!("{name}: {value}: {reason:?}"));
        let same = sent == value || sent.is_number() && sent.as_f64() == value.as_f64();
        assert!(same, "{name}: {value} arrives as {sent}");
    }
}

#[test]
fn a_value_of_another_type_is_refused_in_file_and_event_alike() {
    for (name, value) in [
        ("flag", json!("true")),
        ("flag", json!(1)),
        ("epochs", json!("3")),
        ("epochs", json!(3.5)),
        ("epochs", json!(true)),
        ("epochs", json!(9_007_199_254_740_993_u64)),
        ("rate", json!("0.5")),
        ("rate", json!(9_007_199_254_740_993_u64)),
        ("listed", json!("[1]")),
        ("listed", json!({"a": 1})),
        ("listed", json!([[9_007_199_254_740_993_u64]])),
        ("struct", json!([1])),
        ("struct", json!("{}")),
        ("struct", json!({"a": [{"b": -9_007_199_254_740_993_i64}]})),
        ("size", json!("large")),
        ("size", json!(true)),
        ("steps", json!(3)),
        ("text", json!(3)),
        ("text", json!(["a"])),
    ] {
        let finding = only(loaded(TEMPLATE, &with(name, &value)).findings);
        assert_eq!(finding.code, "parameter-type", "{name}: {value}");
        assert!(finding.message.contains(name), "{}", finding.message);
        assert_eq!(of_an_event(name, &value), Err(Reason::ParameterType), "{name}: {value}");
    }
}

#[test]
fn null_is_not_given_and_its_name_must_exist_all_the_same() {
    assert!(loaded(TEMPLATE, &with("epochs", &Value::Null)).config.is_some());
    assert_eq!(of_an_event("epochs", &Value::Null), Ok(Value::Null));
    assert_eq!(only(loaded(TEMPLATE, &with("needed", &Value::Null)).findings).code, "missing-parameter");
    assert_eq!(of_an_event("needed", &Value::Null), Err(Reason::MissingParameter));
    assert_eq!(only(loaded(TEMPLATE, &with("epoch", &Value::Null)).findings).code, "unknown-parameter");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_or_with_the_place_it_belongs_to() {
    for (name, fix) in [
        ("epoch", Some("did you mean `epochs`?")),
        ("Flag", Some("did you mean `flag`?")),
        ("data", Some("`data` is an artifact: give it under `inputArtifacts`")),
        ("something_else", None),
    ] {
        let finding = only(loaded(TEMPLATE, &with(name, &json!(1))).findings);
        assert_eq!((finding.code, finding.fix.as_deref()), ("unknown-parameter", fix), "{name}");
    }
    let artifacts = json!({
        "parameterValues": {"needed": "x"},
        "inputArtifacts": {"data": {"artifactId": "1"}, "modle": {"artifactId": "2"}},
    });
    let finding = only(loaded(TEMPLATE, &artifacts).findings);
    assert_eq!((finding.code, finding.fix.as_deref()), ("unknown-parameter", Some("did you mean `model`?")));
}

#[test]
fn what_a_run_needs_must_be_given_and_nothing_else_must() {
    let needed = json!({"parameterValues": {"needed": "x"}, "inputArtifacts": {"data": {"artifactId": "1"}}});
    assert!(loaded(TEMPLATE, &needed).config.is_some(), "optional ones and defaults are left to Vertex AI");

    for (runtime, named) in [
        (json!({"inputArtifacts": {"data": {"artifactId": "1"}}}), "`needed`"),
        (json!({"parameterValues": {"needed": "x"}}), "`data`"),
    ] {
        let finding = only(loaded(TEMPLATE, &runtime).findings);
        assert_eq!(finding.code, "missing-parameter");
        assert!(finding.message.contains(named), "{}", finding.message);
    }
}

#[test]
fn an_artifact_is_named_by_one_segment_wherever_it_comes_from() {
    let given = |id: &Value| json!({"parameterValues": {"needed": "x"}, "inputArtifacts": {"data": {"artifactId": id}}});
    for bad in ["", "a/b", "projects/1/locations/l/metadataStores/default/artifacts/7731", "a b"] {
        assert_eq!(only(loaded(TEMPLATE, &given(&json!(bad))).findings).code, "parameter-type", "{bad}");
    }
    let config = config(&given(&json!("${artifact.annotations.id}")));
    for (id, reason) in [("7731", None), ("a/b", Some(Reason::ParameterType))] {
        let event = an_event().annotated("id", json!(id)).verified(&config);
        let decisions = decide(&config, &event, published(), DecideOptions::default());
        assert_eq!(decisions.decisions[0].verdict.reason(), reason, "{id}");
    }
}

#[test]
fn a_default_that_contradicts_its_own_input_is_a_warning_where_it_would_be_used() {
    let template = "{schemaVersion: 2.1.0, pipelineInfo: {name: p}, root: {inputDefinitions: {parameters: {\
                    whole: {parameterType: NUMBER_INTEGER, defaultValue: 0.2}, \
                    size: {parameterType: STRING, defaultValue: huge, literals: [small]}, \
                    sound: {parameterType: STRING, defaultValue: x}}}}}";
    let warnings = |runtime: &Value| -> Vec<String> {
        let loaded = loaded(template, runtime);
        let config = loaded.config.unwrap_or_else(|| panic!("{:#?}", loaded.findings));
        let found = lint(&config, Timestamp::from_seconds(0)).into_iter();
        found.filter(|finding| finding.code == "template-default").map(|finding| finding.message).collect()
    };

    let both = warnings(&json!({}));

    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].contains("`size`") && both[1].contains("`whole` is 0.2"), "{both:?}");
    let one = warnings(&json!({"parameterValues": {"size": "small"}}));
    assert_eq!(one.len(), 1, "{one:?}");
    assert_eq!(warnings(&json!({"parameterValues": {"size": "small", "whole": 1}})), [""; 0]);
}
