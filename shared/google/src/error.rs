//! Why something on Google's side could not be done, outside calls to Vertex (those answer with the
//! engine's `CallError`).

/// One cause for each variant; each message says what was expected, what was found and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoogleError {
    /// An address in the environment cannot be used.
    #[error("{variable}: {problem}; expected https://HOST[:PORT][/PATH], or http:// on loopback only")]
    Endpoint {
        /// The variable.
        variable: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The HTTP client cannot be made; mostly a machine without CA certificates.
    #[error("no HTTP client: {0}; is the package `ca-certificates` installed?")]
    Client(String),
    /// No access token could be had.
    #[error("no access token: {0}")]
    Credentials(String),
    /// The other side did not answer, or was cut off.
    #[error("{what}: {cause}")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// What happened.
        cause: String,
    },
    /// The other side refused.
    #[error("{what}: HTTP {status}: {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// Its text, bounded and without secrets.
        message: String,
    },
    /// The other side answered something that makes no sense.
    #[error("{what}: {problem}")]
    Unexpected {
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// An artifact's address is not one that can be read.
    #[error("`{address}` is no artifact address: {problem}")]
    Address {
        /// The text given.
        address: String,
        /// What is wrong, and what would do.
        problem: String,
    },
    /// A text is not the name of a key's version.
    #[error(
        "`{text}` names no version of a key: {problem}; expected \
         projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N"
    )]
    KeyVersion {
        /// The text given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key in Cloud KMS that launchgate's verifier could not be given.
    #[error(
        "{key} is of the algorithm {algorithm}, which launchgate does not verify; make a key of \
         EC_SIGN_P256_SHA256 (best), EC_SIGN_P384_SHA384, RSA_SIGN_PSS_…_SHA256 or RSA_SIGN_PKCS1_…_SHA256"
    )]
    UnsupportedKey {
        /// The version's name.
        key: String,
        /// What Cloud KMS calls its algorithm.
        algorithm: String,
    },
    /// A message was not confirmed.
    #[error("publish to {topic}: {cause}")]
    Publish {
        /// Full topic name.
        topic: String,
        /// What happened.
        cause: String,
    },
}
