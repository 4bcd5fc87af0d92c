//! The private key of `sign`, `emit` and `send`: from a file or from an environment variable.
//!
//! Never on the command line itself, where every process of the machine could read it.

use std::path::PathBuf;

use clap::Args;
use launchgate_trust::{Scheme, SigningKey};

use crate::failure::Failure;

/// Where a key is looked for when no file is named: the PEM text itself, as a build's secret store hands it over.
const VARIABLE: &str = "LAUNCHGATE_SIGNING_KEY";

#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArguments {
    /// Private key (PKCS#8 PEM); default: the PEM text in the variable LAUNCHGATE_SIGNING_KEY
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How the key signs; needed for RSA only: rsa-pss-sha256 or rsa-pkcs1v15-sha256
    #[arg(long, value_name = "SCHEME", value_parser = scheme)]
    scheme: Option<Scheme>,
}

impl KeyArguments {
    /// The key.
    pub(crate) fn load(&self) -> Result<SigningKey, Failure> {
        let (place, pem) = match &self.key {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Failure::usage(format!("cannot read the key {}: {error}", path.display()))
                })?;
                (path.display().to_string(), text)
            }
            None => match std::env::var(VARIABLE) {
                Ok(text) if !text.is_empty() => (VARIABLE.to_owned(), text),
                _ => {
                    return Err(Failure::usage(format!(
                        "no key: name a file with --key or set {VARIABLE}; `launchgate keygen` makes one"
                    )));
                }
            },
        };
        SigningKey::from_pem(&pem, self.scheme).map_err(|error| Failure::usage(format!("{place}: {error}")))
    }
}

/// Reads a scheme given as an option.
pub(crate) fn scheme(text: &str) -> Result<Scheme, String> {
    Scheme::parse(text).map_err(|error| error.to_string())
}
