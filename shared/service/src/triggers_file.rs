//! The triggers file on disk, with the files beside it.

use std::path::{Component, Path, PathBuf};

use launchgate_triggers::{
    Config, Files, Finding, Overrides, Remote, RemoteTemplate, Severity, load, render,
};

use crate::{Environment, TemplateSource, remote_templates::RemoteTemplates};

/// Bytes a triggers file may have.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A triggers file as read from disk.
#[derive(Debug)]
pub struct TriggersFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub source: String,
    /// What it says, if no finding is an error.
    pub config: Option<Config>,
    /// Errors and warnings.
    pub findings: Vec<Finding>,
}

/// A triggers file that cannot be used; `Display` is the findings as people read them.
#[derive(Debug, thiserror::Error)]
#[error("{rendered}")]
pub struct Unusable {
    /// The findings; empty when the file could not be read at all.
    pub findings: Vec<Finding>,
    /// For people.
    pub rendered: String,
}

impl TriggersFile {
    /// Reads and checks the file, and fetches the remote templates that it names.
    ///
    /// # Errors
    /// Only when it cannot be read at all; what is wrong inside it is in `findings`.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, Unusable> {
        Self::read_with(path, environment, &TemplateSource::default())
    }

    /// The same, with remote templates from where `templates` says.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_with(
        path: &Path,
        environment: &Environment,
        templates: &TemplateSource,
    ) -> Result<Self, Unusable> {
        let unreadable = |why: String| Unusable {
            findings: Vec::new(),
            rendered: format!(
                "error: cannot read the triggers file {}: {why}\nhelp: name it with --config, or write one with `launchgate init`",
                path.display()
            ),
        };
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(unreadable(format!("it has {size} bytes, at most {MAX_BYTES} are read")));
        }
        let source = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let folder = path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let overrides = Overrides::from_vars(environment.variables().clone());
        let name = path.display().to_string();
        let mut beside = Beside { folder, remote: RemoteTemplates::default() };
        let mut loaded = load(&name, &source, &beside, &overrides);
        if beside.remote.lacks() {
            // The first reading told which templates lie elsewhere.
            beside.remote.fill(templates, environment);
            loaded = load(&name, &source, &beside, &overrides);
        }
        Ok(Self { path: path.to_path_buf(), source, config: loaded.config, findings: loaded.findings })
    }

    /// The config, or the findings that make it unusable.
    pub fn usable(self) -> Result<Config, Unusable> {
        if let Some(config) = self.config {
            Ok(config)
        } else {
            let findings: Vec<_> =
                self.findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
            Err(Unusable { rendered: render(&self.source, &findings), findings })
        }
    }

    /// The findings as people read them.
    pub fn rendered(&self) -> String {
        render(&self.source, &self.findings)
    }
}

/// The files in a folder and below; nothing outside, not even through a link. And what was fetched from elsewhere.
struct Beside {
    folder: PathBuf,
    remote: RemoteTemplates,
}

impl Files for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err("a path is relative to the triggers file and may not leave its folder".to_owned());
        }
        let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let folder = folder.canonicalize().map_err(|error| error.to_string())?;
        let file = folder.join(relative).canonicalize().map_err(|error| error.to_string())?;
        if !file.starts_with(&folder) {
            return Err("a link leads out of the triggers file's folder".to_owned());
        }
        std::fs::read(&file).map_err(|error| error.to_string())
    }

    fn remote(&self, template: &RemoteTemplate) -> Remote {
        self.remote.get(template)
    }
}
