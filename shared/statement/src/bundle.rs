//! A Sigstore bundle v0.3 as carrier of a DSSE envelope.
