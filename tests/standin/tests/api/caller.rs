//! A plain HTTP caller, and jobs to send with it.

use std::path::PathBuf;

use launchgate_standin::{VertexOptions, VertexStandin};
use serde_json::{Value, json};

pub(crate) const PLACE: &str = "projects/acme-ml/locations/europe-west1";

pub(crate) async fn a_vertex() -> VertexStandin {
    VertexStandin::start(VertexOptions::default()).await.unwrap()
}

/// An answer: HTTP status and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The canonical code name of an error answer, empty for a good one.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["status"].as_str().unwrap_or_default().to_owned()
    }
}

#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    endpoint: String,
    token: Option<String>,
}

impl Caller {
    pub(crate) fn of(endpoint: String) -> Self {
        // The second and later tests find it installed: that is what the error would say.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No kept connections: a dropped one must not be retried behind the test's back.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { http, endpoint, token: Some("t".into()) }
    }

    pub(crate) fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.endpoint));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await?;
        Ok(Answer { status: response.status().as_u16(), text: response.text().await? })
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        self.try_send(method, path, body).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body.to_string())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Creates a pipeline job in [`PLACE`].
    pub(crate) async fn create(&self, id: &str, body: &Value) -> Answer {
        self.post(&create_path(id), body).await
    }

    pub(crate) async fn try_create(&self, id: &str, body: &Value) -> reqwest::Result<Answer> {
        self.try_send("POST", &create_path(id), Some(body.to_string())).await
    }
}

fn create_path(id: &str) -> String {
    format!("/v1/{PLACE}/pipelineJobs?pipelineJobId={id}")
}

pub(crate) fn a_pipeline_job() -> Value {
    json!({
        "displayName": "d",
        "pipelineSpec": {
            "pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0",
            "root": {"dag": {"tasks": {}}, "inputDefinitions": {"parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3, "isOptional": true},
                "note": {"parameterType": "STRING", "isOptional": true},
                "image": {"parameterType": "STRING"},
            }}},
        },
        "runtimeConfig": {"gcsOutputDirectory": "gs://b/root", "parameterValues": {"image": "i", "epochs": 5}},
        "labels": {"team": "fraud"},
    })
}

pub(crate) fn a_custom_job() -> Value {
    json!({
        "displayName": "c",
        "jobSpec": {"workerPoolSpecs": [{
            "machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": "1", "containerSpec": {"imageUri": "i"},
        }]},
    })
}

/// A body with the member at a JSON pointer set; null takes it away.
pub(crate) fn with(mut body: Value, pointer: &str, value: &Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(members), Value::Null) => {
            members.remove(name);
        }
        (Value::Object(members), value) => {
            members.insert(name.to_owned(), value.clone());
        }
        (Value::Array(items), value) => items[name.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{pointer} leads into no object"),
    }
    body
}

/// One request that Google's Python client sent, as captured.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Value,
    pub(crate) differences: Value,
}

impl Vector {
    pub(crate) fn all() -> Vec<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors/vertex/vectors");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
            .iter()
            .map(|file| {
                let vector: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
                let query = vector["query"].as_object().unwrap();
                Self {
                    name: vector["name"].as_str().unwrap().to_owned(),
                    path: vector["path"].as_str().unwrap().to_owned(),
                    query: query
                        .iter()
                        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                        .collect(),
                    body: vector["body"].clone(),
                    differences: vector["wire_body_differs"].clone(),
                }
            })
            .collect()
    }

    /// The vectors of the collections that the stand-in serves.
    pub(crate) fn served() -> Vec<Self> {
        let collections = ["pipelineJobs", "customJobs", "hyperparameterTuningJobs", "batchPredictionJobs"];
        Self::all()
            .into_iter()
            .filter(|vector| collections.iter().any(|name| vector.path.ends_with(name)))
            .collect()
    }

    /// The body as the Python client's transport wrote it: enums as numbers.
    pub(crate) fn wire_body(&self) -> Value {
        let mut body = self.body.clone();
        for (pointer, difference) in self.differences.as_object().into_iter().flatten() {
            *body.pointer_mut(pointer).unwrap() = difference["wire"].clone();
        }
        body
    }

    /// Path and query, with more query parameters after the vector's own.
    pub(crate) fn target(&self, more: &str) -> String {
        let mut query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !more.is_empty() {
            query.push(more.to_owned());
        }
        format!("{}?{}", self.path, query.join("&"))
    }
}

/// Equal with numbers by value: what went through a protobuf struct comes back as a double.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
