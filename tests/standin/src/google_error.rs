//! Error answers as Google writes them: `google.rpc.Status` as JSON.
//!
//! Known texts come from `tests/vectors/vertex/errors.json` by id, with the project, location and service
//! account of the request put in the place of the sample's. What the file marks as a guess is one here too.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::loopback::Reply;

const ERRORS: &str = include_str!("../../vectors/vertex/errors.json");

/// The place and account that `errors.json` was written with.
const SAMPLE_PLACE: &str = "projects/acme-ml/locations/europe-west1";
const SAMPLE_ACCOUNT: &str = "train-runner@acme-ml.iam.gserviceaccount.com";

static KNOWN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(ERRORS).expect("errors.json is part of this crate and parses"));

/// Where a known error's text is to point at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    /// `projects/P/locations/L` of the request.
    pub(crate) place: Option<String>,
    pub(crate) service_account: Option<String>,
}

/// An error answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GoogleError {
    http_status: u16,
    content_type: &'static str,
    body: String,
}

impl GoogleError {
    /// An error with a canonical code name such as `NOT_FOUND`; the HTTP code follows from it.
    pub(crate) fn new(status: &str, message: &str) -> Self {
        Self::with_details(status, message, &[])
    }

    pub(crate) fn with_details(status: &str, message: &str, details: &[Value]) -> Self {
        let code = http_code(status);
        let mut error = json!({"code": code, "message": message, "status": status});
        if !details.is_empty() {
            error["details"] = Value::from(details);
        }
        Self::json(code, &json!({ "error": error }))
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::new("INVALID_ARGUMENT", message)
    }

    /// The JSON binding refused a field: text and detail as Google's front end writes them.
    pub(crate) fn bad_request(field: &str, description: &str) -> Self {
        let violation = if field.is_empty() {
            json!({ "description": description })
        } else {
            json!({"field": field, "description": description})
        };
        let detail =
            json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]});
        Self::with_details("INVALID_ARGUMENT", description, &[detail])
    }

    /// A synchronous error of `errors.json` by its id; none for an unknown id.
    pub(crate) fn known(id: &str, subject: &Subject) -> Option<Self> {
        let entry = entries("synchronous").iter().find(|entry| entry["id"] == id)?;
        if let Some(raw) = entry["raw_body"].as_str() {
            let status =
                entry["http_status"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(404);
            return Some(Self {
                http_status: status,
                content_type: "text/html; charset=UTF-8",
                body: raw.to_owned(),
            });
        }
        let status = entry["response"]["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok())?;
        let mut known = Self::json(status, &entry["response"]);
        if let Some(place) = &subject.place {
            known.body = known.body.replace(SAMPLE_PLACE, place);
        }
        if let Some(account) = &subject.service_account {
            known.body = known.body.replace(SAMPLE_ACCOUNT, account);
        }
        Some(known)
    }

    /// What Google answers on a path that no API serves.
    pub(crate) fn no_such_path() -> Self {
        Self::known("wrong_region_host_html", &Subject::default())
            .expect("errors.json holds this id: a test reads it")
    }

    fn json(http_status: u16, body: &Value) -> Self {
        Self { http_status, content_type: "application/json; charset=UTF-8", body: body.to_string() }
    }

    pub(crate) fn reply(&self) -> Reply {
        Reply::new(self.http_status, self.content_type, self.body.clone())
    }
}

/// The `error` of a job that failed after it was created, by the id in `errors.json`; none for an unknown id.
pub(crate) fn asynchronous(id: &str) -> Option<Value> {
    entries("asynchronous").iter().find(|entry| entry["id"] == id).map(|entry| entry["error"].clone())
}

/// Whether `errors.json` has a synchronous error of this id.
pub(crate) fn is_known(id: &str) -> bool {
    entries("synchronous").iter().any(|entry| entry["id"] == id)
}

fn entries(list: &str) -> &'static [Value] {
    KNOWN[list].as_array().map_or(&[], Vec::as_slice)
}

/// HTTP code of a canonical code name (google/rpc/code.proto); a name unknown there is an internal error.
pub(crate) fn http_code(status: &str) -> u16 {
    match status {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "ALREADY_EXISTS" | "ABORTED" => 409,
        "RESOURCE_EXHAUSTED" => 429,
        "CANCELLED" => 499,
        "UNIMPLEMENTED" => 501,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_error_of_the_file_can_be_answered() {
        for entry in entries("synchronous") {
            let id = entry["id"].as_str().unwrap();

            assert!(GoogleError::known(id, &Subject::default()).is_some(), "{id}");
        }
        assert!(!entries("synchronous").is_empty());
    }

    #[test]
    fn a_known_text_names_the_place_and_account_of_the_request() {
        let subject = Subject {
            place: Some("projects/p/locations/us-central1".into()),
            service_account: Some("me@p.iam.gserviceaccount.com".into()),
        };

        let denied = GoogleError::known("permission_create_pipeline", &subject).unwrap();
        let act_as = GoogleError::known("act_as_denied", &subject).unwrap();

        assert!(
            denied.body.contains("//aiplatform.googleapis.com/projects/p/locations/us-central1"),
            "{}",
            denied.body
        );
        assert!(act_as.body.contains("me@p.iam.gserviceaccount.com"), "{}", act_as.body);
    }
}
