//! The `gcloud` line that mends a known refusal.
//!
//! Promises: a line is made of fixed words, values of ours, and names taken out of Google's text only if
//! they are made of harmless characters, as people paste it into a shell. Does not: run anything.

use launchgate_outcome::Reason;

use crate::Account;

/// Whose refusal it is.
#[derive(Clone, Copy, Debug)]
pub struct FixContext<'a> {
    /// The project that was called.
    pub project: &'a str,
    /// Who called: launchgate's own account, or the run's when a run failed.
    pub account: &'a Account,
}

/// A permission in Google's text and the role that holds it; more specific ones first.
const ROLES: [(&str, &str); 7] = [
    ("aiplatform.", "roles/aiplatform.user"),
    ("iam.serviceAccounts.getAccessToken", "roles/iam.serviceAccountTokenCreator"),
    ("storage.buckets.get", "roles/storage.legacyBucketReader"),
    ("storage.objects.", "roles/storage.objectUser"),
    ("artifactregistry.", "roles/artifactregistry.reader"),
    ("pubsub.topics.publish", "roles/pubsub.publisher"),
    ("serviceusage.services.use", "roles/serviceusage.serviceUsageConsumer"),
];

/// The line that mends what `text` complains about; `None` where the table does not know it.
pub fn iam_fix(text: &str, context: FixContext<'_>) -> Option<String> {
    act_as(text, context)
        .or_else(|| bucket_access(text, context))
        .or_else(|| api_disabled(text, context))
        .or_else(|| permission(text, context))
}

/// The line for a refusal whose text says nothing more than its kind.
pub(crate) fn fix_for(reason: Reason, text: &str, context: FixContext<'_>) -> Option<String> {
    iam_fix(text, context).or_else(|| match reason {
        Reason::ApiDisabled => Some(enable("aiplatform.googleapis.com", context.project)),
        Reason::PermissionDenied => {
            Some(grant(context.project, context.account.member(), "roles/aiplatform.user"))
        }
        _ => None,
    })
}

/// The line for a refusal of a service account's token. On the account alone: the same role on a project would
/// let the caller be every account in it.
pub(crate) fn impersonation_fix(reason: Reason, target: &str, caller: &Account) -> Option<String> {
    let owner = project_of(target);
    match reason {
        Reason::PermissionDenied => {
            let project = owner.map_or_else(String::new, |project| format!(" --project={project}"));
            Some(format!(
                "gcloud iam service-accounts add-iam-policy-binding {target}{project} --member={} \
                 --role=roles/iam.serviceAccountTokenCreator",
                shell_safe(caller.member())?
            ))
        }
        // Billed to the caller's own project.
        Reason::ApiDisabled => {
            let email = caller.member().split_once(':').map_or("", |(_, email)| email);
            Some(enable("iamcredentials.googleapis.com", project_of(email).or(owner)?))
        }
        _ => None,
    }
}

/// `You do not have permission to act as service_account: EMAIL. (or it may not exist).`
fn act_as(text: &str, context: FixContext<'_>) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = ["act as service_account:", "act as service account:", "iam.serviceaccounts.actas"]
        .iter()
        .find_map(|words| Some(lower.find(words)? + words.len()))?;
    let email = words(&text[at..]).find(|word| word.contains('@'))?;
    let owner = project_of(email).unwrap_or(context.project);
    Some(format!(
        "gcloud iam service-accounts add-iam-policy-binding {email} --project={owner} --member={} \
         --role=roles/iam.serviceAccountUser",
        shell_safe(context.account.member())?
    ))
}

/// ``Service account `EMAIL` does not have `[PERMISSION, …]` IAM permission(s) to the bucket `BUCKET`.``
fn bucket_access(text: &str, context: FixContext<'_>) -> Option<String> {
    let (_, after) = text.split_once("to the bucket")?;
    let bucket = words(after).next()?;
    let named = words(text).find(|word| word.contains('@')).map(Account::service_account);
    let member = named.as_ref().unwrap_or(context.account).member();
    Some(format!(
        "gcloud storage buckets add-iam-policy-binding gs://{bucket} --member={} --role={}",
        shell_safe(member)?,
        role_in(text).unwrap_or("roles/storage.objectUser")
    ))
}

/// `… has not been used in project N before or it is disabled. Enable it by visiting …/api/API/overview…`
fn api_disabled(text: &str, context: FixContext<'_>) -> Option<String> {
    if !(text.contains("has not been used in project") || text.contains("it is disabled")) {
        return None;
    }
    let api =
        words(text).find(|word| word.ends_with(".googleapis.com")).unwrap_or("aiplatform.googleapis.com");
    Some(enable(api, context.project))
}

/// `Permission 'PERMISSION' denied on resource '…' (or it may not exist).`
fn permission(text: &str, context: FixContext<'_>) -> Option<String> {
    if !text.to_ascii_lowercase().contains("permission") {
        return None;
    }
    Some(grant(context.project, shell_safe(context.account.member())?, role_in(text)?))
}

fn role_in(text: &str) -> Option<&'static str> {
    // Resources start with the API's name too (`//aiplatform.googleapis.com/…`); that is no permission.
    let permissions: Vec<&str> =
        words(text).filter(|word| word.contains('.') && !word.contains(".googleapis.com")).collect();
    ROLES
        .iter()
        .find(|(start, _)| permissions.iter().any(|permission| permission.starts_with(start)))
        .map(|(_, role)| *role)
}

fn grant(project: &str, member: &str, role: &str) -> String {
    format!("gcloud projects add-iam-policy-binding {project} --member={member} --role={role}")
}

fn enable(api: &str, project: &str) -> String {
    format!("gcloud services enable {api} --project={project}")
}

/// The project a service account lives in, where its e-mail says it.
fn project_of(email: &str) -> Option<&str> {
    email.split_once('@')?.1.strip_suffix(".iam.gserviceaccount.com")
}

/// The names in a text: runs of characters that mean nothing to a shell, without the sentence's own dots.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@')))
        .map(|word| word.trim_matches(|c| matches!(c, '.' | '-')))
        .filter(|word| !word.is_empty())
}

fn shell_safe(member: &str) -> Option<&str> {
    let harmless =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':' | '/' | '*');
    member.chars().all(harmless).then_some(member)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fix(text: &str) -> Option<String> {
        let account = Account::service_account("launchgate@acme-ml.iam.gserviceaccount.com");
        iam_fix(text, FixContext { project: "acme-ml", account: &account })
    }

    #[test]
    fn permission_to_create_is_granted_on_the_project() {
        for kind in ["pipelineJobs", "customJobs"] {
            let text = format!(
                "Permission 'aiplatform.{kind}.create' denied on resource \
                 '//aiplatform.googleapis.com/projects/acme-ml/locations/europe-west1' (or it may not exist)."
            );
            assert_eq!(
                fix(&text).unwrap(),
                "gcloud projects add-iam-policy-binding acme-ml \
                 --member=serviceAccount:launchgate@acme-ml.iam.gserviceaccount.com --role=roles/aiplatform.user"
            );
        }
    }

    #[test]
    fn acting_as_is_granted_on_the_runs_own_account_in_its_own_project() {
        let text = "You do not have permission to act as service_account: \
                    runner@other-project.iam.gserviceaccount.com. (or it may not exist).";
        assert_eq!(
            fix(text).unwrap(),
            "gcloud iam service-accounts add-iam-policy-binding runner@other-project.iam.gserviceaccount.com \
             --project=other-project --member=serviceAccount:launchgate@acme-ml.iam.gserviceaccount.com \
             --role=roles/iam.serviceAccountUser"
        );
    }

    #[test]
    fn bucket_access_is_granted_to_the_account_that_lacks_it() {
        for quote in ['`', '"'] {
            let text = "Failed to create pipeline job. Error: Service account \
                `train-runner@acme-ml.iam.gserviceaccount.com` does not have `[storage.objects.get, \
                storage.objects.create]` IAM permission(s) to the bucket `acme-ml-pipelines`. Please either copy."
                .replace('`', &quote.to_string());
            assert_eq!(
                fix(&text).unwrap(),
                "gcloud storage buckets add-iam-policy-binding gs://acme-ml-pipelines \
                 --member=serviceAccount:train-runner@acme-ml.iam.gserviceaccount.com --role=roles/storage.objectUser"
            );
        }
    }

    #[test]
    fn a_disabled_api_is_enabled_by_its_own_name() {
        let text = "Vertex AI API has not been used in project 123456789012 before or it is disabled. Enable it by \
            visiting https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project=123456789012 then retry.";
        assert_eq!(fix(text).unwrap(), "gcloud services enable aiplatform.googleapis.com --project=acme-ml");
    }

    #[test]
    fn every_known_access_error_has_a_fix_and_no_other_has() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/vertex/errors.json");
        let known: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let access = [
            "permission_create_pipeline",
            "act_as_denied",
            "service_disabled",
            "service_account_bucket",
            "metadata_store_permission",
        ];
        let cases = ["synchronous", "asynchronous"].map(|list| known[list].as_array().unwrap());
        for case in cases.into_iter().flatten() {
            let text = case["response"]["error"]["message"].as_str().or(case["error"]["message"].as_str());
            let fix = fix(text.unwrap_or_default());
            assert_eq!(
                fix.is_some(),
                access.contains(&case["id"].as_str().unwrap()),
                "{}: {fix:?}",
                case["id"]
            );
        }
    }

    #[test]
    fn a_hostile_text_cannot_put_anything_into_the_line() {
        let line = fix("act as service_account: x@y$(rm -rf ~);`id` to the bucket `a b;c`").unwrap();
        assert!(
            line.starts_with("gcloud iam service-accounts add-iam-policy-binding x@y --project=acme-ml"),
            "{line}"
        );
    }
}
