//! Where in a launch body `${…}` may stand. Source: DESIGN §4, Expressions.

use crate::{LaunchKind, launch_template::Field};

/// The rule of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As written only: a build must not choose it.
    Fixed,
    /// Text.
    Text(Field),
    /// The artifact's own address or a literal repository with its digest.
    Image,
}

/// The rule of the string at a path of members (indices as text).
pub(super) fn place(kind: LaunchKind, path: &[String]) -> Place {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let other = || Place::Text(Field::Other(path.join(".")));
    match (kind, &path[..]) {
        (_, ["displayName"]) => Place::Text(Field::DisplayName),
        (_, ["labels", key]) => Place::Text(Field::Label((*key).to_owned())),
        (LaunchKind::PipelineJob, ["runtimeConfig", "gcsOutputDirectory"]) => Place::Text(Field::Root),
        (LaunchKind::CustomJob, ["jobSpec", "workerPoolSpecs", _, "containerSpec", rest @ ..])
        | (
            LaunchKind::HyperparameterTuningJob,
            ["trialJobSpec", "workerPoolSpecs", _, "containerSpec", rest @ ..],
        )
        | (LaunchKind::BatchPredictionJob, ["unmanagedContainerModel", "containerSpec", rest @ ..]) => {
            match rest {
                ["imageUri"] => Place::Image,
                ["args", _] | ["env", _, "value"] => other(),
                _ => Place::Fixed,
            }
        }
        _ => Place::Fixed,
    }
}
