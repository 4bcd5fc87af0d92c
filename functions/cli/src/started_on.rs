//! `startedOn`, written once and kept beside the job, so that a second `emit` of the same job is the same
//! event. Source: DESIGN §3.

use std::{
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use launchgate_statement::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Where a job's instant is kept when nothing else is said: below the working directory, one file a job.
const FOLDER: &str = ".launchgate";

/// What the file holds. It names its job, so that a checkout that is used again cannot lend the next job
/// an old instant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    job: String,
    started_on: Timestamp,
}

/// The file of a job when `--state` is not given.
pub(crate) fn default_path(job: &str) -> PathBuf {
    let name: String =
        job.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    Path::new(FOLDER).join(format!("emit-{name}.json"))
}

/// The instant kept in `path` for `job`; `now`, then kept, if there is none.
pub(crate) fn kept(path: &Path, job: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let cannot = |what: &str, error: std::io::Error| {
        Failure::usage(format!("cannot {what} the state file {}: {error}", path.display()))
    };
    match std::fs::read(path) {
        Ok(bytes) => {
            let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| {
                Failure::usage(format!(
                    "the state file {} is not one that `emit` wrote ({error}); remove it or name another",
                    path.display()
                ))
            })?;
            if kept.job == job {
                return Ok(kept.started_on);
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(cannot("read", error)),
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot("make a folder for", error))?;
    let written =
        serde_json::to_vec(&Kept { job: job.to_owned(), started_on: now }).map_err(anyhow::Error::from)?;
    // Whole or not at all: a file cut short by a crash would stop every later try.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| cannot("write", error))?;
    file.write_all(&written)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| cannot("write", error))?;
    file.persist(path).map_err(|error| cannot("write", error.error))?;
    Ok(now)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_instant_of_a_job_stays_and_another_job_gets_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.json");
        let at = Timestamp::from_seconds;

        assert_eq!(kept(&path, "job-1", at(100)).unwrap(), at(100));
        assert_eq!(kept(&path, "job-1", at(200)).unwrap(), at(100));
        assert_eq!(kept(&path, "job-2", at(300)).unwrap(), at(300));
        assert_eq!(kept(&path, "job-2", at(400)).unwrap(), at(300));
    }

    #[test]
    fn a_file_of_something_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        std::fs::write(&path, "weights").unwrap();

        assert!(matches!(kept(&path, "job", Timestamp::from_seconds(1)), Err(Failure::Usage(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"weights");
    }
}
