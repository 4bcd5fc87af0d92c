//! Values against a pipeline's `root.inputDefinitions`.

use launchgate_outcome::Reason;
use serde_json::{Map, Value};

use crate::Template;

/// One thing wrong with the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    /// `unknown_parameter`, `missing_parameter`, `parameter_type`.
    pub(crate) reason: Reason,
    /// The input's name.
    pub(crate) name: String,
    /// What was expected and found.
    pub(crate) message: String,
    /// The nearest name, or the conversion.
    pub(crate) fix: Option<String>,
}

/// Which names are given, and the values of those that are already known (literals at load, all of them
/// at decision time): a parameter mapped to `None` has a value that is not known yet.
pub(crate) type Given = Map<String, Value>;

/// Checks parameters and artifacts as Google's SDK and the KFP server do, or stricter
/// (`strict_expected` in `tests/vectors/vertex/parameter_cases.json`). `pending` names parameters whose
/// values come only with an event: they count as given and are not type-checked.
pub(crate) fn check_inputs(
    template: &Template,
    parameters: &Given,
    pending: &[&str],
    artifacts: &Map<String, Value>,
) -> Vec<InputError> {
    let _ = (template, parameters, pending, artifacts);
    unimplemented!("inputs")
}
