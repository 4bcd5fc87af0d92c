//! An artifact that lies on this machine.

use std::{fs::File, io::Read as _, path::Path};

use launchgate_statement::{Artifact, Sha256};
use ring::digest::{Context, SHA256};
use serde_json::Map;

use crate::{artifact_arguments::Found, failure::Failure, output::Output, progress::Progress};

/// Bytes read at once: large enough that system calls do not show beside hashing.
const CHUNK: usize = 256 * 1024;

/// Hashes a file as it is read; nothing of it is kept in memory.
pub(crate) fn read(path: &Path, output: &Output) -> Result<Found, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::usage(format!("cannot read the artifact {}: {error}", path.display()))
    };
    let mut file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Failure::usage(format!(
            "{} is not a file; pack a folder first (tar), so that it has one digest",
            path.display()
        )));
    }
    let mut progress = Progress::of(&path.display().to_string(), metadata.len(), output);
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; CHUNK];
    let mut size = 0u64;
    loop {
        let read = file.read(&mut buffer).map_err(cannot)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
        size += read as u64;
        progress.at(size);
    }
    progress.finished();
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());

    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let annotations = Map::from_iter([("kind".to_owned(), "file".into()), ("size".to_owned(), size.into())]);
    let artifact = Artifact {
        name: name.clone(),
        sha256: Sha256::from_bytes(digest),
        uri: None,
        media_type: None,
        annotations,
    };
    Ok(Found { name, artifact })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::output::Format;

    #[test]
    fn the_digest_is_that_of_the_whole_file_across_chunks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        let content: Vec<u8> = (0..CHUNK * 2 + 17).map(|i| u8::try_from(i % 251).unwrap()).collect();
        std::fs::write(&path, &content).unwrap();

        let found = read(&path, &Output::new(Format::Text)).unwrap();

        assert_eq!(found.artifact.sha256, Sha256::of(&content));
        assert_eq!(found.artifact.annotations["size"], content.len());
        assert_eq!(found.name, "model.bin");
    }

    #[test]
    fn a_folder_has_no_digest() {
        let folder = tempfile::tempdir().unwrap();

        assert!(matches!(read(folder.path(), &Output::new(Format::Text)), Err(Failure::Usage(_))));
    }
}
