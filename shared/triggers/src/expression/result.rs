//! An expression's value as JSON, which has fewer types than CEL.

use cel::common::{
    types::{
        CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelOptional, CelString,
        CelUInt,
    },
    value::Val,
};
use serde_json::{Map, Number, Value};

use crate::scope::TooLarge;

/// Integers stay integers; what JSON cannot say is refused.
pub(super) fn to_json(value: &dyn Val) -> Result<Value, String> {
    if let Some(text) = value.downcast_ref::<CelString>() {
        Ok(Value::String(text.inner().to_owned()))
    } else if let Some(value) = value.downcast_ref::<CelBool>() {
        Ok(Value::Bool(*value.inner()))
    } else if let Some(value) = value.downcast_ref::<CelInt>() {
        Ok(Value::from(*value.inner()))
    } else if let Some(value) = value.downcast_ref::<CelUInt>() {
        Ok(Value::from(*value.inner()))
    } else if let Some(value) = value.downcast_ref::<CelDouble>() {
        let number = Number::from_f64(*value.inner());
        number
            .map(Value::Number)
            .ok_or_else(|| "the value is infinite or no number, which JSON cannot say".to_owned())
    } else if value.downcast_ref::<CelNull>().is_some() {
        Ok(Value::Null)
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        list.iter().map(|item| to_json(item.as_ref())).collect::<Result<_, _>>().map(Value::Array)
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        let mut members = Map::new();
        for (key, value) in map.iter() {
            let CelMapKey::String(key) = key else {
                return Err(
                    "the value is a mapping with keys that are no text, which JSON cannot say".to_owned()
                );
            };
            members.insert(key.inner().to_owned(), to_json(value.as_ref())?);
        }
        Ok(Value::Object(members))
    } else if value.downcast_ref::<CelBytes>().is_some() {
        Err("the value is bytes, which JSON cannot say; convert it with `string(…)`".to_owned())
    } else if value.downcast_ref::<CelOptional>().is_some() {
        Err("the value is optional; end the expression with `.orValue(…)`".to_owned())
    } else if let Some(value) = value.downcast_ref::<TooLarge>() {
        Err(value.to_string())
    } else {
        Err(format!("the value is a {}, which JSON cannot say", value.get_type().name()))
    }
}

/// The start of a text that may be a stranger's, without what would move a terminal's cursor.
pub(super) fn shown(text: &str) -> String {
    let printable = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    let mut start: String = text.chars().take(200).map(printable).collect();
    if text.chars().nth(200).is_some() {
        start.push('…');
    }
    start
}
