//! Every field of the four job messages, taken one at a time from the API's own descriptors.
//!
//! The descriptors are read anew here, so that a fault of the reader's own walk shows.

use std::collections::HashMap;

use launchgate_triggers::{Overrides, load};
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use serde_json::{Value, json};

use crate::the_file::Folder;

const KINDS: [(&str, &str); 4] = [
    ("pipelineJob", "PipelineJob"),
    ("customJob", "CustomJob"),
    ("hyperparameterTuningJob", "HyperparameterTuningJob"),
    ("batchPredictionJob", "BatchPredictionJob"),
];

/// Marked "Output only" in the API reference, by top message; none of them may be given.
const OUTPUT_ONLY: [&str; 18] = [
    "name",
    "createTime",
    "startTime",
    "endTime",
    "updateTime",
    "state",
    "error",
    "jobDetail",
    "templateMetadata",
    "scheduleName",
    "webAccessUris",
    "satisfiesPzs",
    "satisfiesPzi",
    "trials",
    "outputInfo",
    "partialFailures",
    "resourcesConsumed",
    "completionStats",
];

/// Refused on purpose: `template` stands for the first, the second is KFP 1's, the third is set by the server.
const LEFT_OUT: [&str; 3] =
    ["pipelineJob.pipelineSpec", "pipelineJob.runtimeConfig.parameters", "batchPredictionJob.modelVersionId"];

struct Schema {
    messages: HashMap<String, DescriptorProto>,
    /// The last value of each enum, by name.
    enums: HashMap<String, String>,
}

impl Schema {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/fds/aiplatform-v1.fds");
        let set = FileDescriptorSet::decode(&*std::fs::read(path).unwrap()).unwrap();
        let mut schema = Self { messages: HashMap::new(), enums: HashMap::new() };
        for file in set.file {
            let package = format!(".{}", file.package());
            for one in &file.enum_type {
                schema.add_enum(&package, one);
            }
            for one in &file.message_type {
                schema.add(&package, one);
            }
        }
        schema
    }

    fn add_enum(&mut self, parent: &str, one: &prost_types::EnumDescriptorProto) {
        let last = one.value.last().unwrap().name().to_owned();
        self.enums.insert(format!("{parent}.{}", one.name()), last);
    }

    fn add(&mut self, parent: &str, message: &DescriptorProto) {
        let name = format!("{parent}.{}", message.name());
        for one in &message.enum_type {
            self.add_enum(&name, one);
        }
        for one in &message.nested_type {
            self.add(&name, one);
        }
        self.messages.insert(name, message.clone());
    }

    fn message(&self, name: &str) -> &DescriptorProto {
        self.messages.get(name).unwrap_or_else(|| panic!("{name} is not there"))
    }
}

/// One field of a body: its path for people, and the body in which it is set.
struct Sample {
    path: String,
    body: Value,
    /// Where the field's own message is in the body, and the field.
    owner: String,
    field: String,
}

/// What a message needs to be there at all.
fn least(message: &str) -> Value {
    match message {
        "CustomJob" => json!({ "jobSpec": least("CustomJobSpec") }),
        "CustomJobSpec" => json!({ "workerPoolSpecs": [{}] }),
        "HyperparameterTuningJob" => json!({"studySpec": {}, "trialJobSpec": least("CustomJobSpec")}),
        "BatchPredictionJob" => json!({"inputConfig": {}, "outputConfig": {}}),
        "ContainerSpec" => json!({"imageUri": "gcr.io/acme/x:v1"}),
        "EnvVar" => json!({"name": "N"}),
        "EncryptionSpec" => json!({"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}),
        "PipelineJob" => json!({"template": "pipelines/inputs.yaml"}),
        _ => json!({}),
    }
}

fn json_name(field: &FieldDescriptorProto) -> String {
    let mut words = field.name().split('_');
    let mut name = words.next().unwrap().to_owned();
    // Python's generator writes `type_` where the word is its own.
    for word in words.filter(|word| !word.is_empty()) {
        name.push_str(&word[..1].to_uppercase());
        name.push_str(&word[1..]);
    }
    name
}

fn well_known(name: &str) -> Option<Value> {
    Some(match name.strip_prefix(".google.protobuf.")? {
        "Struct" => json!({"a": [1, null, {"b": "c"}]}),
        "Value" | "StringValue" => json!("x"),
        "ListValue" => json!([1]),
        "Duration" => json!("3600s"),
        "Timestamp" => json!("2026-11-25T10:00:00Z"),
        "BoolValue" => json!(true),
        "FieldMask" => json!("a,b"),
        "Any" => json!({"@type": "type.googleapis.com/google.protobuf.Empty"}),
        _ => json!(1),
    })
}

/// Values in which each field below this one is set once; the first is the field's own.
fn values(
    schema: &Schema,
    field: &FieldDescriptorProto,
    name: &str,
    above: &[String],
) -> Vec<(String, Value)> {
    let one = |value: Value| vec![(String::new(), value)];
    match name {
        "gcsOutputDirectory" => return one(json!("gs://acme-pipelines/root")),
        "labels" => return one(json!({"team": "fraud"})),
        "parameterValues" => return one(json!({"epochs": 3})),
        "inputArtifacts" => return one(json!({"data": {"artifactId": "7731"}})),
        _ => {}
    }
    match field.r#type() {
        Type::Message => {
            let of = field.type_name();
            if let Some(value) = well_known(of) {
                return one(value);
            }
            let message = schema.message(of);
            if message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry) {
                let entry = |number| message.field.iter().find(|field| field.number() == number).unwrap();
                let key = if entry(1).r#type() == Type::String { "k" } else { "7" };
                let inner = values(schema, entry(2), "value", above).into_iter();
                return inner.map(|(path, value)| (format!("/{key}{path}"), json!({ key: value }))).collect();
            }
            let mut all = one(least(message.name()));
            if !above.contains(&of.to_owned()) {
                let above = [above, &[of.to_owned()]].concat();
                for (path, value) in samples(schema, message, &above) {
                    all.push((path, value));
                }
            }
            all
        }
        Type::Enum => one(json!(schema.enums[field.type_name()])),
        Type::Bool => one(json!(true)),
        Type::Double | Type::Float => one(json!(0.5)),
        Type::String => one(json!("text")),
        Type::Bytes => one(json!("aGk=")),
        Type::Int64 | Type::Uint64 => one(json!("9007199254740993")),
        _ => one(json!(7)),
    }
}

/// Bodies of a message in which each field, at any depth, is set once, by the field's pointer.
fn samples(schema: &Schema, message: &DescriptorProto, above: &[String]) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for field in &message.field {
        let name = json_name(field);
        let is_map = field.r#type() == Type::Message
            && schema
                .messages
                .get(field.type_name())
                .is_some_and(|of| of.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry));
        for (path, value) in values(schema, field, &name, above) {
            let listed = field.label() == Label::Repeated && !is_map;
            let (path, value) = if listed {
                (if path.is_empty() { path } else { format!("/0{path}") }, json!([value]))
            } else {
                (path, value)
            };
            let mut body = least(message.name());
            body[&name] = value;
            all.push((format!("/{name}{path}"), body));
        }
    }
    all
}

fn every_sample(schema: &Schema, kind: &str, message: &str) -> Vec<Sample> {
    let full = format!(".google.cloud.aiplatform.v1.{message}");
    let mut all = Vec::new();
    for (pointer, body) in samples(schema, schema.message(&full), std::slice::from_ref(&full)) {
        let path = format!("{kind}{}", pointer.replace('/', "."));
        let top = pointer.split('/').nth(1).unwrap();
        if OUTPUT_ONLY.contains(&top) || LEFT_OUT.iter().any(|left| path.starts_with(left)) {
            continue;
        }
        let (owner, field) = pointer.rsplit_once('/').unwrap();
        all.push(Sample { path, body, owner: owner.to_owned(), field: field.to_owned() });
    }
    all
}

/// The errors of a file with this body.
fn errors(kind: &str, body: &Value) -> Vec<launchgate_triggers::Finding> {
    let file = json!({
        "apiVersion": "launchgate/v1",
        "service": {"audience": "launchgate-prod"},
        "vertex": {"project": "acme-ml", "location": "us-central1", "pipelineRoot": "gs://acme-pipelines/root"},
        "signers": [{"id": "signer", "publicKey": "keys/release.pem"}],
        "triggers": [{
            "name": "check",
            "match": {"pipeline": "fraud-train"},
            "require": {"signers": {"anyOf": ["signer"]}},
            "launch": {kind: body},
        }],
    });
    let mut folder = Folder::new();
    let template = "{schemaVersion: 2.1.0, pipelineInfo: {name: p}, root: {inputDefinitions: {parameters: {epochs: \
                    {parameterType: NUMBER_INTEGER, isOptional: true}}, artifacts: {data: {isOptional: true}}}}}";
    folder.0.insert("pipelines/inputs.yaml".to_owned(), template.into());
    let mut findings = load("f", &file.to_string(), &folder, &Overrides::default()).findings;
    findings.retain(|finding| finding.severity == launchgate_triggers::Severity::Error);
    findings
}

#[test]
fn every_field_that_a_caller_may_set_is_accepted() {
    let schema = Schema::read();
    let mut tried = 0;
    for (kind, message) in KINDS {
        for sample in every_sample(&schema, kind, message) {
            let found = errors(kind, &sample.body);
            assert!(found.is_empty(), "{}: {}\n{found:#?}", sample.path, sample.body);
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn a_slip_in_the_name_of_any_field_is_refused_with_the_name_that_was_meant() {
    let schema = Schema::read();
    for (kind, message) in KINDS {
        for mut sample in every_sample(&schema, kind, message) {
            let free = ["labels", "parameterValues", "inputArtifacts"];
            let of_map = |part: &str| part == "k" || part == "7" || part.parse::<u8>().is_ok();
            if free.iter().any(|free| sample.owner.contains(free)) || of_map(&sample.field) {
                continue;
            }
            let owner = sample.body.pointer_mut(&sample.owner).unwrap().as_object_mut().unwrap();
            let value = owner.remove(&sample.field).unwrap();
            owner.insert(format!("{}x", sample.field), value);

            let found = errors(kind, &sample.body);

            let meant = format!("did you mean `{}`?", sample.field);
            assert!(
                found.iter().any(|finding| finding.fix.as_ref() == Some(&meant)),
                "{}: {found:#?}",
                sample.path
            );
        }
    }
}

#[test]
fn what_only_the_server_sets_is_refused_in_every_kind() {
    let schema = Schema::read();
    for (kind, message) in KINDS {
        for field in &schema.message(&format!(".google.cloud.aiplatform.v1.{message}")).field {
            let name = json_name(field);
            if !OUTPUT_ONLY.contains(&name.as_str()) {
                continue;
            }
            let mut body = least(message);
            body[&name] = json!("x");

            let found = errors(kind, &body);

            assert!(
                found.iter().any(|finding| finding.message.contains("set by Vertex AI itself")),
                "{kind}.{name}: {found:#?}"
            );
        }
    }
}
