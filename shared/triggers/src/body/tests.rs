#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use serde_json::json;

use super::*;

/// The jobs that Google's own SDK sends.
fn sdk_bodies() -> Vec<(String, LaunchKind, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/vertex/vectors");
    let mut bodies = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let vector: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
        let kind = match vector["path"].as_str().unwrap().rsplit('/').next().unwrap() {
            "pipelineJobs" => LaunchKind::PipelineJob,
            "customJobs" => LaunchKind::CustomJob,
            "hyperparameterTuningJobs" => LaunchKind::HyperparameterTuningJob,
            "batchPredictionJobs" => LaunchKind::BatchPredictionJob,
            _ => continue,
        };
        bodies.push((vector["name"].as_str().unwrap().to_owned(), kind, vector["body"].clone()));
    }
    assert!(bodies.len() >= 15, "{}", bodies.len());
    bodies
}

/// Below these every member is free.
const FREE: [&str; 3] = ["pipelineSpec", "parameterValues", "labels"];

/// Calls `each` with the pointer of every member and list item that the schema knows.
fn places(value: &Value, at: &str, each: &mut impl FnMut(&str, bool)) {
    let steps: Vec<(String, &Value, bool)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value, true)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (i.to_string(), value, false)).collect()
        }
        _ => return,
    };
    for (step, value, is_member) in steps {
        let pointer = format!("{at}/{step}");
        let map_key = at.ends_with("/inputArtifacts");
        each(&pointer, is_member && !map_key);
        if !FREE.contains(&step.as_str()) {
            places(value, &pointer, each);
        }
    }
}

#[test]
fn what_googles_sdk_sends_is_accepted() {
    for (name, kind, body) in sdk_bodies() {
        assert_eq!(check_body(kind, &body), [], "{name}");
    }
}

#[test]
fn each_of_them_with_one_field_renamed_or_retyped_is_refused() {
    let mut tried = 0;
    for (name, kind, body) in sdk_bodies() {
        let mut pointers = Vec::new();
        places(&body, "", &mut |pointer, is_member| pointers.push((pointer.to_owned(), is_member)));
        for (pointer, is_member) in pointers {
            let (parent, step) = pointer.rsplit_once('/').unwrap();
            let path: Vec<_> = pointer.split('/').skip(1).map(str::to_owned).collect();
            if is_member {
                let mut renamed = body.clone();
                let members = renamed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                let value = members.remove(step).unwrap();
                members.insert(format!("{step}X"), value);

                let errors = check_body(kind, &renamed);
                let said = format!("did you mean `{step}`?");
                assert!(
                    errors.iter().any(|error| error.fix.as_deref() == Some(said.as_str())),
                    "{name} {pointer}: {errors:?}"
                );
            }
            for wrong in [json!([[1]]), json!({"x": {"y": 1}}), json!(true), json!("?")] {
                let mut retyped = body.clone();
                let place = retyped.pointer_mut(&pointer).unwrap();
                let same_kind = matches!((&*place, &wrong), (Value::String(_), Value::String(text)) if text == "?")
                    || std::mem::discriminant(place) == std::mem::discriminant(&wrong);
                if same_kind {
                    continue;
                }
                *place = wrong;

                let errors = check_body(kind, &retyped);
                assert!(
                    errors.iter().any(|error| error.path.starts_with(&path)),
                    "{name} {pointer}: {errors:?}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn faults_have_a_path_and_a_fix() {
    let body = json!({"displayName": "d", "jobSpec": {"workerPoolSpecs": [
        {"machineSpek": {}, "replicaCount": "${build.number}", "containerSpec": {"imageUri": "i"}, "pythonPackageSpec": {}},
        {"machineSpec": {"acceleratorType": "NVIDIA_TESLA_T40", "acceleratorCount": 3_000_000_000_u64}},
    ], "scheduling": {"timeout": "1h", "strategy": 4}}});

    let errors = check_body(LaunchKind::CustomJob, &body);

    let said: Vec<_> =
        errors.iter().map(|e| (e.path.join("."), e.message.as_str(), e.fix.as_deref())).collect();
    assert_eq!(
        said.iter().map(|(path, message, fix)| (path.as_str(), *message, *fix)).collect::<Vec<_>>(),
        [
            (
                "jobSpec.scheduling.timeout",
                "`jobSpec.scheduling.timeout` is \"1h\", expected a duration in seconds, such as \"3600s\"",
                None
            ),
            (
                "jobSpec.workerPoolSpecs.0.machineSpek",
                "WorkerPoolSpec has no field `machineSpek`",
                Some("did you mean `machineSpec`?")
            ),
            (
                "jobSpec.workerPoolSpecs.0.pythonPackageSpec",
                "`containerSpec` and `pythonPackageSpec` exclude each other",
                Some("keep one")
            ),
            (
                "jobSpec.workerPoolSpecs.0.replicaCount",
                "`jobSpec.workerPoolSpecs[0].replicaCount` is \"${build.number}\", expected a whole number of 64 bits",
                Some("an expression cannot stand here; write the value itself"),
            ),
            (
                "jobSpec.workerPoolSpecs.1.machineSpec.acceleratorCount",
                "`jobSpec.workerPoolSpecs[1].machineSpec.acceleratorCount` is 3000000000, expected a whole number of 32 bits",
                None,
            ),
            (
                "jobSpec.workerPoolSpecs.1.machineSpec.acceleratorType",
                "`jobSpec.workerPoolSpecs[1].machineSpec.acceleratorType` is \"NVIDIA_TESLA_T40\", expected a value of AcceleratorType",
                Some("did you mean `NVIDIA_TESLA_T4`?"),
            ),
        ]
    );
}

#[test]
fn fields_are_named_as_in_rest_and_not_set_for_the_server() {
    let errors = check_body(
        LaunchKind::PipelineJob,
        &json!({"display_name": "d", "state": 1, "name": "n", "labels": null}),
    );

    let said: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "PipelineJob has no field `display_name`",
            "`name` is set by Vertex AI itself",
            "`state` is set by Vertex AI itself"
        ]
    );
    assert_eq!(errors[0].fix.as_deref(), Some("did you mean `displayName`?"));
    assert_eq!(
        check_body(LaunchKind::PipelineJob, &json!([]))[0].message,
        "the body is [], expected a mapping (PipelineJob)"
    );
}

#[test]
fn what_no_job_starts_without_is_required() {
    let required = |body: Value| {
        check_body(LaunchKind::CustomJob, &body).into_iter().map(|e| e.path.join(".")).collect::<Vec<_>>()
    };

    assert_eq!(required(json!({})), ["jobSpec"]);
    assert_eq!(check_body(LaunchKind::HyperparameterTuningJob, &json!({})).len(), 2);
    assert_eq!(check_body(LaunchKind::BatchPredictionJob, &json!({})).len(), 2);
    assert_eq!(required(json!({"jobSpec": {"workerPoolSpecs": []}})), ["jobSpec.workerPoolSpecs"]);
    assert_eq!(
        required(json!({"jobSpec": {"workerPoolSpecs": [{"containerSpec": {"env": [{"value": "v"}]}}]}})),
        [
            "jobSpec.workerPoolSpecs.0.containerSpec.env.0.name",
            "jobSpec.workerPoolSpecs.0.containerSpec.imageUri"
        ]
    );
}
