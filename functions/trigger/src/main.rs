//! trigger
fn main() {}
