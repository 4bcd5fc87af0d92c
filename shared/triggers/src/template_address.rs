//! Where a template lies that is not beside the triggers file.
//!
//! Promises: an address names one object, or one package by digest, in words that need no escaping by whoever
//! fetches it. Does not: fetch; promise that what lies there stays the same, which `templateSha256` is for.

use std::fmt;

use launchgate_statement::Sha256;

/// A remote template as the triggers file names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteTemplate {
    /// Where it lies.
    pub address: TemplateAddress,
    /// `templateSha256`: of the bytes that were reviewed.
    pub sha256: Sha256,
}

/// `gs://BUCKET/OBJECT` or `https://REGION-kfp.pkg.dev/PROJECT/REPOSITORY/PACKAGE/sha256:DIGEST`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TemplateAddress {
    /// An object in Cloud Storage.
    Object {
        /// The bucket.
        bucket: String,
        /// The object's name; may hold slashes.
        object: String,
    },
    /// A version of a package in a Kubeflow Pipelines repository of Artifact Registry.
    Package {
        /// Region or multi-region of the repository.
        region: String,
        /// Project of the repository.
        project: String,
        /// The repository.
        repository: String,
        /// The package: the pipeline's name.
        package: String,
        /// The version. Artifact Registry does not say of which bytes it is the digest.
        version: Sha256,
    },
}

/// Why a text is no address of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadAddress {
    /// The finding's code.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) fix: String,
}

impl TemplateAddress {
    /// Reads an address; a text without `://` is a path and none of ours.
    pub(crate) fn parse(text: &str) -> Result<Self, BadAddress> {
        if let Some(rest) = text.strip_prefix("gs://") {
            return object(text, rest);
        }
        match text.strip_prefix("https://").and_then(|rest| rest.split_once("-kfp.pkg.dev/")) {
            Some((region, path)) if is_name(region) && !region.contains('.') => package(text, region, path),
            _ => Err(unknown(text)),
        }
    }

    /// What `PipelineJob.templateUri` says of it: Google's SDK sends one for registries only.
    pub(crate) fn template_uri(&self) -> Option<String> {
        matches!(self, Self::Package { .. }).then(|| self.to_string())
    }
}

impl fmt::Display for TemplateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { bucket, object } => write!(f, "gs://{bucket}/{object}"),
            Self::Package { region, project, repository, package, version } => {
                write!(f, "https://{region}-kfp.pkg.dev/{project}/{repository}/{package}/sha256:{version}")
            }
        }
    }
}

fn object(text: &str, rest: &str) -> Result<TemplateAddress, BadAddress> {
    let (bucket, object) = rest.split_once('/').unwrap_or((rest, ""));
    if object.contains('#') {
        return Err(BadAddress {
            code: "bad-template-address",
            message: format!("expected gs://BUCKET/OBJECT, found a generation in `{text}`"),
            fix: "leave out what follows `#`: `templateSha256` pins the content".to_owned(),
        });
    }
    let whole = crate::file::is_bucket(bucket)
        && !object.is_empty()
        && !object.ends_with('/')
        && !object.contains(char::is_control);
    if !whole {
        return Err(unknown(text));
    }
    Ok(TemplateAddress::Object { bucket: bucket.to_owned(), object: object.to_owned() })
}

fn package(text: &str, region: &str, path: &str) -> Result<TemplateAddress, BadAddress> {
    let parts: Vec<&str> = path.split('/').collect();
    let [project, repository, package, version] = parts[..] else { return Err(unknown(text)) };
    if ![project, repository, package].into_iter().all(is_name) {
        return Err(unknown(text));
    }
    let Some(digest) = version.strip_prefix("sha256:") else {
        return Err(BadAddress {
            code: "template-by-tag",
            message: format!(
                "the template `{package}` is named by the tag `{version}`, which can be moved to another version"
            ),
            fix: format!(
                "name it by digest, …/{package}/sha256:DIGEST; `gcloud artifacts tags list --package={package} \
                 --repository={repository} --location={region} --project={project}` shows what the tag stands for"
            ),
        });
    };
    let Some(version) = Sha256::from_hex(digest) else { return Err(unknown(text)) };
    let [region, project, repository, package] = [region, project, repository, package].map(str::to_owned);
    Ok(TemplateAddress::Package { region, project, repository, package, version })
}

/// One segment of a path, in characters that mean nothing to a URL or a shell. A project of a domain has a colon.
fn is_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

fn unknown(text: &str) -> BadAddress {
    BadAddress {
        code: "bad-template-address",
        message: format!("expected a template's address, found `{text}`"),
        fix: "name a file beside this one, gs://BUCKET/OBJECT or \
              https://REGION-kfp.pkg.dev/PROJECT/REPOSITORY/PACKAGE/sha256:DIGEST"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn objects_and_packages_by_digest_are_addresses() {
        let digest = "4f".repeat(32);
        for (text, uri) in [
            ("gs://acme-pipelines/fraud/retrain v3.yaml".to_owned(), false),
            (
                format!("https://europe-west1-kfp.pkg.dev/acme-ml/pipelines/fraud-retrain/sha256:{digest}"),
                true,
            ),
            (format!("https://us-kfp.pkg.dev/example.com:ml/p/x_1/sha256:{digest}"), true),
        ] {
            let address = TemplateAddress::parse(&text).unwrap();

            assert_eq!(address.to_string(), text);
            assert_eq!(address.template_uri(), uri.then_some(text));
        }
    }

    #[test]
    fn a_tag_is_refused_with_the_line_that_shows_its_digest() {
        let error = TemplateAddress::parse("https://us-kfp.pkg.dev/acme-ml/pipelines/fraud/v3").unwrap_err();

        assert_eq!(error.code, "template-by-tag");
        assert!(
            error.fix.contains(
                "gcloud artifacts tags list --package=fraud --repository=pipelines --location=us --project=acme-ml"
            ),
            "{}",
            error.fix
        );
    }

    #[test]
    fn everything_else_is_no_address() {
        let digest = "4f".repeat(32);
        for text in [
            "gs://acme-pipelines".to_owned(),
            "gs://acme-pipelines/".to_owned(),
            "gs://acme-pipelines/folder/".to_owned(),
            "gs://Acme/x".to_owned(),
            "gs://acme/x#17".to_owned(),
            "s3://acme/x.yaml".to_owned(),
            "https://example.com/x.yaml".to_owned(),
            format!("http://us-kfp.pkg.dev/p/r/x/sha256:{digest}"),
            format!("https://evil.example/us-kfp.pkg.dev/p/r/x/sha256:{digest}"),
            format!("https://evil.example?-kfp.pkg.dev/p/r/x/sha256:{digest}"),
            format!("https://user@us-kfp.pkg.dev/p/r/x/sha256:{digest}"),
            format!("https://us-kfp.pkg.dev/p/../x/sha256:{digest}"),
            format!("https://us-kfp.pkg.dev/p/r/x/y/sha256:{digest}"),
            format!("https://us-kfp.pkg.dev/p/r/x/sha256:{}", digest.to_uppercase()),
            "https://us-kfp.pkg.dev/p/r/x/sha256:4f".to_owned(),
        ] {
            assert_eq!(TemplateAddress::parse(&text).unwrap_err().code, "bad-template-address", "{text}");
        }
    }
}
