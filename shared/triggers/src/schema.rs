//! The triggers file's JSON Schema for editors.
