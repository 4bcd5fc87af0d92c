//! Why a command could not give its answer, and the exit code that says so.
//!
//! An event that is refused is an answer, not a failure: commands return its exit code as `Ok`.

use launchgate_service::Unusable;

/// A command that did not come to its answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, a file it names or the environment is not usable; exit code 2.
    Usage(String),
    /// The triggers file is not usable; exit code 2, the findings as they are.
    Config(Unusable),
    /// Something outside did not answer; the same command may work later; exit code 7.
    Transient(String),
    /// Something that should not happen; exit code 1.
    Internal(anyhow::Error),
    /// Nobody reads stdout any more (`| head`): nothing to say, and nobody to say it to.
    NoReader,
}

impl Failure {
    /// Wrong use, in words.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Source: DESIGN §8.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoReader => 0,
            Self::Internal(_) => 1,
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Transient(_) => 7,
        }
    }
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        Self::Config(unusable)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}
