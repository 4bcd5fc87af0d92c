//! The Python that runs other people's implementations.

use std::{path::PathBuf, process::Command};

use crate::{Finished, process::run};

/// A Python with the packages of `tests/python/requirements.txt`.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

impl Python {
    /// The interpreter named by `LAUNCHGATE_PYTHON`, or why there is none.
    pub fn find() -> Result<Self, String> {
        match std::env::var_os("LAUNCHGATE_PYTHON") {
            Some(path) => Ok(Self(path.into())),
            None => Err("LAUNCHGATE_PYTHON names no Python with tests/python/requirements.txt".to_owned()),
        }
    }

    /// Runs a script.
    pub fn run<A: AsRef<std::ffi::OsStr>>(&self, script: &std::path::Path, arguments: &[A]) -> Finished {
        run(Command::new(&self.0).arg(script).args(arguments), b"")
    }
}
