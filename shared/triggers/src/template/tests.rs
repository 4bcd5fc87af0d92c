#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/vertex")
}

fn spec_file(name: &str) -> Vec<u8> {
    fs::read(vectors().join("specs").join(name)).unwrap()
}

fn spec_with(yaml: &str) -> String {
    format!("pipelineInfo: {{name: p}}\nroot: {{dag: {{tasks: {{}}}}}}\nschemaVersion: 2.1.0\n{yaml}")
}

fn member(yaml: &str) -> Result<Value, TemplateError> {
    Template::parse(spec_with(yaml).as_bytes()).map(|template| template.spec["x"].clone())
}

/// 3 and 3.0 are the same number; JSON files write one, `PyYAML` files the other.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

#[test]
fn the_yaml_and_the_json_of_a_pipeline_are_the_same_spec() {
    for name in ["retrain", "batch_eval", "deploy", "sweep"] {
        let yaml = Template::parse(&spec_file(&format!("{name}.yaml"))).unwrap();
        let json = Template::parse(&spec_file(&format!("{name}.json"))).unwrap();

        assert_eq!(yaml.spec, json.spec, "{name}");
        assert_eq!(yaml.inputs, json.inputs, "{name}");
        assert_ne!(yaml.digest, json.digest, "{name}");
    }
}

#[test]
fn a_wrapped_job_gives_its_spec_and_runtime_config() {
    let wrapped = Template::parse(&spec_file("deploy_wrapped_job.json")).unwrap();
    let bare = Template::parse(&spec_file("deploy.json")).unwrap();

    assert_eq!(wrapped.spec, bare.spec);
    assert_eq!(wrapped.runtime_config["gcsOutputDirectory"], "gs://wrapped/root");
    assert!(bare.runtime_config.is_empty());
}

#[test]
fn inputs_carry_type_default_and_whether_they_are_needed() {
    let template = Template::parse(&spec_file("retrain.yaml")).unwrap();

    let epochs = template.input("epochs").unwrap();
    assert_eq!((epochs.kind, epochs.default.clone()), (InputKind::NumberInteger, Some(json!(3.0))));
    assert!(!epochs.is_required());
    assert!(template.input("train_image").unwrap().is_required());
    assert!(!template.input("note").unwrap().is_required());
    assert_eq!(template.input("dataset").unwrap().kind, InputKind::Artifact);
    assert_eq!(template.inputs.len(), 11);
}

#[test]
fn caching_is_set_as_googles_sdk_sets_it() {
    for (vector, enabled) in [("pipeline_caching_off", false), ("pipeline_caching_on_nested", true)] {
        let text = fs::read(vectors().join("vectors").join(format!("{vector}.json"))).unwrap();
        let vector: Value = serde_json::from_slice(&text).unwrap();
        let template =
            Template::parse(&fs::read(vectors().join(vector["spec"].as_str().unwrap())).unwrap()).unwrap();

        assert!(same(&template.spec_with_caching(enabled), &vector["body"]["pipelineSpec"]));
        assert!(!same(&template.spec, &vector["body"]["pipelineSpec"]));
    }
}

#[test]
fn no_value_changes_on_the_way() {
    let template = Template::parse(
        spec_with("x: {big: 9007199254740993, most: 18446744073709551615, exact: 0.1, date: 2026-11-24, git: 822e615}").as_bytes(),
    )
    .unwrap();

    assert_eq!(
        template.spec["x"].to_string(),
        r#"{"big":9007199254740993,"date":"2026-11-24","exact":0.1,"git":"822e615","most":18446744073709551615}"#
    );
}

#[test]
fn quoted_scalars_are_text_and_tags_decide() {
    assert_eq!(
        member("x: ['yes', \"012\", !!str 12, ! 12, !!int '0x1F', !!float '1', !!bool 'on', !!null '']"),
        Ok(json!(["yes", "012", "12", "12", 31, 1.0, true, null]))
    );
    assert_eq!(member("x: |\n  yes\n"), Ok(json!("yes\n")));
    assert!(member("x: !!binary aGk=").unwrap_err().message.contains("line 4, column 4"));
    assert!(member("x: !custom {}").is_err());
}

#[test]
fn merge_keys_and_aliases_read_as_pyyaml_reads_them() {
    let base = "a: &a {k: 1, l: 2}\nb: &b {k: 3, m: 4}\n";

    assert_eq!(member(&format!("{base}x: {{<<: *a, k: 9}}")), Ok(json!({"k": 9, "l": 2})));
    assert_eq!(member(&format!("{base}x: {{k: 9, <<: *a}}")), Ok(json!({"k": 9, "l": 2})));
    assert_eq!(member(&format!("{base}x: {{<<: [*a, *b]}}")), Ok(json!({"k": 1, "l": 2, "m": 4})));
    assert_eq!(member(&format!("{base}x: {{<<: *a, <<: *b}}")), Ok(json!({"k": 3, "l": 2, "m": 4})));
    assert_eq!(member(&format!("{base}x: *b")), Ok(json!({"k": 3, "m": 4})));
    assert_eq!(member("x: {'<<': 1}"), Ok(json!({"<<": 1})));
    assert_eq!(member("x: {=: 1}"), Ok(json!({"=": 1})));
    assert!(member("x: {<<: 1}").is_err());
    assert!(member("x: &x [*x]").is_err());
}

#[test]
fn a_file_that_names_itself_over_and_over_is_refused() {
    let levels = (1..12).map(|level| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        format!("a{level}: &a{level} [{aliases}]\n")
    });
    let bomb = format!("a0: &a0 [0,0,0,0,0,0,0,0,0,0]\n{}", levels.collect::<String>());
    assert!(member(&bomb).unwrap_err().message.contains("more than 500000 values"));

    let deep = |levels: usize| format!("x: {}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(member(&deep(99)).is_ok());
    assert!(member(&deep(101)).unwrap_err().message.contains("nested deeper"));
    assert!(member(&deep(50_000)).is_err());
}

#[test]
fn what_stands_twice_is_refused_with_its_place() {
    assert_eq!(member("x: {a: 1, a: 2}").unwrap_err().message, "line 4, column 11: the key `a` stands twice");
    let json = r#"{"pipelineInfo": {"name": "p"}, "root": {}, "schemaVersion": "2.1.0", "x": {"a": 1, "\u0061": 2}}"#;
    assert!(
        Template::parse(json.as_bytes())
            .unwrap_err()
            .message
            .starts_with("the member `a` stands twice (line 1,")
    );
}

#[test]
fn an_integer_that_would_be_rounded_is_refused_in_json_as_in_yaml() {
    let whole = |value: &str| {
        let text = format!(
            r#"{{"pipelineInfo": {{"name": "p"}}, "root": {{}}, "schemaVersion": "2.1.0", "x": {value}}}"#
        );
        Template::parse(text.as_bytes())
    };
    assert_eq!(whole("18446744073709551615").unwrap().spec["x"].as_u64(), Some(u64::MAX));
    for value in ["18446744073709551616", "-9223372036854775809"] {
        for error in [whole(value).unwrap_err(), member(&format!("x: {value}")).unwrap_err()] {
            assert!(error.message.contains("does not fit 64 bits"), "{value}: {error}");
        }
    }
    assert!(whole(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_err());
}

#[test]
fn keys_that_are_no_text_are_refused() {
    for yaml in ["x: {1: a}", "x: {yes: a}", "x: {null: a}", "x: {[a]: b}", "x: {1.5: a}"] {
        let error = member(yaml).unwrap_err();
        assert!(error.message.contains("is no text"), "{yaml}: {error}");
    }
}

#[test]
fn kfps_platforms_document_is_ignored_and_any_other_is_not() {
    let platforms = "\n---\nplatforms: {kubernetes: {}}\n";

    assert!(Template::parse(spec_with(&format!("x: 1{platforms}")).as_bytes()).is_ok());
    assert!(Template::parse(spec_with("x: 1\n---\nroot: {}\n").as_bytes()).is_err());
    assert!(
        Template::parse(spec_with(&format!("x: 1{platforms}---\nplatforms: {{}}\n")).as_bytes()).is_err()
    );
}

#[test]
fn what_is_no_compiled_pipeline_says_so() {
    let old = r#"{"schemaVersion": "2.0.0", "pipelineInfo": {"name": "old"}, "root": {"inputDefinitions": {"parameters": {"n": {"type": "INT"}}}}}"#;
    let no_type = r#"{"schemaVersion": "2.1.0", "pipelineInfo": {"name": "p"}, "root": {"inputDefinitions": {"parameters": {"n": {"type": "INT"}}}}}"#;
    for (text, said) in [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("- a\n", "expected a mapping"),
        ("a: 1", "`schemaVersion` is missing"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "Argo workflow"),
        ("schemaVersion: 2.1\n", "expected text such as"),
        ("schemaVersion: 3.0.0\n", "not known"),
        ("schemaVersion: 2.1.0\n", "`pipelineInfo.name` is missing"),
        ("pipelineSpec: 1", "`pipelineSpec` is not a mapping"),
        ("a: [", "line 2, column 1"),
        (old, "older than 2.1.0"),
        (no_type, "has no `parameterType`"),
    ] {
        let error = Template::parse(text.as_bytes()).unwrap_err();
        assert!(error.message.contains(said), "{text:?}: {error}");
    }
    assert!(Template::parse(b"\xff").unwrap_err().message.contains("UTF-8"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "[-?:,&*!|>%@{}\\[\\]<~'\"\\\\ \n\ta-c0-9.]{0,60}|\\PC{0,60}") {
        let _ = Template::parse(spec_with(&format!("x: {text}")).as_bytes());
        let _ = Template::parse(text.as_bytes());
    }
}
