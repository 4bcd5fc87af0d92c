//! Every captured job with one field renamed, retyped or given a bad enum value is refused.

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use crate::caller::{Caller, Vector, a_vertex};

/// A body with one thing wrong, and what that is.
struct Mutant {
    what: String,
    body: Value,
}

fn resource_of(vector: &Vector) -> MessageDescriptor {
    let fds = include_bytes!("../../../vectors/fds/aiplatform-v1.fds");
    let pool = DescriptorPool::decode(fds.as_slice()).unwrap();
    let name = match vector.path.rsplit('/').next().unwrap() {
        "pipelineJobs" => "PipelineJob",
        "customJobs" => "CustomJob",
        "hyperparameterTuningJobs" => "HyperparameterTuningJob",
        _ => "BatchPredictionJob",
    };
    pool.get_message_by_name(&format!("google.cloud.aiplatform.v1.{name}")).unwrap()
}

fn mutants(vector: &Vector) -> Vec<Mutant> {
    let mut found = Vec::new();
    in_message(&vector.body, "", &resource_of(vector), &vector.body, &mut found);
    found
}

/// Walks the typed part of a body. Struct and Value areas are free JSON: inside them nothing can be wrong.
fn in_message(whole: &Value, at: &str, message: &MessageDescriptor, value: &Value, found: &mut Vec<Mutant>) {
    if message.full_name().starts_with("google.protobuf.") {
        return;
    }
    for (name, value) in value.as_object().unwrap() {
        let field = message.get_field_by_json_name(name).unwrap();
        let here = format!("{at}/{name}");

        let renamed = rename(whole, at, name, &format!("{name}X"));
        found.push(Mutant { what: format!("{here} renamed"), body: renamed });
        let other_case = rename(whole, at, name, &name.to_uppercase());
        found.push(Mutant { what: format!("{here} in upper case"), body: other_case });
        retyped(whole, &here, &field, value, found);

        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map's kind is its entry") };
            for (key, value) in value.as_object().unwrap() {
                in_value(whole, &format!("{here}/{key}"), &entry.map_entry_value_field(), value, found);
            }
        } else if field.is_list() {
            for (index, value) in value.as_array().unwrap().iter().enumerate() {
                in_value(whole, &format!("{here}/{index}"), &field, value, found);
            }
        } else {
            in_value(whole, &here, &field, value, found);
        }
    }
}

fn in_value(whole: &Value, at: &str, field: &FieldDescriptor, value: &Value, found: &mut Vec<Mutant>) {
    match field.kind() {
        Kind::Message(message) => in_message(whole, at, &message, value, found),
        Kind::Enum(values) => {
            let beyond = values.values().map(|value| value.number()).max().unwrap() + 1;
            let name = value.as_str().unwrap();
            for bad in [
                json!("NO_SUCH_VALUE"),
                json!(name.to_lowercase()),
                json!(format!("{name} ")),
                json!(""),
                json!(beyond),
                json!(-1),
            ] {
                found.push(Mutant { what: format!("{at} = {bad}"), body: set(whole, at, &bad) });
            }
        }
        _ => {}
    }
    if field.is_list() || field.is_map() {
        one_value(whole, at, &field.kind(), found);
    }
}

fn retyped(whole: &Value, at: &str, field: &FieldDescriptor, value: &Value, found: &mut Vec<Mutant>) {
    if field.is_map() || field.is_list() {
        let other_container = if value.is_array() { json!({"0": value[0]}) } else { json!([value]) };
        for bad in [json!(true), json!("text"), json!(7), other_container] {
            found.push(Mutant { what: format!("{at} = {bad}"), body: set(whole, at, &bad) });
        }
        return;
    }
    one_value(whole, at, &field.kind(), found);
}

/// Values of JSON types that proto3's JSON mapping does not take for the kind.
fn one_value(whole: &Value, at: &str, kind: &Kind, found: &mut Vec<Mutant>) {
    let mut wrong = vec![json!([]), json!([{}])];
    match kind {
        Kind::Message(message) => match message.full_name() {
            // Takes every JSON value.
            "google.protobuf.Value" => return,
            "google.protobuf.Duration" => {
                wrong.extend([json!(3600), json!("3600"), json!("1h"), json!(true), json!({})]);
            }
            "google.protobuf.BoolValue" => wrong.extend([json!("true"), json!(1), json!({})]),
            _ => wrong.extend([json!(true), json!(7), json!("text")]),
        },
        Kind::String => wrong.extend([json!(true), json!(7), json!({})]),
        Kind::Bool => wrong.extend([json!("true"), json!(1), json!({})]),
        Kind::Enum(_) => wrong.extend([json!(true), json!({}), json!(1.5)]),
        Kind::Double | Kind::Float => wrong.extend([json!(true), json!("text"), json!({})]),
        _ => wrong.extend([json!(true), json!("text"), json!(1.5), json!({}), json!("1.5")]),
    }
    for bad in wrong {
        found.push(Mutant { what: format!("{at} = {bad}"), body: set(whole, at, &bad) });
    }
}

fn set(whole: &Value, at: &str, value: &Value) -> Value {
    let mut body = whole.clone();
    *body.pointer_mut(at).unwrap() = value.clone();
    body
}

fn rename(whole: &Value, parent: &str, name: &str, to: &str) -> Value {
    let mut body = whole.clone();
    let members = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    let value = members.remove(name).unwrap();
    members.insert(to.to_owned(), value);
    body
}

#[tokio::test]
async fn one_field_renamed_retyped_or_given_a_bad_enum_is_refused() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let (mut tried, mut accepted) = (0, Vec::new());

    for vector in Vector::served() {
        for mutant in mutants(&vector) {
            tried += 1;
            let answer = caller.post(&vector.target(""), &mutant.body).await;
            if answer.status != 400 || answer.code() != "INVALID_ARGUMENT" {
                accepted.push(format!("{}: {}: {}", vector.name, mutant.what, answer.status));
            }
        }
    }

    assert!(tried > 1500, "only {tried} mutants");
    assert!(accepted.is_empty(), "{} of {tried} not refused:\n{}", accepted.len(), accepted.join("\n"));
    assert_eq!(vertex.job_count(), 0);
}
