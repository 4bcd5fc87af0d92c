//! What the server demands of a job beyond its schema: required fields, lengths, forms of names.
//!
//! Each check names its source where one is public (field comments of the API's protos, `errors.json`).
//! Nothing is checked that the real service would need the outside for: buckets, images, accounts, quotas.

use serde_json::Value;

use super::{kind::JobKind, labels, parameters};
use crate::google_error::{GoogleError, Subject};

/// Characters of a display name.
const LONGEST_DISPLAY_NAME: usize = 128;
/// Characters of a pipeline job id: the proto says less than 128.
const LONGEST_ID: usize = 127;
/// Environment variables of one container.
const MOST_VARIABLES: usize = 100;

/// Checks a job in canonical form.
pub(crate) fn check(kind: JobKind, job: &Value) -> Result<(), GoogleError> {
    let name = job["displayName"].as_str().unwrap_or_default();
    require(!name.is_empty(), "display_name")?;
    if name.chars().count() > LONGEST_DISPLAY_NAME {
        return Err(GoogleError::invalid("Display name must be 128 characters or fewer."));
    }
    labels::check(&job["labels"])?;
    if let Some(key) = job["encryptionSpec"]["kmsKeyName"].as_str() {
        form(is_kms_key(key), "encryption_spec.kms_key_name", key)?;
    }
    match kind {
        JobKind::PipelineJobs => pipeline(job),
        JobKind::CustomJobs => {
            require(job["jobSpec"].is_object(), "job_spec")?;
            training(&job["jobSpec"], "job_spec")
        }
        JobKind::HyperparameterTuningJobs => tuning(job),
        JobKind::BatchPredictionJobs => batch_prediction(job),
    }
}

/// `[a-z][a-z0-9-]{0,126}`, whole text.
pub(crate) fn check_pipeline_job_id(id: &str) -> Result<(), GoogleError> {
    let well_formed = id.len() <= LONGEST_ID
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if well_formed {
        return Ok(());
    }
    Err(GoogleError::invalid(&format!(
        "Invalid pipeline_job_id: \"{id}\". The ID should be less than 128 characters and match the pattern [a-z][a-z0-9-]*."
    )))
}

fn pipeline(job: &Value) -> Result<(), GoogleError> {
    let (spec, runtime) = (&job["pipelineSpec"], &job["runtimeConfig"]);
    if spec.is_null() && job["templateUri"].as_str().unwrap_or_default().is_empty() {
        return Err(GoogleError::invalid("Either pipeline_spec or template_uri must be specified."));
    }
    let root = runtime["gcsOutputDirectory"].as_str().unwrap_or_default();
    require(!root.is_empty(), "runtime_config.gcs_output_directory")?;
    if !is_gcs(root) {
        let known = GoogleError::known("bad_gcs_output_directory", &Subject::default());
        return Err(known.expect("errors.json holds this id: a test reads it"));
    }
    account(&job["serviceAccount"], "service_account")?;
    if let Some(artifacts) = runtime["inputArtifacts"].as_object() {
        for (name, artifact) in artifacts {
            let id = artifact["artifactId"].as_str().unwrap_or_default();
            form(
                !id.is_empty() && !id.contains('/'),
                &format!("runtime_config.input_artifacts[{name}].artifact_id"),
                id,
            )?;
        }
    }
    if spec.is_null() {
        return Ok(());
    }
    require(
        spec["pipelineInfo"]["name"].as_str().is_some_and(|name| !name.is_empty()),
        "pipeline_spec.pipeline_info.name",
    )?;
    require(spec["root"].is_object(), "pipeline_spec.root")?;
    parameters::check(spec, runtime)
}

fn training(spec: &Value, at: &str) -> Result<(), GoogleError> {
    let pools = spec["workerPoolSpecs"].as_array().map_or(&[][..], Vec::as_slice);
    require(!pools.is_empty(), &format!("{at}.worker_pool_specs"))?;
    for (index, pool) in pools.iter().enumerate() {
        // A pool in the middle may be left empty to keep the roles of the others; the first may not.
        if index > 0 && pool.as_object().is_some_and(serde_json::Map::is_empty) {
            continue;
        }
        let at = format!("{at}.worker_pool_specs[{index}]");
        let (container, package) = (&pool["containerSpec"], &pool["pythonPackageSpec"]);
        require(container.is_object() || package.is_object(), &format!("{at}.task"))?;
        if container.is_object() {
            require(is_text(&container["imageUri"]), &format!("{at}.container_spec.image_uri"))?;
        } else {
            require(
                is_text(&package["executorImageUri"]),
                &format!("{at}.python_package_spec.executor_image_uri"),
            )?;
            require(is_list(&package["packageUris"]), &format!("{at}.python_package_spec.package_uris"))?;
            require(is_text(&package["pythonModule"]), &format!("{at}.python_package_spec.python_module"))?;
        }
        require(is_text(&pool["machineSpec"]["machineType"]), &format!("{at}.machine_spec.machine_type"))?;
        let replicas = pool["replicaCount"].as_str().and_then(|count| count.parse::<i64>().ok()).unwrap_or(0);
        form(replicas > 0, &format!("{at}.replica_count"), &replicas.to_string())?;
        let variables = container["env"].as_array().or(package["env"].as_array());
        if variables.is_some_and(|variables| variables.len() > MOST_VARIABLES) {
            return Err(GoogleError::invalid(&format!(
                "At most {MOST_VARIABLES} environment variables can be specified at {at}."
            )));
        }
    }
    if let Some(output) = spec["baseOutputDirectory"]["outputUriPrefix"].as_str() {
        form(is_gcs(output), &format!("{at}.base_output_directory.output_uri_prefix"), output)?;
    }
    account(&spec["serviceAccount"], &format!("{at}.service_account"))
}

fn tuning(job: &Value) -> Result<(), GoogleError> {
    require(is_list(&job["studySpec"]["metrics"]), "study_spec.metrics")?;
    require(is_list(&job["studySpec"]["parameters"]), "study_spec.parameters")?;
    let (most, at_once) =
        (job["maxTrialCount"].as_i64().unwrap_or(0), job["parallelTrialCount"].as_i64().unwrap_or(0));
    require(most > 0, "max_trial_count")?;
    require(at_once > 0, "parallel_trial_count")?;
    require(job["trialJobSpec"].is_object(), "trial_job_spec")?;
    training(&job["trialJobSpec"], "trial_job_spec")
}

fn batch_prediction(job: &Value) -> Result<(), GoogleError> {
    let (input, output) = (&job["inputConfig"], &job["outputConfig"]);
    require(is_text(&input["instancesFormat"]), "input_config.instances_format")?;
    require(
        input["gcsSource"].is_object()
            || input["bigquerySource"].is_object()
            || input["vertexMultimodalDatasetSource"].is_object(),
        "input_config.source",
    )?;
    require(is_text(&output["predictionsFormat"]), "output_config.predictions_format")?;
    require(
        output["gcsDestination"].is_object()
            || output["bigqueryDestination"].is_object()
            || output["vertexMultimodalDatasetDestination"].is_object(),
        "output_config.destination",
    )?;
    require(is_text(&job["model"]) || job["unmanagedContainerModel"].is_object(), "model")?;
    if let Some(uris) = input["gcsSource"]["uris"].as_array() {
        for uri in uris.iter().filter_map(Value::as_str) {
            form(is_gcs(uri), "input_config.gcs_source.uris", uri)?;
        }
    }
    if let Some(prefix) = output["gcsDestination"]["outputUriPrefix"].as_str() {
        form(is_gcs(prefix), "output_config.gcs_destination.output_uri_prefix", prefix)?;
    }
    account(&job["serviceAccount"], "service_account")
}

fn require(given: bool, field: &str) -> Result<(), GoogleError> {
    if given {
        Ok(())
    } else {
        Err(GoogleError::bad_request(field, &format!("Required field is not set: {field}.")))
    }
}

fn form(good: bool, field: &str, value: &str) -> Result<(), GoogleError> {
    if good {
        Ok(())
    } else {
        Err(GoogleError::bad_request(field, &format!("Invalid value for {field}: \"{value}\".")))
    }
}

fn account(account: &Value, field: &str) -> Result<(), GoogleError> {
    match account.as_str() {
        None => Ok(()),
        Some(text) => {
            let good =
                text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
            form(good && !text.contains(char::is_whitespace), field, text)
        }
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_list(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty())
}

fn is_gcs(uri: &str) -> bool {
    uri.strip_prefix("gs://").is_some_and(|rest| {
        let bucket = rest.split('/').next().unwrap_or_default();
        !bucket.is_empty()
            && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
    })
}

fn is_kms_key(name: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    matches!(parts[..], ["projects", p, "locations", l, "keyRings", r, "cryptoKeys", k]
        if ![p, l, r, k].iter().any(|part| part.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_job_id_is_lower_case_anchored_and_below_128() {
        for good in ["a", "lg-retrain-0123", &"a".repeat(127)] {
            assert!(check_pipeline_job_id(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "aB", "1a", "-a", "a_b", "abc\n", "a.b", &"a".repeat(128)] {
            assert!(check_pipeline_job_id(bad).is_err(), "{bad:?}");
        }
    }
}
