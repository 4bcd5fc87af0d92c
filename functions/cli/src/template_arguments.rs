//! Where a command gets templates that do not lie beside the triggers file.

use std::path::PathBuf;

use clap::Args;
use launchgate_service::{Environment, TemplateSource};

/// Flags of every command that reads a triggers file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TemplateArguments {
    /// Fetch no remote template; use what the cache has
    #[arg(long)]
    offline: bool,
    /// Where fetched templates are kept, by digest [default: $XDG_CACHE_HOME/launchgate/templates]
    #[arg(long, value_name = "DIR")]
    template_cache: Option<PathBuf>,
}

impl TemplateArguments {
    /// `lenient`: what cannot be reached is a warning, not an error.
    pub(crate) fn source(&self, environment: &Environment, lenient: bool) -> TemplateSource {
        let cache = self.template_cache.clone().or_else(|| default_cache(environment));
        TemplateSource { cache, offline: self.offline, lenient }
    }
}

/// Source: XDG Base Directory Specification; a relative path there counts as absent.
fn default_cache(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("launchgate/templates"))
}
