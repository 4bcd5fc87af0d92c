//! The Vertex stand-in as the tests use it.

use launchgate_standin::{VertexOptions, VertexStandin};
use serde_json::Value;

/// A strict stand-in that takes whoever shows a token.
pub async fn a_vertex() -> VertexStandin {
    VertexStandin::start(VertexOptions::default()).await.unwrap()
}

/// The run ids of the stand-in's jobs by the label that names their decision, sorted.
pub fn launch_ids(vertex: &VertexStandin) -> Vec<String> {
    let label =
        |job: &Value| job["labels"]["launchgate-id"].as_str().expect("a run names its decision").to_owned();
    let mut ids: Vec<_> = vertex.jobs().iter().map(label).collect();
    ids.sort();
    ids
}
