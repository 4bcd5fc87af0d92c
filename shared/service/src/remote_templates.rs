//! Templates that lie elsewhere: fetched once, while the triggers file is loaded, and never for a request.
//!
//! Promises: a cached template is one whose bytes have the digest it is kept under, so a cache can be old but not
//! wrong; nothing is written that was not asked for by its digest. Does not: decide whether a template may be used
//! (`load` holds it against the reviewed digest), clean up.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use launchgate_google::{CredentialSettings, Endpoints, TemplateFault, TemplateReader};
use launchgate_statement::Sha256;
use launchgate_triggers::{Remote, RemoteTemplate, Template};

use crate::Environment;

/// How a process gets remote templates.
#[derive(Clone, Debug, Default)]
pub struct TemplateSource {
    /// A folder of templates by digest, read first and filled.
    pub cache: Option<PathBuf>,
    /// Fetch nothing.
    pub offline: bool,
    /// What cannot be reached is left alone and said so, rather than being an error: for `lint`.
    pub lenient: bool,
}

/// What a triggers file asked for while it was read.
#[derive(Debug, Default)]
pub(crate) struct RemoteTemplates {
    had: BTreeMap<RemoteTemplate, Remote>,
    wanted: RefCell<BTreeSet<RemoteTemplate>>,
}

impl RemoteTemplates {
    /// What there is of a template; notes that it was asked for when there is nothing yet.
    pub(crate) fn get(&self, template: &RemoteTemplate) -> Remote {
        if let Some(had) = self.had.get(template) {
            return had.clone();
        }
        self.wanted.borrow_mut().insert(template.clone());
        Remote::NotLooked("it comes with the second reading".to_owned())
    }

    /// Whether anything was asked for that is not there.
    pub(crate) fn lacks(&self) -> bool {
        !self.wanted.borrow().is_empty()
    }

    /// Gets everything that was asked for.
    pub(crate) fn fill(&mut self, source: &TemplateSource, environment: &Environment) {
        let wanted = self.wanted.take();
        let (cached, missing): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .map(|one| (source.cached(&one.sha256), one))
            .partition(|(found, _)| found.is_some());
        for (found, one) in cached {
            self.had.extend(found.map(|bytes| (one, Remote::Fetched(bytes))));
        }
        let missing: Vec<RemoteTemplate> = missing.into_iter().map(|(_, one)| one).collect();
        let fetched = if source.offline { Vec::new() } else { fetch(&missing, environment) };
        let mut fetched = fetched.into_iter();
        for one in missing {
            let remote = match fetched.next() {
                Some(Ok(bytes)) => {
                    source.keep(&one.sha256, &bytes);
                    Remote::Fetched(bytes)
                }
                Some(Err(fault)) if source.lenient && fault.is_out_of_reach() => {
                    Remote::NotLooked(fault.cause.to_string())
                }
                Some(Err(fault)) => Remote::Failed { why: fault.cause.to_string(), fix: fault.fix },
                None if source.lenient => Remote::NotLooked("--offline was given".to_owned()),
                None => Remote::Failed {
                    why: format!("{} is not in the cache, and --offline was given", one.address),
                    fix: Some("run it once without --offline".to_owned()),
                },
            };
            self.had.insert(one, remote);
        }
    }
}

impl TemplateSource {
    fn cached(&self, sha256: &Sha256) -> Option<Vec<u8>> {
        let path = self.cache.as_ref()?.join(sha256.to_hex());
        let size = std::fs::metadata(&path).ok()?.len();
        if size > Template::MAX_BYTES as u64 {
            return None;
        }
        std::fs::read(path).ok().filter(|bytes| Sha256::of(bytes) == *sha256)
    }

    /// A cache that cannot be written only costs another fetch.
    fn keep(&self, sha256: &Sha256, bytes: &[u8]) {
        let Some(folder) = &self.cache else { return };
        if Sha256::of(bytes) != *sha256 || std::fs::create_dir_all(folder).is_err() {
            return;
        }
        // Another process may be reading or writing the same name.
        let name = sha256.to_hex();
        let half = folder.join(format!(".{name}.{}", std::process::id()));
        if std::fs::write(&half, bytes).and_then(|()| std::fs::rename(&half, folder.join(name))).is_err() {
            let _ = std::fs::remove_file(half);
        }
    }
}

/// Fetches one after the other, on a thread and runtime of its own: files are loaded from inside and outside of a
/// runtime, before there is anything else to do.
fn fetch(wanted: &[RemoteTemplate], environment: &Environment) -> Vec<Result<Vec<u8>, TemplateFault>> {
    let work = async {
        let settings = CredentialSettings::from_variables(environment.variables());
        let reader = match Endpoints::from_variables(environment.variables()) {
            Ok(endpoints) => TemplateReader::new(endpoints, &settings),
            Err(error) => return wanted.iter().map(|_| Err(error.clone().into())).collect(),
        };
        let mut fetched = Vec::new();
        for one in wanted {
            fetched.push(reader.fetch(&one.address).await);
        }
        fetched
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(work))
    };
    let ended = if wanted.is_empty() {
        Ok(Ok(Vec::new()))
    } else {
        std::thread::scope(|scope| scope.spawn(run).join())
    };
    match ended {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(error)) => {
            let cause = launchgate_google::GoogleError::Client(error.to_string());
            wanted.iter().map(|_| Err(cause.clone().into())).collect()
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
