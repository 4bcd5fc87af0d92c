//! Checks bodies against the API's own descriptor set, as the API's JSON mapping does.
//!
//! Two passes: one over the JSON for names and enum values (with Google's texts for them), then the protobuf
//! JSON reader for types. Promises that what passes is a message of the API and returns its canonical JSON.
//! Says nothing about required fields or values: those are [`super::requirements`].

use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor,
    SerializeOptions,
};
use serde_json::Value;

use super::{kind::JobKind, path::Operation};
use crate::google_error::GoogleError;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(include_bytes!("../../../vectors/fds/aiplatform-v1.fds").as_slice())
        .expect("the descriptor set is part of this crate and decodes: every test of this module reads it")
});

/// System parameters every method takes beside its own fields.
const SYSTEM_PARAMETERS: [&str; 3] = ["$alt", "alt", "prettyPrint"];

/// Fields that only the server writes (the API's field behaviour `OUTPUT_ONLY`). Google ignores them in
/// requests (AIP-203), so they are dropped here, not refused.
const OUTPUT_ONLY: [&str; 17] = [
    "name",
    "state",
    "error",
    "createTime",
    "startTime",
    "endTime",
    "updateTime",
    "jobDetail",
    "templateMetadata",
    "scheduleName",
    "trials",
    "webAccessUris",
    "outputInfo",
    "partialFailures",
    "resourcesConsumed",
    "completionStats",
    "modelVersionId",
];

/// Reads a create body and returns it in canonical form: enum names, 64-bit numbers as text, doubles in
/// structs, defaults left out, output-only fields gone.
pub(crate) fn read_job(kind: JobKind, body: &[u8]) -> Result<Value, GoogleError> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| GoogleError::bad_request("", &format!("Invalid JSON payload received. {error}")))?;
    let message = message(kind.resource());
    if !value.is_object() {
        return Err(GoogleError::bad_request(
            "",
            &format!(
                "Invalid value at '{}' (type.googleapis.com/{}): an object is expected",
                kind.body_field(),
                message.full_name()
            ),
        ));
    }
    check_message(&value, &message, kind.body_field())?;
    let read = deserialize(&message, &value).map_err(|error| {
        GoogleError::bad_request(
            kind.body_field(),
            &format!("Invalid value at '{}': {error}", kind.body_field()),
        )
    })?;
    let mut canonical = serialize(&read, &SerializeOptions::new());
    if let Some(fields) = canonical.as_object_mut() {
        fields.retain(|name, _| !OUTPUT_ONLY.contains(&name.as_str()));
    }
    Ok(canonical)
}

/// A resource with its enums as numbers, as `$alt=json;enum-encoding=int` asks for.
pub(crate) fn enums_as_numbers(kind: JobKind, resource: &Value) -> Value {
    match deserialize(&message(kind.resource()), resource) {
        Ok(read) => serialize(&read, &SerializeOptions::new().use_enum_numbers(true)),
        Err(_) => resource.clone(),
    }
}

/// Query parameters that the method takes: its request's own fields, less path and body, and the system ones.
pub(crate) fn check_query(
    kind: JobKind,
    operation: Operation,
    query: &[(String, String)],
) -> Result<(), GoogleError> {
    let request = message(&format!("{}Request", operation.rpc(kind)));
    for (name, value) in query {
        let bound = operation != Operation::Cancel
            && ![kind.body_field(), "parent", "name"].contains(&name.as_str())
            && (request.get_field_by_json_name(name).or_else(|| request.get_field_by_name(name)))
                .is_some_and(|field| field.name() != kind.body_field());
        if !bound && !SYSTEM_PARAMETERS.contains(&name.as_str()) {
            return Err(GoogleError::bad_request(
                "",
                &format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be found in request message."
                ),
            ));
        }
        let known_value = match name.as_str() {
            "$alt" | "alt" => value == "json" || value == "json;enum-encoding=int",
            "prettyPrint" => value == "true" || value == "false",
            _ => true,
        };
        if !known_value {
            return Err(GoogleError::bad_request(name, &format!("Invalid value at '{name}': \"{value}\"")));
        }
    }
    match query
        .iter()
        .enumerate()
        .find(|(at, (name, _))| query[..*at].iter().any(|(earlier, _)| earlier == name))
    {
        Some((_, (name, _))) => Err(GoogleError::bad_request(
            name,
            &format!("Invalid value at '{name}': it is given more than once"),
        )),
        None => Ok(()),
    }
}

pub(crate) fn message(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(&format!("google.cloud.aiplatform.v1.{name}"))
        .expect("the names asked for are fixed and in the descriptor set: a test asks for each")
}

fn deserialize(message: &MessageDescriptor, value: &Value) -> Result<DynamicMessage, serde_json::Error> {
    let strict = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(message.clone(), value, &strict)
}

fn serialize(message: &DynamicMessage, options: &SerializeOptions) -> Value {
    message
        .serialize_with_options(serde_json::value::Serializer, options)
        .expect("a message read from JSON has a JSON form")
}

fn check_message(value: &Value, message: &MessageDescriptor, at: &str) -> Result<(), GoogleError> {
    // Well-known types have a JSON form of their own, which the protobuf reader checks.
    if message.full_name().starts_with("google.protobuf.") {
        return Ok(());
    }
    let Some(fields) = value.as_object() else {
        return Ok(());
    };
    for (name, value) in fields {
        let field = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
        let Some(field) = field else {
            return Err(GoogleError::bad_request(
                at,
                &format!(
                    "Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
                ),
            ));
        };
        check_field(value, &field, &format!("{at}.{}", field.name()))?;
    }
    Ok(())
}

fn check_field(value: &Value, field: &FieldDescriptor, at: &str) -> Result<(), GoogleError> {
    if let (true, Some(entries), Kind::Message(entry)) = (field.is_map(), value.as_object(), field.kind()) {
        let kind = entry.map_entry_value_field().kind();
        return entries.iter().try_for_each(|(key, value)| check_kind(value, &kind, &format!("{at}[{key}]")));
    }
    if let (true, Some(items)) = (field.is_list(), value.as_array()) {
        let kind = field.kind();
        return items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_kind(item, &kind, &format!("{at}[{index}]")));
    }
    check_kind(value, &field.kind(), at)
}

fn check_kind(value: &Value, kind: &Kind, at: &str) -> Result<(), GoogleError> {
    match kind {
        Kind::Message(message) => check_message(value, message, at),
        Kind::Enum(values) if !values.full_name().starts_with("google.protobuf.") => {
            let known = match value {
                Value::String(name) => values.get_value_by_name(name).is_some(),
                Value::Number(number) => number
                    .as_i64()
                    .and_then(|number| i32::try_from(number).ok())
                    .is_some_and(|number| values.get_value(number).is_some()),
                // Types are the protobuf reader's business.
                _ => true,
            };
            if known {
                return Ok(());
            }
            Err(GoogleError::bad_request(
                at,
                &format!("Invalid value at '{at}' (type.googleapis.com/{}), {value}", values.full_name()),
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_asked_for_is_in_the_descriptor_set() {
        let operations =
            [Operation::Create, Operation::List, Operation::Get, Operation::Cancel, Operation::Delete];

        for kind in JobKind::ALL {
            assert!(message(kind.resource()).get_field_by_name("display_name").is_some(), "{kind:?}");
            for operation in operations {
                let request = message(&format!("{}Request", operation.rpc(kind)));
                assert!(request.fields().count() > 0, "{kind:?} {operation:?}");
            }
        }
    }

    #[test]
    fn output_only_fields_exist_and_are_dropped() {
        for name in OUTPUT_ONLY {
            let exists = JobKind::ALL
                .iter()
                .any(|kind| message(kind.resource()).get_field_by_json_name(name).is_some());
            assert!(exists, "{name}");
        }

        let read = read_job(
            JobKind::CustomJobs,
            br#"{"displayName":"d","name":"mine","state":"JOB_STATE_SUCCEEDED"}"#,
        );

        assert_eq!(read, Ok(serde_json::json!({"displayName": "d"})));
    }

    #[test]
    fn an_enum_may_come_as_its_name_or_number_and_no_other() {
        let with = |strategy: &str| {
            read_job(
                JobKind::CustomJobs,
                format!(r#"{{"jobSpec":{{"scheduling":{{"strategy":{strategy}}}}}}}"#).as_bytes(),
            )
        };

        assert_eq!(with("4"), with(r#""SPOT""#));
        for bad in ["5", "99", "-1", r#""SPOTS""#, r#""spot""#, "true", "4.5", "{}"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
