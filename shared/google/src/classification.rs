//! What an answer of Google's means for a launch: by code **and** message, as the code alone misleads
//! (actAs arrives as `INVALID_ARGUMENT`, a used-up quota and a rate limit both as `RESOURCE_EXHAUSTED`).
//!
//! Does not: retry, wait, or know what was sent.

use std::time::Duration;

use launchgate_engine::ports::{CallError, CallErrorKind};
use launchgate_outcome::Reason;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    http::{Answer, CutOff},
    redaction::redacted,
    retry_after::retry_after,
};

/// Characters of a body that is no Google error that are shown.
const EXCERPT: usize = 200;

/// HTTP statuses with which Google says that nothing was created. Others of the 4xx class say something
/// about the way there (408, 499) and prove nothing. Source: DESIGN §6.
const NOT_ACCEPTED: [u16; 9] = [400, 401, 403, 404, 405, 409, 411, 413, 429];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "status")]
    code: String,
    message: String,
    details: Vec<Detail>,
}

/// Members of `google.rpc.ErrorInfo`, `RetryInfo` and Vertex's own detail, whichever it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    reason: Option<String>,
    error_cause: Option<String>,
    retry_delay: Option<String>,
}

#[derive(Deserialize)]
struct Wrapped {
    error: Status,
}

/// A refusal as Google words it, or the little that can be told of a body that is not Google's.
struct Refusal {
    code: String,
    message: String,
    reasons: Vec<String>,
    retry_delay: Option<Duration>,
    is_google: bool,
}

/// What a call that ended without success means. `answer.status` is not 2xx.
pub(crate) fn refused(answer: &Answer) -> CallError {
    let refusal = Refusal::read(answer);
    CallError {
        kind: kind(answer.status, &refusal),
        http_status: Some(answer.status),
        message: redacted(&refusal.message),
        not_accepted: NOT_ACCEPTED.contains(&answer.status),
        retry_after: retry_after(&answer.headers, OffsetDateTime::now_utc()).or(refusal.retry_delay),
        code: refusal.code,
    }
}

/// What a call without a whole answer means.
pub(crate) fn not_answered(cut: &CutOff) -> CallError {
    CallError {
        kind: CallErrorKind::Transient(Reason::VertexUnavailable),
        http_status: None,
        code: cut.code.to_owned(),
        message: redacted(&cut.message),
        not_accepted: cut.not_accepted,
        retry_after: None,
    }
}

/// A success that cannot be read: the job may well exist.
pub(crate) fn unreadable(status: u16, problem: &str) -> CallError {
    CallError {
        kind: CallErrorKind::Transient(Reason::VertexUnavailable),
        http_status: Some(status),
        code: "UNREADABLE".to_owned(),
        message: redacted(problem),
        not_accepted: false,
        retry_after: None,
    }
}

impl Refusal {
    fn read(answer: &Answer) -> Self {
        // Some front ends wrap the one error in a list; serde would take a list for the object itself.
        let is_list = answer.body.trim_ascii_start().starts_with(b"[");
        let status = if is_list {
            let listed: Result<Vec<Wrapped>, _> = serde_json::from_slice(&answer.body);
            listed.ok().and_then(|listed| listed.into_iter().next())
        } else {
            serde_json::from_slice::<Wrapped>(&answer.body).ok()
        };
        match status {
            Some(Wrapped { error: status }) => {
                let reasons = status.details.iter().flat_map(|d| [&d.reason, &d.error_cause]).flatten();
                Self {
                    code: if status.code.is_empty() {
                        code_of(answer.status).to_owned()
                    } else {
                        redacted(&status.code)
                    },
                    reasons: reasons.cloned().collect(),
                    retry_delay: status.details.iter().find_map(|d| seconds(d.retry_delay.as_deref()?)),
                    message: status.message,
                    is_google: true,
                }
            }
            None => Self {
                code: code_of(answer.status).to_owned(),
                message: format!(
                    "HTTP {} with a body that is no Google error: {}",
                    answer.status,
                    excerpt(&answer.body)
                ),
                reasons: Vec::new(),
                retry_delay: None,
                is_google: false,
            },
        }
    }

    fn has_reason(&self, reason: &str) -> bool {
        self.reasons.iter().any(|given| given == reason)
    }

    /// Case is Google's to change.
    fn says(&self, words: &str) -> bool {
        self.message.to_ascii_lowercase().contains(words)
    }

    fn is_act_as(&self) -> bool {
        self.says("permission to act as service_account")
            || self.says("permission to act as service account")
            || self.says("iam.serviceaccounts.actas")
    }

    fn is_api_disabled(&self) -> bool {
        self.has_reason("SERVICE_DISABLED")
            || self.has_reason("CLOUD_API_NOT_ENABLED")
            || (self.says("has not been used in project") && self.says("enable it"))
    }

    fn is_quota(&self) -> bool {
        self.has_reason("INSUFFICIENT_QUOTA")
            || self.says("quota metrics exceed quota limits")
            || self.says("resources are insufficient")
            || self.says("per day")
    }

    fn is_rate(&self) -> bool {
        self.has_reason("RATE_LIMIT_EXCEEDED")
            || self.says("per minute")
            || self.says("per second")
            || self.says("rate limit")
    }

    /// Google checks some of the run's own access when the run is created, and says so as a bad argument.
    fn is_bucket_access(&self) -> bool {
        self.says("iam permission(s) to the bucket")
    }
}

fn kind(http_status: u16, refusal: &Refusal) -> CallErrorKind {
    use CallErrorKind::{
        AlreadyExists, Internal, QuotaUsedUp, Terminal, Transient, Unauthenticated as Refresh,
    };
    if refusal.is_google {
        if refusal.is_act_as() {
            return Terminal(Reason::ActAsDenied);
        }
        if refusal.is_api_disabled() {
            return Terminal(Reason::ApiDisabled);
        }
        if refusal.has_reason("RATE_LIMIT_EXCEEDED") {
            return Transient(Reason::VertexRateLimited);
        }
        if refusal.has_reason("INSUFFICIENT_QUOTA") {
            return QuotaUsedUp;
        }
    }
    match refusal.code.as_str() {
        "ALREADY_EXISTS" => AlreadyExists,
        "RESOURCE_EXHAUSTED" if refusal.is_rate() => Transient(Reason::VertexRateLimited),
        "RESOURCE_EXHAUSTED" | "FAILED_PRECONDITION" if refusal.is_quota() => QuotaUsedUp,
        // Neither said: a short wait costs less than a decision parked for hours.
        "RESOURCE_EXHAUSTED" => Transient(Reason::VertexRateLimited),
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" if refusal.is_bucket_access() => {
            Terminal(Reason::PermissionDenied)
        }
        "PERMISSION_DENIED" => Terminal(Reason::PermissionDenied),
        "UNAUTHENTICATED" => Refresh,
        "NOT_FOUND" => Terminal(Reason::NotFound),
        "FAILED_PRECONDITION" => Terminal(Reason::PreconditionFailed),
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => Internal,
        "UNAVAILABLE" | "DEADLINE_EXCEEDED" | "ABORTED" | "CANCELLED" => Transient(Reason::VertexUnavailable),
        _ if http_status >= 500 && http_status != 501 => Internal,
        _ => Terminal(Reason::InvalidRequest),
    }
}

/// The google.rpc code that goes with an HTTP status when the body does not say.
/// Source: google/rpc/code.proto, read backwards; what is not there follows RFC 9110.
fn code_of(http_status: u16) -> &'static str {
    match http_status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 | 410 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ALREADY_EXISTS",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        500 => "INTERNAL",
        501 => "UNIMPLEMENTED",
        // A redirect is never followed: it is what a proxy or a page in maintenance answers.
        300..=399 | 502 | 503 => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

/// A protobuf Duration in JSON: `3.5s`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let cut: String = text.trim().chars().take(EXCERPT).collect();
    if cut.is_empty() { "(empty)".to_owned() } else { cut }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use reqwest::header::{HeaderMap, RETRY_AFTER};
    use serde_json::{Value, json};

    use super::*;

    fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.into() }
    }

    fn google(code: u16, status: &str, message: &str) -> CallErrorKind {
        let body = json!({"error": {"code": code, "status": status, "message": message}});
        refused(&answer(code, body.to_string())).kind
    }

    /// What each category of `errors.json` must come to.
    fn expected(category: &str) -> CallErrorKind {
        match category {
            "permission_denied" => CallErrorKind::Terminal(Reason::PermissionDenied),
            "act_as_denied" => CallErrorKind::Terminal(Reason::ActAsDenied),
            "api_disabled" => CallErrorKind::Terminal(Reason::ApiDisabled),
            "quota_exhausted" => CallErrorKind::QuotaUsedUp,
            "rate_limited" => CallErrorKind::Transient(Reason::VertexRateLimited),
            "already_exists" => CallErrorKind::AlreadyExists,
            "failed_precondition" => CallErrorKind::Terminal(Reason::PreconditionFailed),
            "invalid_argument" => CallErrorKind::Terminal(Reason::InvalidRequest),
            "not_found" | "not_found_non_json" => CallErrorKind::Terminal(Reason::NotFound),
            "unauthenticated" => CallErrorKind::Unauthenticated,
            other => panic!("errors.json has a category that no test knows: {other}"),
        }
    }

    #[test]
    fn every_known_error_of_vertex_means_what_its_category_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/vertex/errors.json");
        let known: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();

        for case in known["synchronous"].as_array().unwrap() {
            let status = case["http_status"].as_u64().or(case["response"]["error"]["code"].as_u64()).unwrap();
            let body = case["raw_body"].as_str().map_or_else(|| case["response"].to_string(), str::to_owned);

            let error = refused(&answer(u16::try_from(status).unwrap(), body));

            assert_eq!(error.kind, expected(case["category"].as_str().unwrap()), "{}", case["id"]);
            assert!(error.not_accepted, "{}", case["id"]);
            if let Some(text) = case["response"]["error"]["message"].as_str() {
                assert_eq!(error.message, text, "{}", case["id"]);
                assert_eq!(error.code, case["response"]["error"]["status"], "{}", case["id"]);
            }
        }
    }

    #[test]
    fn a_quota_and_a_rate_limit_are_told_apart_by_their_text() {
        let exhausted = |text| google(429, "RESOURCE_EXHAUSTED", text);

        assert_eq!(
            exhausted("The following quota metrics exceed quota limits: x"),
            CallErrorKind::QuotaUsedUp
        );
        assert_eq!(
            exhausted("Resources are insufficient in region: us-central1."),
            CallErrorKind::QuotaUsedUp
        );
        assert_eq!(
            exhausted("Quota exceeded for quota metric 'a' and limit 'a per minute per region'"),
            CallErrorKind::Transient(Reason::VertexRateLimited)
        );
        assert_eq!(exhausted("Too much."), CallErrorKind::Transient(Reason::VertexRateLimited));
    }

    #[test]
    fn act_as_is_known_whatever_code_it_comes_with() {
        let text = "You do not have permission to act as service_account: a@b.iam.gserviceaccount.com.";
        for (code, status) in [(400, "INVALID_ARGUMENT"), (403, "PERMISSION_DENIED")] {
            assert_eq!(google(code, status, text), CallErrorKind::Terminal(Reason::ActAsDenied));
        }
    }

    #[test]
    fn trouble_on_the_servers_side_is_transient_and_may_have_been_accepted() {
        for (status, kind) in [
            (500, CallErrorKind::Internal),
            (502, CallErrorKind::Transient(Reason::VertexUnavailable)),
            (503, CallErrorKind::Transient(Reason::VertexUnavailable)),
            (504, CallErrorKind::Transient(Reason::VertexUnavailable)),
            (520, CallErrorKind::Internal),
            (302, CallErrorKind::Transient(Reason::VertexUnavailable)),
            (408, CallErrorKind::Transient(Reason::VertexUnavailable)),
        ] {
            let error = refused(&answer(status, "<html>oops</html>"));
            assert_eq!(error.kind, kind, "{status}");
            assert!(!error.not_accepted, "{status}");
            assert!(error.message.contains("oops"));
        }
        assert_eq!(google(409, "ABORTED", "try again"), CallErrorKind::Transient(Reason::VertexUnavailable));
    }

    #[test]
    fn the_wait_google_asks_for_is_kept_from_the_header_or_the_details() {
        let body = json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "", "details":
            [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}]}});
        let mut answer = answer(503, body.to_string());
        assert_eq!(refused(&answer).retry_after, Some(Duration::from_millis(2500)));

        answer.headers.insert(RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(refused(&answer).retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_body_of_any_shape_is_survived_and_tokens_in_it_are_not_repeated() {
        for body in
            ["", "[]", "null", "{\"error\": null}", "{\"error\": \"x\"}", "{\"error\": {\"code\": \"x\"}}"]
        {
            assert_eq!(
                refused(&answer(400, body)).kind,
                CallErrorKind::Terminal(Reason::InvalidRequest),
                "{body}"
            );
        }
        let listed = json!([{"error": {"code": 409, "status": "ALREADY_EXISTS", "message": "ya29.secret"}}]);
        let error = refused(&answer(409, listed.to_string()));
        assert_eq!(error.kind, CallErrorKind::AlreadyExists);
        assert_eq!(error.message, "[token]");
    }
}
