//! Triggers files whose triggers launch the pipeline `p.json`.

use launchgate_triggers::{Config, Files, Overrides, load};
use serde_json::{Value, json};

struct Folder;

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path != "p.json" {
            return Err("no such file".to_owned());
        }
        let pipeline = json!({
            "pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0", "root": {"dag": {"tasks": {}}},
            "components": {}, "deploymentSpec": {},
        });
        Ok(pipeline.to_string().into_bytes())
    }
}

/// The file, which must be sound.
pub(crate) fn loaded(file: &Value) -> Config {
    let loaded = load("launchgate.yaml", &file.to_string(), &Folder, &Overrides::default());
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings))
}
