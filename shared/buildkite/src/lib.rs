//! buildkite
