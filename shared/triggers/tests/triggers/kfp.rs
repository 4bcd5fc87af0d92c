//! Pipelines as the KFP SDKs compile them: `tests/vectors/kfp/README.md` says which, and how they were made.

use std::{
    fs,
    path::{Path, PathBuf},
};

use launchgate_triggers::{InputKind, Template};
use serde_json::{Map, Value};

const VERSIONS: [&str; 4] = ["2.0", "2.7", "2.14", "2.17"];

fn corpora() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/kfp")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What the SDK of a version says of its pipelines, by name.
fn pipelines(version: &str) -> Map<String, Value> {
    json(&corpora().join(version).join("inputs.json"))["pipelines"].as_object().unwrap().clone()
}

fn compiled(version: &str, file: &str) -> Template {
    let path = corpora().join(version).join(file);
    Template::parse(&fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// 3 is 3.0: `PyYAML` and KFP's JSON write the same double differently.
fn same_number(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same_number(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_number(a, b))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => left == right,
    }
}

#[test]
fn every_compiled_pipeline_loads_and_no_value_changes() {
    let mut compared = 0;
    for version in VERSIONS {
        for name in pipelines(version).keys() {
            let template = compiled(version, &format!("{name}.yaml"));

            let values = json(&corpora().join(version).join(format!("{name}.values.json")));
            assert_eq!(template.spec, values, "{version}/{name}");
            // The kind of each number too: 3.0 stays 3.0.
            assert_eq!(template.spec.to_string(), values.to_string(), "{version}/{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 59, "a pipeline was lost");
}

#[test]
fn kfps_own_json_of_a_pipeline_is_the_same_spec() {
    let mut compared = 0;
    for version in VERSIONS {
        for name in pipelines(version).keys() {
            if !corpora().join(version).join(format!("{name}.json")).exists() {
                continue;
            }
            let (yaml, json) =
                (compiled(version, &format!("{name}.yaml")), compiled(version, &format!("{name}.json")));
            assert!(same_number(&yaml.spec, &json.spec), "{version}/{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 14);
}

#[test]
fn inputs_are_the_ones_that_the_sdk_holds() {
    for version in VERSIONS {
        for (name, said) in pipelines(version) {
            let template = compiled(version, &format!("{name}.yaml"));
            let said = said["inputs"].as_object().unwrap();
            assert_eq!(template.inputs.len(), said.len(), "{version}/{name}");
            for (input, said) in said {
                let read = template.input(input).unwrap_or_else(|| panic!("{version}/{name}: no {input}"));
                let at = format!("{version}/{name}: {input}");
                assert_eq!(read.kind.as_str(), said["type"], "{at}");
                assert_eq!(read.is_required(), said["required"] == true, "{at}");
                assert_eq!(read.default.is_some(), said["has_default"] == true, "{at}");
                let default = read.default.clone().unwrap_or(Value::Null);
                assert!(same_number(&default, &said["default"]), "{at}: {default}");
                assert!(same_number(&Value::Array(read.literals.clone()), &said["literals"]), "{at}");
            }
        }
    }
}

#[test]
fn every_type_of_input_is_among_them() {
    for version in VERSIONS {
        let mut kinds: Vec<InputKind> = Vec::new();
        for name in pipelines(version).keys() {
            kinds.extend(compiled(version, &format!("{name}.yaml")).inputs.iter().map(|input| input.kind));
        }
        for kind in [
            InputKind::Artifact,
            InputKind::NumberDouble,
            InputKind::NumberInteger,
            InputKind::String,
            InputKind::Boolean,
            InputKind::List,
            InputKind::Struct,
        ] {
            assert!(kinds.contains(&kind), "{version} has no {}", kind.as_str());
        }
    }
}

#[test]
fn caching_is_set_on_every_task_of_every_pipeline() {
    fn tasks(component: &Value) -> impl Iterator<Item = &Value> {
        component.pointer("/dag/tasks").and_then(Value::as_object).into_iter().flat_map(Map::values)
    }
    for version in VERSIONS {
        for name in pipelines(version).keys() {
            let template = compiled(version, &format!("{name}.yaml"));

            let spec = template.spec_with_caching(false);

            let components = spec["components"].as_object().unwrap().values().chain([&spec["root"]]);
            for task in components.flat_map(tasks) {
                assert_eq!(
                    task["cachingOptions"],
                    serde_json::json!({"enableCache": false}),
                    "{version}/{name}"
                );
            }
        }
    }
}

#[test]
fn what_else_kfp_writes_is_named_as_what_it_is() {
    for (file, said, fix) in [
        ("argo.yaml", "Argo workflow, as KFP 1 compiles", "KFP 2"),
        ("schema-2.0.0.json", "`schemaVersion` 2.0.0 is older than 2.1.0", "KFP 2"),
        ("pipeline-version.yaml", "`PipelineVersion` resource", "`spec.pipelineSpec`"),
        ("pipeline-and-version.yaml", "`Pipeline` resource", "kubernetes_manifest_format"),
    ] {
        let bytes = fs::read(corpora().join("refused").join(file)).unwrap();

        let error = Template::parse(&bytes).unwrap_err();

        assert!(error.message.contains(said), "{file}: {error}");
        assert!(error.fix.as_deref().unwrap_or_default().contains(fix), "{file}: {error:?}");
    }
}
