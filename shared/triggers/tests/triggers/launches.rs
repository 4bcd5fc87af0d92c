//! The launch block: what is written, spliced, filled in and left out.

use launchgate_triggers::{DecideOptions, decide};
use serde_json::{Value, json};

use crate::{
    an_event::{an_event, published},
    the_file::{YAML, config, edited},
};

fn body_text(file: &str) -> String {
    let config = config(file);
    let decisions = decide(&config, &an_event().verified(&config), published(), DecideOptions::default());
    let plan = decisions.decisions[0].verdict.plan().unwrap_or_else(|| panic!("{decisions:#?}"));
    plan.request().body.clone()
}

fn body(file: &str) -> Value {
    serde_json::from_str(&body_text(file)).unwrap()
}

fn with_custom(body: &str) -> String {
    format!("{}{body}", &YAML[..YAML.find("      pipelineJob:").unwrap()])
}

#[test]
fn members_stand_in_the_order_of_the_file() {
    let text = body_text(YAML);
    let order =
        ["\"pipelineSpec\":", "\"displayName\":", "\"serviceAccount\":", "\"runtimeConfig\":", "\"labels\":"];
    let places: Vec<_> = order.iter().map(|key| text.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn what_the_file_leaves_out_is_filled_in() {
    let start = YAML.find("        displayName").unwrap();
    let file = format!(
        "{}        runtimeConfig:\n          parameterValues: {{ image: i, commit: c }}\n",
        &YAML[..start]
    );
    let body = body(&file);
    assert_eq!(body["displayName"], "retrain-fraud");
    assert_eq!(body["runtimeConfig"]["gcsOutputDirectory"], "gs://acme-pipelines/root");
    assert_eq!(body["labels"].as_object().unwrap().len(), 3);
}

#[test]
fn a_null_parameter_is_not_sent() {
    for file in
        [edited("epochs: 3", "epochs: null"), edited("epochs: 3", "epochs: null").replace("${", "$${")]
    {
        let body = body(&file);
        assert!(body["runtimeConfig"]["parameterValues"].get("epochs").is_none());
    }
}

#[test]
fn an_escaped_expression_is_text_everywhere() {
    let file = edited("${artifact.uri}", "$${artifact.uri}").replace("vertex-runner@", "$${x}@");
    let body = body(&file);
    assert_eq!(body["runtimeConfig"]["parameterValues"]["image"], "${artifact.uri}");
    assert_eq!(body["serviceAccount"], "${x}@acme-ml.iam.gserviceaccount.com");
}

#[test]
fn one_expression_keeps_its_type_and_more_are_text() {
    let file = edited("epochs: 3", "epochs: ${build.number}")
        .replace("image: ${artifact.uri}", "image: n-${build.number}");
    let values = body(&file)["runtimeConfig"]["parameterValues"].clone();
    assert_eq!((&values["epochs"], &values["image"]), (&json!(42), &json!("n-42")));
}

#[test]
fn a_label_takes_a_number_as_text() {
    assert_eq!(body(&edited("team: fraud", "build: \"${build.number}\""))["labels"]["build"], "42");
}

#[test]
fn caching_is_replaced_on_every_task() {
    let file = edited("retrain.yaml\n", "retrain.yaml\n        caching: false\n");
    body(&file);
}

#[test]
fn a_pinned_template_is_taken() {
    let digest = launchgate_statement::Sha256::of(crate::the_file::TEMPLATE.as_bytes()).to_hex();
    body(&edited("retrain.yaml\n", &format!("retrain.yaml\n        templateSha256: {digest}\n")));
}

#[test]
fn a_spec_may_stand_in_the_file() {
    let spec = "pipelineSpec: { schemaVersion: 2.1.0, pipelineInfo: { name: inline }, deploymentSpec: {}, components: {}, root: { dag: { tasks: {} }, inputDefinitions: { parameters: { image: { parameterType: STRING }, commit: { parameterType: STRING }, epochs: { parameterType: NUMBER_INTEGER } } } } }";
    let body = body(&edited("template: pipelines/retrain.yaml", spec));
    assert_eq!(body["pipelineSpec"]["pipelineInfo"]["name"], "inline");
}

#[test]
fn a_custom_job_runs_the_artifact_that_was_matched() {
    let file = with_custom(
        "      customJob:\n        jobSpec:\n          workerPoolSpecs:\n            - containerSpec:\n                imageUri: ${artifact.uri}\n                args: [--commit, \"${claimed.build.commit}\", \"--n=${build.number}\"]\n                env: [{ name: BRANCH, value: \"${build.branch}\" }]\n",
    );
    let spec = body(&file)["jobSpec"]["workerPoolSpecs"][0]["containerSpec"].clone();
    let sha256 = "ab".repeat(32);
    assert_eq!(spec["imageUri"], format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{sha256}"));
    assert_eq!(spec["args"], json!(["--commit", "3f".repeat(20), "--n=42"]));
    assert_eq!(spec["env"][0]["value"], "main");
}

#[test]
fn a_literal_repository_takes_the_artifacts_digest() {
    let file = with_custom(
        "      customJob:\n        jobSpec:\n          workerPoolSpecs: [{ containerSpec: { imageUri: \"gcr.io/acme/x@${artifact.digest}\" } }]\n",
    );
    let image = body(&file)["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["imageUri"].clone();
    assert_eq!(image, format!("gcr.io/acme/x@sha256:{}", "ab".repeat(32)));
}
