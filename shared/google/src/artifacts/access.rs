//! What lets launchgate see an artifact, as a line to be pasted.
//!
//! Promises: the line is made of fixed words and of names out of harmless characters; where an artifact's own
//! name is not one, a word in capitals stands for it.

use launchgate_triggers::ArtifactPlace;

use super::{ArtifactReader, registry::is_googles};

impl ArtifactReader {
    /// What to do when the other side says that we may not see it, or pretends that it is not there.
    pub(super) async fn access_fix(&self, place: &ArtifactPlace) -> String {
        match place {
            ArtifactPlace::Object(object) => {
                let member = self.storage.account().await;
                format!(
                    "gcloud storage buckets add-iam-policy-binding gs://{} --member={} \
                     --role=roles/storage.objectViewer",
                    harmless(&object.bucket, "BUCKET"),
                    harmless_member(member.member())
                )
            }
            ArtifactPlace::Image { host, repository } if is_googles(host) => {
                let member = self.registry.account().await;
                registry_line(host, repository, harmless_member(member.member()))
            }
            ArtifactPlace::Image { host, repository } => format!(
                "`{host}/{repository}` must be public, since launchgate shows accounts to Google's registries alone; \
                 or mirror it into Artifact Registry"
            ),
        }
    }
}

/// `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/…`, or `gcr.io/PROJECT/…`, which is granted on the project.
fn registry_line(host: &str, repository: &str, member: &str) -> String {
    let mut parts = repository.split('/');
    let [project, name] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
    let project = harmless(project, "PROJECT");
    match host.strip_suffix("-docker.pkg.dev") {
        Some(location) => format!(
            "gcloud artifacts repositories add-iam-policy-binding {} --project={project} --location={} \
             --member={member} --role=roles/artifactregistry.reader",
            harmless(name, "REPOSITORY"),
            harmless(location, "LOCATION"),
        ),
        None => format!(
            "gcloud projects add-iam-policy-binding {project} --member={member} \
             --role=roles/artifactregistry.reader"
        ),
    }
}

/// A name whose every character means nothing to a shell, and that is no option.
fn harmless<'t>(name: &'t str, otherwise: &'static str) -> &'t str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !name.is_empty() && !name.starts_with('-') && name.bytes().all(plain) { name } else { otherwise }
}

fn harmless_member(member: &str) -> &str {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b':' | b'/' | b'*');
    if member.bytes().all(plain) { member } else { "serviceAccount:SERVICE_ACCOUNT" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_granted_on_the_repository_or_the_project() {
        let line = |host, repository| registry_line(host, repository, "serviceAccount:x@y.z");

        assert_eq!(
            line("europe-west1-docker.pkg.dev", "acme-ml/training/fraud/train"),
            "gcloud artifacts repositories add-iam-policy-binding training --project=acme-ml \
             --location=europe-west1 --member=serviceAccount:x@y.z --role=roles/artifactregistry.reader"
        );
        assert_eq!(
            line("eu.gcr.io", "acme-ml/train"),
            "gcloud projects add-iam-policy-binding acme-ml --member=serviceAccount:x@y.z \
             --role=roles/artifactregistry.reader"
        );
    }

    #[test]
    fn a_hostile_name_cannot_put_anything_into_a_line() {
        for hostile in ["a;id", "$(id)", "a b", "", "--impersonate-service-account=x"] {
            assert_eq!(harmless(hostile, "BUCKET"), "BUCKET", "{hostile}");
        }
        assert_eq!(harmless_member("user:x;id"), "serviceAccount:SERVICE_ACCOUNT");
    }
}
