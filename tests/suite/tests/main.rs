//! The product from outside: real binaries, real emulators, strict stand-ins.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod artifacts;
mod builds;
mod checks;
mod deliveries;
mod demo;
mod explain_is_sent;
mod harness;
mod interop;
mod keyless;
mod kill;
mod kms;
mod ladder;
mod lambda;
mod logs;
mod operator;
mod overload;
mod places;
mod plugin;
mod probes;
mod pubsub;
mod push_auth;
mod relay;
mod rotation;
mod runs;
mod shutdown;
mod sigstore;
mod templates;
mod turns;
mod wait;
mod weblink;
