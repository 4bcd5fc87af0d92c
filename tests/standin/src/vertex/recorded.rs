//! Requests as they arrived, for tests that compare bytes.
//!
//! Only the newest are kept, and never a token: of `Authorization` only its presence is noted.

use std::{collections::VecDeque, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::{loopback::Asked, timestamp::rfc3339};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `POST`, `GET`, `DELETE`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as decoded pairs, in the order given.
    pub query: Vec<(String, String)>,
    /// Header names in lower case and values; `authorization` only ever has the value `present`.
    pub headers: Vec<(String, String)>,
    /// Whose token it showed, where whoever issued the token says so.
    pub account: Option<String>,
    /// The body, byte for byte.
    pub body_bytes: Bytes,
    /// When its head had been read.
    pub received_at: SystemTime,
}

impl Recorded {
    pub(crate) fn of(asked: &Asked, account: Option<String>) -> Self {
        let headers = asked.headers.iter().map(|(name, value)| {
            let value = if name == "authorization" {
                "present".into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (name.as_str().to_owned(), value.into_owned())
        });
        Self {
            method: asked.method.to_string(),
            path: asked.path.clone(),
            query: asked.query_pairs(),
            headers: headers.collect(),
            account,
            body_bytes: asked.body.clone(),
            received_at: asked.received_at,
        }
    }

    /// The value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body_bytes).unwrap_or(Value::Null)
    }

    pub(crate) fn shown(&self) -> Value {
        json!({
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "account": self.account,
            "body": String::from_utf8_lossy(&self.body_bytes),
            "bodyBase64": STANDARD.encode(&self.body_bytes),
            "receivedAt": rfc3339(self.received_at),
        })
    }
}

/// The newest requests, oldest first.
#[derive(Debug)]
pub(crate) struct Records {
    kept: VecDeque<Recorded>,
    limit: usize,
}

impl Records {
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: VecDeque::new(), limit }
    }

    pub(crate) fn add(&mut self, request: Recorded) {
        if self.limit == 0 {
            return;
        }
        if self.kept.len() >= self.limit {
            self.kept.pop_front();
        }
        self.kept.push_back(request);
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.kept.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }
}
