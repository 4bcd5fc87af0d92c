//! The process environment, read once at the edge and handed inward.

use std::collections::BTreeMap;

/// The variables a process was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// This process's variables; names or values that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        Self::from_vars(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// From pairs, for tests and for commands that run a service inside.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(vars.into_iter().collect())
    }

    /// One variable; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the platform's disk forgets: Cloud Run and AWS Lambda. Source: DESIGN §6.
    pub fn has_ephemeral_disk(&self) -> bool {
        self.get("K_SERVICE").is_some() || self.get("AWS_LAMBDA_FUNCTION_NAME").is_some()
    }

    /// The variables as a map, for adapters that read their own.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}
