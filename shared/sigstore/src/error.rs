//! Why a bundle does not hold, by what fell.

use sigstore_verify::{Error, TransparencyLogError};

/// Why a bundle does not hold. The texts come from the parser and the verifier; they may quote the bundle,
/// which a stranger wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The verification material cannot be read, or is of a kind that no event may use.
    #[error("the bundle's verification material is not acceptable: {0}")]
    Material(String),
    /// The certificate does not chain to the trusted root, was not valid at the time of signing, is in no
    /// certificate log, or cannot be read.
    #[error("the signing certificate is not acceptable: {0}")]
    Certificate(String),
    /// No trusted clock says when it was signed, or one that is given does not hold.
    #[error("the time of signing is not proven: {0}")]
    Time(String),
    /// The transparency log's proof does not hold, or is about something else.
    #[error("the transparency log's proof does not hold: {0}")]
    Log(String),
    /// The certificate's key did not sign this envelope.
    #[error("the certificate's key did not sign this envelope: {0}")]
    Signature(String),
}

/// Why a file is no trusted root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a Sigstore trusted root (`application/vnd.dev.sigstore.trustedroot+json;version=0.1`): {0}"
)]
pub struct TrustedRootError(pub(crate) String);

impl From<Error> for BundleError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Certificate(_) => Self::Certificate(text),
            Error::Timestamp(_) | Error::TransparencyLog(TransparencyLogError::IntegratedTime(_)) => {
                Self::Time(text)
            }
            Error::TransparencyLog(_) | Error::ArtifactMismatch(_) => Self::Log(text),
            Error::SignatureInvalid(_) => Self::Signature(text),
            _ => Self::Material(text),
        }
    }
}
