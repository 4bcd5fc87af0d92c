//! Whether a job at Vertex is the one we planned.
//!
//! Anyone who may create pipeline jobs in the project could create one with our id and labels first; so an
//! existing job is ours only if what it does equals the plan. Source: DESIGN §6.

use launchgate_statement::Timestamp;
use launchgate_triggers::LaunchPlan;
use serde_json::{Map, Value};

/// The members that decide what a job does. A member that the plan leaves out may hold a server default.
const COMPARED: [&str; 8] = [
    "displayName",
    "pipelineSpec",
    "runtimeConfig",
    "serviceAccount",
    "network",
    "encryptionSpec",
    "templateUri",
    "jobSpec",
];

/// The places whose content is free-form (protobuf Struct and Value): compared exactly, since nothing there
/// is a server default and an additional parameter makes another job.
const FREE_FORM: [&str; 3] = ["pipelineSpec", "parameterValues", "parameters"];

/// Leeway for the clocks of the ledger and of Vertex, in microseconds.
const CLOCK_LEEWAY: i64 = 60_000_000;

/// Why a job is not the planned one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: planned {planned}, found {found}")]
pub struct Difference {
    /// The member, dotted.
    pub at: String,
    /// What the plan says, shortened.
    pub planned: String,
    /// What the job says, shortened.
    pub found: String,
}

/// Compares a job as the server holds it with the plan. `first_intent` is when this ordinal was first meant
/// to be launched: an older job cannot be ours.
pub fn same_job(plan: &LaunchPlan, job: &Value, first_intent: Timestamp) -> Result<(), Difference> {
    let planned: Value = serde_json::from_str(&plan.request().body)
        .map_err(|_| Difference::new("the plan", &Value::Null, Some(job)))?;
    for member in COMPARED {
        if let Some(wanted) = planned.get(member) {
            covers(wanted, job.get(member), member, FREE_FORM.contains(&member))?;
        }
    }
    if let Some(Value::Object(labels)) = planned.get("labels") {
        for (name, wanted) in labels {
            let found = job.get("labels").and_then(|labels| labels.get(name));
            if found != Some(wanted) {
                return Err(Difference::new(&format!("labels.{name}"), wanted, found));
            }
        }
    }
    let created = job.get("createTime");
    let since = created.and_then(Value::as_str).and_then(Timestamp::parse);
    match since {
        Some(at) if at.micros_since(first_intent) >= -CLOCK_LEEWAY => Ok(()),
        _ => Err(Difference {
            at: "createTime".to_owned(),
            planned: format!("at or after {first_intent}, 60 s of clock leeway"),
            found: created.map_or_else(|| "nothing".to_owned(), short),
        }),
    }
}

impl Difference {
    fn new(at: &str, planned: &Value, found: Option<&Value>) -> Self {
        Self {
            at: at.to_owned(),
            planned: short(planned),
            found: found.map_or_else(|| "nothing".to_owned(), short),
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether `found` holds everything `wanted` asks for; `exact` where nothing may be added either.
fn covers(wanted: &Value, found: Option<&Value>, at: &str, exact: bool) -> Result<(), Difference> {
    let differ = || Err(Difference::new(at, wanted, found));
    let Some(found) = found else {
        // The server leaves out what equals protobuf's default.
        return if !exact && is_default(wanted) { Ok(()) } else { differ() };
    };
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            if exact && wanted.len() != found.len() {
                return differ();
            }
            for (name, wanted) in wanted {
                covers(
                    wanted,
                    member(found, name, exact),
                    &format!("{at}.{name}"),
                    exact || FREE_FORM.contains(&name.as_str()),
                )?;
            }
            Ok(())
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            wanted.iter().zip(found).enumerate().try_for_each(|(index, (wanted, found))| {
                covers(wanted, Some(found), &format!("{at}.{index}"), exact)
            })
        }
        _ if same_scalar(wanted, found, exact) => Ok(()),
        _ => differ(),
    }
}

/// REST accepts `snake_case` names too and answers in `camelCase`; free-form keys are as they are.
fn member<'a>(found: &'a Map<String, Value>, name: &str, exact: bool) -> Option<&'a Value> {
    found.get(name).or_else(|| if exact { None } else { found.get(&camel(name)) })
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0",
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_default),
        Value::Bool(true) => false,
    }
}

fn same_scalar(wanted: &Value, found: &Value, exact: bool) -> bool {
    match (wanted, found) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        // int64 travels as text: `replicaCount: 1` comes back as "1".
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number))
            if !exact =>
        {
            *text == number.to_string()
        }
        _ => wanted == found,
    }
}

fn same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        #[allow(clippy::float_cmp, reason = "equal by value is the rule; both come from JSON text")]
        _ => a.as_f64() == b.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn plan(body: &Value) -> LaunchPlan {
        serde_json::from_value(json!({
            "launchId": format!("lg-t-{}", "0".repeat(32)), "trigger": "t", "event": format!("ev-{}", "0".repeat(32)),
            "kind": "pipelineJob", "project": "p", "location": "l",
            "request": {"method": "POST", "path": "/", "query": [], "body": body.to_string()}
        }))
        .unwrap()
    }

    fn body() -> Value {
        json!({
            "displayName": "d", "labels": {"launchgate-id": "x"},
            "pipelineSpec": {"root": {"dag": {}}, "n": 3},
            "runtimeConfig": {"gcsOutputDirectory": "gs://b/r", "parameterValues": {"epochs": 3, "rate": 0.5}},
        })
    }

    fn as_the_server_answers() -> Value {
        json!({
            "name": "projects/1/locations/l/pipelineJobs/j", "displayName": "d", "state": "PIPELINE_STATE_PENDING",
            "labels": {"launchgate-id": "x", "vertex-ai-pipelines-run-billing-id": "9"},
            "pipelineSpec": {"root": {"dag": {}}, "n": 3.0},
            "runtimeConfig": {"gcsOutputDirectory": "gs://b/r", "parameterValues": {"epochs": 3.0, "rate": 0.5},
                              "failurePolicy": "PIPELINE_FAILURE_POLICY_FAIL_SLOW"},
            "serviceAccount": "1-compute@developer.gserviceaccount.com", "createTime": "2026-11-25T10:00:00Z",
        })
    }

    fn intent() -> Timestamp {
        Timestamp::parse("2026-11-25T10:00:30Z").unwrap()
    }

    #[test]
    fn the_servers_own_additions_leave_the_job_ours() {
        assert_eq!(same_job(&plan(&body()), &as_the_server_answers(), intent()), Ok(()));
    }

    #[test]
    fn a_job_that_differs_in_anything_it_does_is_not_ours() {
        for (pointer, value) in [
            ("/displayName", json!("e")),
            ("/labels/launchgate-id", json!("y")),
            ("/pipelineSpec/n", json!(4)),
            ("/pipelineSpec/root/dag", json!({"tasks": {}})),
            ("/runtimeConfig/gcsOutputDirectory", json!("gs://b/other")),
            ("/runtimeConfig/parameterValues/epochs", json!(4)),
            ("/runtimeConfig/parameterValues/epochs", json!("3")),
            ("/createTime", json!("2026-11-25T09:59:29Z")),
            ("/createTime", json!("yesterday")),
        ] {
            let mut job = as_the_server_answers();
            *job.pointer_mut(pointer).unwrap() = value;

            assert!(same_job(&plan(&body()), &job, intent()).is_err(), "{pointer}");
        }
    }

    #[test]
    fn an_additional_parameter_makes_another_job() {
        let mut job = as_the_server_answers();
        job["runtimeConfig"]["parameterValues"]["extra"] = json!(1);

        assert!(same_job(&plan(&body()), &job, intent()).is_err());
    }

    #[test]
    fn a_planned_service_account_must_be_the_jobs() {
        let mut planned = body();
        planned["serviceAccount"] = json!("runner@p.iam.gserviceaccount.com");

        let error = same_job(&plan(&planned), &as_the_server_answers(), intent()).unwrap_err();

        assert_eq!(error.at, "serviceAccount");
    }

    #[test]
    fn what_the_plan_says_of_where_and_from_where_it_runs_must_be_the_jobs() {
        let package = |digit: &str| format!("https://us-kfp.pkg.dev/p/r/x/sha256:{}", digit.repeat(64));
        for (member, value, other) in [
            ("network", json!("projects/1/global/networks/a"), json!("projects/1/global/networks/b")),
            ("encryptionSpec", json!({"kmsKeyName": "a"}), json!({"kmsKeyName": "b"})),
            ("templateUri", json!(package("4")), json!(package("5"))),
        ] {
            let (mut planned, mut job) = (body(), as_the_server_answers());
            planned[member] = value.clone();
            let absent = same_job(&plan(&planned), &job, intent()).unwrap_err();
            job[member] = value;
            assert_eq!(same_job(&plan(&planned), &job, intent()), Ok(()), "{member}");
            job[member] = other;

            let differs = same_job(&plan(&planned), &job, intent()).unwrap_err();

            assert!(absent.at.starts_with(member) && differs.at.starts_with(member), "{absent} {differs}");
        }
    }

    #[test]
    fn defaults_that_the_server_leaves_out_and_int64_texts_are_equal() {
        let planned = json!({"jobSpec": {"workerPoolSpecs": [{"replicaCount": 1, "containerSpec": {"args": []}}], "enable_web_access": false}});
        let job = json!({"jobSpec": {"workerPoolSpecs": [{"replicaCount": "1", "containerSpec": {}}]}, "createTime": "2026-11-25T10:00:00Z"});

        assert_eq!(same_job(&plan(&planned), &job, intent()), Ok(()));
    }
}
