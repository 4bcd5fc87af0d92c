//! Why key material or a signer cannot be used.

/// A configuration mistake in key material; found at load, never at verification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TrustError {
    #[error("not a PEM text of a public key (`-----BEGIN PUBLIC KEY-----`): {0}")]
    NotPublicKeyPem(String),
    #[error("not a PEM text of a PKCS#8 private key (`-----BEGIN PRIVATE KEY-----`): {0}")]
    NotPrivateKeyPem(String),
    #[error("unsupported key: {0}; use Ed25519, ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits")]
    UnsupportedKey(String),
    #[error("the scheme {given} does not fit this key, which is {actual}")]
    SchemeMismatch { given: String, actual: String },
    #[error("an RSA key needs a scheme: rsa-pss-sha256 or rsa-pkcs1v15-sha256")]
    SchemeNeeded,
    #[error(
        "unknown scheme `{0}`; use ed25519, ecdsa-p256, ecdsa-p384, rsa-pss-sha256 or rsa-pkcs1v15-sha256"
    )]
    UnknownScheme(String),
    #[error("the signer id `{0}` stands twice")]
    DuplicateSigner(String),
    #[error(
        "the signer `{0}` is configured with the demo key that is published inside the \
         generate-provenance-attestation plugin: anyone can sign with it; make a key with `launchgate keygen`"
    )]
    KnownDemoKey(String),
    #[error("`notBefore` is not before `notAfter` for the signer `{0}`")]
    EmptyValidity(String),
    #[error("not a key set (JWKS): {0}")]
    NotJwks(String),
    #[error("signing failed: {0}")]
    Signing(String),
    #[error("an empty secret would accept anyone")]
    EmptySecret,
}
