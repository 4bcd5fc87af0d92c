//! The product from outside: real binaries, real emulators, strict stand-ins.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod harness;
