//! Reading the triggers file: YAML to `Config`.

use crate::{Config, Finding, Overrides};

/// The files beside the triggers file. Paths are relative to its folder and may not leave it.
pub trait Files {
    /// The file's bytes, or why not, in words for people.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// What loading came to.
#[derive(Debug)]
pub struct Loaded {
    /// Present only if no finding is an error.
    pub config: Option<Config>,
    /// Errors and warnings in the file's order.
    pub findings: Vec<Finding>,
}

/// Reads and checks a triggers file. `name` is the file as people named it.
/// Collects as many findings as it can rather than the first only.
pub fn load(name: &str, text: &str, files: &dyn Files, overrides: &Overrides) -> Loaded {
    let _ = (name, text, files, overrides);
    unimplemented!("load")
}
