//! The Sigstore signer: whose certificates count, and what one of them proves. Source: DESIGN §3.
//!
//! Promises: a certificate speaks only for envelopes that its key signed, near an instant that the root's own
//! clocks prove, and never for a build other than its own. Does not: prove branch, tag or step, which no
//! certificate names; say anything about isolation of the job.

use launchgate_outcome::{Reason, Refusal};
use launchgate_sigstore::{BundleError, BundledEnvelope, Certificate, CertificateClaims, TrustedRoot};
use launchgate_statement::{Build, Envelope, Invocation, PipelineUrl, Statement, Timestamp, is_commit_id};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::buildkite_oidc::ISSUER;
use crate::mismatch::{Mismatch, PINNED, bounded};
use crate::{ForkBuilds, IdentityClaims};

/// Seconds by which the root's clocks and Pub/Sub's may differ.
const SKEW: i64 = 60;

const CERTIFICATE: &str = "the certificate's";

/// Whose certificates count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sigstore {
    /// Organization slug.
    pub organization: String,
    /// The authorities, logs and clocks that count.
    pub trusted_root: TrustedRoot,
    /// Whether the pipelines it speaks for build forks under the forks' own branch names.
    pub fork_builds: ForkBuilds,
}

/// What a verified bundle proved, kept with the event: enough to verify it again, under the root of the day,
/// when a later copy of the event comes without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateProof {
    /// The earliest time of signing that the root's clocks prove.
    pub signed: Timestamp,
    /// When the event was published in the copy that this bundle was verified with.
    pub published: Timestamp,
    /// The facts it vouches for.
    pub build: Build,
    /// All that it says.
    #[serde(default, skip_serializing_if = "IdentityClaims::is_empty")]
    pub claims: IdentityClaims,
    /// The signature in the bundle's envelope, base64.
    pub signature: String,
    /// The bundle's verification material. Public: it stands in the log.
    pub material: Value,
}

/// The certificate of the bundle around `envelope`.
pub(crate) fn certificate(envelope: &Envelope, root: &TrustedRoot) -> Option<Result<Certificate, Refusal>> {
    let material = envelope.verification_material.as_ref()?;
    let [signature] = &*envelope.signatures else {
        let message = format!("expected one signature in a bundle, found {}", envelope.signatures.len());
        return Some(Err(Refusal::new(Reason::BundleMaterial, message)));
    };
    Some(verified(envelope, &signature.sig, material, root))
}

fn verified(
    envelope: &Envelope,
    signature: &[u8],
    material: &Value,
    root: &TrustedRoot,
) -> Result<Certificate, Refusal> {
    let Envelope { payload_type, payload, .. } = envelope;
    root.verify(BundledEnvelope { payload_type, payload, signature, material }).map_err(|error| {
        let reason = match error {
            BundleError::Material(_) => Reason::BundleMaterial,
            BundleError::Certificate(_) => Reason::BundleCertificate,
            BundleError::Time(_) => Reason::BundleTime,
            BundleError::Log(_) => Reason::BundleLog,
            BundleError::Signature(_) => Reason::BundleSignature,
        };
        Refusal::new(reason, bounded(&error.to_string()))
    })
}

/// Whether this certificate was issued to a Buildkite job and used before the event was published.
pub(crate) fn accepts(certificate: &Certificate, published: Timestamp) -> Result<(), Refusal> {
    if certificate.claims().issuer != ISSUER {
        let message =
            format!("expected the issuer {ISSUER}, found {}", bounded(&certificate.claims().issuer));
        return Err(Refusal::new(Reason::BundleIssuer, message));
    }
    if certificate.signed() > published.seconds().saturating_add(SKEW) {
        let message = format!(
            "the bundle was signed at {}, but the event was published at {published}",
            Timestamp::from_seconds(certificate.signed())
        );
        return Err(Refusal::new(Reason::BundleTime, message));
    }
    Ok(())
}

impl Sigstore {
    /// What the certificate proves of the statement.
    pub(crate) fn prove(
        &self,
        certificate: &Certificate,
        envelope: &Envelope,
        statement: &Statement,
        published: Timestamp,
    ) -> Result<CertificateProof, Mismatch> {
        let build = agreeing(certificate.claims(), &statement.build)?;
        self.check_pin(&build)?;
        Ok(CertificateProof {
            signed: Timestamp::from_seconds(certificate.signed()),
            published,
            build,
            claims: IdentityClaims::of_certificate(certificate.claims()),
            signature: envelope.signatures.first().map(|one| base64(&one.sig)).unwrap_or_default(),
            material: envelope.verification_material.clone().unwrap_or_default(),
        })
    }

    /// The proof of a bundle that an earlier copy of this event came in, if that still proves the same under
    /// today's root. What it says is read anew: a proof may be older than the keeping of its claims.
    pub(crate) fn held_again(
        &self,
        proof: &CertificateProof,
        envelope: &Envelope,
        statement: &Statement,
    ) -> Option<CertificateProof> {
        let signature = from_base64(&proof.signature)?;
        let certificate = verified(envelope, &signature, &proof.material, &self.trusted_root).ok()?;
        let holds = accepts(&certificate, proof.published).is_ok()
            && agreeing(certificate.claims(), &statement.build).is_ok_and(|build| build == proof.build)
            && self.check_pin(&proof.build).is_ok();
        let claims = IdentityClaims::of_certificate(certificate.claims());
        holds.then(|| CertificateProof { claims, ..proof.clone() })
    }

    fn check_pin(&self, build: &Build) -> Result<(), Mismatch> {
        if build.organization.as_ref() == Some(&self.organization) {
            return Ok(());
        }
        let actual = build.organization.as_deref().map_or_else(|| "absent".to_owned(), bounded);
        let expected = self.organization.clone();
        Err(Mismatch { of: CERTIFICATE, claim: "organization", by: PINNED, expected, actual })
    }
}

/// What the certificate in a bundle's verification material claims. Nothing of it is verified: for showing only.
pub fn unverified_certificate_claims(material: &Value) -> Result<CertificateClaims, BundleError> {
    CertificateClaims::unverified(material)
}

/// The facts that the certificate vouches for, each equal to the statement's. Source of their form:
/// sigstore/fulcio, `config/identity/config.yaml`, `buildkite-job`.
fn agreeing(claims: &CertificateClaims, said: &Build) -> Result<Build, Mismatch> {
    let shape = |claim, expected: &str, actual: &str| Mismatch {
        of: CERTIFICATE,
        claim,
        by: "it should be",
        expected: expected.to_owned(),
        actual: bounded(actual),
    };
    let identity = &*claims.identity;
    let pipeline = PipelineUrl::parse(identity).filter(|_| claims.identity_is_uri);
    let pipeline =
        pipeline.ok_or_else(|| shape("SAN", "the URI https://buildkite.com/ORG/PIPELINE", identity))?;
    let organization = same("organization", pipeline.organization, said.organization.as_deref())?;
    let slug = same("pipeline", pipeline.pipeline, said.pipeline.as_deref())?;

    // An instance that is not set up for Buildkite names the pipeline alone; what it leaves out it does not
    // vouch for.
    let run = claims.run_invocation_uri.as_deref().map(|page| {
        let run = Invocation::parse(page).filter(|run| run.pipeline == pipeline);
        let run =
            run.ok_or_else(|| shape("run invocation URI", &format!("{identity}/builds/NUMBER#JOB"), page))?;
        if Some(run.number) != said.number {
            let (expected, actual) = (said.number.map(|number| number.to_string()), run.number.to_string());
            return Err(differs("build number", expected.as_deref(), &actual));
        }
        if let (Some(job), Some(said)) = (run.job, said.job.as_deref()) {
            same("job", job, Some(said))?;
        }
        Ok(run.number)
    });
    let commit = match claims.source_repository_digest.as_deref() {
        // A build that was created for a name (`HEAD`) vouches for no commit, as with tokens.
        Some(commit) if is_commit_id(commit) => {
            Some(same("source repository digest", commit, said.commit.as_deref())?)
        }
        _ => None,
    };
    let unless_said = |claim, actual: &Option<String>, said: &Option<String>| match (actual, said) {
        (Some(actual), Some(said)) => same(claim, actual, Some(said)).map(Some),
        (actual, _) => Ok(actual.clone()),
    };
    Ok(Build {
        organization: Some(organization),
        pipeline: Some(slug),
        number: run.transpose()?,
        commit,
        source: unless_said("build trigger", &claims.build_trigger, &said.source)?,
        runner: unless_said("runner environment", &claims.runner_environment, &said.runner)?,
        ..Build::default()
    })
}

fn same(claim: &'static str, actual: &str, said: Option<&str>) -> Result<String, Mismatch> {
    if said == Some(actual) { Ok(actual.to_owned()) } else { Err(differs(claim, said, actual)) }
}

fn differs(claim: &'static str, said: Option<&str>, actual: &str) -> Mismatch {
    Mismatch::with_statement(CERTIFICATE, claim, said, Some(actual))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
