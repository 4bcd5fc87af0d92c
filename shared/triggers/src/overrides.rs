//! `LAUNCHGATE_…` environment variables that replace values of the file.

/// The variables, handed in by the caller: this crate reads no environment.
/// `LAUNCHGATE_SERVICE_AUDIENCE` replaces `service.audience`, `LAUNCHGATE_LEDGER_SQLITE` `ledger.sqlite`,
/// and so on for `service`, `ledger`, `vertex` and `ingress`: the path in upper snake case.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<(String, String)>);

impl Overrides {
    /// Keeps the variables that start with `LAUNCHGATE_`.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(vars.into_iter().filter(|(name, _)| name.starts_with("LAUNCHGATE_")).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
