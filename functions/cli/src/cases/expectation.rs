//! Whether what the file says is what a case expects.

use launchgate_engine::{Decided, Judgement};
use launchgate_triggers::Decision;
use serde_json::Value;

use super::{file::Expect, run::Mismatch};

/// Every way in which the judgement is not what was expected.
pub(crate) fn mismatches(expect: &Expect, judgement: &Judgement) -> Vec<Mismatch> {
    let about_one = expect.trigger.is_some() || expect.subject.is_some();
    let decision = match judgement {
        Judgement::Decided(decided) => pick(expect, decided),
        Judgement::Rejected(_) => None,
    };
    let (outcome, reason) = match (decision, about_one) {
        (Some(decision), true) => (decision.verdict.outcome(), decision.verdict.reason()),
        (None, true) => {
            let wanted = [expect.trigger.as_deref(), expect.subject.as_deref()];
            let wanted: Vec<_> = wanted.into_iter().flatten().collect();
            let message =
                format!("no decision of {}; the event is {}", wanted.join(" and "), judgement.outcome());
            return vec![Mismatch::new("decision", expect.outcome.to_string(), message)];
        }
        (_, false) => (judgement.outcome(), judgement.reason()),
    };
    let mut found = Vec::new();
    if outcome != expect.outcome {
        let why = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        found.push(Mismatch::new("outcome", expect.outcome.to_string(), format!("{outcome}{why}")));
    } else if let Some(expected) = expect.reason
        && reason != Some(expected)
    {
        let actual = reason.map_or_else(|| "none".to_owned(), |reason| reason.to_string());
        found.push(Mismatch::new("reason", expected.to_string(), actual));
    }
    found.extend(of_request(expect, decision));
    found
}

/// The decision that the rest of the expectation is about.
fn pick<'d>(expect: &Expect, decided: &'d Decided) -> Option<&'d Decision> {
    decided.decisions.decisions.iter().find(|decision| {
        expect.trigger.as_ref().is_none_or(|name| decision.trigger.as_str() == name)
            && expect.subject.as_ref().is_none_or(|name| decision.subject == *name)
    })
}

fn of_request(expect: &Expect, decision: Option<&Decision>) -> Vec<Mismatch> {
    if expect.parameters.is_empty() && expect.request.is_none() {
        return Vec::new();
    }
    let plan = decision.and_then(|decision| decision.verdict.plan());
    let Some(body) = plan.and_then(|plan| serde_json::from_str::<Value>(&plan.request().body).ok()) else {
        return vec![Mismatch::new("request", "a request", "none is planned".to_owned())];
    };
    let mut found = Vec::new();
    if !expect.parameters.is_empty() {
        let nothing = Value::Null;
        let values = body.pointer("/runtimeConfig/parameterValues").unwrap_or(&nothing);
        subset(&Value::Object(expect.parameters.clone()), values, "parameters", &mut found);
    }
    if let Some(request) = &expect.request {
        subset(request, &body, "request", &mut found);
    }
    found
}

/// Members that are expected must be there and equal; others may be. Lists are compared whole.
fn subset(expected: &Value, actual: &Value, place: &str, found: &mut Vec<Mismatch>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, value) in expected {
                let place = format!("{place}.{name}");
                match actual.get(name) {
                    Some(there) => subset(value, there, &place, found),
                    None => found.push(Mismatch::new(place, value.to_string(), "nothing".to_owned())),
                }
            }
        }
        _ if same(expected, actual) => {}
        _ => found.push(Mismatch::new(place, expected.to_string(), actual.to_string())),
    }
}

/// Numbers by value: a body may write 3 as 3.0.
fn same(expected: &Value, actual: &Value) -> bool {
    match (expected.as_f64(), actual.as_f64()) {
        (Some(expected), Some(actual)) => expected.total_cmp(&actual).is_eq(),
        _ => expected == actual,
    }
}
