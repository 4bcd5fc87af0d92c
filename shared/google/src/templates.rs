//! Compiled pipelines that lie in Cloud Storage or in a Kubeflow Pipelines repository of Artifact Registry.
//!
//! Promises: the bytes as they are stored, at most `Template::MAX_BYTES` of them, within a minute; a refusal comes
//! with the `gcloud` line that mends it; a token goes to Google's own host of the address and nowhere a redirect
//! leads. Does not: compare digests (whoever asked knows the reviewed one), cache, retry.
//! Source: the download address is the one that KFP's `RegistryClient` builds (kfp 2.17.3).

use std::time::Duration;

use launchgate_triggers::{Template, TemplateAddress};
use reqwest::{
    Url,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION},
};

use crate::{
    Account, CredentialSettings, Credentials, Endpoint, Endpoints, GoogleError,
    http::{self, Answer, CutOff},
    redaction::redacted,
};

/// Longest wait for one answer, its content included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Addresses that a registry may send us on to before the content comes.
const REDIRECTS: usize = 3;

/// A template that could not be fetched.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct TemplateFault {
    /// What happened.
    pub cause: GoogleError,
    /// What to do.
    pub fix: Option<String>,
}

impl TemplateFault {
    /// Whether nobody said no: no network, no credentials, no answer in time.
    pub fn is_out_of_reach(&self) -> bool {
        match &self.cause {
            GoogleError::Unreachable { .. } | GoogleError::Credentials(_) | GoogleError::Client(_) => true,
            GoogleError::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

impl From<GoogleError> for TemplateFault {
    fn from(cause: GoogleError) -> Self {
        Self { cause, fix: None }
    }
}

/// Fetches templates with the credentials at hand.
#[derive(Debug)]
pub struct TemplateReader {
    endpoints: Endpoints,
    storage: Credentials,
    registry: Credentials,
}

impl TemplateReader {
    /// Costs nothing until the first template.
    pub fn new(endpoints: Endpoints, settings: &CredentialSettings) -> Self {
        let storage = Credentials::new(settings.clone(), endpoints.storage_override());
        let registry = Credentials::new(settings.clone(), endpoints.registry_override());
        Self { endpoints, storage, registry }
    }

    /// The bytes that lie at an address now.
    ///
    /// # Errors
    /// When it is not there, may not be read, is too large, or nobody answers.
    pub async fn fetch(&self, address: &TemplateAddress) -> Result<Vec<u8>, TemplateFault> {
        let what = address.to_string();
        let (endpoint, credentials) = self.server(address, &what)?;
        let headers = credentials.headers(TIMEOUT).await?;
        let url = url(&endpoint, address);
        let answer = self.get(&what, &endpoint, url, &headers).await?;
        if answer.status == 200 {
            return Ok(answer.body.to_vec());
        }
        let text = redacted(String::from_utf8_lossy(&answer.body).trim());
        let fix = fix(answer.status, address, &credentials.account().await);
        Err(TemplateFault { cause: GoogleError::Refused { what, status: answer.status, message: text }, fix })
    }

    fn server(&self, address: &TemplateAddress, what: &str) -> Result<(Endpoint, &Credentials), GoogleError> {
        match address {
            TemplateAddress::Object { .. } => Ok((self.endpoints.storage(), &self.storage)),
            TemplateAddress::Package { region, .. } => {
                let endpoint = match self.endpoints.registry_override() {
                    Some(replaced) => replaced.clone(),
                    None => Endpoint::parse(&format!("https://{region}-kfp.pkg.dev"))
                        .map_err(|problem| GoogleError::Address { address: what.to_owned(), problem })?,
                };
                Ok((endpoint, &self.registry))
            }
        }
    }

    /// Follows a few redirects by hand, so that the token stays where it belongs.
    async fn get(
        &self,
        what: &str,
        endpoint: &Endpoint,
        url: Url,
        headers: &HeaderMap,
    ) -> Result<Answer, GoogleError> {
        let client = http::client(endpoint)?;
        let (mut url, origin) = (url.clone(), url.origin());
        for _ in 0..=REDIRECTS {
            let mut request = client
                .get(url.clone())
                .timeout(TIMEOUT)
                // Else an object that is stored compressed comes decompressed: other bytes than those stored.
                .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            if url.origin() == origin {
                request = request.headers(headers.clone());
            }
            let answer = http::send(request, Template::MAX_BYTES).await.map_err(|cut| cut_off(what, &cut))?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let next = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            let next = next.and_then(|next| url.join(next).ok());
            url =
                next.filter(|next| next.scheme() == "https" || next.origin() == origin).ok_or_else(|| {
                    let problem = "it sends us on to an address that is not https".to_owned();
                    GoogleError::Unexpected { what: what.to_owned(), problem }
                })?;
        }
        let problem = format!("it sends us on more than {REDIRECTS} times");
        Err(GoogleError::Unexpected { what: what.to_owned(), problem })
    }
}

fn url(endpoint: &Endpoint, address: &TemplateAddress) -> Url {
    let mut url = endpoint.join("");
    // `segment` escapes what is inside a name; an object's slashes too, as the API wants them.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        match address {
            TemplateAddress::Object { bucket, object } => {
                path.extend(["storage", "v1", "b", bucket, "o", object]);
            }
            TemplateAddress::Package { project, repository, package, version, .. } => {
                path.extend([project, repository, package]).push(&format!("sha256:{version}"));
            }
        }
    }
    if matches!(address, TemplateAddress::Object { .. }) {
        url.query_pairs_mut().append_pair("alt", "media");
    }
    url
}

fn cut_off(what: &str, cut: &CutOff) -> GoogleError {
    if cut.code == "TOO_LARGE" {
        let problem = format!("{}: no template is as large as that", cut.message);
        return GoogleError::Unexpected { what: what.to_owned(), problem };
    }
    GoogleError::Unreachable { what: what.to_owned(), cause: redacted(&cut.message) }
}

/// The line that lets `account` read, made of words that are harmless in a shell: an address has no others.
fn fix(status: u16, address: &TemplateAddress, account: &Account) -> Option<String> {
    let member = account.member();
    match (status, address) {
        (401 | 403, TemplateAddress::Object { bucket, .. }) => Some(format!(
            "gcloud storage buckets add-iam-policy-binding gs://{bucket} --member={member} \
             --role=roles/storage.objectViewer"
        )),
        (401 | 403, TemplateAddress::Package { region, project, repository, .. }) => Some(format!(
            "gcloud artifacts repositories add-iam-policy-binding {repository} --location={region} \
             --project={project} --member={member} --role=roles/artifactregistry.reader"
        )),
        (404, TemplateAddress::Object { bucket, .. }) => Some(format!(
            "`gcloud storage ls gs://{bucket}` shows what there is; an account that may not list a bucket sees 404 too"
        )),
        (404, TemplateAddress::Package { region, project, repository, package, .. }) => Some(format!(
            "`gcloud artifacts versions list --package={package} --repository={repository} --location={region} \
             --project={project}` shows what there is"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_objects_slashes_are_escaped_and_a_packages_are_not() {
        let endpoint = Endpoint::parse("http://127.0.0.1:9").unwrap();
        let object = TemplateAddress::Object { bucket: "acme".to_owned(), object: "a/b c.yaml".to_owned() };
        assert_eq!(
            url(&endpoint, &object).as_str(),
            "http://127.0.0.1:9/storage/v1/b/acme/o/a%2Fb%20c.yaml?alt=media"
        );
        let package = TemplateAddress::Package {
            region: "us".to_owned(),
            project: "acme-ml".to_owned(),
            repository: "pipelines".to_owned(),
            package: "fraud".to_owned(),
            version: launchgate_statement::Sha256::of(b"x"),
        };
        let digest = launchgate_statement::Sha256::of(b"x");
        assert_eq!(
            url(&endpoint, &package).as_str(),
            format!("http://127.0.0.1:9/acme-ml/pipelines/fraud/sha256:{digest}")
        );
    }
}
