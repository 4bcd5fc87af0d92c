//! The adapters against strict stand-ins on loopback.
#![allow(clippy::unwrap_used)]

mod artifact_checks;
mod artifacts;
mod certs;
mod credentials;
mod impersonation;
mod kms;
mod plans;
mod vertex;
