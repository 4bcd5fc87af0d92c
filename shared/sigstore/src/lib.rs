//! Sigstore bundles around DSSE envelopes: whether one holds, and what its certificate says.
//!
//! Promises: a `Certificate` exists only if it chains to an authority of the given trusted root, was logged in
//! its certificate log, was valid at every proven time of signing, and its key signed exactly the given bytes,
//! which stand in a transparency log of that root; everything is checked offline. Completes where
//! `sigstore-verify` falls short, see `verify` and `certificate`. The interface of that crate, which changes
//! with each of its versions, ends here.
//! Does not: judge who the certificate names; fetch roots, entries or certificates.

mod certificate;
mod error;
mod ring_provider;
mod trusted_root;
mod verify;

pub use certificate::{Certificate, CertificateClaims};
pub use error::{BundleError, TrustedRootError};
pub use trusted_root::TrustedRoot;
pub use verify::BundledEnvelope;
