//! The official generate-provenance-attestation plugin's two mistakes, recognised so that they can be
//! named; never accepted.
