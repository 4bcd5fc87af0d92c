//! What people name as a template and Vertex AI cannot take: named as what it is, with the way out.

use serde_json::Value;

use super::{RECOMPILE, TemplateError};

/// The error for a Kubernetes resource; `None` for anything that may be a pipeline spec.
///
/// Source: `apiVersion` and `kind` of Argo's `workflow_types.go` and of the Kubernetes-native API of KFP (2.14 on).
pub(super) fn foreign(document: &Value) -> Option<TemplateError> {
    let text = |key: &str| document.get(key).and_then(Value::as_str);
    let (api, kind) = (text("apiVersion")?, text("kind").unwrap_or("resource"));
    let group = api.split('/').next().unwrap_or_default();
    Some(match (group, kind) {
        ("argoproj.io", _) => {
            TemplateError::new("this is an Argo workflow, as KFP 1 compiles it; Vertex AI takes KFP 2 specs only")
                .fix(RECOMPILE)
        }
        ("pipelines.kubeflow.org", "PipelineVersion") => TemplateError::new(
            "this is a `PipelineVersion` resource of KFP's Kubernetes-native API, which Vertex AI does not take",
        )
        .fix(
            "compile the pipeline without `kubernetes_manifest_format=True`, or save the resource's `spec.pipelineSpec` \
             as a file of its own",
        ),
        ("pipelines.kubeflow.org", "Pipeline") => TemplateError::new(
            "this is a `Pipeline` resource of KFP's Kubernetes-native API; it holds no pipeline spec, the \
             `PipelineVersion` beside it does",
        )
        .fix("compile the pipeline without `kubernetes_manifest_format=True`"),
        _ => TemplateError::new(format!("this is a Kubernetes resource ({api}, {kind}), no compiled pipeline"))
            .fix(RECOMPILE),
    })
}
