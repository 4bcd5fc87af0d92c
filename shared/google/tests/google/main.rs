//! The adapters against strict stand-ins on loopback.
#![allow(clippy::unwrap_used)]

mod credentials;
mod plans;
mod vertex;
