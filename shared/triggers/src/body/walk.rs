//! JSON along a message definition. Source: protobuf's JSON mapping, protobuf.dev/programming-guides/json.

use launchgate_statement::Timestamp;
use prost_types::{
    DescriptorProto, FieldDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use serde_json::{Map, Value};

use super::{
    BodyError,
    schema::{SCHEMA, json_name},
};

/// Fields that only the server sets; the descriptor set does not say which. Source: the fields marked
/// "Output only" in the API reference of each message.
const OUTPUT_ONLY: [(&str, &[&str]); 4] = [
    (
        "PipelineJob",
        &[
            "name",
            "createTime",
            "startTime",
            "endTime",
            "updateTime",
            "state",
            "jobDetail",
            "error",
            "templateMetadata",
            "scheduleName",
        ],
    ),
    (
        "CustomJob",
        &[
            "name",
            "state",
            "createTime",
            "startTime",
            "endTime",
            "updateTime",
            "error",
            "webAccessUris",
            "satisfiesPzs",
            "satisfiesPzi",
        ],
    ),
    (
        "HyperparameterTuningJob",
        &[
            "name",
            "trials",
            "state",
            "createTime",
            "startTime",
            "endTime",
            "updateTime",
            "error",
            "satisfiesPzs",
            "satisfiesPzi",
        ],
    ),
    (
        "BatchPredictionJob",
        &[
            "name",
            "modelVersionId",
            "outputInfo",
            "state",
            "error",
            "partialFailures",
            "resourcesConsumed",
            "completionStats",
            "createTime",
            "startTime",
            "endTime",
            "updateTime",
            "satisfiesPzs",
            "satisfiesPzi",
        ],
    ),
];

/// Fields without which Vertex AI starts nothing. Source: the fields marked "Required" there.
const REQUIRED: [(&str, &str); 9] = [
    ("CustomJob", "jobSpec"),
    ("CustomJobSpec", "workerPoolSpecs"),
    ("HyperparameterTuningJob", "studySpec"),
    ("HyperparameterTuningJob", "trialJobSpec"),
    ("BatchPredictionJob", "inputConfig"),
    ("BatchPredictionJob", "outputConfig"),
    ("ContainerSpec", "imageUri"),
    ("EnvVar", "name"),
    ("EncryptionSpec", "kmsKeyName"),
];

/// Every fault of `body` as a message of the full name `message`.
pub(super) fn check(message: &str, body: &Value) -> Vec<BodyError> {
    let mut walk = Walk { path: Vec::new(), errors: Vec::new() };
    walk.message(message, body);
    walk.errors
}

struct Walk {
    path: Vec<String>,
    errors: Vec<BodyError>,
}

impl Walk {
    fn message(&mut self, name: &str, value: &Value) {
        if let Some(known) = name.strip_prefix(".google.protobuf.")
            && self.well_known(known, value)
        {
            return;
        }
        let Some(definition) = SCHEMA.message(name) else {
            // A descriptor set is closed: protoc does not write one that names what it does not hold.
            self.fault(format!("the message `{name}` is not known"), None);
            return;
        };
        let Value::Object(members) = value else {
            self.wrong(&format!("a mapping ({})", definition.name()), value);
            return;
        };
        let mut chosen: Vec<(i32, &str)> = Vec::new();
        for (member, value) in members {
            self.path.push(member.clone());
            self.member(definition, member, value, &mut chosen);
            self.path.pop();
        }
        for (owner, field) in REQUIRED {
            if owner == definition.name() && is_absent(members, field) {
                self.path.push(field.to_owned());
                self.fault(format!("`{}` is required", self.shown()), None);
                self.path.pop();
            }
        }
    }

    fn member<'a>(
        &mut self,
        definition: &DescriptorProto,
        member: &'a str,
        value: &Value,
        chosen: &mut Vec<(i32, &'a str)>,
    ) {
        let Some(field) = definition.field.iter().find(|field| json_name(field) == member) else {
            let near = definition.field.iter().find(|field| field.name() == member).map(json_name);
            let near = near.or_else(|| nearest(member, definition.field.iter().map(json_name)));
            let fix = near.map(|near| format!("did you mean `{near}`?"));
            self.fault(format!("{} has no field `{member}`", definition.name()), fix);
            return;
        };
        let output_only =
            OUTPUT_ONLY.iter().any(|(owner, fields)| *owner == definition.name() && fields.contains(&member));
        if output_only {
            let fix = Some("remove it".to_owned());
            self.fault(format!("`{}` is set by Vertex AI itself", self.shown()), fix);
            return;
        }
        if value.is_null() && field.type_name() != ".google.protobuf.Value" {
            return;
        }
        if let Some(group) = field.oneof_index.filter(|_| !field.proto3_optional()) {
            if let Some((_, other)) = chosen.iter().find(|(known, _)| *known == group) {
                self.fault(
                    format!("`{other}` and `{member}` exclude each other"),
                    Some("keep one".to_owned()),
                );
            }
            chosen.push((group, member));
        }
        if let Some((key, of)) = SCHEMA.map_entry(field) {
            self.map(key, of, value);
        } else if field.label() == Label::Repeated {
            self.list(field, value);
        } else {
            self.value(field, value);
        }
    }

    fn map(&mut self, key: &FieldDescriptorProto, of: &FieldDescriptorProto, value: &Value) {
        let Value::Object(members) = value else {
            self.wrong("a mapping", value);
            return;
        };
        for (name, value) in members {
            self.path.push(name.clone());
            if key.r#type() != Type::String {
                self.value(key, &Value::String(name.clone()));
            }
            self.value(of, value);
            self.path.pop();
        }
    }

    fn list(&mut self, field: &FieldDescriptorProto, value: &Value) {
        let Value::Array(items) = value else {
            self.wrong("a list", value);
            return;
        };
        for (index, item) in items.iter().enumerate() {
            self.path.push(index.to_string());
            self.value(field, item);
            self.path.pop();
        }
    }

    fn value(&mut self, field: &FieldDescriptorProto, value: &Value) {
        match field.r#type() {
            Type::Message | Type::Group => self.message(field.type_name(), value),
            Type::Enum => self.enumeration(field.type_name(), value),
            kind => self.scalar(kind, value),
        }
    }

    fn scalar(&mut self, kind: Type, value: &Value) {
        let (good, expected) = match kind {
            Type::String => (value.is_string(), "text"),
            Type::Bool => (value.is_boolean(), "true or false"),
            Type::Bytes => (value.as_str().is_some_and(is_base64), "bytes as base64 text"),
            Type::Double | Type::Float => (is_double(value), "a number"),
            Type::Int32 | Type::Sint32 | Type::Sfixed32 => {
                (fits(value, i32::MIN.into(), i32::MAX.into()), "a whole number of 32 bits")
            }
            Type::Uint32 | Type::Fixed32 => {
                (fits(value, 0, u32::MAX.into()), "a whole number of 32 bits, not negative")
            }
            Type::Uint64 | Type::Fixed64 => {
                (fits(value, 0, u64::MAX.into()), "a whole number of 64 bits, not negative")
            }
            _ => (fits(value, i64::MIN.into(), i64::MAX.into()), "a whole number of 64 bits"),
        };
        if !good {
            self.wrong(expected, value);
        }
    }

    fn enumeration(&mut self, name: &str, value: &Value) {
        let Some(definition) = SCHEMA.enumeration(name) else {
            self.fault(format!("the enum `{name}` is not known"), None);
            return;
        };
        let good = match value {
            Value::String(text) => definition.value.iter().any(|known| known.name() == text),
            Value::Number(number) => {
                definition.value.iter().any(|known| number.as_i64() == Some(i64::from(known.number())))
            }
            _ => false,
        };
        if good {
            return;
        }
        let names = definition.value.iter().map(|known| known.name().to_owned());
        let fix = match value.as_str().and_then(|text| nearest(text, names.clone())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", names.take(12).collect::<Vec<_>>().join(", ")),
        };
        self.fault(
            format!("`{}` is {}, expected a value of {}", self.shown(), short(value), definition.name()),
            Some(fix),
        );
    }

    /// Messages that JSON writes in a form of their own; `false` for any other of the package.
    fn well_known(&mut self, name: &str, value: &Value) -> bool {
        let (good, expected) = match name {
            "Value" => (true, ""),
            "Struct" => (value.is_object(), "a mapping"),
            "ListValue" => (value.is_array(), "a list"),
            "Duration" => {
                (value.as_str().is_some_and(is_duration), "a duration in seconds, such as \"3600s\"")
            }
            "Timestamp" => (
                value.as_str().is_some_and(|text| Timestamp::parse(text).is_some()),
                "a time, such as \"2026-11-25T10:00:00Z\"",
            ),
            "FieldMask" => (value.is_string(), "field names as one text, separated by commas"),
            "Any" => (value.get("@type").is_some_and(Value::is_string), "a mapping with `@type`"),
            "BoolValue" => (value.is_boolean(), "true or false"),
            "StringValue" => (value.is_string(), "text"),
            "DoubleValue" | "FloatValue" => (is_double(value), "a number"),
            "Int32Value" => (fits(value, i32::MIN.into(), i32::MAX.into()), "a whole number of 32 bits"),
            "Int64Value" => (fits(value, i64::MIN.into(), i64::MAX.into()), "a whole number of 64 bits"),
            "UInt32Value" => (fits(value, 0, u32::MAX.into()), "a whole number of 32 bits, not negative"),
            "UInt64Value" => (fits(value, 0, u64::MAX.into()), "a whole number of 64 bits, not negative"),
            _ => return false,
        };
        if !good {
            self.wrong(expected, value);
        }
        true
    }

    fn wrong(&mut self, expected: &str, found: &Value) {
        let at = if self.path.is_empty() { "the body".to_owned() } else { format!("`{}`", self.shown()) };
        let fix = found
            .as_str()
            .filter(|text| text.contains("${"))
            .map(|_| "an expression cannot stand here; write the value itself".to_owned());
        self.fault(format!("{at} is {}, expected {expected}", short(found)), fix);
    }

    fn fault(&mut self, message: String, fix: Option<String>) {
        self.errors.push(BodyError { path: self.path.clone(), message, fix });
    }

    /// `jobSpec.workerPoolSpecs[0].machineSpec`
    fn shown(&self) -> String {
        let mut shown = String::new();
        for step in &self.path {
            if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
                shown.extend(["[", step, "]"]);
            } else {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.push_str(step);
            }
        }
        shown
    }
}

/// Absent, null and the type's empty value are the same to protobuf.
fn is_absent(members: &Map<String, Value>, field: &str) -> bool {
    match members.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

/// A whole number in bounds, as number (3.0 too) or as decimal text, which is how JSON writes 64 bits.
fn fits(value: &Value, least: i128, most: i128) -> bool {
    let number = match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Some(i128::from(whole)),
            (_, Some(whole), _) => Some(i128::from(whole)),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "whole and far below 2^127, checked beside it"
            )]
            (_, _, Some(double)) if double.fract() == 0.0 && double.abs() < 1e19 => Some(double as i128),
            _ => None,
        },
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.is_some_and(|number| (least..=most).contains(&number))
}

fn is_double(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => {
            matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity")
                || (text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
                    && text.parse::<f64>().is_ok_and(f64::is_finite))
        }
        _ => false,
    }
}

fn is_duration(text: &str) -> bool {
    let Some(seconds) = text.strip_suffix('s') else { return false };
    let seconds = seconds.strip_prefix('-').unwrap_or(seconds);
    let (whole, nanos) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole, 12) && digits(nanos, 9)
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() - body.len() <= 2
        && body.len() % 4 != 1
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let scored = known.map(|other| (strsim::damerau_levenshtein(name, &other), other));
    scored.min().filter(|(distance, other)| *distance <= other.len() / 3 + 1).map(|(_, other)| other)
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(60).chain(['…']).collect() }
}
