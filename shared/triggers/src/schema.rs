//! The triggers file's JSON Schema for editors.

/// The schema as JSON text, draft 2020-12. It helps while typing; the file's own checks decide.
pub fn json_schema() -> &'static str {
    include_str!("schema.json")
}
